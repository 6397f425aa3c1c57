import math
from collections import Counter

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from apps.search.documents import EmbeddedDocument
from apps.search.indexing.tasks import maintain_vector_indexes
from apps.search.searching.hybrid import search_by_mode
from apps.search.storage.pgvector import PgVectorProvider
from apps.search.storage.pgvector.keywords import keyword_rows, postings, renewing
from apps.search.storage.pgvector.keywords.bm25 import match_keywords
from apps.search.storage.pgvector.keywords.keyword_rows import KeywordQuerySet
from apps.search.storage.pgvector.keywords.postings import forget_postings, has_postings
from apps.search.storage.pgvector.keywords.recipe import refresh_keywords
from apps.search.storage.pgvector.keywords.renewing import care_for_postings, drop_postings, make_postings
from apps.search.storage.pgvector.models import KeywordIndex, KeywordPostings, PgVectorEmbedding
from tenants.context import tenant_context

pytestmark = pytest.mark.usefixtures("embedder", "in_acme", "as_owner")

K1, B, PART, PARTS = 1.2, 0.75, 0.25, 0.5


@pytest.fixture(autouse=True)
def _forget():
    forget_postings()
    yield
    forget_postings()


def add(texts, provider=None, **options):
    documents = [EmbeddedDocument(key, text, {"key": key}, [1.0] * 8) for key, text in texts.items()]
    (provider or PgVectorProvider()).add(documents, **{"keywords_at_once": True} | options)


def keep(provider=None):
    provider = provider or PgVectorProvider()
    forget_postings()
    assert make_postings(provider.model, provider.space, provider.index_name)


def search(text, provider=None, language="english", **filters):
    rows = (provider or PgVectorProvider()).objects.filter(**filters)
    return match_keywords(rows, text, language)


def find(text, limit=10, **options):
    return [row.document_key for row in search(text, **options)[:limit]]


def scored(rows):
    return [(row.document_key, pytest.approx(row.score, rel=1e-9)) for row in rows]


def numbered(count, text="apple"):
    return {f"k{number:04}": f"{text} {number}" for number in range(count)}


def rank_plainly(texts, query):
    """BM25 of words, by the definition; `texts` are lists of words."""
    average = sum(map(len, texts.values())) / len(texts)
    scores = {}
    for key, words in texts.items():
        counts, k = Counter(words), K1 * (1 - B + B * len(words) / average)
        score = 0.0
        for word, repeats in Counter(query).items():
            held = sum(word in others for others in texts.values())
            weight = repeats * math.log(1 + (len(texts) - held + 0.5) / (held + 0.5))
            score += weight * counts[word] / (counts[word] + k)
        if score:
            scores[key] = score
    return scores


WORDS = ["red", "green", "blue", "black", "white"]
TEXTS = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=9), min_size=1, max_size=30)
QUERY = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4)
MANY = hypothesis_settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@given(texts=TEXTS, late=TEXTS, query=QUERY, limit=st.integers(1, 12))
@MANY
def test_first_rows_are_those_of_a_plain_model_that_scores_every_row(texts, late, query, limit):
    first = {f"a{number:02}": words for number, words in enumerate(texts)}
    second = {f"b{number:02}": words for number, words in enumerate(late)}
    with transaction.atomic():
        add({key: " ".join(words) for key, words in (first | second).items()})
        keep()
        found = scored(search(" ".join(query), language="simple")[:limit])
        again = scored(search(" ".join(query), language="simple"))[:limit]
        transaction.set_rollback(True)

    expected = rank_plainly(first | second, query)
    order = sorted(expected, key=lambda key: (-round(expected[key], 9), key))[:limit]
    assert [key for key, _ in found] == order
    assert found == [(key, expected[key]) for key in order] == again


@given(texts=TEXTS, late=TEXTS, query=QUERY, limit=st.integers(1, 12))
@MANY
def test_first_rows_are_those_that_postgresql_ranks_whatever_was_written_since(texts, late, query, limit):
    with transaction.atomic():
        add({f"a{number:02}": " ".join(words) for number, words in enumerate(texts)})
        keep()
        add({f"a{number:02}": " ".join(words) for number, words in enumerate(late) if number % 3})
        add({f"b{number:02}": " ".join(words) for number, words in enumerate(late)})
        PgVectorProvider().delete(["a00", "b01"])
        rows = search(" ".join(query), language="simple")
        found, ranked = scored(rows[:limit]), scored(rows)
        transaction.set_rollback(True)

    assert found == ranked[:limit]
    assert not {"a00", "b01"} & {key for key, _ in ranked}


