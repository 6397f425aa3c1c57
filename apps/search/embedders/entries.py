"""Entries: what an alias stands for, a mapping with BACKEND, MODEL, OPTIONS, CHUNKER and LIMITS.

settings.EMBEDDINGS comes first. Other rooms may lend further entries with `register_entries`, such as those
that the bound tenant keeps in a table; this package knows nothing of where they come from.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

SPACE_KEYS = ("BACKEND", "MODEL", "OPTIONS", "CHUNKER", "LIMITS")

type Entry = Mapping[str, Any]


class EntrySource(NamedTuple):
    """Where further entries come from: one by its alias, None if there is none, and all aliases."""

    find: Callable[[str], Entry | None]
    list_aliases: Callable[[], list[str]]


_sources: list[EntrySource] = []


def register_entries(find: Callable[[str], Entry | None], list_aliases: Callable[[], list[str]]) -> None:
    """Look for aliases that settings.EMBEDDINGS lacks with `find`, too; called once, when an app is ready.

    Both functions are called often and may depend on what is bound. `find` may raise NoTenantError for an
    alias that can only be a tenant's; `list_aliases` must return none where no tenant is bound.
    """
    source = EntrySource(find, list_aliases)
    if source not in _sources:
        _sources.append(source)


def find_entry(alias: str) -> Entry | None:
    """Return the entry of an alias, the settings' before any other, or None.

    Raises ImproperlyConfigured when settings.EMBEDDINGS is no dict.
    """
    spaces = getattr(settings, "EMBEDDINGS", None)
    if not isinstance(spaces, Mapping):
        raise ImproperlyConfigured(
            "EMBEDDINGS must be a dict of aliases, each with BACKEND, MODEL and OPTIONS."
        )
    if alias in spaces:
        return spaces[alias]
    return next((entry for source in _sources if (entry := source.find(alias)) is not None), None)


def has_entry(alias: str) -> bool:
    """Return whether there is an entry of that alias, for the bound tenant if one is bound."""
    return find_entry(alias) is not None


def is_in_settings(alias: str) -> bool:
    """Return whether an entry is the settings' own, and so the same for every tenant."""
    return alias in settings.EMBEDDINGS


def list_aliases() -> list[str]:
    """Return the aliases of the settings, then those of the bound tenant."""
    lent = [alias for source in _sources for alias in source.list_aliases()]
    return list(dict.fromkeys([*settings.EMBEDDINGS, *lent]))


def get_entry(alias: str) -> Entry:
    """Return the entry of an alias. Raises ImproperlyConfigured for an unknown alias or an unknown key."""
    entry = find_entry(alias)
    if entry is None:
        known = ", ".join(map(repr, list_aliases())) or "none"
        raise misconfigured(alias, f"unknown alias; known are: {known}.")
    if not isinstance(entry, Mapping):
        raise misconfigured(alias, f"must be a dict, not {type(entry).__name__}.")
    for key in entry:
        if key not in SPACE_KEYS:
            raise misconfigured(alias, f"unknown key {key!r}; allowed are: {', '.join(SPACE_KEYS)}.")
    return entry


def misconfigured(alias: str, reason: str) -> ImproperlyConfigured:
    """Return the error that names the entry at fault."""
    return ImproperlyConfigured(f"EMBEDDINGS[{alias!r}]: {reason}")
