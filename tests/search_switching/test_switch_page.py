import pytest
from django.contrib.auth import get_user_model
from django.contrib.messages import get_messages

from apps.search.models import IndexRun
from apps.search.templatetags.search_tags import duration
from apps.search_switching.models import SpaceSwitch
from tenants.context import owner_rights, tenant_context
from tests.models_app.models import Note
from tests.search_switching.work import make, run_tasks, titles

PAGE = "/admin/search-space/acme/"
AT_PUBLIC = {"headers": {"host": "localhost"}}

pytestmark = pytest.mark.usefixtures("embedder")


@pytest.fixture
def operator(client, db):
    client.force_login(get_user_model().objects.create_superuser("operator@example.com"))
    return client


def work(tenant):
    with tenant_context(tenant), owner_rights():
        run_tasks()


def take(client, step, **values):
    response = client.post(PAGE, {"step": step} | values, **AT_PUBLIC)
    assert (response.status_code, response.url) == (302, PAGE)
    return [str(message) for message in get_messages(response.wsgi_request)][-1]


def test_an_operator_takes_a_tenant_to_another_space_and_back(operator, acme):
    with tenant_context(acme):
        make("old")
    work(acme)
    assert "What would a switch take?" in operator.get(PAGE, **AT_PUBLIC).content.decode()
    estimate = operator.get(f"{PAGE}?estimate=other", **AT_PUBLIC)
    assert "1 object, 1 document, about" in estimate.content.decode()

    assert "A worker fills the space other" in take(operator, "start", target="other")
    work(acme)
    with tenant_context(acme):
        switch = SpaceSwitch.objects.get().pk
    page = operator.get(PAGE, **AT_PUBLIC).content.decode()
    assert 'value="100">100 %</progress>' in page
    assert "Search other from now on" in page
    assert "style=" not in page

    assert "new space is searched now" in take(operator, "cut-over", switch=switch)
    acme.refresh_from_db()
    assert acme.space == "other"
    assert "old space is searched again" in take(operator, "roll-back", switch=switch)
    acme.refresh_from_db()
    assert acme.space == "default"
    assert "is cancelled" in take(operator, "cancel", switch=switch)
    work(acme)
    with tenant_context(acme):
        assert (titles("default"), titles("other")) == (["old"], [])
    assert "begun by operator@example.com" in operator.get(PAGE, **AT_PUBLIC).content.decode()


def test_an_operator_has_an_index_brought_up_to_date(operator, acme):
    with tenant_context(acme):
        Note.objects.bulk_create(Note(title=f"title{number}", body="body") for number in range(40))

    assert "brings the index notes up to date" in take(operator, "rebuild", index="notes")
    with tenant_context(acme):
        run = IndexRun.objects.get()
    assert "It stops after the present batch" in take(operator, "pause_run", run=run.pk)
    work(acme)
    with tenant_context(acme):
        assert titles("default") == []
    assert "A worker goes on" in take(operator, "resume_run", run=run.pk)
    work(acme)

    with tenant_context(acme):
        assert len(titles("default")) == 40
    assert "40 of 40 objects, done" in operator.get(PAGE, **AT_PUBLIC).content.decode()
    assert "cannot become cancelled" in take(operator, "cancel_run", run=run.pk)


def test_the_page_asks_before_documents_go(operator, acme):
    take(operator, "start", target="other")
    work(acme)

    page = operator.get(PAGE, **AT_PUBLIC).content.decode()
    asking = operator.get(f"{PAGE}?ask=cancel", **AT_PUBLIC).content.decode()
    too_early = operator.get(f"{PAGE}?ask=end", **AT_PUBLIC).content.decode()

    assert 'value="cancel"' not in page
    assert 'href="?ask=cancel#switch-heading"' in page
    assert 'value="cancel">Cancel: delete the documents of other</button>' in asking
    assert 'value="end"' not in too_early


def test_the_page_loads_anew_only_while_a_worker_is_busy(operator, acme):
    refresh = '<p data-reload="5" hidden>'

    idle = operator.get(PAGE, **AT_PUBLIC).content.decode()
    take(operator, "start", target="other")
    filling = operator.get(PAGE, **AT_PUBLIC).content.decode()
    still = operator.get(f"{PAGE}?ask=still", **AT_PUBLIC).content.decode()
    with tenant_context(acme):
        switch = SpaceSwitch.objects.get().pk
    take(operator, "pause", switch=switch)
    paused = operator.get(PAGE, **AT_PUBLIC).content.decode()

    assert [refresh in page for page in (idle, filling, still, paused)] == [False, True, False, False]
    assert "Go on</button>" in paused
    assert "Pause</button>" not in paused


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "a second"), (59.6, "60 s"), (600, "10 min"), (12_000, "3 h 20 min")]
)
def test_a_duration_is_told_in_the_unit_that_fits(seconds, words):
    assert duration(seconds) == words


def test_what_is_not_possible_is_said(operator, acme):
    take(operator, "start", target="other")
    with tenant_context(acme):
        switch = SpaceSwitch.objects.get().pk

    assert "is not over. End or cancel it first" in take(operator, "start", target="custom")
    assert "for that, it must be ready" in take(operator, "cut-over", switch=switch)


@pytest.mark.parametrize("path", ["/admin/search-space/nobody/", "/admin/search-space/public/"])
def test_a_schema_of_no_tenant_is_not_found(operator, acme, path):
    assert operator.get(path, **AT_PUBLIC).status_code == 404


def test_the_page_is_for_superusers_of_the_operators_site_only(client, acme):
    staff = get_user_model().objects.create_user("staff@example.com", is_staff=True)
    client.force_login(staff)

    assert client.get(PAGE, **AT_PUBLIC).status_code == 403
    assert client.post(PAGE, {"step": "start", "target": "other"}, **AT_PUBLIC).status_code == 403
    at_tenant = client.get(PAGE, headers={"host": "acme.localhost"})
    assert (at_tenant.status_code, at_tenant.url) == (302, f"/admin/login/?next={PAGE}")


def test_the_tenants_page_links_to_it(operator, acme):
    page = operator.get(f"/admin/tenants/tenant/{acme.pk}/change/", **AT_PUBLIC)

    assert f'href="{PAGE}"' in page.content.decode()
