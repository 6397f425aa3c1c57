import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.search.documents import EmbeddedDocument
from apps.search.embedders import get_embedder, validate_embedding_settings
from apps.search.storage.pgvector import PgVectorProvider
from apps.search.storage.pgvector.ann.builder import build_ann_index
from apps.search.storage.pgvector.models import PgVectorEmbedding
from apps.search.storage.pgvector.searching.tuning import (
    SEARCH_OPTIONS,
    get_ef_search,
    get_tuning,
)
from apps.search.storage.pgvector.tables.ann_index import forget_ann_indexes
from apps.search.storage.pgvector.tables.distance import COSINE, METRICS
from tenants.context import tenant_context
from tests.search.embedder import BACKEND
from tests.search.pgvector.filling import fill, make_vectors
from tests.tables_app import models


@pytest.fixture
def space(settings, embedder):
    def make(alias="tuned", **options):
        entry = {"BACKEND": BACKEND, "MODEL": "pgvector.PgVectorEmbedding", "OPTIONS": options}
        settings.EMBEDDINGS = settings.EMBEDDINGS | {alias: entry}
        return alias

    return make


@pytest.fixture(autouse=True)
def _forget():
    forget_ann_indexes()
    yield
    forget_ann_indexes()


def sql_of(rows):
    with CaptureQueriesContext(connection) as queries:
        list(rows)
    return queries[-1]["sql"]


def test_every_option_sets_a_parameter_of_the_extension(in_acme):
    parameters = sorted(parameter for parameter, _ in SEARCH_OPTIONS.values())

    with connection.cursor() as cursor:
        cursor.execute("SELECT '[1]'::vector")  # loads the extension, which declares them
        cursor.execute("SELECT name FROM pg_settings WHERE name = ANY(%s) ORDER BY 1", [parameters])
        assert [name for (name,) in cursor.fetchall()] == parameters


def test_options_of_searches_are_none_of_the_embedders(space):
    alias = space(ef_search=200, iterative_scan="relaxed_order", dimensions=16)

    assert get_tuning(alias) == {"ef_search": 200, "iterative_scan": "relaxed_order"}
    assert get_embedder(alias).dimensions == 16


def test_spaces_that_differ_in_their_searches_only_share_an_embedder(space):
    aliases = [space("one", ef_search=50), space("two", ef_search=100), space("three")]

    assert len({id(get_embedder(alias)) for alias in aliases}) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ef_search": 0}, "ef_search is 0; allowed: 1 to 1,000."),
        ({"ef_search": True}, "ef_search is True; allowed: 1 to 1,000."),
        ({"ef_search": "80"}, "ef_search is '80'; allowed: 1 to 1,000."),
        ({"probes": 32_769}, "probes is 32769; allowed: 1 to 32,768."),
        ({"iterative_scan": "on"}, "iterative_scan is 'on'; allowed: strict_order, relaxed_order, off."),
        (
            {"ivfflat_iterative_scan": "strict_order"},
            "ivfflat_iterative_scan is 'strict_order'; allowed: relaxed_",
        ),
    ],
)
def test_bad_option_is_refused_by_the_check_and_by_the_search(space, in_acme, options, message):
    alias = space(**options)

    for use in (
        validate_embedding_settings,
        get_tuning,
        lambda alias: PgVectorProvider(space=alias).nearest([1.0] * 8),
    ):
        with pytest.raises(ImproperlyConfigured) as caught:
            use(alias)
        assert str(caught.value).startswith(f"EMBEDDINGS['tuned']: {message}")
    with pytest.raises(SystemCheckError, match=r"EMBEDDINGS\['tuned'\]: "):
        call_command("check")


def test_space_without_settings_has_no_options(space):
    assert get_tuning("imported") == {}


