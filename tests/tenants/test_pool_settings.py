import os
import re
import subprocess
import sys

import pytest
from django.conf import settings as project_settings
from psycopg_pool import ConnectionPool

from tenants.checks import check_pool
from tenants.postgresql.pool import open_pool
from tests.workers import PATIENCE, get_test_database_url


@pytest.mark.parametrize(
    "options", [["--executor=multiprocessing"], ["--executor=standard"], ["--parallel=3"]], ids=str
)
def test_migrate_schemas_ends_where_there_is_a_pool_of_one(db, options):
    environment = os.environ | {"DATABASE_URL": get_test_database_url(), "DATABASE_POOL": "1"}
    command = [sys.executable, "manage.py", "migrate_schemas", *options]

    ended = subprocess.run(
        command, cwd=project_settings.BASE_DIR, env=environment, capture_output=True, timeout=PATIENCE
    )

    assert ended.returncode == 0, ended.stderr.decode()


def with_database(settings, **values):
    options = settings.DATABASES["default"]["OPTIONS"] | {"pool": values.pop("pool", None)}
    database = settings.DATABASES["default"] | {"OPTIONS": options} | values
    settings.DATABASES = settings.DATABASES | {"default": database}


@pytest.mark.parametrize("pool", [None, False, True, {}, {"min_size": 1, "max_size": 2, "timeout": 5}])
def test_a_pool_that_can_work_is_no_fault(settings, pool):
    with_database(settings, pool=pool, CONN_MAX_AGE=0)

    assert check_pool() == []


@pytest.mark.parametrize(
    ("pool", "message"),
    [
        (5, "is 5, which is neither True nor a dict."),
        ({"min_size": 4, "max_size": 2}, "is refused by psycopg: max_size must be greater or equal"),
        ({"maxsize": 2}, "is refused by psycopg: .*maxsize"),
        ({"open": True}, "has 'open', which Django sets itself."),
    ],
)
def test_a_pool_that_cannot_work_is_e006(settings, pool, message):
    with_database(settings, pool=pool, CONN_MAX_AGE=0)

    (error,) = check_pool()

    assert error.id == "tenants.E006"
    assert error.msg.startswith("DATABASES['default']['OPTIONS']['pool'] ")
    assert re.search(message, error.msg)
    assert "psycopg_pool.ConnectionPool" in error.hint


@pytest.mark.parametrize("age", [60, None], ids=["a minute", "for ever"])
def test_a_pool_beside_kept_connections_is_e006(settings, age):
    with_database(settings, pool=True, CONN_MAX_AGE=age)

    (error,) = check_pool()

    assert error.id == "tenants.E006"
    assert error.msg == (
        f"DATABASES['default']['CONN_MAX_AGE'] is {age}; with OPTIONS['pool'] only 0 is allowed."
    )


def test_the_pools_of_the_tests_are_closed(db):
    with open_pool() as pooled:
        pooled.ensure_connection()
        pool = pooled.pool

    assert isinstance(pool, ConnectionPool)
    assert pool.closed
    assert pooled._connection_pools == {}


READ = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
import project.{server}
from django.conf import settings
database = settings.DATABASES["default"]
print(database["OPTIONS"].get("pool", {{}}).get("max_size"), database["CONN_MAX_AGE"])
"""


@pytest.mark.parametrize(
    ("server", "asked", "read"),
    [("wsgi", None, "None 60"), ("asgi", None, "10 0"), ("asgi", "4", "4 0"), ("asgi", "0", "None 0")],
)
def test_under_asgi_there_is_a_pool_and_no_thread_keeps_a_session(server, asked, read):
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_POOL"}
    environment |= {"DATABASE_URL": "postgresql://nobody/nothing"} | (
        {"DATABASE_POOL": asked} if asked else {}
    )

    done = subprocess.run(
        [sys.executable, "-c", READ.format(server=server)],
        cwd=project_settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )

    assert done.stdout.strip() == read, done.stderr
