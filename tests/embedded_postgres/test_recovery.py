import os
import shutil
import signal
import subprocess
import sys

import pytest

from project import embedded_postgres
from project.embedded_postgres import EmbeddedPostgresError
from project.embedded_postgres.processes import is_postmaster

from .probes import ROOT, connect, get_pid, query


def test_killed_server_starts_again_with_its_data(top):
    with connect(embedded_postgres.start()) as connection:
        connection.execute("CREATE TABLE survivor AS SELECT 7 AS number")
        connection.execute("CHECKPOINT")
    pid = get_pid(top)

    os.kill(pid, signal.SIGKILL)
    url = embedded_postgres.start()

    assert get_pid(top) != pid
    assert query(url, "SELECT number FROM survivor") == 7


def test_lock_files_that_name_a_stranger_do_not_stop_a_start(top):
    lock_files = [top / "data" / "postmaster.pid", top / "run" / ".s.PGSQL.54329.lock"]
    contents = [path.read_text().splitlines(keepends=True) for path in lock_files]
    embedded_postgres.stop()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        for path, lines in zip(lock_files, contents, strict=True):
            path.write_text("".join([f"{stranger.pid}\n", *lines[1:]]))

        url = embedded_postgres.start()

        assert query(url, "SELECT 1") == 1
        assert stranger.poll() is None
        stranger.kill()


def test_empty_lock_file_does_not_stop_a_start(top):
    embedded_postgres.stop()
    (top / "data" / "postmaster.pid").touch()

    url = embedded_postgres.start()

    assert query(url, "SELECT 1") == 1


def test_server_without_a_socket_is_replaced(top):
    pid = get_pid(top)
    (top / "run" / ".s.PGSQL.54329").unlink()

    url = embedded_postgres.start()

    assert not is_postmaster(pid, top / "data")
    assert query(url, "SELECT 1") == 1


def test_server_whose_folder_was_deleted_is_replaced(folder, use):
    top = use(folder / "deleted")
    embedded_postgres.start()
    pid = get_pid(top)
    shutil.rmtree(top)

    url = embedded_postgres.start()

    assert not is_postmaster(pid, top / "data")
    assert query(url, "SELECT 1") == 1


def test_concurrent_cold_starts_give_one_server(folder, use):
    use(folder / "concurrent")
    command = [sys.executable, "-m", "project.embedded_postgres", "start"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}

    started = [subprocess.Popen(command, cwd=ROOT, **pipes) for _ in range(4)]
    outputs = [process.communicate() for process in started]

    assert [process.returncode for process in started] == [0, 0, 0, 0]
    assert {url for url, _ in outputs} == {f"{embedded_postgres.url()}\n"}
    assert sum("Starting PostgreSQL 18 in" in errors for _, errors in outputs) == 1


def test_interrupted_initialisation_is_done_again(folder, use):
    top = use(folder / "interrupted")
    (top / "data.new").mkdir(parents=True)
    (top / "data.new" / "PG_VERSION").write_text("18\n")

    url = embedded_postgres.start()

    assert query(url, "SELECT 1") == 1
    assert not (top / "data.new").exists()


def test_failed_start_shows_the_log_and_the_way_out(folder, use):
    top = use(folder / "old")
    (top / "data").mkdir(mode=0o700, parents=True)
    (top / "data" / "PG_VERSION").write_text("9.6\n")

    with pytest.raises(EmbeddedPostgresError) as caught:
        embedded_postgres.start()

    assert "database files are incompatible with server" in str(caught.value)
    assert str(caught.value).endswith("begin anew: python -m project.embedded_postgres reset")
