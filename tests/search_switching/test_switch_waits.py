import pytest
from django.core.management import call_command
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from apps.search.indexing.tasks import index_by_keys
from apps.search.models import IndexRun, SetAside
from apps.search_switching.models import SpaceSwitch
from apps.search_switching.steps import start_switch
from tenants.context import unbound
from tenants.locks import Lock
from tests.models_app.models import Note
from tests.search_switching.work import make, titles

pytestmark = pytest.mark.usefixtures("embedder", "in_acme", "as_owner")

REASON = "A worker has other settings; restart it. EMBEDDINGS['other']: there is no such alias."
WATCH = "apps.search_switching.management.commands.switch_space"


@pytest.fixture
def newer_worker(in_acme, run_tasks):
    """A worker that finds every task due; acme is bound again afterwards."""

    def run():
        with unbound():
            DBTaskResult.objects.filter(status="READY").update(run_after=timezone.now())
            run_tasks()

    return run


@pytest.fixture
def older_worker(settings, newer_worker):
    """A worker that was started before the space "other" was added to the settings."""
    new = settings.EMBEDDINGS

    def run():
        settings.EMBEDDINGS = {alias: entry for alias, entry in new.items() if alias != "other"}
        newer_worker()
        settings.EMBEDDINGS = new

    return run


def show(capsys, step="status"):
    call_command("switch_space", step, "--schema=acme")
    return capsys.readouterr().out


def test_a_switch_waits_for_a_worker_that_knows_the_space(older_worker, newer_worker, capsys, caplog):
    make("old")
    newer_worker()
    start_switch("other")

    older_worker()
    said = show(capsys)
    states = set(DBTaskResult.objects.values_list("status", flat=True))
    newer_worker()

    assert f"notes: running, 0 % ({REASON}" in said
    assert (
        f"waits for a worker with other settings; restart this one if they changed: {REASON[41:]}"
        in caplog.text
    )
    assert "FAILED" not in states
    assert not DBTaskResult.objects.failed().exists()
    assert (SpaceSwitch.objects.get().state, titles("other")) == ("ready", ["old"])
    assert not IndexRun.objects.exclude(reason="").exists()


def test_a_worker_that_does_not_know_the_space_is_no_dead_one(older_worker):
    make("old")
    start_switch("other")

    for _ in range(5):
        older_worker()

    waiting = DBTaskResult.objects.filter(status="READY", task_path__endswith="continue_run")
    assert {tuple(row.worker_ids) for row in waiting} == {()}


def test_what_is_saved_meanwhile_is_indexed_where_it_can_be(older_worker, newer_worker):
    start_switch("other")
    newer_worker()
    Note.objects.create(title="new", body="text")

    older_worker()
    first = titles("default"), titles("other"), SetAside.objects.get().is_lasting
    newer_worker()

    assert first == (["new"], [], False)
    assert titles("other") == ["new"]
    assert not SetAside.objects.exists()


def test_a_space_that_no_settings_have_any_more_keeps_its_tasks_waiting(newer_worker):
    index_by_keys.enqueue("notes.note", [make("old").pk], "gone", 24)

    newer_worker()

    assert not DBTaskResult.objects.failed().exists()


def test_own_spaces_are_in_the_database_so_their_tasks_fail(newer_worker):
    index_by_keys.enqueue("notes.note", [make("old").pk], "own-gone", 24)

    newer_worker()

    assert DBTaskResult.objects.failed().count() == 1


def test_status_and_watch_say_that_no_worker_runs(capsys, monkeypatch):
    make("old")
    start_switch("other")

    def stop(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"{WATCH}.sleep", stop)

    assert "No worker is running. Start one: manage.py db_worker" in show(capsys)
    with pytest.raises(KeyboardInterrupt):
        show(capsys, "watch")
    assert "No worker is running. Start one: manage.py db_worker" in capsys.readouterr().out
    monkeypatch.setattr(f"{WATCH}.count_held", lambda lock: 1 if lock == Lock.WORKER else 0)
    assert "No worker" not in show(capsys)
