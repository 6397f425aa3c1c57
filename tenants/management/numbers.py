"""Numbers that commands take as options."""

from argparse import ArgumentTypeError
from collections.abc import Callable


def number_within(
    read: Callable[[str], float], least: float, most: float | None = None, *, unit: str = ""
) -> Callable[[str], float]:
    """Return a type for `add_argument`: `read` is int or float, the bounds are allowed."""
    kind = ("whole number" if read is int else "number") + (f" of {unit}" if unit else "")
    allowed = f"of at least {least}" if most is None else f"from {least} to {most}"

    def parse(text: str) -> float:
        try:
            value = read(text)
        except ValueError:
            value = least - 1
        if not least <= value or (most is not None and value > most):
            raise ArgumentTypeError(f"must be a {kind} {allowed}, not {text!r}.")
        return value

    return parse
