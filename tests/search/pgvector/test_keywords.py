import itertools
import unicodedata

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection, transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from apps.search.documents import EmbeddedDocument
from apps.search.embedders import InvalidTextError
from apps.search.searching.hybrid import search_keywords
from apps.search.storage.pgvector import PgVectorProvider
from apps.search.storage.pgvector.keywords import bm25 as keywords
from apps.search.storage.pgvector.keywords import recipe
from apps.search.storage.pgvector.keywords.bm25 import list_words, match_keywords
from apps.search.storage.pgvector.keywords.recipe import get_recipe, refresh_keywords
from apps.search.storage.pgvector.models import PgVectorEmbedding
from apps.search.storage.pgvector.tables.queryset import EmbeddingQuerySet, TenantMismatchError
from tenants.context import tenant_context
from tenants.models import SEARCH_LANGUAGES
from tests.models_app.models import Note, NoteEmbedding

pytestmark = pytest.mark.usefixtures("embedder", "in_acme", "as_owner")

FOX = "The quick brown fox jumps over the lazy dog"
TEXTS = {"fox": FOX, "dogs": "Dogs and a brown cat", "cafe": "Café crème brûlée", "empty": "the of and"}


@pytest.fixture
def without_unaccent(db):
    recipe._look_up.cache_clear()
    with connection.cursor() as cursor:
        cursor.execute("DROP EXTENSION unaccent")
    yield
    recipe._look_up.cache_clear()


def add(texts, provider=None, **options):
    documents = (EmbeddedDocument(key, text, {}, [1.0] * 8) for key, text in texts.items())
    (provider or PgVectorProvider()).add(documents, **options)


def find(text, language="english"):
    return [row.document_key for row in match_keywords(PgVectorProvider().objects, text, language)]


def stored():
    return dict(PgVectorEmbedding.objects.values_list("document_key", "keywords"))


def row_versions():
    with connection.cursor() as cursor:
        cursor.execute("SELECT document_key, ctid::text, xmin::text FROM pgvector_pgvectorembedding")
        return {key: version for key, *version in cursor.fetchall()}


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("fox", ["fox"]),
        ("FOXES jumping", ["fox"]),
        ("fox cat", ["dogs", "fox"]),
        ("cafe", ["cafe"]),
        ("CAFÉ Creme", ["cafe"]),
        ('"brown fox"', ["fox"]),
        ('"fox brown"', []),
        ('dog "brown cat"', ["dogs"]),
        ("“brown cat”", ["dogs"]),
        ('"brown fox" or "brown cat"', ["dogs", "fox"]),
        ('"brown fox" "brown cat"', []),
        ("brown -cat", ["fox"]),
        ('brown -"brown fox"', ["dogs"]),
        ("-cat", []),
        ("the and of", []),
        ('"the"', []),
        ('fox "', ["fox"]),
        ("", []),
        (" \n\t", []),
        ("unheard", []),
    ],
)
def test_what_a_query_finds(text, keys):
    add(TEXTS)

    assert sorted(find(text)) == keys


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("configparser", "configparser.RawConfigParser"),
        ("RawConfigParser", "configparser.RawConfigParser"),
        ("parser", "configparser.RawConfigParser"),
        ("output", "input/output"),
        ("config.yaml", "/etc/app/config.yaml"),
        ('"config.yaml"', "/etc/app/config.yaml"),
        ("app", "/etc/app/config.yaml"),
        ("example.com", "user@example.com"),
        ('"example.com"', "user@example.com"),
        ("example", "https://user@www.example.com:80/a?b=c"),
        ("pictures", "https://www.example.com/my-pictures/2026/?page=3#top"),
        ("3", "https://www.example.com/my-pictures/2026/?page=3#top"),
        ("TCP", "TCP/IP"),
        ("19", "COVID-19"),
        ("covid", "COVID-19"),
        ("max_connections", "max_connections"),
        ("connections", "settings.max_connections"),
        ("case", "camelCase"),
        ("server", "HTTPServer"),
        ("HTTP", "parseHTTPResponse2Json"),
        ("world", "hello\u200bworld"),
        ("helloworld", "hello\u200bworld"),
        ('"raw config"', "the RawConfigParser"),
        ("x", r"c:\x\y"),
        ("percent", "100%percent"),
    ],
)
def test_words_inside_tokens_are_found(text, content, globex):
    add({"a": f"see {content} over", "other": "Nothing is of interest."})
    with tenant_context(globex):
        add({"theirs": content})

    assert find(text) == ["a"]


