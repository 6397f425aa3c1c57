"""Takes note of what Django does: sign-ins, changes in an admin, and deletions."""

from typing import Any

from django.contrib.admin.models import DELETION, LogEntry
from django.http import HttpRequest

from apps.accounts.access.idle_sessions import note_use
from apps.accounts.access.limited_requests import forgive_tries
from apps.accounts.access.rate_limits import get_client_address
from tenants.audit import record


def note_sign_in(request: HttpRequest, user: Any, **kwargs: Any) -> None:
    """Record a sign-in, and uncount it: a whole office may come from one address."""
    forgive_tries(request)
    note_use(request)
    record("sign in", user, address=get_client_address(request))


def note_failed_sign_in(
    credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any
) -> None:
    """Record a failed sign-in with the address that was typed, and where it came from."""
    address = get_client_address(request) if request else ""
    record("fail to sign in", credentials.get("username", ""), address=address)


def note_sign_out(request: HttpRequest, user: Any, **kwargs: Any) -> None:
    """Record a sign-out; of a session that was over already there is none."""
    if user is not None:
        record("sign out", user)


def note_admin_change(instance: LogEntry, created: bool, **kwargs: Any) -> None:
    """Record what was added or changed in an admin, with the names of the fields."""
    if created and instance.action_flag != DELETION:
        kind = instance.content_type.model if instance.content_type else ""
        deed = f"{instance.get_action_flag_display()} in admin".lower()
        record(deed, instance.object_repr, kind=kind, change=instance.get_change_message())


def note_deletion(instance: Any, **kwargs: Any) -> None:
    """Record that an account, a key or a group is gone, however many went at once."""
    record(f"delete {instance._meta.verbose_name}", instance)
