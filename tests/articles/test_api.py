import pytest
from django.contrib.auth import get_user_model

from apps.accounts.models import ApiKey
from tenants.context import tenant_context
from tests.registry import make_public

AT_ACME = {"host": "acme.localhost"}
AT_GLOBEX = {"host": "globex.localhost"}


def search(client, headers=AT_ACME, **parameters):
    return client.get("/api/search", parameters, headers=headers)


def test_search_answers_with_documents_and_their_sources(client, library):
    answer = search(client, q="moon and water", limit=2).json()

    tides = library["Tides"]
    assert (answer["query"], answer["index"], answer["space"]) == ("moon and water", "articles", "default")
    assert len(answer["results"]) == 2
    first = answer["results"][0]
    assert first["document_key"] == f"articles.article:{tides.pk}:0"
    assert first["content"].startswith("Tides")
    assert first["metadata"] == {"title": "Tides", "source": "almanac"}
    assert 0 < first["score"] <= 1
    assert first["source"] == {
        "model": "articles.article",
        "pk": str(tides.pk),
        "key": "tides",
        "title": "Tides",
        "url": tides.get_absolute_url(),
    }


@pytest.mark.parametrize(
    ("parameters", "field", "message"),
    [
        ({}, "q", "Type what you are looking for: 1 to 2,000 characters."),
        ({"q": " \t\n"}, "q", "Type what you are looking for: 1 to 2,000 characters."),
        ({"q": "x" * 10_000}, "q", "A query may have 2000 characters; this one has 10000."),
        ({"q": "a\x00b"}, "q", "Null characters are not allowed."),
        ({"q": "x", "limit": "0"}, "limit", "1 to 100 are allowed."),
        ({"q": "x", "limit": "101"}, "limit", "1 to 100 are allowed."),
        ({"q": "x", "limit": "ten"}, "limit", "A whole number from 1 to 100 is allowed."),
        ({"q": "x", "index": "secrets"}, "index", "There is no index 'secrets'. Known indexes: articles"),
    ],
)
def test_bad_input_is_answered_with_the_field_at_fault(client, library, parameters, field, message):
    response = search(client, **parameters)

    assert response.status_code == 422
    assert list(response.json()["errors"]) == [field]
    assert message in response.json()["errors"][field][0]


def test_a_lone_surrogate_is_no_query(client, library):
    response = client.get("/api/search?q=%ED%A0%80", headers=AT_ACME)

    assert response.status_code in (200, 422)  # Django replaces what is no UTF-8 before a view sees it
    assert "error" not in response.content.decode().lower() or response.status_code == 422


def test_a_closed_tenant_answers_401_in_json(client, acme):
    response = search(client, q="x")

    assert response.status_code == 401
    assert response.json() == {
        "errors": {"authorization": ["Sign in, or send `Authorization: Bearer <API key>`."]}
    }


def test_a_members_key_opens_a_closed_tenant_and_no_other(client, acme, globex):
    with tenant_context(acme):
        member = get_user_model().objects.create_user("m@example.com", "correct horse 7")
        _, key = ApiKey.objects.issue(member, "laptop")
    bearer = {"Authorization": f"Bearer {key}"}

    assert search(client, AT_ACME | bearer, q="x").status_code == 200
    assert search(client, AT_GLOBEX | bearer, q="x").status_code == 401


def test_another_tenant_finds_no_document_of_it(client, library, globex):
    make_public(globex)

    assert search(client, AT_GLOBEX, q="moon and water").json()["results"] == []


def test_articles_are_listed_and_shown(client, library):
    listed = client.get("/api/articles", headers=AT_ACME).json()
    shown = client.get(f"/api/articles/{library['Bread'].pk}", headers=AT_ACME).json()

    assert listed["count"] == 3
    assert shown["key"] == "bread"


def test_what_is_not_there_is_404_in_json(client, library):
    response = client.get("/api/articles/999999", headers=AT_ACME)

    assert response.status_code == 404
    assert response.json() == {"errors": {"path": ["There is nothing here."]}}


def test_the_documentation_describes_the_search(client, library):
    schema = client.get("/api/openapi.json", headers=AT_ACME).json()

    names = [parameter["name"] for parameter in schema["paths"]["/api/search"]["get"]["parameters"]]
    assert {"q", "index", "limit"} <= set(names)
    assert client.get("/api/docs", headers=AT_ACME).status_code == 200


def test_the_operators_site_has_no_search(client, db):
    assert search(client, {"host": "localhost"}, q="x").status_code == 404


def test_facets_count_the_values_of_what_the_filter_leaves(client, library):
    answer = search(client, q="x", facets="source, title", filter='{"title": {"ne": "Bread"}}').json()

    assert answer["facets"]["source"] == [{"value": "almanac", "count": 2}]
    assert [facet["value"] for facet in answer["facets"]["title"]] == ["Bicycles", "Tides"]


def test_a_bad_facet_is_named(client, library):
    response = search(client, q="x", facets="a..b")

    assert response.status_code == 422
    assert response.json()["errors"]["facets"][0].startswith("a..b: has an empty part")


def test_facets_do_not_count_another_tenants_documents(client, library, globex):
    make_public(globex)

    assert search(client, AT_GLOBEX, q="x", facets="source").json()["facets"] == {"source": []}
