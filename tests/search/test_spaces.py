import pytest
from django.core.exceptions import ImproperlyConfigured

from apps.search import NoTenantError, get_provider
from apps.search.spaces.space import get_space
from apps.search.storage.pgvector.models import PgVectorEmbedding
from tenants.context import tenant_context
from tests.models_app.models import NoteEmbedding
from tests.search.embedder import BACKEND


@pytest.mark.usefixtures("embedder")
def test_space_is_an_embedder_with_its_table():
    space = get_space("custom")

    assert (space.alias, space.model, space.embedder.dimensions) == ("custom", NoteEmbedding, 384)


@pytest.mark.usefixtures("embedder")
def test_current_space_is_the_bound_tenants(acme, globex):
    globex.space = "other"

    for tenant, alias in ((acme, "default"), (globex, "other")):
        with tenant_context(tenant):
            assert get_provider("notes").space == alias
    with pytest.raises(NoTenantError, match=r"^No tenant is bound"):
        get_provider("notes")


@pytest.mark.usefixtures("embedder")
def test_unknown_alias_lists_the_known_ones():
    with pytest.raises(ImproperlyConfigured) as caught:
        get_space("fats")

    expected = "EMBEDDINGS['fats']: there is no such alias. Known aliases: custom, default, other."
    assert str(caught.value) == expected


def test_settings_are_read_when_they_are_needed(settings):
    settings.EMBEDDINGS = {"a": {"BACKEND": BACKEND, "MODEL": "notes.NoteEmbedding"}}
    space = get_space("a")

    settings.EMBEDDINGS = {"a": {"BACKEND": BACKEND, "MODEL": "pgvector.PgVectorEmbedding"}}

    assert space.model is PgVectorEmbedding


@pytest.mark.parametrize("label", [None, "", "PgVectorEmbedding", "no.Model", "notes.Nothing", 7, "a.b.c"])
def test_model_that_is_not_installed_is_refused(settings, label):
    settings.EMBEDDINGS = {"a": {"BACKEND": BACKEND, "MODEL": label}}

    with pytest.raises(ImproperlyConfigured) as caught:
        get_space("a").model  # noqa: B018

    expected = f"EMBEDDINGS['a']: MODEL {label!r} is not an installed model; write 'app_label.Model'."
    assert str(caught.value) == expected


def test_model_that_is_no_embedding_table_is_refused(settings):
    settings.EMBEDDINGS = {"a": {"BACKEND": BACKEND, "MODEL": "notes.Note"}}

    with pytest.raises(ImproperlyConfigured, match=r"'notes.Note' must be a subclass of BasePgVectorEmb"):
        get_space("a").model  # noqa: B018
