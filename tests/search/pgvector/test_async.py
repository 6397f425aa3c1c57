import asyncio
import functools
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import numpy as np
import pytest
from asgiref.sync import ThreadSensitiveContext, async_to_sync, sync_to_async
from django.db import connections

from apps.search import NoTenantError, get_provider
from apps.search.documents import Document, DuplicateDocumentError, EmbeddedDocument, InvalidDocumentError
from apps.search.embedders import InvalidTextError
from apps.search.indexes.source_objects import Source
from apps.search.indexing.batches import index_objects
from apps.search.storage.pgvector import PgVectorProvider
from apps.search.storage.pgvector.tables.queryset import TenantMismatchError
from tenants.context import tenant_context
from tests.models_app.models import Note
from tests.search.pgvector.test_provider_contract import TABLES, make_documents


def in_event_loop(test):
    @functools.wraps(test)
    def run(*args, **kwargs):
        return async_to_sync(test)(*args, **kwargs)

    return run


@pytest.fixture(params=TABLES)
def table(request, make_table, embedder):
    model = TABLES[request.param]
    if model._meta.app_label == "tests_tables":
        make_table(model)
    return model


@pytest.fixture
def length(table):
    return table._meta.get_field("vector").dimensions or 8


@pytest.fixture
def provider(table, in_acme):
    return PgVectorProvider(table)


async def read(rows):
    return [row async for row in rows]


def keys_of(rows):
    return [row.document_key for row in rows]


@in_event_loop
async def test_every_write_does_what_its_twin_does(provider, length):
    documents = make_documents(6, length)

    assert await provider.aadd(documents) == 6
    assert await provider.aadd(iter(documents)) == 0
    assert await provider.aadd(make_documents(7, length, seed=1), on_conflict="skip") == 1
    with pytest.raises(DuplicateDocumentError, match="'k0'"):
        await provider.aadd(documents, on_conflict="error")
    assert await provider.adelete(["k0", "gone"]) == 1
    assert await provider.adelete(where={"number": {"lt": 3}}) == 2
    assert await provider.aprune_to(["k3", "k4"]) == 2
    assert sorted(keys_of(await read(provider.objects))) == ["k3", "k4"]
    assert await provider.aclear() == 2
    assert await provider.objects.acount() == 0


@in_event_loop
async def test_every_read_does_what_its_twin_does(provider, length):
    await provider.aadd(make_documents(30, length))
    query = np.random.default_rng(1).normal(size=length)
    nearest = provider.nearest(query)
    in_step = sync_to_async(lambda: keys_of(provider.nearest(query)[:10]))

    assert keys_of(await read(provider.nearest(query)[:10])) == await in_step()
    assert keys_of(await read((await provider.anearest(query))[:10])) == await in_step()
    assert keys_of((await nearest.apage(10)).rows) == await in_step()
    assert keys_of(await nearest.adiverse(10, balance=1)) == await in_step()
    assert await nearest.acount() == 30
    assert await provider.nearest(query).filter(metadata__number__lt=3).acount() == 3
    assert (await provider.nearest(query).afirst()).document_key == (await in_step())[0]
    assert await nearest.above(1e9).aexists() is False
    to_stored = await provider.anearest_to((await in_step())[:1])
    assert await to_stored.acount() == 29


async def as_generator(documents):
    for document in documents:
        yield document


@pytest.mark.usefixtures("embedder", "in_acme")
@in_event_loop
async def test_texts_are_embedded_and_found():
    provider = PgVectorProvider()

    await provider.aadd(as_generator([Document("a", "red apple"), Document("b", "green cucumber")]))

    assert keys_of(await read((await provider.asearch("red apple"))[:1])) == ["a"]
    assert keys_of([row async for row in (await provider.asearch("cucumber")).filter(document_key="b")]) == [
        "b"
    ]


@pytest.mark.usefixtures("embedder", "in_acme")
def test_sources_are_found():
    notes = [Note.objects.create(title=title, body="x") for title in ("apple pie", "cheese cake")]
    index_objects(Note, [note.pk for note in notes])

    async def search():
        provider = get_provider("notes")
        hits = await provider.asearch_sources("cheese cake", limit=1)
        ranked = [note async for note in await provider.arank_sources("apple pie", Note)]
        similar = await provider.anearest_to(Source.of(notes[0]).prefix)
        return [hit.source for hit in hits], ranked, await provider.asearch_sources(similar)

    hits, ranked, similar = async_to_sync(search)()

    assert hits == notes[1:]
    assert ranked == notes
    assert [hit.source for hit in similar] == notes[1:]


@pytest.mark.usefixtures("embedder", "in_acme")
@in_event_loop
async def test_errors_are_those_of_the_twins():
    provider = PgVectorProvider()

    with pytest.raises(InvalidTextError, match="is empty or blank"):
        await provider.asearch(" ")
    with pytest.raises(InvalidDocumentError, match=r"^Document 'b': content is empty or blank"):
        await provider.aadd([Document("a", "text"), Document("b", " ")])
    with pytest.raises(ValueError, match=r"^on_conflict is 'replace'; allowed: update, skip, error"):
        await provider.aadd([], on_conflict="replace")
    with pytest.raises(TypeError, match=r"^Give delete"):
        await provider.adelete()
    assert await provider.objects.acount() == 0


