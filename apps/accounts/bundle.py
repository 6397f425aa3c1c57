"""What becomes of accounts when a tenant is imported from a bundle."""

from django.utils import timezone

from apps.accounts.models import ApiKey
from tenants.audit import record

# Whoever is signed in at the original is not signed in here, nor limited by what was tried there.
EXCLUDE = ["django_session", "accounts_trycount"]


def after_load(*, is_copy: bool) -> str:
    """Revoke the API keys of a copy: whoever has one was let into the original, and not here."""
    if not is_copy:
        return ""
    revoked = ApiKey.objects.filter(revoked_at=None).update(revoked_at=timezone.now())
    if revoked:
        record("revoke keys", number=revoked)
    return f"{revoked} API keys of the original are revoked here." if revoked else ""
