import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction
from django_tasks_db.models import DBTaskResult

from apps.search.documents import EmbeddedDocument
from apps.search.storage.pgvector import PgVectorProvider
from apps.search.storage.pgvector.keywords.pending import find_pending, make_pending_keywords
from apps.search.storage.pgvector.keywords.recipe import PENDING
from tenants.context import owner_rights, tenant_context
from tests.workers import LOCKS_HERE, wait_until

KEYS = [f"k{number:03}" for number in range(300)]
ROUNDS = 12


@pytest.fixture
def start_together(acme):
    # Threads have connections of their own and really commit, so what they wrote is removed by one of them.
    def run(work, barrier):
        try:
            with tenant_context(acme):
                work(PgVectorProvider(space="space-of-this-test"), lambda: barrier.wait(60))
        except BaseException:
            barrier.abort()
            raise
        finally:
            connection.close()

    def start(*works):
        barrier = threading.Barrier(len(works))
        with ThreadPoolExecutor() as pool:
            futures = [pool.submit(run, work, barrier) for work in works]
        errors = [error for error in (future.exception() for future in futures) if error]
        assert [error for error in errors if not isinstance(error, threading.BrokenBarrierError)] == []

    yield start
    start(lambda provider, meet: (provider.clear(), delete_tasks()))


def delete_tasks():
    with owner_rights():
        DBTaskResult.objects.filter(task_path__endswith=".make_keywords").delete()


def documents(keys, content):
    return [EmbeddedDocument(key, content, {}, [1.0, float(len(content))]) for key in keys]


def add_backwards(provider):
    # So that the rows lie on the disk in the opposite order of their keys.
    for start in reversed(range(0, len(KEYS), 20)):
        provider.add(documents(KEYS[start : start + 20], "first"))


def make_words(provider):
    return make_pending_keywords(provider.model, provider.space, provider.index_name)


def vacuum(provider):
    with owner_rights(), connection.cursor() as cursor:
        cursor.execute(f"VACUUM {connection.ops.quote_name(provider.model._meta.db_table)}")


def analyze(provider):
    with owner_rights(), connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {connection.ops.quote_name(provider.model._meta.db_table)}")


