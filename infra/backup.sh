#!/usr/bin/env bash
# Dumps `public` and the schema of every tenant into a file each, or only the schemas that are named.
#
#   infra/backup.sh FOLDER [SCHEMA...]
#
# Reads the address of the database from libpq's own variables: PGHOST, PGPORT, PGUSER, PGDATABASE, and PGPASSWORD
# or PGPASSFILE. Needs pg_dump of the server's major version or newer. Writes FOLDER/<UTC time>/<schema>.dump;
# goes on if a schema fails, and then ends with exit code 1.
set -euo pipefail

if (($# == 0)); then
    echo "usage: ${0##*/} FOLDER [SCHEMA...]" >&2
    exit 2
fi
folder="$1/$(date -u +%Y%m%dT%H%M%SZ)"
shift

query() { psql --no-psqlrc --no-password --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 --command "$1"; }

server=$(($(query 'SHOW server_version_num') / 10000))
version=$(pg_dump --version)
[[ $version =~ ([0-9]+) ]]
if ((BASH_REMATCH[1] < server)); then
    echo "pg_dump: $version is older than the server, PostgreSQL $server. Install the client of version $server." >&2
    exit 1
fi

if (($#)); then
    schemas=("$@")
else
    # `public` comes last: then a tenant that was made meanwhile is in the registry, and its missing dump is noticed.
    names=$(query 'SELECT schema_name FROM public.tenants_tenant WHERE provisioned_at IS NOT NULL ORDER BY 1')
    mapfile -t schemas < <(printf '%s\n' "$names" public | sed '/^$/d')
fi

umask 077
mkdir -p "$folder"
failed=0
# One schema at a time: one dump of all would lock every table of every tenant at once.
for schema in "${schemas[@]}"; do
    file="$folder/$schema.dump"
    if pg_dump --no-password --format=custom --schema="\"$schema\"" --file="$file.partial"; then
        mv "$file.partial" "$file"
        echo "$file"
    else
        rm -f "$file.partial"
        echo "$schema: not dumped; the reason is above." >&2
        failed=1
    fi
done
exit "$failed"
