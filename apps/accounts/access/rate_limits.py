"""How often somebody may try something, counted in the database and apart for each tenant.

Each period of a rate has a counter of its own, which ends with it: at most twice the rate fits into any time
as long as the period. PostgreSQL adds in one statement, so the count is exact whatever the number of threads,
processes and machines (docs/decisions/0047-tries-are-counted-in-the-database.md).
"""

import math
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from ipaddress import IPv6Address, IPv6Network, ip_address

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.models import F
from django.http import HttpRequest
from ninja.throttling import SimpleRateThrottle

from apps.accounts.conf import conf
from apps.accounts.models import TryCount
from tenants.context import connection

PREFIX = "RATE_LIMIT_"
IPV6_NETWORK = 64  # bits: a household or server gets as many addresses as it likes in one such network
# Each count also removes up to two that have ended, so that the table stays as small as what is counted now.
COUNT = """
    WITH ended AS (
        DELETE FROM accounts_trycount WHERE key IN (
            SELECT key FROM accounts_trycount WHERE ends_at <= %(now)s
            ORDER BY ends_at LIMIT 2 FOR UPDATE SKIP LOCKED
        )
    )
    INSERT INTO accounts_trycount AS counted (key, times, ends_at) VALUES (%(key)s, 1, %(ends_at)s)
    ON CONFLICT (key) DO UPDATE SET times = counted.times + 1 RETURNING times
"""
_WITH_PORT = re.compile(r'"?(?:\[(?P<v6>[^\]]*)\]|(?P<v4>[\d.]+))(?::\w+)?"?')  # quotes as in Forwarded


@dataclass(frozen=True)
class Rate:
    """So many times in so many seconds."""

    times: int
    seconds: int


def list_scopes() -> list[str]:
    """Return what has a limit, such as "sign_in": the setting RATE_LIMIT_SIGN_IN without its prefix."""
    if conf.RATE_LIMITS is not None:
        return list(conf.RATE_LIMITS)
    return [name.removeprefix(PREFIX).lower() for name in conf.list_variables() if name.startswith(PREFIX)]


def get_rate(scope: str) -> Rate | None:
    """Return the rate of a scope, None where it is empty or "0": no limit.

    Raises ImproperlyConfigured for a text that is not a rate.
    """
    limits = conf.RATE_LIMITS
    name = f"{PREFIX}{scope.upper()}" if limits is None else f"RATE_LIMITS[{scope!r}]"
    text = str((getattr(conf, name) if limits is None else limits.get(scope)) or "").strip()
    if text in ("", "0"):
        return None
    try:
        times, seconds = SimpleRateThrottle(text).parse_rate(text)
    except ValueError:
        times, seconds = None, None
    if not times or not seconds or times < 1 or seconds < 1:
        raise ImproperlyConfigured(
            f"{name}: {text!r} is not a rate. Write one such as '10/m', '100/h' or '5/30s', "
            "or '' for no limit."
        )
    return Rate(times, seconds)


def count(scope: str, who: str) -> tuple[int, str]:
    """Count one more try of somebody; return for how many seconds to wait (0: go on) and the counter's key.

    Raises ImproperlyConfigured as `get_rate` does.
    """
    rate = get_rate(scope)
    if rate is None:
        return 0, ""
    now = time.time()
    ends_at = (now // rate.seconds + 1) * rate.seconds
    person = sha256(who.encode(errors="replace")).hexdigest()
    key = f"{scope}:{rate.seconds}:{ends_at:.0f}:{person}"
    moments = {"now": datetime.fromtimestamp(now, UTC), "ends_at": datetime.fromtimestamp(ends_at, UTC)}
    with connection.cursor() as cursor:
        cursor.execute(COUNT, {"key": key, **moments})
        (times,) = cursor.fetchone()
    return (math.ceil(ends_at - now) if times > rate.times else 0), key


def take_back(key: str) -> None:
    """Uncount a try, because it is not of the kind that the limit is for."""
    TryCount.objects.filter(key=key).update(times=F("times") - 1)


def get_client_address(request: HttpRequest) -> str:
    """Return the address that a request came from; of an IPv6 address, the network.

    X-Forwarded-For is read only where settings.NINJA_NUM_PROXIES says how many proxies write into it. Each
    appends one entry, so they are counted from the end; whatever the client sent stands before them. An entry
    may have a port, and brackets around an IPv6 address (RFC 7239, section 6, and what proxies write).
    """
    proxies, remote = settings.NINJA_NUM_PROXIES or 0, request.META.get("REMOTE_ADDR", "")
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    if 0 < proxies <= len(forwarded) and (address := _normalise(forwarded[-proxies].strip())):
        return address
    return _normalise(remote) or remote


def describe_wait(seconds: int) -> str:
    """Return the sentence that asks somebody to wait."""
    number, unit = (seconds, "second") if seconds < 120 else (math.ceil(seconds / 60), "minute")
    return f"That was too often. Try again in {number} {unit}{'' if number == 1 else 's'}."


def _normalise(text: str) -> str:
    match = _WITH_PORT.fullmatch(text)
    try:
        address = ip_address(match["v4"] or match["v6"] if match else text)
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(IPv6Network((int(address), IPV6_NETWORK), strict=False))  # without a zone, %eth0
    return str(address)