def test_searches_of_a_space_use_its_options_and_a_query_may_have_others(space, in_acme):
    alias = space(ef_search=123, max_scan_tuples=4_567)
    provider = fill(500, space=alias)
    build_ann_index(PgVectorEmbedding, alias, provider.index_name, 8, 500)
    forget_ann_indexes()
    query = make_vectors(1, 8, seed=1)[0]

    own = sql_of(provider.nearest(query)[:5])
    tuned = sql_of(provider.nearest(query).tune(ef_search=321)[:5])

    assert "SET LOCAL hnsw.ef_search = '123'" in own
    assert "SET LOCAL hnsw.max_scan_tuples = '4567'" in own
    assert "SET LOCAL hnsw.ef_search = '321'" in tuned
    assert "123" not in tuned.split("SELECT")[0]
    assert "SET LOCAL hnsw.max_scan_tuples = '4567'" in tuned


def test_options_last_for_one_statement(space, in_acme, globex):
    alias = space(ef_search=123)
    provider = fill(500, space=alias)
    build_ann_index(PgVectorEmbedding, alias, provider.index_name, 8, 500)
    forget_ann_indexes()

    list(provider.nearest(make_vectors(1, 8)[0])[:5])

    with tenant_context(globex):
        assert "SET LOCAL" not in sql_of(PgVectorProvider().nearest([1.0] * 8)[:5])


@pytest.mark.parametrize(
    "use",
    [
        lambda found: found.page(2),
        lambda found: found.filter(metadata__n__lt=400),
        lambda found: found.count(),
        lambda found: found[:3].query,
    ],
)
def test_what_a_search_was_used_for_does_not_keep_it_from_being_tuned(space, in_acme, use):
    provider = fill(500, space=space())
    build_ann_index(PgVectorEmbedding, provider.space, provider.index_name, 8, 500)
    forget_ann_indexes()
    found = provider.nearest(make_vectors(1, 8)[0])

    use(found)

    assert "SET LOCAL hnsw.ef_search = '321'" in sql_of(found.tune(ef_search=321)[:5])


def test_search_with_conditions_can_be_tuned(space, in_acme):
    provider = fill(3_000, space=space())
    build_ann_index(PgVectorEmbedding, provider.space, provider.index_name, 8, 3_000)
    forget_ann_indexes()
    found = provider.nearest(make_vectors(1, 8)[0]).filter(metadata__n__gte=0)

    tuned = found.tune(max_scan_tuples=4_567)[:5]

    assert "SET LOCAL hnsw.max_scan_tuples = '4567'" in sql_of(tuned)
    assert "max_scan_tuples" not in sql_of(found[:5])


def test_search_that_can_find_nothing_can_be_tuned(space, in_acme):
    found = PgVectorProvider(space=space()).nearest_to(["missing"])

    assert list(found.tune(ef_search=321)[:5]) == []


def test_search_that_gave_pages_stays_quick(space, in_acme):
    provider = fill(50, space=space())
    found = provider.nearest(make_vectors(1, 8)[0])
    first = sql_of(found[:5])

    found.page(5)

    assert sql_of(found[:5]) == first


@pytest.mark.parametrize(
    ("options", "candidates"),
    [("-c hnsw.ef_search=80 -c jit=off", 80), ("-c jit=off", 40), (None, 40)],
)
def test_candidates_of_an_untuned_search_are_those_of_the_connection(monkeypatch, options, candidates):
    given = {} if options is None else {"options": options}
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", given)

    assert get_ef_search() == candidates


def test_a_session_has_the_candidates_that_the_planner_counts_on(db):
    with connection.cursor() as cursor:
        cursor.execute("SHOW hnsw.ef_search")

        assert int(cursor.fetchone()[0]) == get_ef_search()


def test_exact_searches_need_no_options(space, in_acme):
    provider = fill(20, space=space(ef_search=123))

    assert "SET LOCAL" not in sql_of(provider.nearest(make_vectors(1, 8)[0])[:5])


TABLES = {
    "cosine": None,
    "l2": models.L2Embedding,
    "ip": models.ProductEmbedding,
    "l1": models.L1Embedding,
}


@pytest.fixture(params=TABLES)
def scored(request, in_acme, make_table, embedder):
    model = TABLES[request.param]
    if model is not None:
        make_table(model)
    provider = PgVectorProvider(model)
    vectors = make_vectors(60, 8)
    provider.add(
        EmbeddedDocument(f"k{n}", "text", {"n": n}, v) for n, v in enumerate([*vectors, *vectors[:5]])
    )
    return provider


