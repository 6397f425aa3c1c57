"""How hard an ANN search tries: pgvector's run-time parameters, for one statement at a time.

Parameters: pgvector's manual, "HNSW", "IVFFlat" and "Iterative Index Scans".
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from django.db import connection

from apps.search.embedders import OptionGroup, has_entry

# OPTIONS of a space, each with the parameter that it sets and with its range or its words.
SEARCH_OPTIONS: dict[str, tuple[str, range | tuple[str, ...]]] = {
    "ef_search": ("hnsw.ef_search", range(1, 1_001)),
    "max_scan_tuples": ("hnsw.max_scan_tuples", range(1, 2**31)),
    "iterative_scan": ("hnsw.iterative_scan", ("strict_order", "relaxed_order", "off")),
    "probes": ("ivfflat.probes", range(1, 32_769)),
    "max_probes": ("ivfflat.max_probes", range(1, 32_769)),
    "ivfflat_iterative_scan": ("ivfflat.iterative_scan", ("relaxed_order", "off")),
}
DEFAULT_EF_SEARCH = 40  # pgvector's own
type Tuning = Mapping[str, int | str]


def check_search_options(options: Mapping[str, object]) -> None:
    """Raise ValueError, naming the option, its value and what is allowed, for a bad search option."""
    for name, value in options.items():
        if name not in SEARCH_OPTIONS:
            raise ValueError(f"Unknown search option {name!r}. Allowed: {', '.join(SEARCH_OPTIONS)}.")
        _, allowed = SEARCH_OPTIONS[name]
        is_range = isinstance(allowed, range)
        if type(value) is not (int if is_range else str) or value not in allowed:
            words = f"{allowed[0]:,} to {allowed[-1]:,}" if is_range else ", ".join(map(str, allowed))
            raise ValueError(f"{name} is {value!r}; allowed: {words}.")


options_of_searches = OptionGroup(tuple(SEARCH_OPTIONS), check_search_options)


def get_tuning(space: str) -> Tuning:
    """Return the search options of a space: those in OPTIONS of its entry."""
    return options_of_searches.read(space) if has_entry(space) else {}


def get_ef_search() -> int:
    """Return how many candidates a search has that nobody tunes: what settings.DATABASES says."""
    options = connection.settings_dict["OPTIONS"].get("options", "")
    found = re.search(r"hnsw\.ef_search=(\d+)", options)
    return int(found[1]) if found else DEFAULT_EF_SEARCH


def tuned(tuning: Tuning) -> AbstractContextManager[None]:
    """Return a context manager in which statements run with these parameters, at no further round trip.

    Each statement is sent together with `SET LOCAL`, which ends with it (or with the caller's transaction).
    Raises ValueError for an unknown parameter or a bad value.
    """
    if not tuning:
        return nullcontext()
    check_search_options(tuning)
    return _prefixed([f"SET LOCAL {SEARCH_OPTIONS[name][0]} = '{value}'; " for name, value in tuning.items()])


@contextmanager
def _prefixed(statements: list[str]) -> Iterator[None]:
    prefix = "".join(statements)

    def send(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        # Only searches are tuned; a statement such as SET search_path goes as it is.
        if many or not sql.startswith(("SELECT", "EXPLAIN")):
            return execute(sql, params, many, context)
        result = execute(prefix + sql, params, many, context)
        for _ in statements:
            context["cursor"].nextset()
        return result

    with connection.execute_wrapper(send):
        yield