def test_words_inside_tokens_count_as_postgresql_counts_them():
    add({"a": "parser", "b": "RawParser ConfigParser", "c": "a parser of parser.Parser", "d": "nothing"})
    keep()

    rows = search("parser config")

    assert scored(rows[:9]) == scored(rows)
    assert {key for key, _ in scored(rows)} == {"a", "b", "c"}


def test_words_that_a_query_repeats_weigh_more():
    add({"a": "apple", "b": "pear", "c": "plum"})
    counted = [row.document_key for row in search("pear pear apple")]
    keep()

    assert counted == find("pear pear apple") == ["b", "a"]
    assert find("apple apple pear") == ["a", "b"]


def test_a_search_of_the_first_rows_reads_no_words_of_others(django_assert_num_queries):
    add(numbered(50) | {"pear": "pear"})
    keep()
    has_postings(PgVectorEmbedding, "default", "default")

    with django_assert_num_queries(3) as queries:
        rows = list(search("apple")[:3])

    assert [row.document_key for row in rows] == ["k0000", "k0001", "k0002"]
    assert "ts_rank" not in queries.captured_queries[-1]["sql"]


@pytest.mark.parametrize("text", ['apple "apple 777"', "apple -777", "apple", '"777 apple"'])
@pytest.mark.parametrize("most", [25, 1_000])
def test_filters_phrases_and_exclusions_leave_the_best_of_what_they_leave(text, most, monkeypatch):
    monkeypatch.setattr(keyword_rows, "MOST", most)
    add(numbered(60) | {"k9": "apple 777", "z": "many more words than others have, and one apple"})
    keep()

    for filters in ({}, {"metadata__key__in": ["k0059", "z", "k9"]}):
        rows = search(text, **filters)
        assert scored(rows[:4]) == scored(rows)[:4]
        assert scored(rows[1:3]) == scored(rows)[1:3]


def test_columns_may_be_chosen_and_rows_counted_and_narrowed():
    add(numbered(9))
    keep()
    rows = search("apple")

    assert [key for key, _ in rows[:2].values_list("document_key", "score")] == ["k0000", "k0001"]
    assert (rows.count(), rows[:2].count(), rows.exists(), rows.first().document_key) == (9, 2, True, "k0000")
    assert [row.document_key for row in rows.filter(document_key__gt="k0003")[:2]] == ["k0004", "k0005"]
    assert [row.document_key for row in rows.order_by("-document_key")[:1]] == ["k0008"]
    assert {row.pk for row in rows[:2]} == set(rows[:2].values_list("pk", flat=True))


def test_a_row_written_anew_is_found_by_its_new_words_only():
    add({"a": "apple", "b": "pear", "c": "plum"})
    keep()
    add({"a": "pear pear"})

    assert (find("apple"), find("pear"), find("plum")) == ([], ["a", "b"], ["c"])


def test_rows_that_wait_for_their_words_are_found(settings):
    settings.PGVECTOR = {"BULK_ROWS": 3}
    add({"a": "apple"})
    keep()
    add(numbered(5, "pear"), keywords_at_once=False)
    before = find("pear apple")

    refresh_keywords(PgVectorProvider().objects)

    assert set(before) == set(find("pear apple")) == {"a", *numbered(5)}


def test_a_change_of_language_is_followed(in_acme):
    add({"a": "die Häuser", "b": "ein Haus", "c": "house"})
    keep()
    in_acme.search_language = "german"
    refresh_keywords(PgVectorProvider().objects)

    assert sorted(find("Haus", language="german")) == ["a", "b"]
    keep()
    assert sorted(find("Haus", language="german")) == ["a", "b"]


def test_other_indexes_spaces_and_tenants_are_not_found(globex):
    with tenant_context(globex):
        add({"theirs": "apple"})
        keep()
    other, space = PgVectorProvider(index_name="other"), PgVectorProvider(space="s")
    for provider, key in ((None, "own"), (other, "other"), (space, "space")):
        add({key: "apple"}, provider)
        keep(provider)

    assert find("apple") == ["own"]
    assert find("apple", provider=other) == ["other"]
    assert find("apple", provider=space) == ["space"]
    with tenant_context(globex):
        assert find("apple") == ["theirs"]
        assert KeywordIndex.objects.count() == 1


