from datetime import date, timedelta

import numpy as np
import pytest

from apps.search import get_provider
from apps.search.embedders import InvalidTextError, get_embedder
from apps.search.indexing.batches import rebuild_index
from apps.search.models import CachedVector, CacheUse
from apps.search.spaces import embedding_cache
from apps.search.spaces.embedding_cache import embed_documents, report_cache, trim_cache
from tenants.context import tenant_context
from tests.models_app.models import Note

pytestmark = pytest.mark.usefixtures("embedder", "in_acme")


def embed(*texts, space="default"):
    return embed_documents(space, get_embedder(space), list(texts))


def test_a_text_that_is_read_in_part_is_told_of_once_in_a_while(acme, globex, embedder, caplog, monkeypatch):
    monkeypatch.setattr(embedder, "max_words", 5)
    embedding_cache._told.clear()

    for tenant, text in [(acme, "x" * 21), (acme, "y" * 24), (globex, "z" * 20)]:
        with tenant_context(tenant):
            embed(text)

    told = [record.message for record in caplog.records if record.name == embedding_cache.__name__]
    assert told == [
        "space 'default': a text has 6 tokens, of which 5 are read; what is beyond is found by words only"
    ]


def test_a_text_is_embedded_once_and_its_vector_stays_the_same(embedder):
    first = embed("one", "two", "one")

    again = embed("two", "one", "three")

    assert embedder.embedded == ["one", "two", "three"]
    assert np.array_equal(again[0], first[1])
    assert np.array_equal(first[0], first[2])
    assert np.array_equal(again, get_embedder("default").embed_documents(["two", "one", "three"]))


def test_rebuilding_an_index_from_nothing_embeds_nothing(embedder):
    Note.objects.bulk_create(Note(title=f"title{number}", body="body") for number in range(40))
    rebuild_index("notes")
    stored = sorted(get_provider("notes").objects.values_list("document_key", "vector"))
    embedder.embedded.clear()

    get_provider("notes").clear()
    changed = rebuild_index("notes")

    assert (changed, embedder.embedded) == (40, [])
    assert sorted(get_provider("notes").objects.values_list("document_key", "vector")) == stored


def test_a_space_with_the_same_embedder_and_another_table_shares_the_vectors(embedder, settings):
    settings.EMBEDDINGS["default"]["OPTIONS"] = {"dimensions": 384}
    embed("one")

    embed("one", space="custom")

    assert embedder.embedded == ["one"]


@pytest.mark.parametrize("options", [{"dimensions": 16}, {"document_prefix": "passage: "}])
def test_other_dimensions_or_another_prefix_are_another_vector(embedder, settings, options):
    embed("one")
    settings.EMBEDDINGS["default"]["OPTIONS"] = options

    embed("one")

    assert len(embedder.embedded) == 2


def test_another_tenant_shares_nothing(embedder, globex):
    embed("one")

    with tenant_context(globex):
        embed("one")
        assert report_cache().misses == 1

    assert embedder.embedded == ["one", "one"]


def test_what_was_used_longest_ago_goes_first(embedder, settings):
    settings.EMBEDDING_CACHE = {"ROWS": 2}
    embed("old", "older")
    CachedVector.objects.update(used_on=date(2020, 1, 2))
    embed("old")
    embed("new")

    trimmed = trim_cache()

    embedder.embedded.clear()
    embed("old", "new")
    assert (trimmed, embedder.embedded, CachedVector.objects.count()) == (1, [], 2)


def test_the_hit_rate_is_that_of_the_last_days():
    assert report_cache().hit_rate is None

    embed("one", "two")
    embed("one", "two", "three", "one")

    report = report_cache()
    assert (report.rows, report.hits, report.misses, report.hit_rate) == (3, 3, 3, 0.5)
    CacheUse.objects.update(day=date.today() - timedelta(days=40))
    assert report_cache().hit_rate is None


def test_a_bad_text_is_named_by_its_place_among_those_given():
    embed("one")

    with pytest.raises(InvalidTextError, match="Text at position 2"):
        embed("one", "two", " ")
    assert CachedVector.objects.count() == 1


def test_a_vector_of_another_length_is_made_anew(embedder):
    embed("one")
    CachedVector.objects.update(vector=b"\0\0\0\0")

    assert embed("one").shape == (1, 8)
    assert embedder.embedded == ["one", "one"]


def test_switched_off_nothing_is_stored(embedder, settings):
    settings.EMBEDDING_CACHE = {"ROWS": 0}

    embed("one")
    embed("one")

    assert (embedder.embedded, CachedVector.objects.count()) == (["one", "one"], 0)
