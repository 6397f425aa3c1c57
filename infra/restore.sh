#!/usr/bin/env bash
# Restores one schema from a file that backup.sh wrote.
#
#   infra/restore.sh [--replace] FILE
#
# Reads the address of the database as backup.sh does; use the application's role, so that it owns what is made.
# The schema must be absent or empty. With --replace the present one is first renamed to
# <schema>_replaced_<UTC time>, which you drop by hand. It is one transaction: all or nothing.
set -euo pipefail

replace=0
if [[ ${1:-} == --replace ]]; then
    replace=1
    shift
fi
if (($# != 1)); then
    echo "usage: ${0##*/} [--replace] FILE" >&2
    exit 2
fi
file=$1

schema=$(pg_restore --list "$file" | awk '$4 == "TABLE" && $5 != "DATA" { print $5 }' | sort -u)
if [[ ! $schema =~ ^[a-z][a-z0-9_]{0,62}$ ]]; then
    echo "FILE: $file holds the tables of these schemas: '${schema//$'\n'/, }'; exactly one is allowed." >&2
    exit 1
fi

query() { psql --no-psqlrc --no-password --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 --command "$1"; }

tables=$(query "SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace('$schema') AND relkind = 'r'")
if ((tables && !replace)); then
    echo "The schema $schema has $tables tables. Restore into an empty one, or use --replace." >&2
    exit 1
fi
if ((tables)) && [[ $schema == public ]]; then
    echo "--replace: public holds the extension and cannot be renamed. Restore it into a new database." >&2
    exit 1
fi

print_statements() {
    echo "BEGIN;"
    if ((tables)); then
        echo "ALTER SCHEMA $schema RENAME TO ${schema:0:38}_replaced_$(date -u +%Y%m%d%H%M%S);"
    fi
    if [[ $schema != public ]]; then
        echo "CREATE SCHEMA IF NOT EXISTS $schema;"
    fi
    pg_restore --schema="$schema" --no-owner --no-privileges --file=- "$file"
    # Not reached if pg_restore fails: then the session ends without a COMMIT, which undoes everything.
    echo "COMMIT;"
}
print_statements | psql --no-psqlrc --no-password --quiet --output=/dev/null --set ON_ERROR_STOP=1
if [[ $schema == public ]]; then
    echo "public is restored. Next: the tenants, manage.py migrate_schemas, manage.py tenant_roles --repair"
else
    # The dump holds no privileges, because the tenant's role may not exist here.
    echo "$schema is restored. Next: manage.py migrate_schemas --schema=$schema, manage.py doctor --schema=$schema --fix"
fi
