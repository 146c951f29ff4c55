#!/bin/sh
# Brings the schemas of Temporal's two databases to the version of this image; does nothing if they are.
# Password: SQL_PASSWORD. The databases are made by postgres-init.sql.
set -eu

for part in temporal:temporal temporal_visibility:visibility; do
    tool() {
        temporal-sql-tool --plugin postgres12 --endpoint "$SQL_HOST" --port "$SQL_PORT" --user "$SQL_USER" --db "${part%%:*}" "$@"
    }
    tool setup-schema --version 0.0
    tool update-schema --schema-dir "/etc/temporal/schema/postgresql/v12/${part##*:}/versioned"
done
