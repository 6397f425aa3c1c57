import json

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django_tasks_db.models import DBTaskResult

from apps.operations.deletion.scheduling import schedule_deletion
from tenants.models import DeletionReport, Tenant


@pytest.fixture
def answer(monkeypatch):
    return lambda text: monkeypatch.setattr("builtins.input", lambda prompt: text)


@pytest.fixture
def run(capsys):
    def run(*options):
        call_command("delete_tenant", *options)
        return capsys.readouterr().out

    return run


@pytest.mark.parametrize("whom", [["acme"], ["--schema=acme"]])
def test_a_tenant_is_closed_once_its_name_is_typed_and_the_way_back_is_printed(acme, answer, run, whom):
    answer("Acme")

    printed = run(*whom)

    acme.refresh_from_db()
    assert acme.state == "leaving"
    assert printed.splitlines() == [
        "This closes Acme (http://acme.localhost:8000/) now and deletes it later.",
        f"Acme is closed. A worker deletes it after {acme.delete_after:%Y-%m-%d %H:%M} UTC.",
        "Until then: manage.py delete_tenant acme --keep",
    ]


def test_the_days_of_grace_can_be_given(acme, run):
    run("acme", "--days=0", "--noinput")

    acme.refresh_from_db()
    assert DBTaskResult.objects.get().run_after == acme.delete_after


def test_a_tenant_is_kept(acme, run):
    schedule_deletion(acme)

    printed = run("acme", "--keep")

    acme.refresh_from_db()
    assert acme.state == "active"
    assert printed == "Acme is kept. It is active.\n"


@pytest.mark.parametrize("options", [["--now"], []])
@pytest.mark.parametrize("typed", ["", "acme", "yes", "Globex"])
def test_another_name_deletes_nothing(acme, answer, typed, options, schemas):
    answer(typed)

    with pytest.raises(CommandError, match=f"{typed!r} is not its name, 'Acme'; nothing was deleted"):
        call_command("delete_tenant", "acme", *options)

    acme.refresh_from_db()
    assert (acme.state, "acme" in schemas()) == ("active", True)


def test_a_tenant_is_deleted_now_and_the_report_is_printed(acme, answer, run, schemas):
    answer("Acme")

    lines = run("acme", "--now").splitlines()

    assert lines[0] == "This deletes Acme (http://acme.localhost:8000/) and all its data, for ever."
    assert lines[1] == "gone    schema            pg_namespace"
    assert lines[-1] == "Acme is deleted. Nothing of it was found."
    assert "acme" not in schemas()


def test_the_report_for_programs(acme, run):
    report = json.loads(run("acme", "--now", "--noinput", "--json"))

    assert (report["schema"], report["name"], report["is_clean"]) == ("acme", "Acme", True)
    assert {"place", "looked_at", "verdict", "found", "remark", "fix"} == set(report["looks"][0])


def test_a_remainder_fails_the_command_and_says_what_to_do(acme, run, capsys):
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA acme_replaced_part")

    with pytest.raises(
        CommandError,
        match=r"Acme is deleted, but something is left in 1 places\. Do what the report says, then: "
        r"manage\.py delete_tenant acme --now",
    ):
        run("acme", "--now", "--noinput")

    assert 'fix: DROP SCHEMA "acme_replaced_part" CASCADE;' in capsys.readouterr().out


def test_a_deleted_tenant_can_be_looked_for_again(deleted, run):
    printed = run("acme", "--now")

    assert printed.endswith("Acme is deleted. Nothing of it was found.\n")
    assert DeletionReport.objects.count() == 1


@pytest.mark.parametrize("options", [[], ["--keep"]])
def test_a_deleted_tenant_can_be_neither_closed_nor_kept(deleted, options):
    with pytest.raises(CommandError, match=r"Acme \(acme\) was deleted\. To look again: manage\.py delete_"):
        call_command("delete_tenant", "acme", *options)


@pytest.mark.parametrize("schema", ["nobody", "public", "ACME"])
@pytest.mark.parametrize("options", [[], ["--now"], ["--keep"]])
def test_a_schema_that_no_tenant_has_is_an_error(acme, schema, options):
    with pytest.raises(CommandError, match=rf"No tenant has the schema '{schema}'\."):
        call_command("delete_tenant", schema, "--noinput", *options)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (["--keep"], r"Acme is not leaving, so there is nothing to undo\."),
        (["--days=-1", "--noinput"], r"argument --days: must be a number from 0 to 3650, not '-1'\."),
        (["--now", "--keep"], "not allowed with argument"),
    ],
)
def test_what_cannot_be_is_an_error(acme, options, fault):
    with pytest.raises(CommandError, match=fault):
        call_command("delete_tenant", "acme", *options)

    assert Tenant.objects.get(pk=acme.pk).state == "active"
