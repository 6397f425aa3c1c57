import math
import threading

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Q
from hypothesis import given
from hypothesis import strategies as st

from apps.search.documents import Document, EmbeddedDocument
from apps.search.embedders import EmbeddingError, InvalidTextError, validate_embedding_settings
from apps.search.options.languages import CODES, is_foreign
from apps.search.searching import hybrid
from apps.search.searching.fusion import fuse_ranks, fuse_scores, in_fused_order
from apps.search.searching.hybrid import MODES, search_by_mode, search_hybrid, search_semantic
from apps.search.storage.pgvector import PgVectorProvider
from apps.search.storage.pgvector.keywords.bm25 import match_keywords
from apps.search.storage.pgvector.tables.queryset import EmbeddingQuerySet
from tenants.context import tenant_context
from tenants.models import SEARCH_LANGUAGES

SCORES = st.floats(-1e6, 1e6)


@st.composite
def rankings(draw, min_size=0):
    scores = draw(st.dictionaries(st.integers(1, 30), SCORES, min_size=min_size, max_size=20))
    return sorted(scores.items(), key=lambda item: -item[1])


WEIGHTS = st.lists(st.floats(0.01, 100), min_size=2, max_size=2)


def ids(ranking):
    return [pk for pk, _ in ranking]


def test_reciprocal_ranks_are_added():
    fused = fuse_ranks([[(1, 0.9), (2, 0.8)], [(2, 7.0), (3, 6.0)]])

    assert fused == [(2, 1 / 62 + 1 / 61), (1, 1 / 61), (3, 1 / 62)]


def test_scores_are_brought_to_the_same_range_and_weighed():
    fused = fuse_scores([[(1, 0.9), (2, 0.7), (3, 0.5)], [(2, 20.0), (4, 10.0)]], [0.25, 0.75])

    assert fused == [(2, pytest.approx(0.875)), (1, 0.25), (3, 0.0), (4, 0.0)]


@pytest.mark.parametrize("fuse", [fuse_ranks, fuse_scores])
@pytest.mark.parametrize("empty", [[], [[]], [[], []]])
def test_nothing_fused_is_nothing(fuse, empty):
    assert fuse(empty) == []


def test_equal_scores_are_all_the_best():
    assert fuse_scores([[(3, 0.2), (1, 0.2)]]) == [(1, 1.0), (3, 1.0)]


def test_first_of_an_id_that_stands_twice_counts():
    assert fuse_ranks([[(1, 3.0), (1, 2.0), (2, 1.0)]], k=0) == [(1, 1.0), (2, 0.5)]
    assert fuse_scores([[(1, 3.0), (1, 1.0), (2, 2.0)]]) == [(1, 1.0), (2, 0.0)]


@pytest.mark.parametrize("fuse", [fuse_ranks, fuse_scores])
@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [0.0, 0.0], [1.0, math.nan], [1.0, math.inf], []])
def test_bad_weights_are_refused(fuse, weights):
    with pytest.raises(ValueError, match=r"^weights are .*; give 2 finite numbers of 0 or more, not all"):
        fuse([[(1, 1.0)], [(2, 1.0)]], weights=weights)


def test_bad_k_is_refused():
    with pytest.raises(ValueError, match=r"^k is -1; it must be 0 or more"):
        fuse_ranks([[(1, 1.0)]], k=-1)


@pytest.mark.parametrize("fuse", [fuse_ranks, fuse_scores])
@given(first=rankings(), second=rankings(), weights=WEIGHTS)
def test_every_id_comes_out_once_and_in_order(fuse, first, second, weights):
    fused = fuse([first, second], weights=weights)

    assert sorted(ids(fused)) == sorted({*ids(first), *ids(second)})
    assert fused == sorted(fused, key=lambda item: (-item[1], item[0]))
    assert all(0 <= score <= 2.000001 * max(weights) for _, score in fused)


