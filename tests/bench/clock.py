"""How long something takes."""

from collections.abc import Callable
from time import perf_counter
from typing import Any


def seconds(function: Callable[[], Any]) -> float:
    """Call it and return the seconds that it took."""
    began = perf_counter()
    function()
    return perf_counter() - began