@pytest.mark.parametrize(
    ("text", "whole", "parts"),
    [
        ("configparser", "the configparser module", "the configparser.RawConfigParser"),
        ("config.yaml", "the file config.yaml", "a config in yaml"),
        ("config.yaml", "the file config.yaml", "a/config b/config c/yaml d/yaml e.config"),
        ("TCP/IP", "about TCP/IP", "TCP and IP"),
        ("HTTPServer", "an HTTPServer", "an HTTP server"),
        ("parser", "a parser", "RawParser ConfigParser BigParser OldParser"),
    ],
)
def test_whole_tokens_rank_above_parts(text, whole, parts):
    add({"parts": parts, "whole": whole, **{f"other{number}": "some other words" for number in range(9)}})

    assert find(text) == ["whole", "parts"]


def test_phrases_do_not_join_parts_of_different_tokens():
    add({"a": "input/output and then config.yaml and FileReader"})

    assert find('"output config"') == find('"reader input"') == find('"FileReader input"') == []
    assert find('"input output"') == find('"then config.yaml"') == ["a"]


def test_parts_can_be_excluded():
    add({"a": "a fox in os.path", "b": "a fox"})

    assert find("fox -path") == ["b"]


def widen(text):
    return text.translate({code: code + 0xFEE0 for code in range(0x21, 0x7F)})


def decompose(text):
    return unicodedata.normalize("NFD", text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("한국어", decompose("한국어")),
        ("русский", decompose("русский")),
        ("ガラス", decompose("ガラス")),
        ("ガラス", "ｶﾞﾗｽ"),
        ("café", decompose("café")),
        ("Straßenbahn", "Straßen\u00adbahn"),
        ("helloworld", "hello\u200dworld"),
        ("helloworld", "hello\u2060world"),
        ("helloworld", "\ufeffhelloworld"),
        ("ΛΌΓΟΣ", "λόγος"),
        ("ΟΔΟΣ", "οδος"),
        ("ЖИЗНЬ", "жизнь"),
        ("file", "\ufb01le"),
        ("ABC123", widen("ABC123")),
    ],
)
@pytest.mark.parametrize("has_unaccent", [True, False])
def test_forms_of_unicode_do_not_count(one, other, has_unaccent, request):
    if not has_unaccent:
        request.getfixturevalue("without_unaccent")
    add({"one": one, "other": other})

    assert sorted(find(one, "simple")) == sorted(find(other, "simple")) == ["one", "other"]
    assert sorted(find(f'"{other}"', "simple")) == ["one", "other"]


def test_full_width_quotes_and_signs_are_those_of_ascii():
    add(TEXTS)

    assert find(widen('"brown') + widen(' fox"')) == find(f"brown {widen('-')}cat") == ["fox"]


