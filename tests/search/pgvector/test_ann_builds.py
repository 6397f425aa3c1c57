"""Builds of ANN indexes that take long: how far they are, what they may use, and what kills them."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.search.indexing.tasks import maintain_vector_indexes
from apps.search.storage.pgvector.ann.builder import build_ann_index
from apps.search.storage.pgvector.ann.report import report_ann_indexes
from apps.search.storage.pgvector.models import PgVectorEmbedding
from apps.search.storage.pgvector.tables.ann_index import get_ann_index_name
from tenants.queue.backend import SCHEMA_KEY
from tenants.queue.retries import PASSING_ERRORS
from tests.search.pgvector.filling import fill
from tests.workers import wait_until

ROWS = 200
NAME = get_ann_index_name("committed", "default", 8)
BUILDING = """
    SELECT p.pid FROM pg_stat_progress_create_index p JOIN pg_class c ON c.oid = p.index_relid
    WHERE c.relname = %s AND p.phase LIKE 'waiting for writers%%'
"""
FOUND = """
    SELECT c.relname, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE c.relnamespace = 'acme'::regnamespace AND c.relname LIKE 'pgvector\\_%%\\_hnsw%%'
"""


@pytest.fixture(autouse=True)
def _few_are_many(settings):
    settings.PGVECTOR = {"INDEX_ROWS": ROWS}


@pytest.fixture
def other_session(db):
    with closing(connection.copy()) as session:
        yield session.cursor()


def maintain():
    try:
        return maintain_vector_indexes.call(**{SCHEMA_KEY: "acme"})
    finally:
        connection.close()


def summarise():
    return [(status.mode, status.action, status.why) for status in report_ann_indexes()]


def test_a_build_says_how_far_it_is_and_a_killed_one_is_done_again(commit, globex, other_session):
    def query(sql, *parameters):
        other_session.execute(sql, parameters)
        return other_session.fetchall()

    def is_waiting():
        return bool(query(BUILDING, f"{NAME}_new"))

    commit(lambda: fill(ROWS, space="committed"))
    commit(lambda: fill(ROWS, space="committed"), tenant=globex)
    with ThreadPoolExecutor(1) as pool, closing(connection.copy()) as writer:
        writer.set_autocommit(False)
        writer.cursor().execute("LOCK acme.pgvector_pgvectorembedding IN ROW EXCLUSIVE MODE")
        work = pool.submit(maintain)
        wait_until(is_waiting)
        meanwhile = [commit(summarise), commit(summarise, tenant=globex)]
        query("SELECT pg_terminate_backend(%s)", query(BUILDING, f"{NAME}_new")[0][0])
        error = work.exception(60)
        left = query(FOUND)

    commit(maintain)

    assert meanwhile == [
        [("building", "none", "a worker is working on it, waiting for writers before build")],
        [("exact", "build", "from 200 rows on, an ANN index is quicker")],
    ]
    assert isinstance(error, PASSING_ERRORS)  # so the worker runs the task again
    assert left == [(f"{NAME}_new", False)]
    assert query(FOUND) == [(NAME, True)]


@pytest.mark.parametrize(
    ("values", "rows", "sent", "megabytes"),
    [
        ({}, 60_000, [], 96),
        ({"MAINTENANCE_WORKERS": 5}, 60_000, ["SET LOCAL max_parallel_maintenance_workers = 5"], 192),
        ({"MAINTENANCE_WORKERS": 0}, 60_000, ["SET LOCAL max_parallel_maintenance_workers = 0"], 47),
        ({"MAINTENANCE_WORKERS": 9}, 600_000, ["SET LOCAL max_parallel_maintenance_workers = 9"], 467),
        (
            {"MAINTENANCE_WORKERS": 9, "MAINTENANCE_WORK_MEM_MB": 200},
            60_000,
            ["SET LOCAL max_parallel_maintenance_workers = 9"],
            200,
        ),
    ],
)
def test_a_build_takes_as_many_processes_as_are_allowed_with_memory_for_each(
    in_acme, settings, as_owner, values, rows, sent, megabytes
):
    settings.PGVECTOR = values
    with connection.cursor() as cursor:
        cursor.execute(
            "SET LOCAL maintenance_work_mem = '1MB'; SET LOCAL max_parallel_maintenance_workers = 2"
        )

    with CaptureQueriesContext(connection) as queries:
        build_ann_index(PgVectorEmbedding, "default", "default", 8, rows)

    statements = [query["sql"] for query in queries]
    assert [sql for sql in statements if "max_parallel_maintenance_workers =" in sql] == sent
    assert f"SET LOCAL maintenance_work_mem = '{megabytes}MB'" in statements
