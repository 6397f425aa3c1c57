import pytest
from django.core.checks import run_checks
from django.db import connection

from apps.search_quality import recent
from apps.search_quality.models import RecentQuery
from apps.search_quality.recent import list_recent, list_recent_texts, note_search
from tenants.context import owner_rights, tenant_context

PAGE = "/search/quality/"


def list_noted(tenant):
    with tenant_context(tenant):
        return [(row.query, row.mode, row.times) for row in RecentQuery.objects.all()]


def test_searches_by_page_and_api_are_noted_and_counted(site, acme, notes, make_member):
    make_member()

    site.get("/search/", {"q": "moon"})
    site.get("/search/", {"q": "  moon "})
    site.get("/search/", {"q": "moon", "mode": "keyword"})
    site.get("/api/search", {"q": "cream", "mode": "hybrid"})

    assert list_noted(acme) == [("cream", "hybrid", 1), ("moon", "keyword", 1), ("moon", "semantic", 2)]


def test_what_was_not_searched_is_not_noted(site, acme, notes, make_member):
    make_member()
    cursor = site.get("/api/search", {"q": "moon", "limit": "1"}).json()["next"]

    site.get("/search/")
    site.get("/search/", {"q": "moon", "mode": "vague"})
    site.get("/api/search", {"q": "moon", "limit": "1", "after": cursor})

    assert list_noted(acme) == [("moon", "semantic", 1)]


def test_the_log_keeps_the_latest_and_no_more(in_acme, settings):
    settings.SEARCH_LOG = 3

    for query in ("one", "two", "three", "one", "four", "five"):
        note_search("notes", query, "semantic")

    assert list_noted(in_acme) == [("five", "semantic", 1), ("four", "semantic", 1), ("one", "semantic", 2)]


def test_a_log_of_zero_rows_notes_and_shows_nothing(in_acme, settings):
    note_search("notes", "before", "semantic")
    settings.SEARCH_LOG = 0

    note_search("notes", "after", "semantic")

    assert RecentQuery.objects.count() == 1
    assert list_recent("notes") == []


def test_a_text_is_listed_once_whatever_its_modes(in_acme):
    for query, mode in (("a", "semantic"), ("b", "semantic"), ("a", "keyword")):
        note_search("notes", query, mode)
    note_search("nowhere", "c", "semantic")

    assert list_recent_texts("notes", 10) == ["a", "b"]
    assert list_recent_texts("notes", 1) == ["a"]


def test_a_log_that_cannot_be_written_fails_no_search_and_betrays_no_query(
    site, acme, notes, make_member, caplog
):
    make_member()
    with tenant_context(acme), owner_rights(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE quality_recentquery RENAME TO mislaid")

    page = site.get("/search/", {"q": "moon"})

    assert (page.status_code, "Tides" in page.content.decode()) == (200, True)
    assert "A search could not be noted in the log: ProgrammingError." in caplog.text
    assert "moon" not in caplog.text


def test_the_log_is_shown_to_those_who_may_see_it_only(site, acme, notes, make_member):
    with tenant_context(acme):
        note_search("notes", "a private matter", "semantic")
    user = make_member("view_goldenquery")
    without = site.get(PAGE).content.decode()

    with tenant_context(acme):
        user.user_permissions.add(*user.user_permissions.model.objects.filter(codename="view_recentquery"))
    page = site.get(PAGE).content.decode()

    assert ("a private matter" in without, "Recent searches" in without) == (False, False)
    assert 'href="/search/?q=a%20private%20matter&amp;index=notes&amp;mode=semantic"' in page


def test_who_may_delete_it_empties_the_log(site, acme, notes, make_member):
    with tenant_context(acme):
        note_search("notes", "moon", "semantic")
    make_member("view_goldenquery", "view_recentquery", "delete_recentquery")

    response = site.post("/search/quality/recent/clear/", {"index": "notes"})

    assert (response.status_code, response.url) == (302, "/search/quality/?index=notes")
    assert list_noted(acme) == []


def test_nobody_else_empties_the_log(site, acme, notes, make_member):
    with tenant_context(acme):
        note_search("notes", "moon", "semantic")
    make_member("view_goldenquery", "view_recentquery")

    response = site.post("/search/quality/recent/clear/", {"index": "notes"})

    assert response.status_code == 403
    assert list_noted(acme) == [("moon", "semantic", 1)]


def test_another_tenant_has_none_of_the_searches(in_acme, globex):
    note_search("notes", "moon", "semantic")

    assert list_noted(globex) == []


@pytest.mark.parametrize("value", [-1, "200", True, None])
def test_a_log_of_no_number_of_rows_is_a_system_check(settings, value):
    settings.SEARCH_LOG = value

    errors = [error for error in run_checks() if error.id == "quality.E001"]

    assert [error.msg for error in errors] == [f"SEARCH_LOG: {value!r} is not a number of rows."]


class Outside:
    """The connection of a request, which is in no transaction; that of a test is."""

    in_atomic_block = False

    def __getattr__(self, name):
        return getattr(connection, name)


def test_a_note_does_not_wait_for_the_disk_unless_a_transaction_of_the_caller_does(in_acme, monkeypatch):
    statements = []

    def watch(execute, sql, *rest):
        statements.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(watch):
        note_search("notes", "moon", "keyword")
        monkeypatch.setattr(recent, "connection", Outside())
        note_search("notes", "moon", "keyword")

    noted = [sql for sql in statements if "INSERT INTO" in sql]
    assert [sql.startswith("SET LOCAL synchronous_commit = off; ") for sql in noted] == [False, True]
    assert [known.times for known in list_recent("notes")] == [2]