def test_case_does_not_count_in_a_database_of_locale_c():
    parameters = connection.get_connection_params()
    place = {name: parameters[name] for name in ("host", "port", "user", "password") if name in parameters}
    name = f"{connection.settings_dict['NAME']}_locale_c"
    with psycopg.connect(**place, dbname="postgres", autocommit=True) as server:
        server.execute(f'DROP DATABASE IF EXISTS "{name}"')
        server.execute(f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'")
        try:
            with psycopg.connect(**place, dbname=name) as database:
                _, collation = database.execute(recipe.LOOK_UP).fetchone()
                made = recipe.KeywordRecipe("russian", unaccent=False, collation=collation)
                found = database.execute(
                    f"SELECT {made.lexemes('%s')} @@ {made.condition('%s')}",
                    ["russian", "ЖИЗНЬ", "russian", "жизнь"],
                ).fetchone()
        finally:
            server.execute(f'DROP DATABASE "{name}"')

    assert collation
    assert found == (True,)


def test_rare_words_and_short_documents_come_first():
    common = {f"c{number}": "ordinary words about settings" for number in range(20)}
    long = f"a parser of settings {'and more pages of it ' * 40}"
    add(common | {"rare": "a parser of settings", "long": long})

    found = find("settings parser")

    assert found[:2] == ["rare", "long"]
    assert len(found) == 22


def test_repeated_words_count_less_and_less():
    add(
        {
            f"n{number}": " ".join(["apple"] * number + ["pear"] * (64 - number))
            for number in (1, 2, 4, 16, 60)
        }
    )

    scores = [row.score for row in match_keywords(PgVectorProvider().objects, "apple", "english")]
    steps = [higher - lower for higher, lower in itertools.pairwise(scores)]

    assert find("apple") == ["n60", "n16", "n4", "n2", "n1"]
    assert steps[0] < steps[1] + steps[2]
    assert scores[0] < 2.2 * scores[-1]


@pytest.mark.parametrize("count", [1, 2, 3, 10, 100])
def test_term_frequency_comes_back_out_of_the_rank(count):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (1 / (1 - 10 * ts_rank(words, 'word')) - 1) * 6 / pi()^2 "
            "FROM to_tsvector('simple', repeat('word ', %s)) AS words",
            [count],
        )
        (frequency,) = cursor.fetchone()

    assert frequency == pytest.approx(count, abs=0.15)


def test_equal_scores_are_ordered_by_key_of_the_row():
    add(dict.fromkeys("cab", "same words"))

    rows = match_keywords(PgVectorProvider().objects, "words", "english")

    assert [row.pk for row in rows] == sorted(row.pk for row in rows)
    assert len({row.score for row in rows}) == 1


def test_result_is_a_lazy_queryset_counted_once(django_assert_num_queries):
    add(TEXTS)
    find("brown")  # remembers for some seconds that there are no postings

    with django_assert_num_queries(1):
        found = match_keywords(PgVectorProvider().objects, "brown fox", "english")
        page = found.filter(document_key="dogs")[:5]
    with django_assert_num_queries(1):
        rows = list(page)

    assert isinstance(found, EmbeddingQuerySet)
    assert (len(rows), found.count(), found.exists(), found.first().document_key) == (1, 2, True, "fox")


def test_nothing_found_is_a_queryset_with_scores_too():
    add(TEXTS)

    assert list(match_keywords(PgVectorProvider().objects, "the", "english").values_list("pk", "score")) == []
    assert list(match_keywords(PgVectorProvider().objects.none(), "fox", "english")) == []


def test_filtered_rows_are_searched_and_counted_only():
    provider = PgVectorProvider()
    provider.add(
        EmbeddedDocument(
            f"{number}", "apple pear" if number else "apple", {"even": number % 2 == 0}, [1.0] * 8
        )
        for number in range(9)
    )

    whole = match_keywords(provider.objects, "pear", "english").first().score
    half = match_keywords(provider.objects.filter(metadata__even=True), "pear", "english")

    assert [row.document_key for row in half] == ["2", "4", "6", "8"]
    assert half.first().score != whole


def test_words_that_most_rows_hold_only_rank(monkeypatch):
    monkeypatch.setattr(keywords, "COUNTED", 10)
    monkeypatch.setattr(keywords, "ENOUGH", 3)
    add({f"c{number}": "common" for number in range(12)})
    add({f"r{number}": "rare" for number in range(2)} | {"both": "common rare"})

    assert sorted(find("common rare")) == ["both", "r0", "r1"]
    assert len(find("common")) == 13
    monkeypatch.setattr(keywords, "ENOUGH", 4)
    assert len(find("common rare")) == 15


