import json
import subprocess
import sys
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings as project_settings
from django.core.management import call_command
from django.db import ProgrammingError, connection, transaction
from django.tasks.signals import task_finished
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from apps.operations.deletion.tasks import delete_due_tenant
from tenants.context import owner_rights, tenant_context
from tenants.queue import known_tasks
from tenants.queue.guarding import is_queue_guarded
from tenants.queue.rows import SCHEMA_KEY
from tenants.queue.worker import recover_orphans
from tests.tenants import tasks

TABLE = "public.django_tasks_database_dbtaskresult"
INFINITE = "{'args': [%s], 'kwargs': {'_tenant_schema': 'acme'}}".replace("'", '"')


@pytest.fixture
def write(db):
    """Write a row by SQL, with whatever rights there are: a good one of acme's, but for some columns."""

    def write(**changes):
        now = timezone.now()
        good = {
            "id": uuid4(),
            "status": "READY",
            "enqueued_at": now,
            "args_kwargs": describe(),
            "priority": 0,
            "task_path": tasks.report_binding.module_path,
            "worker_ids": "[]",
            "queue_name": "default",
            "backend_name": "default",
            "run_after": now,
            "exception_class_path": "",
            "traceback": "",
        }
        values = good | changes
        columns, places = ", ".join(values), ", ".join(["%s"] * len(values))
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO {TABLE} ({columns}) VALUES ({places})", list(values.values()))
        return values["id"]

    return write


def describe(*args, schema="acme", **kwargs):
    return json.dumps({"args": args, "kwargs": {SCHEMA_KEY: schema, **kwargs}})


def get_error(pk):
    row = DBTaskResult.objects.get(pk=pk)
    assert row.status == "FAILED"
    return row.traceback


def test_a_tenants_role_writes_a_row_of_its_own(in_acme, write):
    write()


@pytest.mark.parametrize(
    "changes",
    [
        {"args_kwargs": describe(schema="globex")},
        {"args_kwargs": describe(schema="public")},
        {"args_kwargs": describe(schema=None)},
        {"args_kwargs": '{"args": [], "kwargs": {}}'},
        {"args_kwargs": '{"args": {}, "kwargs": {"_tenant_schema": "acme"}}'},
        {"args_kwargs": '{"args": [], "kwargs": ["_tenant_schema", "acme"]}'},
        {"args_kwargs": "[]"},
        {"args_kwargs": "5"},
        {"args_kwargs": INFINITE % "1e5000"},
        {"args_kwargs": INFINITE % f"-1{'0' * 5000}"},
        {"args_kwargs": INFINITE % f"{'[' * 1000}{']' * 1000}"},
        {"args_kwargs": describe("".join(map(str, range(400_000))))},
        {"priority": 1},
        {"queue_name": "operators"},
        {"backend_name": "other"},
        {"run_after": "infinity"},
        {"run_after": "0044-03-15 BC"},
        {"enqueued_at": "-infinity"},
        {"enqueued_at": "20000-01-01"},
        {"status": "RUNNING"},
        {"status": "SUCCESSFUL", "finished_at": "now"},
        {"worker_ids": '["dead", "dead", "dead"]'},
        {"worker_ids": "5"},
        {"task_path": "x" * 500},
        {"traceback": "It was globex."},
    ],
    ids=lambda changes: str(changes)[:60],
)
def test_a_tenants_role_writes_no_other_row(in_acme, write, changes):
    with pytest.raises(ProgrammingError, match="violates row-level security policy"):
        write(**changes)


