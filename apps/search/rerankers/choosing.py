"""From an alias of settings.RERANKERS to its reranker.

Every error is an ImproperlyConfigured that begins with `RERANKERS['alias']:`.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from apps.search.conf import conf
from apps.search.options.instances import import_backend, make_instance
from apps.search.options.values import require_dict, require_int, require_known, require_seconds

from .reranker import BaseReranker, RerankError

KEYS = ("BACKEND", "OPTIONS", "WINDOW", "SECONDS")
WINDOW = 50  # documents
MOST = 200
SECONDS = 2.0

_chosen: "dict[str, tuple[Mapping[str, Any], ChosenReranker]]" = {}
_lock = threading.Lock()


@dataclass(frozen=True)
class ChosenReranker:
    """A reranker with its alias, how many documents it looks at, and how many seconds it has."""

    alias: str
    reranker: BaseReranker
    window: int = WINDOW
    seconds: float = SECONDS


def list_rerankers() -> list[str]:
    """Return the aliases of settings.RERANKERS. Raises ImproperlyConfigured when that is not a dict."""
    if not isinstance(conf.RERANKERS, Mapping):
        raise ImproperlyConfigured("RERANKERS must be a dict of aliases, each with BACKEND and OPTIONS.")
    return list(conf.RERANKERS)


def get_reranker(alias: str) -> ChosenReranker:
    """Return the reranker of an alias; the same instance for the same entry in a process.

    Loads and connects to nothing. Raises ImproperlyConfigured.
    """
    if alias not in list_rerankers():
        known = ", ".join(map(repr, conf.RERANKERS)) or "none"
        raise ImproperlyConfigured(f"RERANKERS[{alias!r}]: unknown alias; known are: {known}.")
    try:
        entry = require_dict("the entry", conf.RERANKERS[alias])
        with _lock:
            if alias not in _chosen or _chosen[alias][0] != entry:
                _chosen[alias] = dict(entry), _make(alias, entry)
            return _chosen[alias][1]
    except (TypeError, ValueError, ImproperlyConfigured, RerankError) as error:
        raise ImproperlyConfigured(f"RERANKERS[{alias!r}]: {error}") from error


def _make(alias: str, entry: Mapping[str, Any]) -> ChosenReranker:
    require_known("key", entry, KEYS)
    chosen = import_backend(entry.get("BACKEND"), BaseReranker, "a reranker")  # type: ignore[type-abstract]
    return ChosenReranker(
        alias,
        make_instance(chosen, require_dict("OPTIONS", entry.get("OPTIONS", {}))),
        require_int("WINDOW", entry.get("WINDOW", WINDOW), minimum=2, maximum=MOST),
        require_seconds("SECONDS", entry.get("SECONDS", SECONDS)),
    )
