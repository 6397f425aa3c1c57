"""What of accounts goes by itself."""

from datetime import timedelta
from importlib import import_module

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from apps.accounts.conf import conf
from apps.accounts.models import ApiKey
from tenants.periodic.schedule import Schedule, Where


def clear_sessions() -> None:
    """Delete the sessions that have expired; each visit of a page that nobody goes on with leaves one."""
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()


def delete_dead_keys() -> None:
    """Delete the API keys that expired or were revoked more than DEAD_KEY_DAYS ago."""
    before = timezone.now() - timedelta(days=conf.DEAD_KEY_DAYS)
    ApiKey.objects.filter(Q(expires_at__lt=before) | Q(revoked_at__lt=before)).delete()


SCHEDULES = [
    Schedule(clear_sessions, every=timedelta(days=1), where=Where.EVERYWHERE),
    Schedule(delete_dead_keys, every=timedelta(days=1), where=Where.EVERYWHERE),
]
