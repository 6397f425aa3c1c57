import pytest

from tenants.provisioning.life_cycle import suspend
from tenants.provisioning.renaming import redirect_to_primary, rename_tenant


@pytest.fixture
def get(client, db):
    return lambda host, path="/": client.get(path, headers={"host": host})


def test_a_post_is_repeated_as_a_post(client, acme):
    rename_tenant(acme, "apex")

    response = client.post("/api/search", {"q": "x"}, headers={"host": "acme.localhost"})

    assert (response.status_code, response.url) == (308, "http://apex.localhost:8000/api/search")


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("//evil.example/", "http://acme.localhost:8000//evil.example/"),
        ("@evil.example/", "http://acme.localhost:8000/@evil.example/"),
        (".evil.example/", "http://acme.localhost:8000/.evil.example/"),
        ("/\r\nSet-Cookie: x", "http://acme.localhost:8000/%0D%0ASet-Cookie:%20x"),
        ("/\\evil.example", "http://acme.localhost:8000/%5Cevil.example"),
    ],
)
def test_no_path_leads_a_redirect_away_from_the_tenant(acme, rf, path, target):
    request = rf.get("/")
    request.path = path  # as a server that does not parse it would hand it on

    response = redirect_to_primary(request, acme)

    assert response.url == target


def test_a_long_address_is_redirected_too(get, acme):
    rename_tenant(acme, "apex")
    query = "q=" + "x" * 5_000

    response = get("acme.localhost", f"/search/?{query}")

    assert response.url == f"http://apex.localhost:8000/search/?{query}"


def test_scheme_and_port_of_a_redirect_are_those_of_the_site(get, acme, settings):
    settings.SITE_URL = "https://localhost"
    rename_tenant(acme, "apex")

    assert get("acme.localhost").url == "https://apex.localhost/"


def test_a_suspended_tenants_redirect_answers_the_refusal(get, acme):
    rename_tenant(acme, "apex")
    suspend(acme)

    response = get("acme.localhost")

    assert response.status_code == 403


def test_a_redirect_without_a_host_to_lead_to_is_not_found(get, acme):
    rename_tenant(acme, "apex")
    acme.domains.filter(domain="apex.localhost").delete()

    response = get("acme.localhost")

    assert response.status_code == 404
