import pytest
from django.core.exceptions import ValidationError

from apps.search import NoTenantError
from apps.search.embedders import configured, get_embedder, get_limits, has_entry, list_aliases
from apps.search.spaces.space import get_space
from apps.search_own_spaces.entries import MAX_ENTRIES, find_entry
from apps.search_own_spaces.models import OwnSpace
from tenants.context import tenant_context
from tests.search_own_spaces.conftest import KEY


def test_an_encrypted_key_that_is_copied_to_another_tenant_is_not_used(acme, globex, make_space, stub_server):
    with tenant_context(acme):
        stolen = make_space().encrypted_key
    with tenant_context(globex):
        space = make_space(key="")
        OwnSpace.objects.filter(pk=space.pk).update(encrypted_key=stolen)
        embedder = get_embedder("own-stub") if find_entry("own-stub") else None

        with pytest.raises(Exception, match="its key cannot be read, give it again"):
            embedder.embed_query("cat")
        assert OwnSpace.objects.get().describe_key() == "cannot be read: give it again"

    assert stub_server.requests == []


def test_a_key_is_not_sent_to_an_address_that_somebody_wrote_into_the_table(in_acme, make_space, stub_server):
    space = make_space(base_url="http://10.255.255.1/v1")
    OwnSpace.objects.filter(pk=space.pk).update(base_url=stub_server.url)

    with pytest.raises(Exception, match="its key cannot be read, give it again"):
        get_embedder("own-stub").embed_query("cat")

    assert stub_server.requests == []


def test_equal_spaces_of_two_tenants_have_embedders_of_their_own(acme, globex, make_space, stub_server):
    for tenant, key in ((acme, "key-of-acme"), (globex, "key-of-globex")):
        with tenant_context(tenant):
            make_space(key=key)

    for tenant in (acme, globex, acme):
        with tenant_context(tenant):
            get_embedder("own-stub").embed_query("cat")

    sent = [request["headers"]["Authorization"] for request in stub_server.requests]
    assert sent == ["Bearer key-of-acme", "Bearer key-of-globex", "Bearer key-of-acme"]


def test_no_cache_holds_a_key_in_the_clear(in_acme, make_space, settings, stub_server):
    make_space()
    get_embedder("own-stub")
    options = {"base_url": stub_server.url, "model": "m", "dimensions": 8, "api_key": KEY}
    backend = "apps.search.embedders.OpenAICompatibleEmbedder"
    settings.EMBEDDINGS = settings.EMBEDDINGS | {"service": {"BACKEND": backend, "OPTIONS": options}}
    get_embedder("service")

    assert KEY not in f"{configured._embedders} {configured._lent} {find_entry('own-stub')}"


def test_a_new_key_is_used_at_once_and_the_old_embedder_is_not(in_acme, make_space, stub_server):
    space = make_space(key="old-key")
    get_embedder("own-stub").embed_query("cat")

    space.set_key("new-key")
    space.save()
    get_embedder("own-stub").embed_query("cat")

    sent = [request["headers"]["Authorization"] for request in stub_server.requests]
    assert sent == ["Bearer old-key", "Bearer new-key"]


def test_an_entry_is_read_once_for_many_searches(in_acme, make_space, django_assert_num_queries):
    make_space()
    get_embedder("own-stub")

    with django_assert_num_queries(0):
        embedders = {get_embedder("own-stub") for _ in range(5)}

    assert len(embedders) == 1


def test_the_embedders_of_tenants_are_bounded_and_do_not_push_out_the_installations(
    in_acme, make_space, monkeypatch
):
    monkeypatch.setattr(configured, "LENT_EMBEDDERS", 3)
    make_space()
    lasting = get_embedder("fast")

    for number in range(5):
        OwnSpace.objects.update(query_prefix=f"{number} ")
        find_entry.__globals__["_entries"].clear()
        get_embedder("own-stub")

    assert len(configured._lent) == 3
    assert [embedder.query_prefix for embedder in configured._lent.values()] == ["2 ", "3 ", "4 "]
    assert get_embedder("fast") is lasting


def test_the_entries_of_tenants_are_bounded(in_acme, make_space, monkeypatch):
    entries = find_entry.__globals__["_entries"]
    monkeypatch.setattr(entries, "size", 2)

    for number in range(4):
        make_space(f"own-{number}")
        find_entry(f"own-{number}")

    assert [alias for _, alias in entries._answers] == ["own-2", "own-3"]
    assert MAX_ENTRIES > 2


def test_while_no_tenant_is_bound_an_own_alias_is_an_error_and_others_are_not(db, settings):
    for ask in (has_entry, get_space, get_embedder, get_limits):
        with pytest.raises(NoTenantError, match=r"^No tenant is bound"):
            ask("own-stub")

    assert list_aliases() == list(settings.EMBEDDINGS)
    assert get_space("default").embedder.dimensions == 384


def test_an_alias_of_the_settings_comes_first(in_acme, make_space, settings):
    make_space()
    settings.EMBEDDINGS = settings.EMBEDDINGS | {"own-stub": settings.EMBEDDINGS["fast"]}

    assert get_embedder("own-stub") is get_embedder("fast")
    with pytest.raises(ValidationError, match="'own-stub' is a space of this installation"):
        OwnSpace(alias="own-stub", base_url="https://x.test", model="m", dimensions=8).full_clean()
