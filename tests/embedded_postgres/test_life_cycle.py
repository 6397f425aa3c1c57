import stat
from pathlib import Path

import environ
import pytest

from project import embedded_postgres
from project.embedded_postgres.processes import is_postmaster

from .probes import connect, get_pid, query


def test_second_start_finds_the_server_and_is_silent(top, capsys):
    pid = get_pid(top)
    capsys.readouterr()

    url = embedded_postgres.start()

    assert get_pid(top) == pid
    assert url == embedded_postgres.url()
    assert capsys.readouterr() == ("", "")


def test_cold_start_prints_one_line(top, capsys):
    embedded_postgres.stop()
    capsys.readouterr()

    embedded_postgres.start()

    assert capsys.readouterr() == ("", f"Starting PostgreSQL 18 in {top} ...\n")


def test_django_environ_reads_the_socket_folder_as_host(top):
    config = environ.Env.db_url_config(embedded_postgres.start())

    assert config == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "app",
        "USER": "postgres",
        "PASSWORD": "",
        "HOST": str(top / "run"),
        "PORT": 54329,
    }


def test_pgvector_is_available(top):
    url = embedded_postgres.start()

    with connect(url) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")

    assert query(url, "SELECT '[1,2]'::vector <-> '[4,6]'::vector") == 5


def test_text_is_utf8_and_sorted_the_same_on_every_machine(top):
    url = embedded_postgres.start()

    own = "FROM pg_database WHERE datname = current_database()"
    assert query(url, "SHOW server_encoding") == "UTF8"
    assert query(url, f"SELECT datlocprovider::text || ' ' || datlocale {own}") == "b C.UTF-8"
    assert query(url, "SELECT string_agg(x, '' ORDER BY x) FROM unnest('{a,B,Z}'::text[]) x") == "BZa"


def test_one_transaction_may_touch_the_tables_of_many_tenants(top):
    assert int(query(embedded_postgres.start(), "SHOW max_locks_per_transaction")) >= 256


def test_only_the_owner_reaches_the_socket_and_nothing_listens_on_the_network(top):
    url = embedded_postgres.start()

    assert query(url, "SHOW listen_addresses") == ""
    assert stat.S_IMODE((top / "run").stat().st_mode) == 0o700
    assert stat.S_IMODE((top / "run" / ".s.PGSQL.54329").stat().st_mode) == 0o700


def test_missing_database_is_created_again(top):
    with connect(embedded_postgres.start().removesuffix("/app") + "/postgres") as connection:
        connection.execute("DROP DATABASE app WITH (FORCE)")

    url = embedded_postgres.start()

    assert query(url, "SELECT current_database()") == "app"


def test_stop_and_start_keep_the_data(top):
    with connect(embedded_postgres.start()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS number")

    embedded_postgres.stop()
    stopped = embedded_postgres.status()
    embedded_postgres.stop()
    url = embedded_postgres.start()

    assert stopped is False
    assert embedded_postgres.status() is True
    assert query(url, "SELECT number FROM kept") == 42


def test_unknown_stop_mode_is_refused(top):
    with pytest.raises(ValueError, match=r"^mode: 'slow' is not one of smart, fast, immediate\.$"):
        embedded_postgres.stop("slow")


def test_folder_may_have_any_name_and_disturbs_no_other(folder, use, top):
    url_of_another = embedded_postgres.url()
    name = 'it\'s a "quoted" $HOME `name` 100% \\ é; #&?'
    use(folder / name)

    url = embedded_postgres.start()

    assert query(url, "SHOW data_directory") == str(folder / name / "data")
    assert query(url_of_another, "SHOW data_directory") == str(top / "data")


def test_reset_deletes_all_but_the_lock_and_the_long_folders_socket_elsewhere(folder, use):
    top = use(folder / "/".join(["long" * 20] * 5))
    url = embedded_postgres.start()
    sockets = Path(environ.Env.db_url_config(url)["HOST"])
    answer = query(url, "SELECT 1")
    pid = get_pid(top)

    embedded_postgres.reset()

    assert answer == 1
    assert not is_postmaster(pid, top / "data")
    assert [path.name for path in top.iterdir()] == ["lock"]
    assert not sockets.is_relative_to(folder)
    assert not sockets.exists()


def test_socket_folder_has_no_comma_at_which_libpq_would_split_it(monkeypatch):
    monkeypatch.setenv("EMBEDDED_POSTGRES_DIR", "/srv/a,b")

    config = environ.Env.db_url_config(embedded_postgres.url())

    assert "," not in config["HOST"]
    assert config["NAME"] == "app"
