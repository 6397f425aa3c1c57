from decimal import Decimal

import pytest
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import DatabaseError, connection, transaction

from apps.search import get_provider
from apps.search.embedders import get_embedder, has_entry, list_aliases
from apps.search.indexing.batches import index_objects
from apps.search.spaces import live_spaces
from apps.search.spaces.space import get_space
from apps.search.storage.pgvector.models import PgVectorEmbedding
from apps.search_own_spaces.models import FIXED, OwnSpace, SpaceInUseError
from tenants.context import TenantMismatchError, owner_rights, tenant_context, unbound
from tenants.models import Tenant
from tests.embedders.stub_server import DIMENSIONS
from tests.models_app.models import Note
from tests.search_own_spaces.conftest import KEY


def fill(alias):
    note = Note.objects.create(title="Tides", body="The moon pulls at the water.")
    index_objects(Note, [note.pk], space=alias)


def count_documents(alias):
    return PgVectorEmbedding.objects.filter(space=alias).count()


def activate(tenant, alias):
    with unbound():
        Tenant.objects.filter(pk=tenant.pk).update(space=alias)
    tenant.space = alias


def test_an_own_space_is_embedder_table_and_limits(in_acme, make_space, settings):
    make_space(
        query_prefix="query: ",
        requests_per_minute=60,
        tokens_per_minute=1_000,
        price_per_million_tokens=Decimal("0.02"),
    )

    space = get_space("own-stub")

    assert space.model is PgVectorEmbedding
    assert (space.embedder.dimensions, space.embedder.query_prefix) == (DIMENSIONS, "query: ")
    assert space.limits.requests_per_minute == 60
    assert space.limits.tokens_per_minute == 1_000
    assert space.limits.price_per_million_tokens == Decimal("0.02")
    assert list_aliases() == [*settings.EMBEDDINGS, "own-stub"]


def test_documents_are_indexed_and_found_in_it(in_acme, make_space, stub_server):
    make_space()
    fill("own-stub")

    found = list(get_provider("notes", space="own-stub").search("Tides\n\nThe moon pulls at the water."))

    assert [row.document_key.partition(":")[0] for row in found] == ["notes.note"]
    assert {request["headers"]["Authorization"] for request in stub_server.requests} == {f"Bearer {KEY}"}


def test_a_provider_of_a_tenant_that_is_not_bound_uses_that_tenants_space(acme, globex, make_space):
    with tenant_context(acme):
        make_space()
    with tenant_context(globex):
        make_space(model="globex-model")

    with tenant_context(globex):
        provider = get_provider("notes", tenant=acme, space="own-stub")

    assert provider.embedder.model == "stub"
    assert get_provider("notes", tenant=globex, space="own-stub").embedder.model == "globex-model"


def test_another_tenant_has_no_such_space(acme, globex, make_space):
    with tenant_context(acme):
        make_space()
        assert has_entry("own-stub")

    with tenant_context(globex):
        assert not has_entry("own-stub")
        assert "own-stub" not in list_aliases()
        with pytest.raises(ImproperlyConfigured, match=r"there is no such alias\. Known aliases: "):
            get_space("own-stub")
        with pytest.raises(ImproperlyConfigured, match="unknown alias; known are"):
            get_embedder("own-stub")


def test_another_tenants_role_may_not_read_the_table(acme, globex, make_space):
    with tenant_context(acme):
        make_space()

    refused = pytest.raises(DatabaseError, match="permission denied for schema acme")
    with tenant_context(globex), refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT encrypted_key FROM acme.own_spaces_ownspace")


def test_spaces_stay_in_their_tenant(no_leak, make_space):
    no_leak(make_space, find=lambda space: OwnSpace.objects.filter(alias=space.alias).exists())


def test_the_search_in_a_space_stays_in_its_tenant(no_leak, make_space):
    no_leak(make_space, find=lambda space: has_entry(space.alias) and space.alias in list_aliases())


def test_a_space_that_was_read_in_one_tenant_is_not_saved_in_another(acme, globex, make_space):
    with tenant_context(acme):
        space = make_space()

    with tenant_context(globex), pytest.raises(TenantMismatchError):
        space.save()


@pytest.mark.parametrize("name", FIXED)
def test_what_vectors_depend_on_does_not_change(in_acme, make_space, name):
    space = make_space()
    changed = {"dimensions": 8, "send_dimensions": True, "max_input_bytes": 100}.get(
        name, "own-https://x.test"
    )
    setattr(space, name, "https://x.test" if name == "base_url" else changed)

    with pytest.raises(ValidationError) as caught:
        space.full_clean()

    assert caught.value.message_dict == {
        name: ["Vectors depend on this. Make another space and switch to that."]
    } | ({"alias": caught.value.message_dict["alias"]} if name == "alias" else {})


def test_the_active_space_cannot_be_deleted(in_acme, make_space):
    space = make_space()
    activate(in_acme, "own-stub")

    with pytest.raises(SpaceInUseError) as caught:
        space.delete()

    message = "own-stub cannot be deleted. This tenant is searched by it: switch to another space first."
    assert str(caught.value) == message
    assert has_entry("own-stub")


def test_a_space_that_something_else_needs_cannot_be_deleted(in_acme, make_space, monkeypatch):
    monkeypatch.setattr(live_spaces, "_finders", [])
    live_spaces.register_live_spaces(lambda: {"own-stub": "A switch to it is under way."})
    other = make_space("own-other")

    with pytest.raises(SpaceInUseError, match=r"own-stub cannot be deleted\. A switch to it is under way\."):
        make_space().delete()
    other.delete()

    assert not has_entry("own-other")


def test_a_space_goes_with_its_documents_and_no_others(in_acme, make_space):
    space = make_space()
    make_space("own-other")
    for alias in ("own-stub", "own-other"):
        fill(alias)

    space.delete()

    assert not has_entry("own-stub")
    assert (count_documents("own-stub"), count_documents("own-other") > 0) == (0, True)


def test_a_new_space_begins_without_what_a_late_worker_wrote_for_an_old_one(in_acme, make_space):
    space = make_space()
    fill("own-stub")
    OwnSpace.objects.filter(pk=space.pk).delete()  # past delete()

    make_space(model="another")

    assert count_documents("own-stub") == 0


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("", "not set"),
        ("short-key-1234", "set"),
        ("a-key-of-16-1234", "set, ends in 1234"),
        (KEY, "set, ends in 6789"),
    ],
)
def test_of_a_key_four_characters_are_shown_at_most(in_acme, make_space, key, shown):
    assert make_space(key=key).describe_key() == shown


def test_the_tenants_role_reads_its_own_table_and_the_registry_is_not_open_to_it(in_acme, make_space):
    make_space()

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM own_spaces_ownspace")
        assert cursor.fetchone() == (1,)
    with owner_rights():
        assert Tenant.objects.filter(schema_name="acme").exists()


def test_what_is_done_to_an_own_space_is_recorded_without_its_key(in_acme, make_space, deeds):
    added = deeds(make_space)
    space = OwnSpace.objects.get()
    changed = deeds(space.save)
    deleted = deeds(space.delete)

    about = [line.partition(" what=")[2] for line in (*added, *changed, *deleted)]
    assert about == [
        f'"add space" whose=acme on=own-stub address={space.base_url}',
        f'"change space" whose=acme on=own-stub address={space.base_url}',
        '"delete space" whose=acme on=own-stub',
    ]
    assert KEY not in "".join((*added, *changed))