def test_long_query_is_cut_off():
    add({"a": "word0", "b": "word99"})

    assert find(" ".join(f"word{number}" for number in range(100))) == ["a"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\0b", "contains a NUL byte at character 1"),
        ("a\ud800", r"lone surrogate \(U\+D800\) at character 1"),
    ],
)
def test_bad_query_is_refused(text, message):
    with pytest.raises(InvalidTextError, match=message):
        match_keywords(PgVectorProvider().objects, text, "english")


QUERIES = st.text(alphabet=st.sampled_from("ab foxdg\"-'\\|&!()<>:*%sé\n“”,./@_0{}[]$;"), max_size=40)


@given(text=QUERIES | st.text(alphabet=st.characters(blacklist_categories=["Cs"], blacklist_characters="\0")))
@hypothesis_settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_text_is_a_query(text):
    if not PgVectorEmbedding.objects.exists():
        add(TEXTS)

    rows = match_keywords(PgVectorProvider().objects, text, "english")

    assert all(row.score > 0 for row in rows)
    assert set(list_words(text, "english")) <= set(text) | {*keywords.re.findall(r"[^\W_]+", text)}


WORDS = ["red", "green", "blue", "black"]


@given(
    texts=st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=5), max_size=6),
    wanted=st.lists(st.sampled_from(WORDS), max_size=3),
    unwanted=st.lists(st.sampled_from(WORDS), max_size=1),
)
@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_rows_found_are_those_of_a_plain_model(texts, wanted, unwanted):
    with transaction.atomic():
        add({str(number): " ".join(words) for number, words in enumerate(texts)})
        found = find(" ".join([*wanted, *(f"-{word}" for word in unwanted)]), "simple")
        transaction.set_rollback(True)

    expected = {
        str(number)
        for number, words in enumerate(texts)
        if set(words) & set(wanted) and not set(words) & set(unwanted)
    }
    assert set(found) == expected


def test_another_tenants_rows_are_not_found_and_not_counted(acme, globex):
    add({"a": "apple pear", "b": "pear"})
    alone = match_keywords(PgVectorProvider().objects, "apple", "english").get().score
    with tenant_context(globex):
        add({f"g{number}": f"apple {number}" for number in range(50)})

    rows = match_keywords(PgVectorProvider().objects, "apple", "english")

    assert [(row.document_key, row.score) for row in rows] == [("a", alone)]
    with tenant_context(globex):
        assert len(find("apple")) == 50
        with pytest.raises(TenantMismatchError, match="schema 'acme'"):
            list(rows.all())


def test_other_indexes_and_spaces_are_not_found_and_not_counted():
    add({"a": "apple pear", "b": "pear"})
    alone = match_keywords(PgVectorProvider().objects, "apple", "english").get().score
    add({f"o{number}": "apple" for number in range(9)}, PgVectorProvider(index_name="o"))
    add({f"s{number}": "apple" for number in range(9)}, PgVectorProvider(space="s"))

    assert match_keywords(PgVectorProvider().objects, "apple", "english").get().score == alone


def test_provider_of_a_tenant_is_searched_in_that_tenants_language(acme, globex):
    acme.search_language = "german"
    provider = PgVectorProvider(tenant=acme)
    add({"a": "die Häuser"}, provider)

    with tenant_context(globex):
        found = search_keywords(provider, "Haus")

        assert [row.document_key for row in found] == ["a"]
        assert [row.document_key for row in search_keywords(provider, "die")] == []


def test_language_is_the_tenants(in_acme):
    in_acme.search_language = "simple"
    add({"a": "The foxes"})

    assert stored() == {"a": "'foxes':2 'the':1"}
    assert (find("the", "simple"), find("fox", "simple")) == (["a"], [])


def test_unchanged_rows_are_not_written_again_and_changed_ones_found_by_their_new_words():
    add({"a": "apple", "b": "pear"})
    before = row_versions()

    add({"a": "apple", "b": "plum"})

    assert [key for key, version in row_versions().items() if before[key] != version] == ["b"]
    assert (find("pear"), find("plum")) == ([], ["b"])


def test_another_language_is_written_by_the_next_add(in_acme):
    add({"a": "foxes"})
    in_acme.search_language = "simple"

    add({"a": "foxes"})

    assert stored() == {"a": "'foxes':1"}


