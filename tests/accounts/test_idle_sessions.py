import time

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.access.idle_sessions import SEEN
from tenants.context import tenant_context

ACCOUNT = "/accounts/account/"
HOUR = 3_600


@pytest.fixture
def leave_alone(member_client, acme):
    """Let the member's session be as if nothing had been asked for so long."""

    def change(seconds):
        with tenant_context(acme):
            session = SessionStore(member_client.cookies["sessionid"].value)
            session[SEEN] = int(time.time()) - seconds
            session.save()

    return change


def get_seen(acme, client):
    with tenant_context(acme):
        return SessionStore(client.cookies["sessionid"].value).get(SEEN)


def test_a_session_that_was_left_alone_ends(member_client, acme, at_acme, leave_alone, deeds):
    leave_alone(8 * HOUR + 60)

    answers = []
    lines = deeds(lambda: answers.append(member_client.get(ACCOUNT, **at_acme)))

    assert answers[0].url == f"/accounts/login/?next={ACCOUNT}"
    assert lines[0] == (
        'who=member:member@example.com what="end idle session" whose=acme on=member@example.com'
    )
    with tenant_context(acme):
        assert not Session.objects.exists()


def test_one_that_is_used_goes_on_for_as_long_as_it_is(member_client, acme, at_acme, leave_alone):
    for _ in range(3):
        leave_alone(8 * HOUR - 60)

        assert member_client.get(ACCOUNT, **at_acme).status_code == 200
        assert time.time() - get_seen(acme, member_client) < HOUR


def test_a_request_soon_after_another_writes_nothing(member_client, acme, at_acme, leave_alone):
    leave_alone(10 * 60)

    with CaptureQueriesContext(connection) as queries:
        member_client.get(ACCOUNT, **at_acme)

    assert not [query for query in queries if "UPDATE" in query["sql"]]


@pytest.mark.parametrize(("minutes", "status"), [(0, 200), (1, 302), (3, 200)])
def test_the_time_is_a_setting(member_client, at_acme, leave_alone, settings, minutes, status):
    settings.SESSION_IDLE_MINUTES = minutes
    leave_alone(120)

    assert member_client.get(ACCOUNT, **at_acme).status_code == status


def test_a_session_of_which_nobody_knows_when_it_was_used_ends(member_client, acme, at_acme):
    with tenant_context(acme):
        session = SessionStore(member_client.cookies["sessionid"].value)
        del session[SEEN]
        session.save()

    assert member_client.get(ACCOUNT, **at_acme).status_code == 302


def test_the_operators_sessions_end_too(operator):
    session = operator.session
    session[SEEN] = 0
    session.save()

    assert operator.get("/admin/", headers={"host": "localhost"}).status_code == 302


def test_another_tenants_session_of_the_same_key_stays(member_client, acme, globex, at_acme, leave_alone):
    key = member_client.cookies["sessionid"].value
    with tenant_context(acme):
        row = Session.objects.get(pk=key)
    with tenant_context(globex):
        Session.objects.create(pk=key, session_data=row.session_data, expire_date=row.expire_date)
    leave_alone(9 * HOUR)

    member_client.get(ACCOUNT, **at_acme)

    with tenant_context(globex):
        assert Session.objects.filter(pk=key).exists()
