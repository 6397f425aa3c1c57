"""What a service allows and what it costs: LIMITS of an entry."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal

from apps.search.options.values import is_number, require_dict, require_int, require_known

from .entries import get_entry, misconfigured


@dataclass(frozen=True)
class Limits:
    """What a service allows and asks for; None for what the entry does not say.

    `price_per_million_tokens` is in whatever currency the operator uses.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    price_per_million_tokens: Decimal | None = None


def get_limits(alias: str) -> Limits:
    """Return LIMITS of an entry, all None where it has none. Raises ImproperlyConfigured."""
    entry = get_entry(alias)
    try:
        given = require_dict("LIMITS", entry.get("LIMITS") or {})
        require_known("limit", given, [field.name for field in fields(Limits)])
        return Limits(
            _read_rate("requests_per_minute", given),
            _read_rate("tokens_per_minute", given),
            _read_price(given.get("price_per_million_tokens")),
        )
    except ValueError as error:
        raise misconfigured(alias, str(error)) from error


def _read_rate(name: str, given: Mapping[str, object]) -> int | None:
    value = given.get(name)
    return None if value is None else require_int(name, value, minimum=1)


def _read_price(value: object) -> Decimal | None:
    if value is None:
        return None
    if (is_number(value) or isinstance(value, Decimal)) and 0 <= value < 1_000_000:  # type: ignore[operator]
        return Decimal(str(value))
    raise ValueError(f"price_per_million_tokens must be a number from 0 to 999,999, not {value!r}.")
