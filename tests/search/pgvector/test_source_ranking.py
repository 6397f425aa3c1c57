import uuid

import numpy as np
import pytest
from django.db import connection
from django.db import models as db_models
from django.test.utils import CaptureQueriesContext

from apps.search import get_provider
from apps.search.documents import Document, EmbeddedDocument
from apps.search.filters import InvalidFilterError
from apps.search.indexes.source_objects import Source
from apps.search.indexing.batches import index_objects
from apps.search.searching.results import find_similar
from apps.search.storage.pgvector import PgVectorProvider
from apps.search.storage.pgvector.ann.builder import build_ann_index
from apps.search.storage.pgvector.models import PgVectorEmbedding
from apps.search.storage.pgvector.tables.ann_index import forget_ann_indexes
from apps.search.storage.pgvector.tables.queryset import TenantMismatchError
from tenants.context import tenant_context
from tests.models_app.models import Note
from tests.search.pgvector.filling import make_vectors
from tests.tables_app import models
from tests.tables_app.models import Slip

pytestmark = pytest.mark.usefixtures("embedder")

QUERY = [1.0, 0, 0, 0, 0, 0, 0, 0]


def make_vector(nearness):
    """The smaller the number, the farther from QUERY."""
    return [nearness, 1.0, 0, 0, 0, 0, 0, 0]


@pytest.fixture
def provider(in_acme):
    return get_provider("notes")


def make_note(provider, *chunks, title="t", **metadata):
    note = Note.objects.create(title=title, body="b")
    prefix = Source.of(note).prefix
    provider.add(
        EmbeddedDocument(f"{prefix}{number}", f"chunk {number}", metadata, make_vector(nearness))
        for number, nearness in enumerate(chunks)
    )
    return note


def sources_of(hits):
    return [hit.source for hit in hits]


def test_each_object_comes_once_with_its_best_document(provider):
    first, second = make_note(provider, 1, 5, 3), make_note(provider, 4, 2)

    hits = provider.search_sources(QUERY)

    assert sources_of(hits) == [first, second]
    assert [hit.document.document_key for hit in hits] == [
        f"{Source.of(first).prefix}1",
        f"{Source.of(second).prefix}0",
    ]
    assert [hit.document.content for hit in hits] == ["chunk 1", "chunk 0"]
    assert [hit.chunks for hit in hits] == [3, 2]
    assert hits[0].score == provider.nearest(QUERY)[0].score
    assert hits[0].score > hits[1].score


def test_texts_are_searched_for_too(provider):
    pie, cake = (Note.objects.create(title=title, body="x") for title in ("apple pie", "cheese cake"))
    index_objects(Note, [pie.pk, cake.pk])

    assert sources_of(provider.search_sources("cheese cake", limit=1)) == [cake]
    assert list(provider.rank_sources("apple pie", Note)) == [pie, cake]


def test_ranking_is_one_query_and_one_more_for_the_objects(provider, django_assert_num_queries):
    for number in range(4):
        make_note(provider, number, number + 1)
    provider.search_sources(QUERY)

    with django_assert_num_queries(2):
        provider.search_sources(QUERY, limit=3)


def test_rows_are_enough_even_when_one_object_has_all_the_nearest_documents(provider):
    many = make_note(provider, *range(100, 400))
    others = [make_note(provider, number) for number in (3, 2, 1)]

    assert sources_of(provider.search_sources(QUERY, limit=4)) == [many, *others]
    assert sources_of(provider.search_sources(QUERY, limit=2)) == [many, others[0]]


def test_deleted_objects_do_not_come_up_and_take_no_place(provider):
    gone = [make_note(provider, 100 + number) for number in range(60)]
    kept = [make_note(provider, number) for number in (3, 2, 1)]
    Note.objects.filter(pk__in=[note.pk for note in gone]).delete()

    assert sources_of(provider.search_sources(QUERY, limit=2)) == kept[:2]
    assert sources_of(provider.search_sources(QUERY)) == kept


