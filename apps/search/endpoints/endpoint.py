"""Where a service is, which key it wants, and what it says: checks of an endpoint's options and answers."""

import os
import re
from ipaddress import IPv4Address, IPv6Address

from apps.search.options.values import require_text

MAX_PORT = 65_535
LONGEST_WAIT = 86_400.0  # seconds, whatever the service asks for
URL = re.compile(
    r"https?://(?P<host>[\w.-]+|\[(?P<ipv6>[0-9a-fA-F:.]+)\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?:/[^\s?#@\0-\x1f\x7f]*)?"
)
# An IPv4 address in some form, as the URL standard of WHATWG tells it from a name.
ENDS_IN_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9a-fA-F]*)\.?")


def require_url(value: object) -> str:
    """Return an address without a closing slash. Raises ValueError for one that no request may go to."""
    # The whole URL must match, so that no password hides in it; and the error does not repeat it, as it may.
    url = require_text("base_url", value)
    match = URL.fullmatch(url)
    if not match:
        raise ValueError(
            "base_url must be http://host:port/path or https://host:port/path (the port may be left out), "
            "without user, password, query, fragment or spaces."
        )
    if not 1 <= int(match["port"] or 1) <= MAX_PORT:
        raise ValueError(f"base_url has the port {match['port']}; 1 to {MAX_PORT:,} are allowed.")
    try:
        _check_host(match["host"], match["ipv6"])
    except ValueError as error:  # httpx would raise an error of its own at the first request
        raise ValueError(
            f"base_url has the host {match['host']!r}, which is no name and no IP address: {error}."
        ) from error
    return url.rstrip("/")


def _check_host(host: str, ipv6: str | None) -> None:
    if ipv6:
        IPv6Address(ipv6)
    elif ENDS_IN_NUMBER.fullmatch(host):
        IPv4Address(host)  # four decimal numbers: other forms mean different addresses to different programs
    elif not host.isascii():
        import httpx2  # which takes half a second, and few hosts need it

        try:
            httpx2.URL(f"https://{host}")
        except httpx2.InvalidURL as error:
            raise ValueError(str(error)) from error


def require_key(api_key: object, api_key_env: object) -> str:
    """Return the key, or that in the environment variable. Raises ValueError, which does not repeat it."""
    name = "api_key"
    if api_key is None:
        name = f"The environment variable {require_text('api_key_env', api_key_env)}"
        api_key = os.environ.get(str(api_key_env))
    if not api_key:
        raise ValueError(
            f"{name} is not set. Set it, or the option api_key; "
            f"a service that wants no key takes any, such as 'none'."
        )
    # The value is not repeated: a key must not get into an error message.
    if not isinstance(api_key, str) or not (api_key.isascii() and api_key.isprintable()) or " " in api_key:
        raise ValueError(f"{name} must be printable ASCII without spaces or line ends.")
    return api_key


def read_retry_after(error: Exception) -> float | None:
    """Return the seconds of a Retry-After header (RFC 9110, 10.2.3), at most a day; dates are not read.

    A tenant's own service may say anything, and tasks cannot be put off beyond what a date can hold.
    """
    headers = getattr(getattr(error, "response", None), "headers", {})
    seconds = headers.get("retry-after", "")
    return min(float(seconds), LONGEST_WAIT) if seconds.isdecimal() else None


def shorten(text: str, limit: int = 300) -> str:
    """Return the beginning of what a service said."""
    return text if len(text) <= limit else f"{text[:limit]}..."
