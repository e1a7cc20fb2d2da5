#!/bin/sh
# As the well-known image does: POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB say what is made on the first start.
set -eu
if [ ! -s /data/PG_VERSION ]; then
    umask 077
    echo "$POSTGRES_PASSWORD" >/tmp/password
    initdb --pgdata /data --username "$POSTGRES_USER" --pwfile /tmp/password --auth scram-sha-256 --encoding UTF8 \
        --locale-provider builtin --builtin-locale C.UTF-8 --locale C
    echo "host all all all scram-sha-256" >>/data/pg_hba.conf
    echo "create database \"$POSTGRES_DB\"" | postgres --single -D /data postgres
fi
exec postgres -D /data -c "listen_addresses=*" -c unix_socket_directories=