@pytest.mark.parametrize(
    "statement",
    [
        f"SELECT * FROM {TABLE}",
        f"UPDATE {TABLE} SET priority = 0",
        f"DELETE FROM {TABLE}",
        f"TRUNCATE {TABLE}",
        f"INSERT INTO {TABLE} SELECT * FROM {TABLE}",
        f"COPY {TABLE} TO STDOUT",
        f"ALTER TABLE {TABLE} DISABLE ROW LEVEL SECURITY",
        f"DROP POLICY tenants_own_tasks ON {TABLE}",
        f"CREATE POLICY mine ON {TABLE} USING (true)",
        f"CREATE TRIGGER mine AFTER INSERT ON {TABLE} EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    ],
)
def test_a_tenants_role_does_nothing_else_with_the_queue(in_acme, statement):
    refused = pytest.raises(ProgrammingError, match=r"permission denied|must be owner")
    with refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize("changes", [{"priority": 50}, {"queue_name": "slow"}])
def test_the_projects_code_writes_what_a_tenants_sql_may_not(in_acme, changes):
    written = [tasks.report_binding.using(**changes).enqueue()]
    written.append(async_to_sync(tasks.report_binding.using(**changes).aenqueue)())

    with owner_rights():
        rows = DBTaskResult.objects.filter(pk__in=[task.id for task in written])
        assert [getattr(row, name) for row in rows for name in changes] == [*changes.values()] * 2
        assert {row.args_kwargs["kwargs"][SCHEMA_KEY] for row in rows} == {"acme"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"args_kwargs": "[]"}, "Its arguments are not an object with a list `args`"),
        ({"args_kwargs": "5"}, "Its arguments are not an object with a list `args`"),
        ({"args_kwargs": '{"args": 5, "kwargs": {}}'}, "Its arguments are not an object with a list `args`"),
        ({"args_kwargs": '{"args": [], "kwargs": {}}'}, f"have no text '{SCHEMA_KEY}', which says whose"),
        ({"args_kwargs": describe(schema=5)}, f"have no text '{SCHEMA_KEY}', which says whose task it is"),
        ({"args_kwargs": describe(schema="nobody")}, "with the schema 'nobody' no longer exists"),
        ({"args_kwargs": INFINITE % "1e5000"}, "The row of the task cannot be read: Exceeds the limit"),
        ({"run_after": "0044-03-15 BC"}, "The row of the task cannot be read: timestamp too small"),
        ({"task_path": "this.s"}, "No installed app has a task 'this.s'. A worker knows those in"),
        ({"task_path": "nothing"}, "No installed app has a task 'nothing'"),
        ({"task_path": ""}, "No installed app has a task ''"),
        ({"task_path": "tests.tenants.tasks.describe_binding"}, "No installed app has a task 'tests"),
        ({"args_kwargs": describe(5, unwanted=5)}, "report_binding() got an unexpected keyword argument"),
        ({"task_path": delete_due_tenant.module_path}, "is for the operators' site, and this row belongs to"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_a_row_that_makes_no_sense_fails_with_a_reason_and_the_worker_goes_on(
    acme, write, run_tasks, changes, reason
):
    bad, good = write(**changes), write()

    run_tasks()

    assert reason in get_error(bad)
    assert DBTaskResult.objects.get(pk=good).return_value == ["acme", "acme"]
    assert "this" not in sys.modules


@pytest.mark.parametrize("worker_ids", ["5", "{}", "null", "[5]", '[["a"]]'])
def test_workers_that_are_none_stop_neither_recovery_nor_a_claim(acme, write, run_tasks, worker_ids):
    running, ready = write(worker_ids=worker_ids, status="RUNNING"), write(worker_ids=worker_ids)

    recover_orphans("own")
    run_tasks()

    states = DBTaskResult.objects.filter(pk__in=[running, ready]).values_list("status", flat=True)
    assert list(states) == ["SUCCESSFUL", "SUCCESSFUL"]


def test_a_row_that_makes_no_sense_and_killed_its_workers_is_given_up(acme, write):
    row = write(args_kwargs="5", status="RUNNING", worker_ids='["a", "b", "c"]')

    recover_orphans("own")

    assert "3 workers died while they ran this task" in get_error(row)


def test_a_receiver_that_fails_stops_no_worker(acme, write, run_tasks):
    def fail(**kwargs):
        raise ValueError("the receiver's own fault")

    first, second = write(args_kwargs=describe(unwanted=5)), write(args_kwargs=describe(unwanted=6))
    task_finished.connect(fail)
    try:
        run_tasks()
    finally:
        task_finished.disconnect(fail)

    assert "unexpected keyword argument" in get_error(first)
    assert "unexpected keyword argument" in get_error(second)


def test_tasks_that_cannot_be_imported_stop_no_worker(monkeypatch, caplog, request):
    def fail(name):
        raise SyntaxError(f"in {name}")

    request.addfinalizer(known_tasks._import_tasks.cache_clear)
    known_tasks._import_tasks.cache_clear()
    monkeypatch.setattr(known_tasks, "import_module", fail)

    is_known = known_tasks.is_known("apps.search.indexing.tasks.unwritten")

    assert not is_known
    assert "The tasks in apps.search.indexing.tasks are not known: it cannot be imported" in caplog.text
    assert "SyntaxError: in apps.search.indexing.tasks" in caplog.text


def test_an_error_whose_text_cannot_be_stored_is_a_failure_all_the_same(acme, run_tasks):
    with tenant_context(acme):
        tasks.fail_with.enqueue([97, 0, 98, 0xD800])

    run_tasks()

    row = DBTaskResult.objects.get()
    assert (row.status, row.exception_class_path) == ("FAILED", "builtins.RuntimeError")
    assert r"ValueError: a\0b\ud800" in row.traceback


def test_the_operators_page_imports_nothing_that_a_row_names(client, django_user_model, write):
    client.force_login(django_user_model.objects.create_superuser("operator@example.com"))
    write(task_path="this.s")

    page = client.get("/admin/django_tasks_database/dbtaskresult/", headers={"host": "localhost"})

    assert page.status_code == 200
    assert "this" not in sys.modules


def test_a_lost_policy_is_found_and_mended(acme, capsys):
    with connection.cursor() as cursor:
        cursor.execute(f"DROP POLICY tenants_own_tasks ON {TABLE}")
    lost = is_queue_guarded()

    call_command("tenant_roles", repair=True)

    assert (lost, is_queue_guarded()) == (False, True)


def test_a_worker_knows_every_task_of_the_project():
    """A task elsewhere than in a module tasks.py needs an import when its app gets ready."""
    code = """
import sys, django
django.setup()
from tenants.queue.known_tasks import is_known
print(*[path for path in sys.argv[1:] if not is_known(path)])
"""
    paths = list(find_tasks(project_settings.BASE_DIR))

    done = subprocess.run(
        [sys.executable, "-c", code, *paths],
        cwd=project_settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
    )

    assert len(paths) > 5
    assert done.stdout.split() == []


def find_tasks(root):
    for folder in ("apps", "tenants", "project"):
        for file in sorted((root / folder).rglob("*.py")):
            lines = file.read_text().splitlines()
            module = ".".join(file.relative_to(root).with_suffix("").parts)
            for number, line in enumerate(lines):
                if line.startswith("@task"):
                    function = next(text for text in lines[number:] if "def " in text)
                    yield f"{module}.{function.split('def ')[1].split('(')[0]}"
