"""System checks of what own spaces need of the settings. Ids begin with `own_spaces.`."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from apps.search_own_spaces.conf import conf
from apps.search_own_spaces.encryption import MIN_LENGTH
from tenants.validators import OWN_SPACE_PREFIX


@register()
def check_encryption_keys(**kwargs: Any) -> list[CheckMessage]:
    """E001: a key that could be guessed encrypts nothing."""
    hint = "Make one: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
    return [
        Error(
            f"ENCRYPTION_KEYS: number {number} has {len(key)} characters; {MIN_LENGTH} or more are needed.",
            hint=hint,
            id="own_spaces.E001",
        )
        for number, key in enumerate(conf.ENCRYPTION_KEYS, 1)
        if len(key) < MIN_LENGTH
    ]


@register()
def check_aliases(**kwargs: Any) -> list[CheckMessage]:
    """E002: an alias of the settings that a tenant may have given to a space of its own."""
    return [
        Error(
            f"EMBEDDINGS[{alias!r}]: only a tenant's own space may have a name that begins with 'own-'.",
            hint="Give it another name.",
            id="own_spaces.E002",
        )
        for alias in settings.EMBEDDINGS
        if str(alias).startswith(OWN_SPACE_PREFIX)
    ]
