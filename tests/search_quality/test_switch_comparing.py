import pytest
from django.contrib.auth import get_user_model

from apps.search.indexes.source_objects import Source
from apps.search_quality.golden.promoting import promote
from apps.search_quality.recent import note_search
from apps.search_switching.models import SpaceSwitch
from tenants.context import owner_rights, tenant_context
from tests.search_switching.work import make, run_tasks, switch_to

pytestmark = pytest.mark.usefixtures("embedder")


def test_a_ready_switch_says_how_alike_both_spaces_answer(in_acme, as_owner):
    apples, _ = make("red apples"), make("green pears")
    run_tasks()
    note_search("notes", "red apples", "semantic")
    promote("notes", "red apples", Source.of(apples).prefix)

    switch = switch_to("other")

    (compared,) = [each for each in switch.comparison["indexes"] if each["index_name"] == "notes"]
    assert (compared["index_name"], compared["queries"], compared["verdict"]) == ("notes", 1, "noise")
    assert compared["overlap"]["mean"] == 1
    assert compared["current_ndcg"] == compared["candidate_ndcg"] == 1


def test_the_operator_sees_it(acme, client, db):
    with tenant_context(acme), owner_rights():
        make("red apples")
        run_tasks()
        note_search("notes", "red apples", "semantic")
        switch_to("other")
    client.force_login(get_user_model().objects.create_superuser("operator@example.com"))

    page = client.get("/admin/search-space/acme/", headers={"host": "localhost"}).content.decode()

    assert "1 recent query, both spaces have" in page
    assert "There are no golden queries" in page


def test_another_tenants_searches_are_not_asked(in_acme, globex, as_owner):
    with tenant_context(globex):
        note_search("notes", "their secret", "semantic")
    make("red apples")

    switch = switch_to("other")

    assert "secret" not in str(switch.comparison)
    assert SpaceSwitch.objects.get().comparison["indexes"][0]["queries"] == 0
