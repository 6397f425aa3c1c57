from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from apps.accounts.models import ApiKey, User
from apps.accounts.schedules import clear_sessions, delete_dead_keys
from tenants.context import tenant_context

DAY = timedelta(days=1)


def test_expired_sessions_go_in_the_bound_tenant_alone(acme, globex):
    for tenant in (acme, globex):
        with tenant_context(tenant):
            Session.objects.create(pk="old", session_data="x", expire_date=timezone.now() - DAY)
            Session.objects.create(pk="new", session_data="x", expire_date=timezone.now() + DAY)

    with tenant_context(acme):
        clear_sessions()

        assert [session.pk for session in Session.objects.all()] == ["new"]
    with tenant_context(globex):
        assert Session.objects.count() == 2


def test_expired_sessions_of_operators_go_too(db):
    Session.objects.create(pk="old", session_data="x", expire_date=timezone.now() - DAY)

    clear_sessions()

    assert not Session.objects.exists()


@pytest.mark.parametrize("field", ["expires_at", "revoked_at"])
def test_keys_that_are_dead_for_long_go_in_the_bound_tenant_alone(acme, globex, settings, field):
    settings.DEAD_KEY_DAYS = 30
    for tenant in (acme, globex):
        with tenant_context(tenant):
            user = User.objects.create_user("key@example.com")
            for name, days in (("long ago", 31), ("of late", 29)):
                key, _ = ApiKey.objects.issue(user, name)
                ApiKey.objects.filter(pk=key.pk).update(**{field: timezone.now() - days * DAY})
            ApiKey.objects.issue(user, "in use")

    with tenant_context(acme):
        delete_dead_keys()

        assert set(ApiKey.objects.values_list("name", flat=True)) == {"of late", "in use"}
    with tenant_context(globex):
        assert ApiKey.objects.count() == 3
