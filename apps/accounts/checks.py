"""System check of the rate limits. Its id begins with `accounts.`."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured

from apps.accounts.access.rate_limits import get_rate


@register(Tags.security)
def check_rate_limits(**kwargs: Any) -> list[CheckMessage]:
    """E001: an entry of RATE_LIMITS is no rate."""
    return [
        Error(fault, hint="It is a number, a slash, and a period: s, m, h or d.", id="accounts.E001")
        for scope in settings.RATE_LIMITS
        if (fault := _find_fault(scope))
    ]


def _find_fault(scope: str) -> str:
    try:
        get_rate(scope)
    except ImproperlyConfigured as error:
        return str(error)
    return ""