@pytest.mark.parametrize("fuse", [fuse_ranks, fuse_scores])
@given(first=rankings(), second=rankings(), weights=WEIGHTS)
def test_order_of_the_rankings_does_not_matter(fuse, first, second, weights):
    assert ids(fuse([first, second], weights=weights)) == ids(fuse([second, first], weights=weights[::-1]))


@given(ranking=rankings(min_size=1), weight=st.floats(0.01, 100))
def test_one_ranking_alone_keeps_its_order(ranking, weight):
    assert ids(fuse_ranks([ranking], weights=[weight])) == ids(ranking)
    assert ids(fuse_ranks([ranking, []])) == ids(ranking)
    assert ids(fuse_ranks([ranking, ranking[::-1]], weights=[1, 0])) == ids(ranking)


@given(ranking=rankings(), other=rankings(), factor=st.floats(0.5, 50))
def test_ranks_do_not_depend_on_the_scores(ranking, other, factor):
    stretched = [(pk, score * factor) for pk, score in ranking]

    assert fuse_ranks([ranking, other]) == fuse_ranks([stretched, other])


@given(first=rankings(min_size=1), second=rankings(min_size=1))
def test_what_is_first_in_both_is_first(first, second):
    first, second = [(99, 1e7), *first], [(99, 1e7), *second]

    assert fuse_ranks([first, second])[0][0] == 99
    assert fuse_scores([first, second])[0] == (99, 2.0)


@pytest.fixture
def provider(embedder, in_acme):
    provider = PgVectorProvider()
    provider.add(
        Document(f"d{number}", text, {"even": number % 2 == 0})
        for number, text in enumerate(["red apple", "green apple", "apple pie", "green cucumber", "nothing"])
    )
    return provider


def keys(rows):
    return [row.document_key for row in rows]


def test_rows_come_in_the_order_given_with_one_query(provider, django_assert_num_queries):
    pks = dict(provider.objects.values_list("document_key", "pk"))
    fused = [(pks["d3"], 0.75), (pks["d0"], 0.5), (10**9, 0.4), (pks["d2"], 0.1 + 0.2)]

    with django_assert_num_queries(0):
        rows = in_fused_order(provider.objects, fused)
    with django_assert_num_queries(1):
        found = list(rows)

    assert keys(found) == ["d3", "d0", "d2"]
    assert [row.score for row in found] == [0.75, 0.5, 0.1 + 0.2]
    assert (rows.count(), keys(rows[1:2]), keys(rows.filter(metadata__even=False))) == (3, ["d0"], ["d3"])


def test_equal_scores_are_ordered_by_key_of_the_row(provider):
    pks = sorted(provider.objects.values_list("pk", flat=True), reverse=True)

    rows = in_fused_order(provider.objects, [(pk, 1.0) for pk in pks])

    assert [row.pk for row in rows] == pks[::-1]


def test_no_ids_give_no_rows(provider):
    assert list(in_fused_order(provider.objects, [])) == []


def test_statement_does_not_grow_with_the_number_of_ids(provider):
    few, many = ([(number, 1.0 / number) for number in range(1, count)] for count in (3, 300))

    texts = {in_fused_order(provider.objects, fused).query.sql_with_params()[0] for fused in (few, many)}

    assert len(texts) == 1


def test_rows_of_another_index_are_left_out(provider):
    pk = provider.objects.values_list("pk", flat=True)[0]

    assert not in_fused_order(PgVectorProvider(index_name="other").objects, [(pk, 1.0)]).exists()


def test_modes_find_by_meaning_by_words_and_by_both(provider):
    found = {mode: search_by_mode(provider, "red apple", mode) for mode in MODES}

    assert keys(found["semantic"])[0] == keys(found["hybrid"])[0] == keys(found["keyword"])[0] == "d0"
    assert {mode: len(rows) for mode, rows in found.items()} == {"semantic": 5, "keyword": 3, "hybrid": 5}
    assert all(isinstance(rows, EmbeddingQuerySet) for rows in found.values())
    assert set(keys(found["hybrid"])[:3]) == set(keys(found["keyword"]))
    assert all(row.score is not None for rows in found.values() for row in rows)


