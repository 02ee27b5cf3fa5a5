#!/bin/sh
set -eu
data=/var/lib/postgresql/data
bin=$(echo /usr/lib/postgresql/*/bin)
if [ ! -f $data/PG_VERSION ]; then
    "$bin/initdb" --pgdata $data --username "$POSTGRES_USER" --pwfile "$POSTGRES_PASSWORD_FILE" --auth-host scram-sha-256
    echo "host all all all scram-sha-256" >>$data/pg_hba.conf
fi
# podman gives /var/run/postgresql, which is a link's target here, to root.
exec "$bin/postgres" -D $data -c listen_addresses='*' -c unix_socket_directories=/tmp