@pytest.mark.parametrize(
    "key",
    [
        "manual",
        "notes.note:x:0",
        "notes.note:007:0",
        "notes.note:99999999999999999999999:0",
        "notes.note:%FF:0",
        "notes.note::0",
        "auth.group:1:0",
        "accounts.user:1:0",
        "::0",
    ],
)
def test_documents_without_an_object_do_not_come_up(provider, key):
    note = make_note(provider, 1)
    provider.add([EmbeddedDocument(key, "by hand", {}, make_vector(5))])

    assert sources_of(provider.search_sources(QUERY)) == [note]


def test_filters_and_thresholds_are_those_of_the_documents(provider):
    make_note(provider, 9, lang="de")
    english = [make_note(provider, nearness, lang="en") for nearness in (3, 2, 1)]
    scores = [hit.score for hit in provider.search_sources(QUERY, where={"lang": "en"})]

    found = provider.search_sources(QUERY, where={"lang": "en"}, min_score=scores[1])

    assert sources_of(found) == english[:2]
    assert sources_of(provider.search_sources(QUERY, min_score=2)) == []
    with pytest.raises(InvalidFilterError, match=r"^lang\.like: "):
        provider.search_sources(QUERY, where={"lang": {"like": 1}})


def test_a_threshold_that_ends_the_window_asks_no_second_time(provider, django_assert_num_queries):
    note = make_note(provider, *range(1, 200))
    best = provider.search_sources(QUERY)[0].score

    with django_assert_num_queries(2):
        assert sources_of(provider.search_sources(QUERY, min_score=best)) == [note]


@pytest.mark.parametrize("limit", [0, -1, "3"])
def test_bad_limit_is_refused(provider, limit):
    with pytest.raises(ValueError, match=r"^limit must be a whole number of at least 1, not "):
        provider.search_sources(QUERY, limit=limit)


def test_provider_that_knows_no_models_says_so(in_acme):
    with pytest.raises(ValueError, match=r"has no source_models; get_provider\(\) makes one that has\.$"):
        PgVectorProvider(index_name="notes").search_sources(QUERY)


def test_ranked_objects_are_a_queryset_of_their_own_model(provider, django_assert_num_queries):
    far, near, middle = (make_note(provider, nearness, title=f"t{nearness}") for nearness in (1, 9, 5))
    provider.rank_sources(QUERY, Note)

    with django_assert_num_queries(1):
        rows = provider.rank_sources(QUERY, Note)
    with django_assert_num_queries(1):
        found = list(rows)

    assert rows.model is Note
    assert found == [near, middle, far]
    assert list(rows[1:2]) == [middle]
    assert list(rows.filter(title__in=["t1", "t5"])) == [middle, far]
    assert (rows.count(), rows.exists(), rows.first()) == (3, True, near)
    assert found[0].snippet_key == f"{Source.of(near).prefix}0"
    documents = list(provider.nearest(QUERY))
    assert [row.score for row in found] == [document.score for document in documents]
    assert [row.distance for row in found] == [document.distance for document in documents]


def test_objects_of_a_queryset_are_ranked_among_themselves(provider):
    for number in range(60):
        make_note(provider, 100 + number, title="hidden")
    shown = [make_note(provider, number, title="shown") for number in (2, 1)]

    rows = provider.rank_sources(QUERY, Note.objects.filter(title="shown"), limit=2)

    assert list(rows) == shown
    assert list(provider.rank_sources(QUERY, Note.objects.none())) == []


def test_a_limit_is_the_most_that_are_ranked(provider):
    for number in range(5):
        make_note(provider, number)

    assert len(provider.rank_sources(QUERY, Note, limit=3)) == 3


def test_ranked_objects_of_one_tenant_are_not_read_in_another(provider, acme, globex):
    note = make_note(provider, 1, title="of acme")
    rows = provider.rank_sources(QUERY, Note)
    explicit = get_provider("notes", tenant=acme).rank_sources(QUERY, Note)

    with tenant_context(globex):
        Note.objects.create(pk=note.pk, title="of globex", body="b")

        with pytest.raises(TenantMismatchError, match=r"built for .* 'acme', but 'globex'"):
            list(rows)
        assert [row.title for row in explicit] == ["of acme"]


