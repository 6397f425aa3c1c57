from types import SimpleNamespace

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from apps.search.documents import Document
from apps.search.indexes.source_objects import Source
from apps.search.indexing.batches import rebuild_index
from apps.search.providers import get_provider
from apps.search_quality.golden.promoting import promote
from tenants.context import tenant_context
from tests.models_app.models import Note
from tests.search.conftest import embedder

__all__ = ["embedder"]

TEXTS = {
    "Tides": "The sea rises and falls because the moon pulls",
    "Bread": "Flour water salt and yeast",
    "Bicycle": "Two wheels a chain and a saddle",
    "Butter": "Cream that was churned",
}


@pytest.fixture
def notes(acme, embedder):
    """acme's notes by title, indexed in its own space."""
    with tenant_context(acme):
        made = {
            title: Note.objects.create(title=title, body=body, key=title.lower())
            for title, body in TEXTS.items()
        }
        rebuild_index("notes")
    return made


@pytest.fixture
def make_golden(acme, notes):
    """Promote the note with that title in acme."""

    def make(query, title, **options):
        with tenant_context(acme):
            return promote("notes", query, Source.of(notes[title]).prefix, **options)

    return make


@pytest.fixture
def poor_space(acme, notes):
    """The space "other", whose only document is found by nothing and belongs to no note."""
    with tenant_context(acme):
        get_provider("notes", space="other").add([Document("stray", "Zebra")])
    return "other"


@pytest.fixture
def make_member(acme, client):
    """Sign a new member of acme in, with these permissions."""

    def make(*codenames):
        with tenant_context(acme):
            user = get_user_model().objects.create_user("m@acme.example", "correct horse 7")
            granted = Permission.objects.filter(content_type__app_label="quality", codename__in=codenames)
            assert len(granted) == len(codenames)
            user.user_permissions.set(granted)
            client.force_login(user)
        return user

    return make


@pytest.fixture
def site(client, acme):
    """acme's site in a browser; `get` and `post` return the response."""
    host = {"host": acme.hostname}
    return SimpleNamespace(
        get=lambda path, data=None: client.get(path, data, headers=host),
        post=lambda path, data=None, **options: client.post(path, data, headers=host, **options),
        delete=lambda path: client.delete(path, headers=host),
    )