@pytest.mark.parametrize("mode", MODES)
def test_a_filter_holds_in_every_mode(provider, mode):
    found = search_by_mode(provider, "green apple", mode, filter_q=Q(metadata__even=False))

    assert keys(found)[0] == "d1"
    assert set(keys(found)) == {"d1", "d3"}


def test_a_filter_is_applied_before_the_window_is_cut(provider):
    found = search_hybrid(provider, "red apple", window=1, filter_q=Q(document_key="d4"))

    assert keys(found) == ["d4"]


def test_window_is_what_each_half_gives(provider):
    assert len(search_hybrid(provider, "red apple", window=1)) == 1
    assert len(search_hybrid(provider, "cucumber", window=2)) == 2


@pytest.mark.parametrize("method", ["rrf", "minmax"])
def test_weights_decide_which_half_counts(embedder, in_acme, method):
    provider = PgVectorProvider()
    vectors = {"meant": embedder().embed_query("apple"), "said": embedder().embed_query("something else")}
    provider.add(
        EmbeddedDocument(key, text, {}, vectors[key])
        for key, text in {"meant": "no such word", "said": "an apple"}.items()
    )

    by_meaning = search_hybrid(provider, "apple", method=method, weights=(1, 0.01))
    by_words = search_hybrid(provider, "apple", method=method, weights=(0.01, 1))

    assert (keys(by_meaning)[0], keys(by_words)[0]) == ("meant", "said")


def test_scores_are_fused_unless_told_otherwise(provider):
    usual = list(search_hybrid(provider, "red apple").values_list("document_key", "score"))

    told = search_hybrid(provider, "red apple", method="minmax", weights=(1, 1), window=100)
    by_ranks = search_hybrid(provider, "red apple", method="rrf")
    assert usual == list(told.values_list("document_key", "score"))
    assert usual != list(by_ranks.values_list("document_key", "score"))


@pytest.mark.parametrize(
    ("languages", "search_language", "query", "weights"),
    [
        (None, "german", "apple", (1, 1)),
        (("en",), "english", "apple", (1, 1)),
        (("en",), "simple", "apple", (1, 1)),
        (("en",), "german", "apple", (0.15, 0.85)),
        (("en", "de"), "german", "apple", (1, 1)),
        (("en",), "english", "apple 検索 検索 検索", (0.15, 0.85)),
    ],
)
def test_words_count_more_in_a_language_that_the_embedder_does_not_know(
    provider, acme, embedder, monkeypatch, languages, search_language, query, weights
):
    known = embedder()
    known.languages = languages
    provider = PgVectorProvider(embedder=known)
    monkeypatch.setattr(acme, "search_language", search_language)

    with tenant_context(acme):
        usual = dict(search_hybrid(provider, query).values_list("document_key", "score"))
        told = dict(search_hybrid(provider, query, weights=weights).values_list("document_key", "score"))
        other = dict(search_hybrid(provider, query, weights=(0.5, 2)).values_list("document_key", "score"))

    assert usual == told
    assert usual != other


@pytest.mark.parametrize(
    ("text", "language", "foreign"),
    [
        ("hello", "english", False),
        ("hello", "simple", False),
        ("hallo", "german", True),
        ("привет", "english", True),
        ("привет", "simple", True),
        ("搜索 with pgvector", "english", False),
        ("索引和倒排列表怎么用 SQL", "english", True),
        ("4711", "english", False),
        ("", "german", False),
    ],
)
def test_a_script_or_the_search_language_tells_a_foreign_text(text, language, foreign):
    assert is_foreign(text, ["en"], language) is foreign
    assert not is_foreign(text, None, language)


def test_every_search_language_has_a_code():
    assert set(CODES) == set(SEARCH_LANGUAGES) - {"simple"}


def test_query_of_stop_words_is_searched_by_meaning_alone(provider):
    assert keys(search_by_mode(provider, "the of", "keyword")) == []
    assert len(search_by_mode(provider, "the of", "hybrid")) == 5


