import pytest
from django.contrib.auth import get_user_model

from apps.search_quality.models import GoldenAnswer, RecentQuery
from apps.search_quality.recent import note_search
from tenants.context import tenant_context
from tests.models_app.models import Note


@pytest.fixture
def admin_site(acme, client, site):
    with tenant_context(acme):
        client.force_login(get_user_model().objects.create_superuser("boss@acme.example"))
    return site


def test_a_grade_is_changed_in_the_admin_and_the_query_is_not(admin_site, acme, make_golden):
    answer = make_golden("cream", "Butter")
    page = f"/admin/quality/goldenquery/{answer.golden_query_id}/change/"
    prefix = {"answers-0-id": answer.pk, "answers-0-golden_query": answer.golden_query_id}
    form = {"answers-TOTAL_FORMS": 1, "answers-INITIAL_FORMS": 1, "answers-0-grade": 1, "query": "bread"}

    response = admin_site.post(page, prefix | form)

    with tenant_context(acme):
        changed = GoldenAnswer.objects.get()
        assert (response.status_code, changed.grade, changed.golden_query.query) == (302, 1, "cream")


def test_an_answer_is_shown_by_its_title(admin_site, acme, make_golden):
    answer = make_golden("cream", "Butter")
    page = f"/admin/quality/goldenquery/{answer.golden_query_id}/change/"

    before = admin_site.get(page).content.decode()
    with tenant_context(acme):
        Note.objects.all().delete()
    after = admin_site.get(page).content.decode()

    assert '<div class="readonly">Butter</div>' in before
    assert '<div class="readonly">gone</div>' in after


def test_golden_and_recent_queries_are_not_made_in_the_admin(admin_site, acme):
    assert admin_site.get("/admin/quality/goldenquery/add/").status_code == 403
    assert admin_site.get("/admin/quality/recentquery/add/").status_code == 403


def test_a_recent_query_is_deleted_in_the_admin_and_not_changed(admin_site, acme):
    with tenant_context(acme):
        note_search("notes", "a private matter", "semantic")
        recent = RecentQuery.objects.get()
    page = f"/admin/quality/recentquery/{recent.pk}"

    changed = admin_site.post(f"{page}/change/", {"query": "another"})
    deleted = admin_site.post(f"{page}/delete/", {"post": "yes"})

    assert (changed.status_code, deleted.status_code) == (403, 302)
    with tenant_context(acme):
        assert not RecentQuery.objects.exists()


def test_another_tenants_queries_are_not_in_the_admin(admin_site, globex):
    with tenant_context(globex):
        note_search("notes", "globex's secret", "semantic")

    page = admin_site.get("/admin/quality/recentquery/")

    assert page.status_code == 200
    assert "globex&#x27;s secret" not in page.content.decode()