def test_hybrid_and_keyword_modes_use_them():
    add(numbered(9) | {"pear": "pear"})
    keep()

    assert isinstance(search_by_mode(PgVectorProvider(), "pear", "keyword"), KeywordQuerySet)
    assert search_by_mode(PgVectorProvider(), "pear", "hybrid").first().document_key == "pear"


def test_nothing_to_look_for_finds_nothing():
    add({"a": "apple"})
    keep()

    assert find("the") == find("unheard") == find("-apple") == list(search("apple").none()) == []


def test_keys_far_from_each_other_are_counted_too(monkeypatch):
    monkeypatch.setattr(postings, "SPARSE", 1)
    monkeypatch.setattr(renewing, "PART", 2)
    add({"far": "apple"})
    PgVectorEmbedding.objects.update(id=1)
    add(numbered(5))
    keep()

    assert sorted(find("apple")) == ["far", *numbered(5)]


def test_long_and_repetitive_documents_are_counted_as_postgresql_counts_them():
    add({"long": "pear " * 300 + "plum " * 70_000, "a": "pear", "b": "plum"})
    keep()
    rows = search("pear plum")

    assert [key for key, _ in scored(rows[:9])] == [key for key, _ in scored(rows)]


def test_they_are_made_from_some_size_on_renewed_as_it_grows_and_dropped(settings):
    settings.PGVECTOR = {"INDEX_ROWS": 20}
    model, key = PgVectorEmbedding, ("default", "default")
    add(numbered(19))
    few = care_for_postings(model, *key, 19)
    add(numbered(40))
    made, again = care_for_postings(model, *key, 40), care_for_postings(model, *key, 40)
    add(numbered(45))
    late = care_for_postings(model, *key, 45)
    PgVectorProvider().delete(numbered(40))
    dropped = care_for_postings(model, *key, 5)

    assert (few, made, again, late, dropped) == ("", "made", "", "made", "dropped")
    assert not KeywordIndex.objects.exists()
    assert not KeywordPostings.objects.exists()
    assert len(find("apple")) == 5


def test_a_worker_cares_for_those_of_every_index_of_its_tenant(settings, globex):
    settings.PGVECTOR = {"INDEX_ROWS": 20}
    with tenant_context(globex):
        add(numbered(20))
    add(numbered(20))
    add(numbered(20), PgVectorProvider(index_name="other"))
    add(numbered(3), PgVectorProvider(index_name="few"))
    first = maintain_vector_indexes.func()
    PgVectorProvider(index_name="other").clear()
    second = maintain_vector_indexes.func()

    assert (first, second) == (4, 2)  # half of them are ANN indexes
    assert list(KeywordIndex.objects.values_list("index_name", flat=True)) == ["default"]
    with tenant_context(globex):
        assert not KeywordIndex.objects.exists()


def test_old_postings_go_when_new_ones_come():
    add({"a": "apple"})
    keep()
    first = KeywordIndex.objects.get()
    add({"b": "pear"})
    keep()

    second = KeywordIndex.objects.get()
    assert (second.pk, second.documents, second.words) == (first.pk, 2, 2)
    assert second.generation > first.generation
    assert set(KeywordPostings.objects.values_list("generation", "lexeme")) == {
        (second.generation, "appl"),
        (second.generation, "pear"),
    }


def test_without_them_the_same_is_found():
    add(numbered(9) | {"pear": "apple pear"})
    keep()
    kept = find("pear apple")

    drop_postings(PgVectorEmbedding, "default", "default")

    assert find("pear apple") == kept
    assert not isinstance(search("pear apple"), KeywordQuerySet)


def test_none_are_made_while_another_session_writes(commit, monkeypatch):
    monkeypatch.setattr(renewing, "TRIES", 1)
    monkeypatch.setattr(renewing, "PAUSE", 0)
    made = []

    def make():
        with transaction.atomic():
            made.append(make_postings(PgVectorEmbedding, "committed", "default"))
            transaction.set_rollback(True)

    commit(make)
    add({"a": "apple"}, PgVectorProvider(space="mine"))
    commit(make)

    assert made == [True, False]
