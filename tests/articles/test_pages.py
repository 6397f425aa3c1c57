from html.parser import HTMLParser

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.core.files.base import ContentFile

from apps.articles.models import Article
from tenants.context import tenant_context
from tenants.models import Tenant
from tests.registry import make_public

AT_ACME = {"headers": {"host": "acme.localhost"}}
AT_GLOBEX = {"headers": {"host": "globex.localhost"}}
SCRIPT = b"<script>alert(document.cookie)</script>"
HOSTILE_UPLOADS = [
    ("page.html", SCRIPT),
    ("picture.svg", b'<svg xmlns="http://www.w3.org/2000/svg">' + SCRIPT + b"</svg>"),
    ("page.xhtml", b'<html xmlns="http://www.w3.org/1999/xhtml">' + SCRIPT + b"</html>"),
    ("picture.png", SCRIPT),
    ("nameless", SCRIPT),
]


class Links(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag == "a":
            self.found.append(dict(attrs).get("href"))


def test_the_search_page_ranks_what_is_meant_first(client, library):
    page = client.get("/search/", {"q": "why does the ocean move up and down"}, **AT_ACME).content.decode()

    links = [link for link in Links(page).found if link and link.startswith("/articles/")]
    assert links[0] == library["Tides"].get_absolute_url()


def test_the_search_page_shows_score_snippet_and_the_query(client, library):
    page = client.get("/search/", {"q": "baking"}, **AT_ACME).content.decode()

    assert 'value="baking"' in page
    assert "knead the dough" in page
    assert "<meter" in page


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "Type what you are looking for"),
        ("   ", "Type what you are looking for"),
        ("a" * 10_000, "A query may have 2000 characters; this one has 10000."),
        ("nul\x00byte", "Null characters are not allowed"),
    ],
)
def test_a_bad_query_is_answered_beside_the_field(client, library, query, message):
    response = client.get("/search/", {"q": query}, **AT_ACME)

    assert response.status_code == 400
    assert message in response.content.decode()


def test_a_query_is_escaped(client, library):
    page = client.get("/search/", {"q": "<script>alert(1)</script>"}, **AT_ACME).content.decode()

    assert "<script>alert" not in page


def test_the_home_page_lists_what_changed_last_first(client, library):
    with tenant_context(Tenant.objects.get(schema_name="acme")):
        library["Bread"].save()

    page = client.get("/", **AT_ACME).content.decode()

    assert page.index(">Bread<") < page.index(">Tides<")


def test_an_article_shows_similar_ones_but_not_itself(client, library):
    tides = library["Tides"]

    page = client.get(tides.get_absolute_url(), **AT_ACME).content.decode()

    assert library["Bread"].get_absolute_url() in Links(page).found
    assert tides.get_absolute_url() not in Links(page).found


def test_pages_of_a_closed_tenant_ask_to_sign_in(client, acme):
    for path in ("/", "/search/?q=x", "/articles/1/", "/articles/1/upload/"):
        response = client.get(path, **AT_ACME)

        assert response.status_code == 302
        assert response["Location"].startswith("/accounts/login/")


def test_a_member_of_a_closed_tenant_may_search(client, acme):
    with tenant_context(acme):
        member = get_user_model().objects.create_user("m@example.com", "correct horse 7")
        client.force_login(member)

    response = client.get("/", **AT_ACME)

    assert response.status_code == 200


def test_another_tenant_finds_nothing_of_it(client, library, globex):
    make_public(globex)

    page = client.get("/search/", {"q": "sea"}, **AT_GLOBEX).content.decode()

    assert "Tides" not in page
    assert client.get(library["Tides"].get_absolute_url(), **AT_GLOBEX).status_code == 404


def test_an_upload_is_sent_to_its_own_tenant_only(client, library, acme, globex, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    make_public(globex)
    with tenant_context(acme):
        library["Bread"].upload.save("recipe.txt", ContentFile(b"secret recipe"))
    with tenant_context(globex):
        twin = Article.objects.create(pk=library["Bread"].pk, title="Twin", body="x")
        Article.objects.filter(pk=twin.pk).update(upload=library["Bread"].upload.name)
    path = f"/articles/{library['Bread'].pk}/upload/"

    own, other = client.get(path, **AT_ACME), client.get(path, **AT_GLOBEX)

    assert b"".join(own.streaming_content) == b"secret recipe"
    assert own["Content-Disposition"].startswith("attachment")
    assert other.status_code == 404


@pytest.mark.parametrize(("name", "content"), HOSTILE_UPLOADS)
def test_an_upload_is_never_shown_as_a_page(client, library, acme, name, content):
    with tenant_context(acme):
        library["Bread"].upload.save(name, ContentFile(content))

    response = client.get(f"/articles/{library['Bread'].pk}/upload/", **AT_ACME)

    assert response.headers["Content-Disposition"].startswith("attachment; filename=")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'self'" in response.headers["Content-Security-Policy"]
    assert b"".join(response.streaming_content) == content


def test_an_article_without_a_file_has_no_upload(client, library):
    response = client.get(f"/articles/{library['Tides'].pk}/upload/", **AT_ACME)

    assert response.status_code == 404


def test_pages_with_similar_articles_are_limited_as_searches_are(client, library, settings):
    cache.clear()
    settings.RATE_LIMITS = {"api_anonymous": "2/d"}
    pages = [library["Tides"].get_absolute_url(), library["Tides"].get_absolute_url(), "/"]

    statuses = [client.get(page, **AT_ACME).status_code for page in [*pages, pages[0]]]

    assert statuses == [200, 200, 200, 429]
