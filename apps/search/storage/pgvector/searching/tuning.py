"""How hard an index search tries: pgvector's run-time parameters, for one statement at a time.

Parameters: pgvector's manual, "HNSW", "IVFFlat" and "Iterative Index Scans".
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

from django.db import connection

from apps.search.embedders import get_search_options, has_entry
from apps.search.embedders.options import check_search_options

# The parameter that each option sets.
PARAMETERS = {
    "ef_search": "hnsw.ef_search",
    "max_scan_tuples": "hnsw.max_scan_tuples",
    "iterative_scan": "hnsw.iterative_scan",
    "probes": "ivfflat.probes",
    "max_probes": "ivfflat.max_probes",
    "ivfflat_iterative_scan": "ivfflat.iterative_scan",
}
DEFAULT_EF_SEARCH = 40  # pgvector's own
type Tuning = Mapping[str, int | str]


def get_tuning(space: str) -> Tuning:
    """Return the search options of a space: those in OPTIONS of its entry."""
    return get_search_options(space) if has_entry(space) else {}


def get_ef_search() -> int:
    """Return how many candidates a search that nobody tunes has: what settings.DATABASES says."""
    options = connection.settings_dict["OPTIONS"].get("options", "")
    found = re.search(r"hnsw\.ef_search=(\d+)", options)
    return int(found[1]) if found else DEFAULT_EF_SEARCH


def tuned(tuning: Tuning) -> Any:
    """Return a context manager in which statements run with these parameters, at no further round trip.

    Each statement is sent together with `SET LOCAL`, which ends with it (or with the caller's transaction).
    """
    return _prefixed(_statements(tuning)) if tuning else nullcontext()


def _statements(tuning: Tuning) -> str:
    check_search_options(tuning)
    return "".join(f"SET LOCAL {PARAMETERS[name]} = '{value}'; " for name, value in tuning.items())


@contextmanager
def _prefixed(prefix: str) -> Iterator[None]:
    count = prefix.count(";")

    def send(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        # Only searches are tuned; a statement such as SET search_path goes as it is.
        if many or not sql.startswith(("SELECT", "EXPLAIN")):
            return execute(sql, params, many, context)
        result = execute(prefix + sql, params, many, context)
        for _ in range(count):
            context["cursor"].nextset()
        return result

    with connection.execute_wrapper(send):
        yield