def test_another_tenants_objects_and_documents_do_not_come_up(provider, acme, globex):
    note = make_note(provider, 1, title="of acme")
    search = provider.nearest(QUERY)
    with tenant_context(globex):
        Note.objects.create(pk=note.pk, title="of globex", body="b")

        assert get_provider("notes").search_sources(QUERY) == []
        assert list(get_provider("notes").rank_sources(QUERY, Note)) == []
        hits = get_provider("notes", tenant=acme).search_sources(QUERY)
        with pytest.raises(TenantMismatchError, match="'acme'"):
            get_provider("notes").search_sources(search)

    assert [hit.source.title for hit in hits] == ["of acme"]


def test_index_is_used_and_all_are_looked_at_where_its_window_is_too_narrow(provider):
    notes = Note.objects.bulk_create(Note(title=f"t{n}", body="b") for n in range(300))
    provider.add(
        EmbeddedDocument(f"{Source.of(notes[n % 300]).prefix}{n // 300}", "text", {}, vector)
        for n, vector in enumerate(make_vectors(6_000, 8))
    )
    query = make_vectors(1, 8, seed=1)[0]
    exact = provider.search_sources(query, limit=10)
    build_ann_index(PgVectorEmbedding, provider.space, provider.index_name, 8, 6_000)
    forget_ann_indexes()

    provider.search_sources(query, limit=10)  # whether there is an index is looked up now and then
    with CaptureQueriesContext(connection) as queries:
        found = provider.search_sources(query, limit=10)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_sort = off")  # so few rows are sorted sooner than looked up
        cursor.execute(f"EXPLAIN {queries[0]['sql']}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    with CaptureQueriesContext(connection) as more:
        everything = provider.search_sources(query, limit=300)
    forget_ann_indexes()

    assert (len(queries), len(more)) == (2, 3)
    assert "_hnsw" in plan
    assert len(set(sources_of(found)) & set(sources_of(exact))) >= 9
    assert set(sources_of(everything)) == set(notes)


class Uncommon(db_models.Model):
    """A model whose key is a UUID."""

    id = db_models.UUIDField(primary_key=True, default=uuid.uuid4)

    class Meta:
        app_label = "tests_tables"

    def __str__(self):
        return str(self.id)


PKS = ["plain", "a:b/c", "100%", "ü \\", "_%", "漢字", "😀", "it's", "%41", "a+b"]


def test_primary_keys_may_be_any_text(in_acme, make_table):
    make_table(Slip)
    slips = [Slip.objects.create(slug=slug) for slug in PKS]
    provider = PgVectorProvider(index_name="slips", source_models=[Slip])
    provider.add(
        EmbeddedDocument(f"{Source.of(slip).prefix}0", "text", {}, make_vector(100 - number))
        for number, slip in enumerate(slips)
    )
    Slip.objects.filter(slug__in=PKS[4:6]).delete()

    assert [hit.source.pk for hit in provider.search_sources(QUERY)] == PKS[:4] + PKS[6:]
    assert [slip.pk for slip in provider.rank_sources(QUERY, Slip)] == PKS[:4] + PKS[6:]


@pytest.mark.parametrize(
    "pk", ["%FF", "%C3", "%ED%A0%80", "%F4%90%80%80", "%00", "%zz", "%", "%C0%80", "a%e2"]
)
def test_key_that_encodes_no_text_names_nothing(in_acme, make_table, pk):
    make_table(Slip)
    provider = PgVectorProvider(index_name="slips", source_models=[Slip])
    provider.add([EmbeddedDocument(f"tests_tables.slip:{pk}:0", "text", {}, QUERY)])

    assert provider.search_sources(QUERY) == []


def test_primary_keys_may_be_uuids_and_models_may_be_several(in_acme, make_table):
    make_table(Uncommon)
    uncommon, note = Uncommon.objects.create(), Note.objects.create(title="t", body="b")
    provider = PgVectorProvider(source_models=[Note, Uncommon])
    keys = [f"{Source.of(uncommon).prefix}0", f"{Source.of(note).prefix}0", "tests_tables.uncommon:7:0"]
    provider.add(EmbeddedDocument(key, "text", {}, make_vector(9 - n)) for n, key in enumerate(keys))

    assert sources_of(provider.search_sources(QUERY)) == [uncommon, note]
    assert list(provider.rank_sources(QUERY, Uncommon)) == [uncommon]


def test_nearest_to_documents_is_nearest_to_their_mean_without_them(provider):
    provider.add([EmbeddedDocument(key, "t", {}, np.eye(8)[n] * (n + 1)) for n, key in enumerate("abcd")])
    middle = np.eye(8)[0] + np.eye(8)[1]
    provider.add(
        [EmbeddedDocument("between", "t", {}, middle), EmbeddedDocument("away", "t", {}, np.eye(8)[5])]
    )

    rows = list(provider.nearest_to(["a", "b"])[:10])

    assert rows[0].document_key == "between"
    assert rows[0].score == pytest.approx(1, abs=1e-6)
    assert {row.document_key for row in rows} == {"between", "c", "d", "away"}


@pytest.mark.parametrize("model", [models.HalfCosineEmbedding, models.L2Embedding, models.ProductEmbedding])
def test_nearest_to_works_for_every_table(in_acme, make_table, model):
    make_table(model)
    provider = PgVectorProvider(model)
    provider.add(EmbeddedDocument(f"k:{n}", "t", {}, v) for n, v in enumerate(make_vectors(4, 8)))
    provider.add([EmbeddedDocument("other", "t", {}, make_vectors(1, 8)[0])])

    assert [row.document_key for row in provider.nearest_to("k:")] == ["other"]


def test_nearest_to_what_is_not_stored_is_nothing(provider):
    make_note(provider, 1)

    for keys in (["gone"], [], "gone:"):
        assert list(provider.nearest_to(keys)) == []
        assert list(provider.nearest_to(keys)[:5]) == []
        assert provider.search_sources(provider.nearest_to(keys)) == []


def test_nearest_to_vectors_that_cancel_each_other_out_is_nearest_to_the_first(provider):
    provider.add([EmbeddedDocument("a", "t", {}, QUERY), EmbeddedDocument("b", "t", {}, [-x for x in QUERY])])
    note = make_note(provider, 3)

    assert sources_of(provider.search_sources(provider.nearest_to(["a", "b"]))) == [note]


def test_nearest_to_asks_twice(provider, django_assert_num_queries):
    provider.add(Document(key, f"text {key}") for key in "abc")
    provider.search("text").exists()  # the first search looks for an ANN index

    with django_assert_num_queries(2):
        list(provider.nearest_to(["a"])[:5])


def test_nearest_to_sees_no_other_tenant(provider, globex):
    provider.add(Document(key, "text") for key in "abc")

    with tenant_context(globex):
        PgVectorProvider(index_name="notes").add([Document("d", "text")])

        assert list(get_provider("notes").nearest_to(["a"])) == []
        assert list(get_provider("notes").nearest_to(["d"])) == []


def test_similar_objects_are_those_near_all_of_an_objects_documents(provider):
    def make(title, *vectors):
        note = Note.objects.create(title=title, body="b")
        prefix = Source.of(note).prefix
        provider.add(EmbeddedDocument(f"{prefix}{n}", "t", {}, vector) for n, vector in enumerate(vectors))
        return note

    x, y, z = np.eye(8)[:3]
    note = make("both", x, y, y)
    like_first, like_all, unlike = make("first", x), make("all", x + 2 * y), make("none", z)

    similar = [result.source for result in find_similar(note, 3)]

    assert similar == [like_all, like_first, unlike]
