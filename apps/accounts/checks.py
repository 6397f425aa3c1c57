"""System check of the rate limits. Its id begins with `accounts.`."""

from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured

from apps.accounts.access.rate_limits import get_rate, list_scopes


@register(Tags.security)
def check_rate_limits(**kwargs: Any) -> list[CheckMessage]:
    """E001: a rate limit that cannot be read."""
    hint = "A rate is a number, a slash, and a period: s, m, h or d."
    errors: list[CheckMessage] = []
    for scope in list_scopes():
        try:
            get_rate(scope)
        except ImproperlyConfigured as error:
            errors.append(Error(str(error), hint=hint, id="accounts.E001"))
    return errors
