import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django_tasks_db.models import DBTaskResult
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from apps.search import get_provider
from apps.search.documents import Document, DuplicateDocumentError, EmbeddedDocument
from apps.search.indexing.batches import index_objects
from apps.search.indexing.tasks import make_keywords
from apps.search.searching.answering import SearchRequest, answer_documents
from apps.search.searching.hybrid import search_by_mode
from apps.search.searching.notes import UNREAD
from apps.search.storage.pgvector import PgVectorProvider
from apps.search.storage.pgvector.ann.report import carry_out, report_ann_indexes
from apps.search.storage.pgvector.keywords import bm25 as keywords
from apps.search.storage.pgvector.keywords import postings
from apps.search.storage.pgvector.keywords.bm25 import match_keywords
from apps.search.storage.pgvector.keywords.pending import (
    find_pending,
    keywords_pending,
    make_pending_keywords,
)
from apps.search.storage.pgvector.keywords.recipe import PENDING, get_recipe, refresh_keywords
from apps.search.storage.pgvector.keywords.renewing import make_postings
from apps.search.storage.pgvector.models import PgVectorEmbedding
from apps.search.storage.pgvector.tables.ann_index import forget_ann_indexes, get_ann_index_name
from tenants.context import get_current_tenant, tenant_context
from tenants.queue.backend import SCHEMA_KEY
from tests.models_app.models import Note, NoteEmbedding
from tests.search.pgvector.filling import make_vectors

pytestmark = pytest.mark.usefixtures("embedder", "in_acme", "as_owner")

BULK = 5
TEXTS = {
    "fox": "The quick brown fox jumps over the lazy dog",
    "dogs": "Dogs and a brown cat",
    "cafe": "Café crème brûlée",
    "empty": "the of and",
    "foxes": "Foxes, and more foxes",
    "marker": "Words pending",
}


@pytest.fixture(autouse=True)
def _few_are_bulk(settings):
    settings.PGVECTOR = {"BULK_ROWS": BULK}
    forget_ann_indexes()
    yield
    forget_ann_indexes()


@pytest.fixture
def unheard():
    # As where the storage is used without the app that writes the tasks.
    receivers, keywords_pending.receivers = keywords_pending.receivers, []
    keywords_pending.sender_receivers_cache.clear()
    yield
    keywords_pending.receivers = receivers
    keywords_pending.sender_receivers_cache.clear()


def make(texts):
    return [EmbeddedDocument(key, text, {"length": len(text)}, [1.0] * 8) for key, text in texts.items()]


def add(texts, provider=None, **options):
    return (provider or PgVectorProvider()).add(make(texts), **options)


def numbered(count, text="text"):
    return {f"k{number:04}": f"{text} {number}" for number in range(count)}


def find(text, provider=None):
    rows = match_keywords((provider or PgVectorProvider()).objects, text, "english")
    return [(row.document_key, row.score) for row in rows]


def find_keys(text, provider=None):
    return [key for key, _ in find(text, provider)]


def recipes():
    return dict(PgVectorEmbedding.objects.values_list("document_key", "keyword_recipe"))


def count_pending(provider=None):
    return find_pending((provider or PgVectorProvider()).objects).count()


def get_waiting():
    return [
        (task.task_path.rsplit(".", 1)[-1], task.args_kwargs["args"], task.args_kwargs["kwargs"])
        for task in DBTaskResult.objects.all()
    ]


def run_the_task(schema="acme"):
    with tenant_context(get_current_tenant()):  # the task binds none when it ends
        return make_keywords.call("pgvector.pgvectorembedding", "default", "default", **{SCHEMA_KEY: schema})


def row_versions():
    with connection.cursor() as cursor:
        cursor.execute("SELECT document_key, ctid::text, xmin::text FROM pgvector_pgvectorembedding")
        return {key: version for key, *version in cursor.fetchall()}


QUERIES = [
    "fox",
    "brown fox",
    '"brown fox"',
    '"fox brown"',
    "brown -cat",
    'brown -"brown fox"',
    "cafe",
    "the",
    "words pending",
    "'words pending'",
    '"words pending" or "brown cat"',
]


@pytest.mark.parametrize("text", QUERIES)
def test_bulk_added_documents_are_found_the_same_at_once_and_after_the_task(text):
    add(TEXTS, PgVectorProvider(index_name="at once"), keywords_at_once=True)
    add(TEXTS)
    waiting, before = count_pending(), find(text)

    made = run_the_task()

    assert (waiting, made, count_pending()) == (6, 6, 0)
    assert before == find(text) == find(text, PgVectorProvider(index_name="at once"))


def test_rows_that_wait_and_rows_that_do_not_are_ranked_together():
    add({"small": "Apple pie", "other": "Pear"})
    add(numbered(BULK) | {"bulk": "Apple apple apple"})
    before = find("apple pie")

    run_the_task()

    assert [key for key, _ in before] == ["small", "bulk"]
    assert before == find("apple pie")


