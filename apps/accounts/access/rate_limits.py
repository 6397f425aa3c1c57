"""How often somebody may try something, counted in Django's cache and apart for each tenant.

Each period of a rate has a counter of its own, which ends with it: no more than twice the rate fits into any
time as long as the period. A cache that several processes share adds in one step, so no attempt is missed.
"""

import math
import time
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv6Address, ip_address

from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from ninja.throttling import SimpleRateThrottle

from apps.accounts.access.tokens import bind_to_schema

IPV6_NETWORK = 64  # bits: a household or server gets as many addresses as it likes in one such network


@dataclass(frozen=True)
class Rate:
    """So many times in so many seconds."""

    times: int
    seconds: int


def get_rate(scope: str) -> Rate | None:
    """Return settings.RATE_LIMITS[scope], None where it is empty or "0": no limit.

    Raises ImproperlyConfigured for a rate that is none.
    """
    text = str(settings.RATE_LIMITS.get(scope) or "").strip()
    if text in ("", "0"):
        return None
    try:
        times, seconds = SimpleRateThrottle(text).parse_rate(text)
    except ValueError:
        times, seconds = None, None
    if not times or not seconds or times < 1 or seconds < 1:
        raise ImproperlyConfigured(
            f"RATE_LIMITS[{scope!r}]: {text!r} is no rate; one like '10/m', '100/h' or '5/30s' is allowed, "
            "and '' for no limit."
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
    period = int(now // rate.seconds)
    key = _get_key(scope, f"{rate.seconds}:{period}", who)
    return (math.ceil((period + 1) * rate.seconds - now) if _add(key, rate) > rate.times else 0), key


def take_back(key: str) -> None:
    """Count a try as if it had not been: it was none that a limit is for."""
    try:
        cache.decr(key)
    except ValueError:  # the period is over
        return


def get_client_address(request: HttpRequest) -> str:
    """Return the address that a request came from, of IPv6 the network.

    X-Forwarded-For is only read where settings.NINJA_NUM_PROXIES says how many proxies of one's own write
    into it, and counted from the end, which those write: what a client sent stands before.
    """
    proxies, remote = settings.NINJA_NUM_PROXIES or 0, request.META.get("REMOTE_ADDR", "")
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    if 0 < proxies <= len(forwarded):
        return _normalise(forwarded[-proxies].strip()) or _normalise(remote) or remote
    return _normalise(remote) or remote


def describe_wait(seconds: int) -> str:
    """Return the sentence that asks somebody to wait."""
    number, unit = (seconds, "second") if seconds < 120 else (math.ceil(seconds / 60), "minute")
    return f"That was too often. Try again in {number} {unit}{'' if number == 1 else 's'}."


def _add(key: str, rate: Rate) -> int:
    cache.add(key, 0, rate.seconds)
    try:
        return cache.incr(key)
    except ValueError:  # a full cache threw it out at once
        return 1


def _get_key(scope: str, period: str, who: str) -> str:
    # The cache's KEY_FUNCTION names the schema, too; this holds in a cache that was set up without it.
    return f"rate:{scope}:{period}:{sha256(bind_to_schema(who).encode(errors='replace')).hexdigest()}"


def _normalise(text: str) -> str:
    try:
        address = ip_address(text)
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return f"{int(address) >> (128 - IPV6_NETWORK):x}/{IPV6_NETWORK}"
    return str(address)