def test_refreshing_writes_rows_of_another_recipe_only(in_acme, monkeypatch):
    monkeypatch.setattr(recipe, "BATCH", 2)
    add(dict.fromkeys("abcde", "foxes"))
    in_acme.search_language = "simple"
    add({"f": "foxes"})
    before, batches = row_versions(), []

    refreshed = refresh_keywords(PgVectorProvider().objects, batches.append)

    assert (refreshed, batches) == (5, [2, 2, 1])
    assert set(stored().values()) == {"'foxes':1"}
    assert [key for key, version in row_versions().items() if before[key] == version] == ["f"]
    assert refresh_keywords(PgVectorProvider().objects) == 0


def test_rebuilding_an_index_brings_its_keywords_into_the_tenants_language(in_acme, embedder):
    Note.objects.create(title="Foxes", body="running")
    call_command("rebuild_index", schema="acme", verbosity=0)
    embedder.reset()
    type(in_acme).objects.filter(pk=in_acme.pk).update(search_language="simple")

    call_command("rebuild_index", schema="acme", verbosity=0)

    assert list(stored().values()) == ["'foxes':1 'running':2"]
    assert embedder.embedded == []


def test_accents_count_where_unaccent_is_missing(without_unaccent):
    add({"a": "Café"})

    assert str(get_recipe("french")) == f"french, {recipe.VERSION}"
    assert (find("café"), find("cafe")) == (["a"], [])


def test_whether_unaccent_is_there_is_asked_once(django_assert_num_queries):
    add(TEXTS)
    recipe._look_up.cache_clear()

    with django_assert_num_queries(1):
        recipes = {str(get_recipe("french")), str(get_recipe("french"))}

    assert recipes == {f"french, unaccented, {recipe.VERSION}"}


@pytest.mark.parametrize(
    "text",
    [
        " ".join(chr(0x4E00 + number) for number in range(20_000)) * 10,
        " ".join(f"{'\U00020000' * 300}{number}" for number in range(4_000)),
        " ".join(f"http://{number}.example.com/{number}-{number}/?{number}" for number in range(40_000)),
        "x" * 3_000_000,
        "\ufdfa " * 100_000,
    ],
    ids=["words", "long-words", "addresses", "one-word", "expanding"],
)
def test_content_too_large_for_full_text_search_is_stored_all_the_same(text):
    add({"a": f"beginning {text}"})

    assert find("beginning") == ["a"]


@pytest.mark.parametrize("model", [PgVectorEmbedding, NoteEmbedding])
def test_every_table_has_indexes_of_words_and_metadata(model):
    definitions = {tuple(index.fields): index for index in model._meta.indexes}

    assert definitions["metadata",].opclasses == ["jsonb_path_ops"]
    assert {len(index.name) <= 30 for index in model._meta.indexes} == {True}
    assert {("keywords",), ("metadata",)} <= set(definitions)
    assert (("vector",) in definitions) == (model is NoteEmbedding)


def test_index_serves_the_words():
    add({f"k{number}": f"word{number}" for number in range(2_000)}, keywords_at_once=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT gin_clean_pending_list('pgvectorembedding_912c38_kw')")
        cursor.execute("ANALYZE pgvector_pgvectorembedding")

    plan = match_keywords(PgVectorProvider().objects, "word77", "english").explain()

    assert "Bitmap Index Scan on pgvectorembedding_912c38_kw" in plan


def test_languages_offered_are_postgresqls():
    with connection.cursor() as cursor:
        cursor.execute("SELECT cfgname FROM pg_ts_config WHERE cfgnamespace = 'pg_catalog'::regnamespace")
        known = {name for (name,) in cursor.fetchall()}

    assert set(SEARCH_LANGUAGES) <= known


def test_words_to_mark_are_neither_stop_words_nor_excluded():
    text = 'How to read the "café menu" -tea or 2 files'

    assert list_words(text, "english") == ["read", "café", "menu", "2", "files"]
