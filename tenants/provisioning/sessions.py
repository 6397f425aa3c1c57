"""The operators' sessions that were written while a tenant was bound."""

from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core import signing
from django_tenants.utils import schema_context


def find_sessions(schema: str) -> list[str]:
    """Return the keys of sessions in `public` that bear a signature of this schema."""
    store = SessionStore()

    def is_signed_here(data: str) -> bool:
        try:
            signing.loads(data, salt=store.key_salt, serializer=store.serializer)
        except signing.BadSignature:
            return False
        return True

    rows = list(Session.objects.values_list("session_key", "session_data"))
    with schema_context(schema):
        return [key for key, data in rows if is_signed_here(data)]
