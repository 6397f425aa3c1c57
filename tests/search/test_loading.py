import logging

import pytest
from django.db import OperationalError

from apps.search.embedders import EmbeddingError
from apps.search.spaces import loading
from apps.search.spaces.loading import load_embedders
from tenants.context import unbound
from tenants.models import Tenant
from tests.search.embedder import BACKEND, HashingEmbedder

MODEL = "pgvector.PgVectorEmbedding"
LENGTHS = {"default": 8, "used": 4, "unused": 2}


@pytest.fixture
def loaded(acme, globex, settings, monkeypatch):
    settings.EMBEDDINGS = {
        alias: {"BACKEND": BACKEND, "MODEL": MODEL, "OPTIONS": {"dimensions": length}}
        for alias, length in LENGTHS.items()
    }
    Tenant.objects.filter(pk=acme.pk).update(space="used")
    Tenant.objects.filter(pk=globex.pk).update(space="own-service")
    lengths = []
    monkeypatch.setattr(HashingEmbedder, "load", lambda self: lengths.append(self.dimensions))
    monkeypatch.setattr(loading.connections, "close_all", lambda: None)  # the test's transaction is in one
    return lengths


def test_those_that_tenants_use_are_loaded(loaded):
    assert load_embedders() == ["default", "used"]
    assert loaded == [8, 4]


def test_one_that_cannot_be_loaded_does_not_keep_the_server_from_starting(loaded, monkeypatch, caplog):
    def load(embedder):
        if embedder.dimensions == LENGTHS["default"]:
            raise EmbeddingError("The weights are missing.")

    monkeypatch.setattr(HashingEmbedder, "load", load)

    assert load_embedders() == ["used"]
    assert "The embedder of the space 'default' was not loaded. The weights are missing." in caplog.text


def test_without_a_database_that_of_new_tenants_is_loaded(loaded, monkeypatch, caplog):
    def fail(*args):
        raise OperationalError("no route to host")

    monkeypatch.setattr(loading, "unbound", fail)

    assert load_embedders() == ["default"]
    assert caplog.record_tuples == [
        (loading.__name__, logging.WARNING, "It is unknown which spaces tenants use. no route to host")
    ]


def test_a_tenants_own_space_is_left_alone(loaded):
    with unbound():
        Tenant.objects.update(space="own-service")

    assert load_embedders() == ["default"]
