import ast

import pytest
from django.conf import settings

from tenants.context import connection
from tenants.locks import Lock, count_held, find_held, give_back, session_lock, take

ROOT = settings.BASE_DIR


def find_strings(path):
    return [
        node.value
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def test_every_lock_has_an_id_of_its_own():
    names, ids = Lock.__members__.keys(), {lock.value for lock in Lock.__members__.values()}

    assert len(names) == len(ids)


def test_no_other_module_takes_or_gives_back_advisory_locks():
    paths = [path for top in ("apps", "tenants", "project") for path in (ROOT / top).rglob("*.py")]

    callers = {
        str(path.relative_to(ROOT))
        for path in paths
        if any("advisory_" in text and "lock" in text for text in find_strings(path))
    }

    others = {
        "apps/operations/isolation/database.py",  # attacks
        "tenants/postgresql/base.py",  # gives back whatever a tenant has kept
        "tenants/provisioning/reserving.py",  # takes the functions away
    }
    assert callers == {"tenants/locks.py"} | {path for path in others if (ROOT / path).exists()}


def test_a_lock_is_held_by_one_session_at_a_time(other_session):
    take(Lock.WORKER, "a")

    assert not take(Lock.WORKER, "a", session=other_session, wait=False)
    assert take(Lock.WORKER, "b", session=other_session, wait=False)
    assert take(Lock.MIGRATION, "a", session=other_session, wait=False)

    give_back(Lock.WORKER, "a")
    assert take(Lock.WORKER, "a", session=other_session, wait=False)


def test_any_number_of_sessions_share_a_shared_lock(other_session):
    take(Lock.SPACES, "acme", shared=True, until_commit=True)

    assert take(Lock.SPACES, "acme", session=other_session, shared=True, wait=False)
    assert not take(Lock.SPACES, "acme", session=other_session, wait=False)


def test_a_lock_until_the_commit_ends_with_the_transaction(other_session):
    other_session.set_autocommit(False)
    take(Lock.ROLES, session=other_session, until_commit=True)
    before = count_held(Lock.ROLES)

    other_session.rollback()

    assert (before, count_held(Lock.ROLES)) == (1, 0)
    other_session.set_autocommit(True)


def test_held_locks_are_found_by_name(db):
    with session_lock(Lock.LIFE_CYCLE, "acme"):
        found = find_held(Lock.LIFE_CYCLE, ["acme", "globex"])
        others = find_held(Lock.MIGRATION, ["acme"])

    assert (found, others) == ({"acme"}, set())
    assert find_held(Lock.LIFE_CYCLE, ["acme"]) == set()


def test_ones_own_lock_is_not_one_of_others(other_session):
    take(Lock.ANN_INDEX, "mine")
    take(Lock.ANN_INDEX, "theirs", session=other_session)

    assert find_held(Lock.ANN_INDEX, ["mine", "theirs"]) == {"mine", "theirs"}
    assert find_held(Lock.ANN_INDEX, ["mine", "theirs"], by_others=True) == {"theirs"}
    give_back(Lock.ANN_INDEX, "mine")


@pytest.mark.parametrize("is_closed_by_server", [True, False])
def test_a_session_that_is_gone_gives_nothing_back_and_is_not_opened_again(
    other_session, is_closed_by_server
):
    take(Lock.WORKER, "a", session=other_session)
    pid = other_session.connection.info.backend_pid
    if is_closed_by_server:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
    else:
        other_session.close()

    give_back(Lock.WORKER, "a", session=other_session)

    assert other_session.connection is None or other_session.connection.closed
