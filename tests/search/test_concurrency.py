import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from apps.search.documents import EmbeddedDocument
from apps.search.storage.pgvector import PgVectorProvider
from tenants.context import tenant_context

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
    start(lambda provider, meet: provider.clear())


def documents(keys, content):
    return [EmbeddedDocument(key, content, {}, [1.0, float(len(content))]) for key in keys]


def add_backwards(provider):
    # So that the rows lie on the disk in the opposite order of their keys.
    for start in reversed(range(0, len(KEYS), 20)):
        provider.add(documents(KEYS[start : start + 20], "first"))


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