def count_entries_of_waiting_rows(provider):
    table = connection.ops.quote_name(provider.model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute(
            f"EXPLAIN (ANALYZE, FORMAT JSON) SELECT FROM {table} WHERE keywords @@ %s::tsquery",
            [PENDING.language],
        )
        plan = cursor.fetchone()[0][0]["Plan"]
    return plan["Plans"][0]["Actual Rows"]


def test_writers_of_the_same_keys_neither_fail_nor_deadlock(start_together):
    seen = []

    def write(keys, name):
        def work(provider, meet):
            for number in range(ROUNDS):
                meet()
                provider.add(documents(keys, f"{name} {number}"))
            meet()
            seen.append(sorted(provider.objects.values_list("document_key", flat=True)))

        return work

    start_together(write(KEYS, "forward"), write(KEYS[::-1], "backward"))

    assert seen == [KEYS, KEYS]


@pytest.mark.parametrize(
    "remove",
    [
        lambda provider: provider.delete(KEYS),
        lambda provider: provider.prune_to(KEYS[:1]),
        lambda provider: provider.clear(),
    ],
    ids=["delete", "prune_to", "clear"],
)
def test_writer_and_remover_of_the_same_keys_neither_fail_nor_deadlock(start_together, remove):
    def write(provider, meet):
        for number in range(ROUNDS):
            provider.clear()
            add_backwards(provider)
            meet()
            provider.add(documents(KEYS, f"second {number}"))
            meet()

    def work_against_it(provider, meet):
        for _ in range(ROUNDS):
            meet()
            remove(provider)
            meet()

    start_together(write, work_against_it)


def test_other_connections_see_nothing_of_an_unfinished_call(start_together):
    seen = []

    def add_slowly(provider, meet):
        def slow_documents():
            yield from documents(KEYS[:1], "first")
            meet()
            meet()
            yield from documents(KEYS[1:], "first")

        provider.add(slow_documents())
        meet()

    def look(provider, meet):
        meet()
        seen.append(provider.objects.count())
        meet()
        meet()
        seen.append(provider.objects.count())

    start_together(add_slowly, look)

    assert seen == [0, len(KEYS)]


def wait_for_lock():
    def is_waiting():
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT EXISTS (SELECT FROM {LOCKS_HERE} WHERE NOT granted)")
            return cursor.fetchone()[0]

    with owner_rights():
        wait_until(is_waiting)


def list_locked(provider):
    rows = provider.objects.order_by("document_key")
    with transaction.atomic():
        free = set(rows.select_for_update(skip_locked=True).values_list("document_key", flat=True))
    return [key for key in rows.values_list("document_key", flat=True) if key not in free]


def refuse_sorted_joins():
    """Leave joins by hashing only. One that hashes the few rows written gives them in no order."""
    with connection.cursor() as cursor:
        for way in ("nestloop", "mergejoin", "indexscan", "indexonlyscan", "bitmapscan"):
            cursor.execute(f"SET enable_{way} = off")


@pytest.mark.parametrize(
    "change",
    [
        lambda provider: provider.add(documents(KEYS[::-1], "second")),
        lambda provider: provider.delete(KEYS[::-1]),
        lambda provider: provider.prune_to(["none"]),
        lambda provider: provider.delete(where={"none": {"exists": False}}),
    ],
    ids=["add", "delete", "prune_to", "where"],
)
def test_rows_are_locked_in_the_order_of_their_keys(start_together, change):
    seen = []

    def hold_one(provider, meet):
        add_backwards(provider)
        provider.add(documents([f"of {number} others" for number in range(5000)], "first"))
        analyze(provider)
        with transaction.atomic():
            provider.objects.select_for_update().get(document_key=KEYS[20])
            meet()
            wait_for_lock()
            seen.extend(list_locked(provider))

    def change_them(provider, meet):
        refuse_sorted_joins()
        meet()
        change(provider)

    start_together(hold_one, change_them)

    assert seen == KEYS[:20]


def test_a_row_that_another_wrote_just_so_meanwhile_is_not_written_again(start_together):
    changed = []

    def write_first(provider, meet):
        provider.add(documents(KEYS[:3], "first"))
        with transaction.atomic():
            provider.add(documents(KEYS[:3], "second"))
            meet()
            wait_for_lock()

    def write_the_same(provider, meet):
        meet()
        changed.append(provider.add(documents(KEYS[:3], "second")))

    start_together(write_first, write_the_same)

    assert changed == [0]


@pytest.mark.parametrize("policy", ["update", "skip"])
def test_bulk_writers_of_the_same_keys_into_an_empty_index_neither_fail_nor_deadlock(
    start_together, settings, policy
):
    settings.PGVECTOR = {"BULK_ROWS": 10}
    changed, seen = [], []

    def write(keys, name):
        def work(provider, meet):
            for number in range(ROUNDS):
                provider.clear()
                meet()
                changed.append(provider.add(documents(keys, f"{name} {number}"), on_conflict=policy))
                meet()
            seen.append(sorted(provider.objects.values_list("document_key", flat=True)))

        return work

    start_together(write(KEYS, "forward"), write(KEYS[::-1], "backward"))

    assert seen == [KEYS, KEYS]
    assert sum(changed) == ROUNDS * len(KEYS) * (2 if policy == "update" else 1)


def test_bulk_writers_and_those_who_make_their_words_neither_fail_nor_deadlock(start_together, settings):
    settings.PGVECTOR = {"BULK_ROWS": 10}
    left = []

    def write(provider, meet):
        for number in range(ROUNDS):
            meet()
            provider.add(documents(KEYS[::-1], f"text {number}"))
        meet()

    def make(provider, meet):
        for _ in range(ROUNDS):
            meet()
            make_words(provider)
        meet()
        make_words(provider)
        left.append(find_pending(provider.objects).count())

    start_together(write, make, make)

    assert left == [0, 0]


def test_making_the_words_of_many_rows_leaves_nothing_behind_that_searches_would_read(
    start_together, settings
):
    settings.PGVECTOR = {"BULK_ROWS": 10}
    entries = []

    def work(provider, meet):
        vacuum(provider)  # what other tests left behind
        provider.add(documents(KEYS, "text"))
        entries.append(count_entries_of_waiting_rows(provider))
        make_words(provider)
        entries.append(count_entries_of_waiting_rows(provider))

    start_together(work)

    assert entries[0] >= len(KEYS)  # earlier tests left some, too
    assert entries[1] == 0
