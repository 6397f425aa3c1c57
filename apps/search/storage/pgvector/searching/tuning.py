"""How hard an ANN search tries: pgvector's run-time parameters, for one statement at a time.

Parameters: pgvector's manual, "HNSW", "IVFFlat" and "Iterative Index Scans".
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from math import ceil
from typing import Any

from django.db import connection

from apps.search.embedders import OptionGroup, has_entry
from apps.search.options.values import is_number
from apps.search.storage.pgvector.conf import conf

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
DEFAULT_SCAN_TUPLES = 20_000  # pgvector's own
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


def check_recall(options: Mapping[str, object]) -> None:
    """Raise ValueError, naming its value and what is allowed, for a bad recall."""
    recall = options.get("recall", 0.9)
    if not is_number(recall) or not 0.5 <= recall <= 1:  # type: ignore[operator]
        raise ValueError(f"recall is {recall!r}; allowed: a number from 0.5 to 1.")


options_of_searches = OptionGroup(tuple(SEARCH_OPTIONS), check_search_options)
options_of_recall = OptionGroup(("recall",), check_recall)


def get_tuning(space: str) -> Tuning:
    """Return the search options of a space: those in OPTIONS of its entry."""
    return options_of_searches.read(space) if has_entry(space) else {}


def get_recall(space: str) -> float:
    """Return the recall that searches of a space are to reach: that in OPTIONS, else PGVECTOR["RECALL"]."""
    own = options_of_recall.read(space) if has_entry(space) else {}
    return own.get("recall", conf.RECALL)


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
    values = {SEARCH_OPTIONS[name][0]: value for name, value in tuning.items()}
    tuples = int(tuning.get("max_scan_tuples", 0))
    if tuples > DEFAULT_SCAN_TUPLES:
        # A scan also ends when its memory does: with work_mem's default near 20,000 rows.
        values["hnsw.scan_mem_multiplier"] = min(1_000, 2 * ceil(tuples / DEFAULT_SCAN_TUPLES))
    return _prefixed([f"SET LOCAL {parameter} = '{value}'; " for parameter, value in values.items()])


@contextmanager
def _prefixed(statements: list[str]) -> Iterator[None]:
    prefix = "".join(statements)

    def send(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        # Only searches are tuned; a statement such as SET search_path goes as it is.
        if many or not sql.startswith(("SELECT", "EXPLAIN", "WITH")):
            return execute(sql, params, many, context)
        result = execute(prefix + sql, params, many, context)
        for _ in statements:
            context["cursor"].nextset()
        return result

    with connection.execute_wrapper(send):
        yield