def test_the_task_is_written_with_the_rows_and_holds_names_only():
    add(numbered(BULK + 1))

    assert get_waiting() == [
        ("make_keywords", ["pgvector.pgvectorembedding", "default", "default"], {SCHEMA_KEY: "acme"})
    ]


def test_what_is_rolled_back_leaves_neither_rows_nor_task():
    with transaction.atomic():
        add(numbered(BULK + 1))
        transaction.set_rollback(True)

    assert (recipes(), get_waiting()) == ({}, [])


@pytest.mark.parametrize("way", ["refresh", "rebuild", "build the vector index"])
def test_a_lost_task_loses_nothing(way, settings):
    provider = get_provider("notes")
    add(numbered(BULK) | {"fox": "A fox"}, provider)
    DBTaskResult.objects.all().delete()
    settings.PGVECTOR = {"INDEX_ROWS": BULK}
    found = find_keys("foxes", provider)

    if way == "refresh":
        refresh_keywords(provider.objects)
    elif way == "rebuild":
        call_command("rebuild_index", schema="acme", verbosity=0)
    else:
        assert [fault for _, fault in carry_out(report_ann_indexes())] == [""]

    assert (found, find_keys("foxes", provider)) == (["fox"], ["fox"])
    assert count_pending(provider) == 0


def test_the_task_may_run_twice_and_leaves_other_rows_alone(in_acme):
    add(numbered(BULK + 1), PgVectorProvider(index_name="other"))
    add({"small": "text"})
    add(numbered(BULK + 1))
    before = row_versions()

    made = [run_the_task(), run_the_task()]

    assert made == [BULK + 1, 0]
    assert count_pending(PgVectorProvider(index_name="other")) == BULK + 1
    assert row_versions()["small"] == before["small"]


def test_another_tenant_is_unaffected(acme, globex):
    with tenant_context(globex):
        add(numbered(BULK) | {"secret": "A fox of globex"})
    add(numbered(BULK) | {"own": "A fox of acme"})
    found = find_keys("fox")

    made = run_the_task("acme")

    assert (found, made, find_keys("fox")) == (["own"], BULK + 1, ["own"])
    assert {kwargs[SCHEMA_KEY] for *_, kwargs in get_waiting()} == {"acme", "globex"}
    with tenant_context(globex):
        assert (find_keys("fox"), count_pending()) == (["secret"], BULK + 1)


def test_words_are_made_in_the_language_that_the_tenant_has_when_they_are_made(in_acme):
    in_acme.search_language = "german"
    add(numbered(BULK) | {"a": "die Häuser"}, PgVectorProvider(tenant=in_acme))
    before = search_by_mode(PgVectorProvider(tenant=in_acme), "Haus", "keyword")
    found = [row.document_key for row in before]
    in_acme.search_language = "simple"

    make_pending_keywords(PgVectorEmbedding, "default", "default")

    assert found == ["a"]
    assert PgVectorEmbedding.objects.get(document_key="a").keyword_recipe == str(get_recipe("simple"))
    assert find_keys("Haus") == []


def test_filters_and_hybrid_search_take_in_rows_that_wait():
    add(TEXTS)
    provider = PgVectorProvider()

    filtered = match_keywords(provider.objects.filter(metadata__length__lt=30), "brown fox", "english")
    hybrid = search_by_mode(provider, "cafe", "hybrid")

    assert {row.document_key for row in filtered} == {"dogs", "foxes"}
    assert hybrid.first().document_key == "cafe"


@pytest.mark.parametrize("has_postings", [False, True])
def test_of_very_many_rows_that_wait_a_search_reads_some_and_says_so(monkeypatch, has_postings):
    monkeypatch.setattr(keywords, "READ", 10)
    monkeypatch.setattr(postings, "READ", 10)
    provider = get_provider("notes")
    add({"early": "apple pie"}, provider)
    if has_postings:
        postings.forget_postings()
        assert make_postings(provider.model, provider.space, provider.index_name)
    add(numbered(30, "apple"), provider)
    asked = SearchRequest("apple", "notes", limit=50, mode="keyword")
    before = [find_keys("apple", provider), answer_documents(asked).note]

    make_pending_keywords(provider.model, provider.space, provider.index_name)
    after = [find_keys("apple", provider), answer_documents(asked).note]

    assert (len(before[0]), before[1]) == (11, UNREAD)
    assert "early" in before[0]
    assert (len(after[0]), after[1]) == (31, "")


def test_of_many_rows_that_wait_all_are_found(monkeypatch):
    monkeypatch.setattr(keywords, "COUNTED", 10)
    add(numbered(60, "apple") | {"rare": "apple pear"})
    before = find("apple pear")

    run_the_task()

    assert len(before) == 61
    assert before[0][0] == find_keys("apple pear")[0] == "rare"


WORDS = ["red", "green", "blue", "black"]
SOME_TEXTS = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=5), max_size=8)


