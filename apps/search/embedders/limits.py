"""What a service allows and what it costs: LIMITS of an entry."""

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
        limits = {name: value for name, value in given.items() if value is not None}
        for name in ("requests_per_minute", "tokens_per_minute"):
            require_int(name, limits.get(name, 1), minimum=1)
        if (price := limits.pop("price_per_million_tokens", None)) is not None:
            if not ((is_number(price) or isinstance(price, Decimal)) and 0 <= price < 1_000_000):
                raise ValueError(
                    f"price_per_million_tokens must be a number from 0 to 999,999, not {price!r}."
                )
            limits["price_per_million_tokens"] = Decimal(str(price))
        return Limits(**limits)
    except ValueError as error:
        raise misconfigured(alias, str(error)) from error