@pytest.mark.usefixtures("embedder", "in_acme")
@in_event_loop
async def test_skipped_documents_are_not_embedded():
    await PgVectorProvider().aadd([Document("a", "old")])

    assert (
        await PgVectorProvider().aadd([Document("a", "new"), Document("b", "new")], on_conflict="skip") == 1
    )


@pytest.mark.django_db
@pytest.mark.parametrize(
    "use",
    [
        lambda provider: provider.aadd([Document("a", "text")]),
        lambda provider: provider.adelete(["a"]),
        lambda provider: provider.aprune_to([]),
        lambda provider: provider.aclear(),
        lambda provider: provider.anearest([1.0] * 8),
        lambda provider: provider.anearest_to(["a"]),
        lambda provider: provider.asearch("text"),
        lambda provider: provider.asearch_sources("text"),
        lambda provider: provider.arank_sources("text", Note),
    ],
)
def test_without_a_tenant_nothing_is_asked_of_the_database(use, embedder, django_assert_num_queries):
    async def run():
        await use(PgVectorProvider(source_models=[Note]))

    with django_assert_num_queries(0), pytest.raises(NoTenantError, match=r"^No tenant is bound"):
        async_to_sync(run)()


@pytest.mark.usefixtures("embedder")
def test_tenants_at_the_same_time_see_their_own_documents_only(acme, globex):
    async def work(tenant, number):
        with tenant_context(tenant):
            provider = PgVectorProvider(index_name=f"index{number % 2}")
            await provider.aadd([Document(f"{tenant}{number}", f"text of {tenant}")])
            await asyncio.sleep(0)
            rows = await read((await provider.asearch("text"))[:100])
            await asyncio.sleep(0)
            return tenant.name, keys_of(rows), await provider.objects.acount()

    async def gather():
        return await asyncio.gather(*(work((acme, globex)[number // 2 % 2], number) for number in range(16)))

    results = async_to_sync(gather)()

    assert {key.strip("0123456789") for name, keys, _ in results for key in keys if name == "Acme"} == {
        "Acme"
    }
    assert {key.strip("0123456789") for name, keys, _ in results for key in keys if name == "Globex"} == {
        "Globex"
    }
    for tenant in (acme, globex):
        assert PgVectorProvider(tenant=tenant, index_name="index0").objects.count() == 4


@pytest.mark.usefixtures("embedder")
def test_provider_of_a_tenant_serves_it_whichever_is_bound(acme, globex):
    async def run():
        provider = PgVectorProvider(tenant=acme)
        with tenant_context(globex):
            await provider.aadd([Document("a", "text of acme")])
            await PgVectorProvider().aadd([Document("b", "text of globex")])
            return keys_of(await read(await provider.asearch("text")))

    assert async_to_sync(run)() == ["a"]


@pytest.mark.usefixtures("embedder")
def test_search_of_one_tenant_is_not_read_in_another(acme, globex):
    async def run():
        with tenant_context(acme):
            found = await PgVectorProvider().asearch("text")
        with tenant_context(globex):
            await read(found[:10])

    with pytest.raises(TenantMismatchError, match="'acme'"):
        async_to_sync(run)()


def test_a_request_holds_no_connection_while_it_embeds(in_acme, embedder):
    seen = []

    async def request():
        async with ThreadSensitiveContext():
            own = await sync_to_async(lambda: connections["default"])()
            await sync_to_async(own.ensure_connection)()
            is_open = own.connection is not None
            embedder.before_batch = staticmethod(lambda texts: seen.append((is_open, own.connection is None)))
            try:
                await PgVectorProvider().asearch("text")
            finally:
                await sync_to_async(own.close)()

    # In a thread of its own: async_to_sync would use that of the test, with its transaction.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(copy_context().run, asyncio.run, request()).result()

    assert seen == [(True, True)]


@pytest.mark.usefixtures("in_acme")
def test_texts_are_embedded_in_a_thread_of_their_own(embedder):
    threads = []
    embedder.before_batch = staticmethod(lambda texts: threads.append(threading.get_ident()))

    async def run():
        await PgVectorProvider().aadd([Document("a", "text")])
        await PgVectorProvider().asearch("text")
        return await sync_to_async(threading.get_ident)()

    assert async_to_sync(run)() not in threads
    assert len(threads) == 2


@pytest.mark.usefixtures("in_acme", "embedder")
@in_event_loop
async def test_a_space_without_settings_is_searched_too():
    provider = PgVectorProvider(space="imported")
    await provider.aadd([EmbeddedDocument("a", "text", {}, [1.0, 2.0, 3.0])])

    assert keys_of(await read(await provider.anearest([1.0, 2.0, 3.0]))) == ["a"]