QUERY = list(make_vectors(1, 8, seed=1)[0])


def keys_of(rows):
    return [row.document_key for row in rows]


@pytest.mark.parametrize("place", [0, 7, 30, 64])
def test_rows_of_a_score_and_above_are_kept(scored, place):
    rows = list(scored.nearest(QUERY))
    limit = rows[place].score
    expected = {row.document_key for row in rows if row.score >= limit}

    assert set(keys_of(scored.nearest(QUERY).above(limit))) == expected
    assert scored.nearest(QUERY).above(limit).count() == len(expected)
    assert set(keys_of(scored.nearest(QUERY)[:65].above(limit))) == expected


def test_threshold_works_with_slices_and_filters(scored):
    rows = list(scored.nearest(QUERY))
    limit = rows[9].score
    kept = [row for row in rows if row.score >= limit]

    assert len(scored.nearest(QUERY).above(limit)[:4]) == 4
    assert keys_of(scored.nearest(QUERY).above(limit)[5:40]) == keys_of(scored.nearest(QUERY)[5 : len(kept)])
    assert len(scored.nearest(QUERY)[len(kept) - 2 : 40].above(limit)) == 2
    assert set(keys_of(scored.nearest(QUERY).above(limit).filter(metadata__n__lt=30)[:65])) == {
        row.document_key for row in kept if row.metadata["n"] < 30
    }
    assert set(keys_of(scored.nearest(QUERY).filter(metadata__n__lt=30).above(limit))) == {
        row.document_key for row in kept if row.metadata["n"] < 30
    }


def test_of_two_thresholds_the_higher_one_holds(scored):
    rows = list(scored.nearest(QUERY))
    low, high = rows[30].score, rows[5].score

    for search in (
        scored.nearest(QUERY).above(low).above(high),
        scored.nearest(QUERY).above(high).above(low),
    ):
        assert min(row.score for row in search) == high


def test_threshold_beyond_all_scores_leaves_nothing_and_one_below_them_all(scored):
    lowest = min(row.score for row in scored.nearest(QUERY))

    assert list(scored.nearest(QUERY).above(1e6)[:5]) == []
    assert not scored.nearest(QUERY).above(1e6).exists()
    assert len(scored.nearest(QUERY).above(lowest)) == 65


@pytest.mark.parametrize("score", [None, "0.5", True, float("nan"), float("inf")])
def test_bad_threshold_is_refused(in_acme, embedder, score):
    with pytest.raises(ValueError, match=f"^min_score is {score!r}; it must be a finite number.$"):
        PgVectorProvider().nearest(QUERY).above(score)


def test_threshold_keeps_the_index_and_asks_once(space, in_acme):
    provider = fill(6_000)
    build_ann_index(PgVectorEmbedding, provider.space, provider.index_name, 8, 6_000)
    forget_ann_indexes()
    limit = list(provider.nearest(QUERY)[:10])[4].score

    search = provider.nearest(QUERY).above(limit)[:10]
    with CaptureQueriesContext(connection) as queries:
        found = list(search)

    assert len(queries) == 1
    assert search.plan.mode == "hnsw"
    assert len(found) == 5
    assert min(row.score for row in found) == limit


def test_slice_of_an_open_or_empty_slice_is_djangos(scored):
    rows = keys_of(scored.nearest(QUERY))

    assert keys_of(scored.nearest(QUERY)[5:][:3]) == rows[5:8]
    assert keys_of(scored.nearest(QUERY)[:0][:5]) == []
    assert keys_of(scored.nearest(QUERY)[2:20][3:6]) == rows[5:8]


def test_threshold_lets_no_other_tenants_rows_in(scored, globex):
    with tenant_context(globex):
        assert list(PgVectorProvider(scored.model).nearest(QUERY).above(-1e6)) == []


def test_distances_and_scores_are_ordered_against_each_other():
    assert COSINE is METRICS["cosine"]
    for metric in METRICS.values():
        assert metric.to_score(0.25) > metric.to_score(0.5)
