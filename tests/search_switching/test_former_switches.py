"""Switches that began when the search app still kept them."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection

from apps.search.models import IndexRun
from apps.search_switching.advancing import cut_over
from apps.search_switching.models import SpaceSwitch
from apps.search_switching.steps import start_switch
from tenants.context import owner_rights, tenant_context
from tests.search_switching.work import make, run_tasks, titles

pytestmark = pytest.mark.usefixtures("embedder")


@pytest.fixture
def in_former_acme(acme):
    """acme in mid-switch, with its tables as they were, and a member who may see switches."""
    with tenant_context(acme), owner_rights():
        make("old")
        switch = start_switch("other")
        member = get_user_model().objects.create_user("member@example.com")
        member.user_permissions.set(Permission.objects.filter(codename="view_spaceswitch"))
        connection.check_constraints()
    for app, name in (("search_switching", "zero"), ("search", "0003")):
        call_command("migrate_schemas", app, name, schema_name="acme", verbosity=0)
    with tenant_context(acme), owner_rights():
        yield switch.pk


def migrate():
    call_command("migrate_schemas", schema_name="acme", verbosity=0)


def list_foreign_keys(column):
    return column(
        "SELECT conname FROM pg_constraint WHERE contype = 'f' AND conrelid = 'search_indexrun'::regclass"
    )


def test_a_live_switch_is_kept_with_its_runs_and_goes_on(in_former_acme, column, acme):
    assert len(list_foreign_keys(column)) == 1

    migrate()

    connection.set_tenant(acme)
    switch = SpaceSwitch.objects.get(pk=in_former_acme)
    assert list_foreign_keys(column) == []
    assert {run.switch_id for run in IndexRun.objects.all()} == {switch.pk}
    run_tasks()
    switch.refresh_from_db()
    assert switch.state == SpaceSwitch.State.READY
    cut_over(switch)
    assert titles("other") == ["old"]


def test_who_might_see_switches_still_may(in_former_acme, acme):
    with tenant_context(acme):
        former = ContentType.objects.filter(model="spaceswitch")
        assert list(former.values_list("app_label", flat=True)) == ["search"]

    migrate()

    connection.set_tenant(acme)
    assert ContentType.objects.get(model="spaceswitch").app_label == "search_switching"
    member = get_user_model().objects.get(email="member@example.com")
    assert member.has_perm("search_switching.view_spaceswitch")
    assert Permission.objects.filter(codename__endswith="_spaceswitch").count() == 4
