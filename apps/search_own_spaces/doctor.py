"""What `manage.py doctor` finds in the tenants' own spaces."""

from collections.abc import Iterator

from django.db import Error, transaction

from apps.operations.doctor.finding import Finding, Level, Scope, from_checks
from apps.search_own_spaces.checks import check_aliases, check_encryption_keys
from apps.search_own_spaces.models import OwnSpace
from tenants.context import owner_rights, tenant_context


def check(scope: Scope) -> Iterator[Finding]:
    """Yield keys that cannot be decrypted, and own_spaces.E001 and E002."""
    if scope.is_whole:
        yield from from_checks("search", [*check_encryption_keys(), *check_aliases()])
    for tenant in scope.tenants:
        try:
            with tenant_context(tenant), owner_rights(), transaction.atomic():
                unreadable = sum(not space.is_key_readable() for space in OwnSpace.objects.all())
        except Error:  # apps.search.doctor says that the tenant lags
            continue
        if unreadable:
            # Without their names, which the tenant wrote.
            message = f"The keys of {unreadable} of its own search spaces cannot be decrypted."
            fix = (
                "Put the former secret into SECRET_KEY_FALLBACKS or ENCRYPTION_KEYS; or give the keys again."
            )
            yield Finding(Level.ERROR, tenant.schema_name, message, fix)


CHECKS = [check]
