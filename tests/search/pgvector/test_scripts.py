import random

import pytest

from apps.search.documents import EmbeddedDocument
from apps.search.searching.hybrid import search_by_mode
from apps.search.storage.pgvector import PgVectorProvider
from apps.search.storage.pgvector.keywords.bm25 import match_keywords
from apps.search.storage.pgvector.keywords.pending import make_pending_keywords
from apps.search.storage.pgvector.keywords.recipe import refresh_keywords
from apps.search.storage.pgvector.models import PgVectorEmbedding
from tenants.context import tenant_context

pytestmark = pytest.mark.usefixtures("embedder", "in_acme", "as_owner")

TEXTS = {
    "zh": "数据库在搜索时使用倒排索引。",
    "ja": "データベースは日本語の文書をPythonで検索できます。",
    "ko": "데이터베이스에서 문서를 검색합니다.",
    "th": "ฐานข้อมูลค้นหาเอกสารได้อย่างรวดเร็ว",
    "km": "មូលដ្ឋានទិន្នន័យស្វែងរកឯកសារ",
    "lo": "ຖານຂໍ້ມູນຄົ້ນຫາເອກະສານ",
    "my": "ဒေတာဘေ့စ်သည် စာရွက်စာတမ်းများကို ရှာဖွေသည်",
}


def add(texts):
    PgVectorProvider().add(EmbeddedDocument(key, text, {}, [1.0] * 8) for key, text in texts.items())


def find(text, language="english"):
    return {row.document_key for row in match_keywords(PgVectorProvider().objects, text, language)}


@pytest.mark.parametrize(
    ("key", "query"),
    [
        ("zh", "索引"),
        ("zh", "搜索 倒排"),
        ("zh", "数据库"),
        ("ja", "日本語"),
        ("ja", "検索"),
        ("ja", "ﾃﾞｰﾀﾍﾞｰｽ"),
        ("ja", "python"),
        ("ko", "문서"),
        ("ko", "데이터베이스를"),
        ("th", "เอกสาร"),
        ("th", "ขอมูล"),
        ("km", "ឯកសារ"),
        ("lo", "ເອກະສານ"),
        ("my", "စာတမ်း"),
    ],
)
def test_words_inside_of_scripts_without_spaces_are_found(key, query):
    add(TEXTS)

    assert find(query) >= {key}
    assert not find(query) & (set(TEXTS) - {key, "zh", "ja"})


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ('"日本語の文書"', {"ja"}),
        ('"文書の日本語"', set()),
        ('"python で検索"', {"ja"}),
        ("検索 -文書", set()),
        ("検索 -索引", {"ja"}),
        ("日本国", {"ja"}),
        ("大学", set()),
    ],
)
def test_phrases_and_exclusions_know_pairs_of_characters(query, found):
    add(TEXTS)

    assert find(query) == found


@pytest.mark.parametrize("length", [1, 2, 63, 64, 65, 127, 128, 129, 300])
def test_a_run_of_any_length_is_divided_without_a_gap(length):
    characters = [chr(0x4E00 + number) for number in range(length)]
    add({"run": f"before {''.join(characters)} after"})

    pairs = ["".join(characters[place : place + 2]) for place in range(length - 1)] or characters
    assert all(find(pair) == {"run"} for pair in {pairs[0], pairs[-1], pairs[length // 2 - 1]})
    assert find(f'"{"".join(characters[-70:])}"') == {"run"}
    assert find(f'"{"".join(reversed(characters))}"') == ({"run"} if length == 1 else set())


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("C++", {"cpp"}),
        ("C#", {"sharp"}),
        ("c#.", {"sharp"}),
        (".NET", {"net"}),
        ("C", {"plain", "issue"}),
        ("net", {"asp"}),
        ("-C++ language", {"sharp", "plain"}),
        ('"language C#"', {"sharp"}),
        ("12", {"issue"}),
    ],
)
def test_names_with_signs_are_words(query, found):
    add(
        {
            "cpp": "The language C++ (standard 17)",
            "sharp": "A language: language C#, say",
            "net": "It runs on .NET.",
            "plain": "The language C",
            "asp": "ASP.NET pages",
            "issue": "see C #12",
        }
    )

    assert find(query) == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("1000000", {"comma", "dot", "plain"}),
        ("1,000,000", {"comma", "dot", "plain"}),
        ("12500", {"apostrophe"}),
        ("3.14", {"pi"}),
    ],
)
def test_numbers_are_found_however_they_are_divided(query, found):
    add(
        {
            "comma": "costs 1,000,000 dollars",
            "dot": "kostet 1.000.000 Euro",
            "plain": "costs 1000000",
            "apostrophe": "kostet 12'500 Franken",
            "pi": "about 3.14",
        }
    )

    assert found <= find(query)
    assert not find(query) & ({"pi"} if "pi" not in found else {"comma", "plain"})


def test_waiting_rows_are_divided_as_others_are(settings):
    settings.PGVECTOR = {"BULK_ROWS": 1}
    add(TEXTS)

    waiting = find("検索")
    made = make_pending_keywords(PgVectorEmbedding, "default", "default")

    assert (waiting, made, find("検索")) == ({"ja"}, len(TEXTS), {"ja"})


def test_a_row_of_an_older_recipe_is_made_anew():
    add(TEXTS)
    PgVectorEmbedding.objects.update(keyword_recipe="english, unaccented, 2", keywords="")

    assert refresh_keywords(PgVectorEmbedding.objects.all()) == len(TEXTS)
    assert find("索引") == {"zh"}


@pytest.mark.parametrize("mode", ["keyword", "hybrid"])
def test_another_tenants_characters_are_not_found(globex, mode):
    add(TEXTS)
    with tenant_context(globex):
        add({"other": "検索"})

    assert "other" not in {row.document_key for row in search_by_mode(PgVectorProvider(), "検索", mode)}


@pytest.mark.parametrize(
    "make",
    [
        lambda: "東" * 100_000,
        lambda: "東a" * 50_000,
        lambda: "".join(chr(random.Random(0).randrange(0x20000, 0x2A000)) for _ in range(10)) * 10_000,
        lambda: ".net c# c++ 1,000 " * 6_000,
        lambda: "".join(map(chr, random.Random(0).choices(range(0x20000, 0x2A000), k=100_000))),
    ],
    ids=["one-run", "short-runs", "long-characters", "signs", "distinct"],
)
def test_the_longest_texts_are_stored(make):
    add({"a": f"beginning {make()}"})

    assert find("beginning") == {"a"}