@given(
    at_once=SOME_TEXTS,
    in_bulk=SOME_TEXTS,
    wanted=st.lists(st.sampled_from(WORDS), min_size=1, max_size=3),
    unwanted=st.lists(st.sampled_from(WORDS), max_size=1),
)
@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_rows_found_are_those_of_a_plain_model(at_once, in_bulk, wanted, unwanted, in_acme):
    texts = {f"a{number}": words for number, words in enumerate(at_once)}
    bulk = {f"b{number}": words for number, words in enumerate(in_bulk)}
    query = " ".join([*wanted, *(f"-{word}" for word in unwanted)])
    with transaction.atomic():
        add({key: " ".join(words) for key, words in texts.items()}, keywords_at_once=True)
        add({key: " ".join(words) for key, words in bulk.items()})
        before = find(query)
        make_pending_keywords(PgVectorEmbedding, "default", "default")
        after = find(query)
        transaction.set_rollback(True)

    expected = {
        key
        for key, words in (texts | bulk).items()
        if set(words) & set(wanted) and not set(words) & set(unwanted)
    }
    assert {key for key, _ in before} == expected
    assert before == after


def test_unchanged_rows_that_wait_are_not_written_again_by_a_bulk_write():
    add(numbered(BULK + 2))
    before = row_versions()

    changed = add(numbered(BULK + 2) | {"k0001": "new"})

    assert changed == 1
    assert [key for key, version in row_versions().items() if before[key] != version] == ["k0001"]
    assert find_keys("new") == ["k0001"]


def test_a_bulk_write_leaves_the_words_of_unchanged_rows_and_takes_those_of_changed_ones():
    add(numbered(BULK + 1), keywords_at_once=True)
    before = row_versions()

    changed = add(numbered(BULK + 1) | {"k0001": "new"})

    assert changed == 1
    assert [key for key, version in row_versions().items() if before[key] != version] == ["k0001"]
    assert (find_keys("new"), find_keys("1")) == (["k0001"], [])


def test_rows_of_another_language_wait_when_they_are_written_in_bulk(in_acme):
    add(numbered(BULK + 1, "foxes"), keywords_at_once=True)
    in_acme.search_language = "simple"

    assert add(numbered(BULK + 1, "foxes")) == BULK + 1
    assert set(recipes().values()) == {str(PENDING)}


def test_a_small_write_makes_the_words_of_its_rows_that_waited():
    add(numbered(BULK + 1))

    add({"k0001": "text 1"})

    assert [key for key, recipe in recipes().items() if recipe != str(PENDING)] == ["k0001"]
    assert "k0001" in find_keys("text")


def test_what_was_deleted_is_not_found_and_not_made():
    add(numbered(BULK + 1))
    PgVectorProvider().delete(["k0000"])

    assert "k0000" not in find_keys("text")
    assert run_the_task() == BULK


@pytest.mark.parametrize("policy", ["skip", "error"])
def test_other_policies_write_in_bulk_too(policy):
    assert add(numbered(BULK + 1), on_conflict=policy) == BULK + 1
    assert set(recipes().values()) == {str(PENDING)}
    assert find_keys("3") == ["k0003"]


def test_an_error_of_a_bulk_write_leaves_no_task():
    add({"k0003": "text"})

    with pytest.raises(DuplicateDocumentError, match="given twice: 'k0003'"):
        add(numbered(BULK + 1), on_conflict="error")

    assert get_waiting() == []


def test_few_rows_never_wait():
    add(numbered(BULK))

    assert (set(recipes().values()), get_waiting()) == ({str(get_recipe())}, [])


@pytest.mark.parametrize(
    ("values", "options"), [({"BULK_ROWS": None}, {}), ({"BULK_ROWS": 5}, {"keywords_at_once": True})]
)
def test_no_row_waits_where_that_is_not_wanted(settings, values, options):
    settings.PGVECTOR = values

    add(numbered(20), **options)

    assert (set(recipes().values()), get_waiting()) == ({str(get_recipe())}, [])


@pytest.mark.usefixtures("unheard")
def test_no_row_waits_where_nobody_would_make_its_words():
    add(numbered(BULK + 1))

    assert set(recipes().values()) == {str(get_recipe())}


def test_no_row_waits_where_a_vector_index_takes_it(settings):
    settings.PGVECTOR = {"BULK_ROWS": BULK, "INDEX_ROWS": BULK}
    vectors = make_vectors(BULK + 1, 8)
    provider = PgVectorProvider()
    provider.add(EmbeddedDocument(f"k{n}", "text", {}, vector) for n, vector in enumerate(vectors))
    list(carry_out(report_ann_indexes()))

    add(numbered(BULK + 1), provider)

    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s)", [get_ann_index_name("default", "default", 8)])
        assert cursor.fetchone()[0] is not None
    assert count_pending() == 0


def test_no_row_of_a_table_with_its_own_vector_index_waits():
    provider = PgVectorProvider(NoteEmbedding, space="custom")

    provider.add(Document(key, text) for key, text in TEXTS.items())

    assert (count_pending(provider), find_keys("foxes", provider)) == (0, ["foxes", "fox"])


def test_indexing_objects_ends_with_their_words_made():
    note = Note.objects.create(title="Foxes", body="fox " * 5_000)

    changed = index_objects(Note, [note.pk])

    assert changed > BULK
    assert count_pending(get_provider("notes")) == 0
