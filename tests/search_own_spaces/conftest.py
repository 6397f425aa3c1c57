import socket

import pytest
from django.contrib.auth import get_user_model

from apps.search_own_spaces import entries
from apps.search_own_spaces.models import OwnSpace
from tenants.context import tenant_context
from tests.embedders.stub_server import DIMENSIONS, StubServer

KEY = "sk-own-very-secret-0123456789"
PUBLIC = "93.184.216.34"


@pytest.fixture(autouse=True)
def _forget_what_is_rolled_back():
    entries._entries.clear()
    yield
    entries._entries.clear()


@pytest.fixture
def private_allowed(settings):
    settings.EMBEDDINGS_ALLOW_PRIVATE_ADDRESSES = True


@pytest.fixture
def stub_server(private_allowed):
    with StubServer() as server:
        yield server


@pytest.fixture
def resolver(monkeypatch):
    """A dict of host names and the addresses that each look-up gives, the last one for ever."""
    names, stock = {}, socket.getaddrinfo

    def look_up(host, port, *arguments, **options):
        if host not in names:
            return stock(host, port, *arguments, **options)
        found = names[host].pop(0) if len(names[host]) > 1 else names[host][0]
        return [info for address in found for info in stock(address, port, *arguments, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return names


@pytest.fixture
def connections(monkeypatch):
    """A list of the addresses that somebody tried to connect to; nobody answers."""
    tried = []

    def refuse(address, *arguments, **options):
        tried.append(address)
        raise ConnectionRefusedError("nobody listens")

    monkeypatch.setattr(socket, "create_connection", refuse)
    return tried


@pytest.fixture
def make_space(stub_server):
    """Saves a space of the bound tenant's at the stub server, without asking it."""

    def make(alias="own-stub", *, key=KEY, **values):
        defaults = {"base_url": stub_server.url, "model": "stub", "dimensions": DIMENSIONS}
        space = OwnSpace(alias=alias, **(defaults | values))
        space.set_key(key)
        space.save()
        return space

    return make


@pytest.fixture
def values(stub_server):
    """What a person would type into the form."""
    return {
        "alias": "own-stub",
        "base_url": stub_server.url,
        "model": "stub",
        "dimensions": DIMENSIONS,
        "api_key": KEY,
        "max_input_bytes": 8000,
        "batch_size": 64,
    }


@pytest.fixture
def boss(client, acme):
    """A client with all rights in acme."""
    with tenant_context(acme):
        client.force_login(get_user_model().objects.create_superuser("boss@acme.example"))
    return client


@pytest.fixture
def operator(client, db):
    client.force_login(get_user_model().objects.create_superuser("operator@example.com"))
    return client
