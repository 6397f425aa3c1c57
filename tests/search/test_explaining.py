import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from apps.search.indexing.batches import rebuild_index
from apps.search.searching.explaining import explain_search
from apps.search.storage.pgvector.searching.nearest import NearestQuerySet
from apps.search.storage.pgvector.tables.plan import Plan
from tenants.context import tenant_context
from tests.models_app.models import Note

AT_ACME = {"host": "acme.localhost"}


@pytest.fixture
def member(acme, embedder):
    with tenant_context(acme):
        for title in ("Tides of the sea", "Bread and butter"):
            Note.objects.create(title=title, body=f"About {title}.")
        rebuild_index("notes")
        return get_user_model().objects.create_user("m@example.com", "correct horse 7")


@pytest.fixture
def allowed(member, acme):
    with tenant_context(acme):
        member.user_permissions.add(Permission.objects.get(codename="view_pgvectorembedding"))
    return member


def sign_in(client, tenant, user):
    with tenant_context(tenant):
        client.force_login(user)


def test_an_explanation_has_the_place_in_each_list_and_the_time_of_each_stage(member, acme):
    with tenant_context(acme):
        explanation = explain_search("sea tides", "notes")

    assert explanation.plan == "exact"
    assert set(explanation.milliseconds) == {"embed", "semantic", "keyword"}
    places = sorted(explanation.places.values(), key=lambda place: place.semantic_rank)
    assert [place.semantic_rank for place in places] == [1, 2]
    assert sorted((place.keyword_rank is None) for place in places) == [False, True]


def test_the_api_explains_to_a_member_with_the_permission(client, allowed, acme):
    sign_in(client, acme, allowed)

    answer = client.get("/api/search", {"q": "sea tides", "explain": "true"}, headers=AT_ACME).json()

    assert answer["explanation"]["plan"] == "exact"
    first = answer["results"][0]["explanation"]
    assert first["semantic_rank"] == 1
    assert first["distance"] == pytest.approx(1 - answer["results"][0]["score"], abs=1e-6)


def test_the_api_and_the_page_say_when_searches_find_less_than_aimed_at(client, allowed, acme, monkeypatch):
    sign_in(client, acme, allowed)
    query = {"q": "sea tides", "explain": "true"}
    before = client.get("/api/search", query, headers=AT_ACME).json()["explanation"]
    plan = Plan("hnsw", missed_recall=0.93)
    monkeypatch.setattr(NearestQuerySet, "plan", property(lambda rows: plan))

    after = client.get("/api/search", query, headers=AT_ACME).json()["explanation"]
    page = client.get("/search/", {"q": "sea tides", "explain": "on"}, headers=AT_ACME).content.decode()

    assert (before["missed_recall"], after["missed_recall"]) == (None, 0.93)
    assert "Such searches find 0.93 of the nearest documents, fewer than wanted." in page


def test_the_api_explains_to_nobody_else(client, member, acme):
    sign_in(client, acme, member)

    response = client.get("/api/search", {"q": "sea", "explain": "true"}, headers=AT_ACME)

    assert response.status_code == 403
    assert response.json() == {"errors": {"explain": ["This needs the permission to view embeddings."]}}


def test_without_asking_there_is_no_explanation(client, allowed, acme):
    sign_in(client, acme, allowed)

    answer = client.get("/api/search", {"q": "sea"}, headers=AT_ACME).json()

    assert answer["explanation"] is None
    assert answer["results"][0]["explanation"] is None


def test_the_page_says_why_to_those_who_may_know(client, allowed, member, acme):
    anonymous = client.get("/search/?q=sea", headers=AT_ACME)
    sign_in(client, acme, allowed)

    page = client.get("/search/?q=sea&explain=true", headers=AT_ACME).content.decode()

    assert anonymous.status_code == 302
    assert "Why this result" in page
    assert "number 1, distance" in page
    assert "Every document was compared" in page


def test_another_tenants_documents_are_in_no_list(member, globex):
    with tenant_context(globex):
        assert explain_search("sea tides", "notes").places == {}
