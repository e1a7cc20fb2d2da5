FROM scratch
COPY nats-server /nats-server
EXPOSE 4222 1883
ENTRYPOINT ["/nats-server"]