@pytest.mark.parametrize("mode", MODES)
def test_bad_text_is_refused_in_every_mode(provider, mode):
    with pytest.raises(InvalidTextError, match="contains a NUL byte"):
        search_by_mode(provider, "a\0b", mode)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "vague"}, "There is no mode 'vague'. Allowed: semantic, keyword, hybrid."),
        ({"mode": "hybrid", "method": "vote"}, "There is no fusion 'vote'. Allowed: rrf, minmax."),
        ({"mode": "hybrid", "window": 0}, "window is 0; it must be 1 or more."),
        ({"mode": "hybrid", "weights": (1,)}, "weights are (1,); give 2 finite numbers of 0 or more"),
    ],
)
def test_bad_options_are_refused(provider, options, message):
    with pytest.raises(ValueError, match=r"^(There|window|weights)") as caught:
        search_by_mode(provider, "text", **options)

    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("mode", MODES)
def test_another_tenants_documents_are_not_found_in_any_mode(provider, globex, mode):
    before = [(row.document_key, row.score) for row in search_by_mode(provider, "apple", mode)]
    with tenant_context(globex):
        PgVectorProvider().add(Document(f"g{number}", "apple") for number in range(9))

    after = [(row.document_key, row.score) for row in search_by_mode(provider, "apple", mode)]

    assert before == after


@pytest.mark.parametrize("mode", MODES)
def test_provider_of_a_tenant_is_searched_whichever_is_bound(acme, globex, provider, mode):
    with tenant_context(globex):
        found = keys(search_by_mode(PgVectorProvider(tenant=acme), "red apple", mode))

    assert found[0] == "d0"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fusion": "mean"}, "fusion is 'mean'; allowed: rrf, minmax."),
        ({"fusion_weights": 1}, "fusion_weights is 1; allowed: two numbers from 0 to 1000"),
        ({"fusion_weights": (0, 0)}, "fusion_weights is (0, 0); allowed: two numbers from 0 to 1000"),
        ({"fusion_weights": (1, -1)}, "fusion_weights is (1, -1); allowed: two numbers from 0 to 1000"),
        ({"fusion_weights": (1, float("nan"))}, "allowed: two numbers from 0 to 1000"),
    ],
)
def test_a_bad_fusion_option_is_refused(settings, options, message):
    settings.EMBEDDINGS = {
        "x": {"BACKEND": "apps.search.embedders.WordLlamaEmbedder", "MODEL": "a.B", "OPTIONS": options}
    }

    with pytest.raises(ImproperlyConfigured) as caught:
        validate_embedding_settings("x")

    assert str(caught.value).startswith("EMBEDDINGS['x']: ")
    assert message in str(caught.value)


def test_the_text_is_embedded_while_its_words_are_looked_for(provider, monkeypatch, embedder):
    began, counted = threading.Event(), threading.Event()

    def wait(texts):
        began.set()
        assert counted.wait(30)

    def look(*args, **options):
        assert began.wait(30)
        counted.set()
        return match_keywords(*args, **options)

    embedder.before_batch = staticmethod(wait)
    monkeypatch.setattr(hybrid, "match_keywords", look)

    assert keys(search_hybrid(provider, "red apple"))


def test_what_the_embedding_thread_raises_is_raised(provider, embedder):
    def fail(texts):
        raise EmbeddingError("no answer")

    embedder.before_batch = staticmethod(fail)

    with pytest.raises(EmbeddingError, match="no answer"):
        search_hybrid(provider, "red apple")


@pytest.mark.parametrize(("text", "has_words"), [("apple", True), ("badger", False)])
def test_rows_say_how_near_the_nearest_is_where_nothing_holds_a_word(provider, text, has_words):
    scores = {row.wordless_score for row in search_hybrid(provider, text)[:3]}

    assert scores == ({None} if has_words else {search_semantic(provider, text)[0].score})
