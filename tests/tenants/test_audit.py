import json
import logging
import sys

import pytest
from django.conf import settings
from django.db import transaction
from django.tasks import task

from apps.accounts.models import User
from tenants.audit import record
from tenants.context import tenant_context
from tenants.provisioning.life_cycle import resume, suspend
from tenants.provisioning.renaming import rename_tenant
from tenants.queue.backend import SCHEMA_KEY

AT_PUBLIC = {"headers": {"host": "localhost"}}


@task
def do_a_deed():
    record("do a deed", "thing")


def test_what_an_operator_does_to_a_tenant_is_recorded(operator, acme, deeds):
    form = {"action": "suspend_tenants", "_selected_action": [acme.pk]}

    lines = deeds(lambda: operator.post("/admin/tenants/tenant/", form, **AT_PUBLIC))

    assert lines == ["who=operator:operator@example.com what=suspend whose=acme"]


def test_what_a_command_does_is_recorded(acme, deeds, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["manage.py", "shell"])
    monkeypatch.setattr("tenants.audit.getuser", lambda: "root")

    suspended = deeds(lambda: suspend(acme, "Unpaid bills"))
    resumed = deeds(lambda: resume(acme))
    renamed = deeds(lambda: rename_tenant(acme, "apex"))

    who = "who=command:shell:root"
    assert suspended == [f'{who} what=suspend whose=acme reason="Unpaid bills"']
    assert resumed == [f"{who} what=resume whose=acme"]
    assert renamed == [f"{who} what=rename whose=acme before=acme.localhost after=apex.localhost"]


def test_what_a_task_does_is_recorded_as_the_tenants(acme, deeds):
    lines = deeds(lambda: do_a_deed.call(**{SCHEMA_KEY: "acme"}))

    assert lines == [f'who=task:{__name__}.do_a_deed what="do a deed" whose=acme on=thing']


def test_after_a_request_nobody_is_at_it(client, acme, deeds):
    with tenant_context(acme):
        client.force_login(User.objects.create_user("mia@example.com"))
    client.get("/accounts/account/", headers={"host": "acme.localhost"})

    (line,) = deeds(lambda: record("wait"))

    assert "mia@example.com" not in line
    assert line.endswith("what=wait whose=public")


@pytest.mark.parametrize("text", ["two\nlines", 'a" what="suspend', "a what=suspend", "\u202eold"])
def test_nothing_that_is_named_forges_a_line_or_a_part(db, text, deeds):
    (line,) = deeds(lambda: record("name", text))

    assert line.isprintable()
    assert json.loads(line.partition(" on=")[2]) == text


def test_what_is_rolled_back_is_no_deed(acme, deeds):
    @transaction.atomic
    def suspend_and_fail():
        suspend(acme)
        transaction.set_rollback(True)

    assert deeds(suspend_and_fail) == []


def test_a_handler_gets_the_parts(acme, caplog, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True), tenant_context(acme):
        record("rebuild index", "notes", documents=3)

    deed = caplog.records[-1].deed
    assert (deed["what"], deed["whose"], deed["on"], deed["documents"]) == (
        "rebuild index",
        "acme",
        "notes",
        3,
    )


def test_a_quiet_log_still_has_the_deeds():
    assert logging.getLogger("audit").isEnabledFor(logging.INFO)
    assert settings.LOGGING["loggers"]["audit"]["level"] == "INFO"
