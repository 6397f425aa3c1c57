"""Entries: what an alias stands for, a mapping with BACKEND, MODEL, OPTIONS, CHUNKER and LIMITS.

settings.EMBEDDINGS comes first. Other rooms may lend further entries with `register_entries`, such as those
that the bound tenant keeps in a table, and claim some of the OPTIONS with an `OptionGroup`. This package
knows nothing of those rooms.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from apps.search.conf import conf
from apps.search.options.values import require_dict, require_known

SPACE_KEYS = ("BACKEND", "MODEL", "OPTIONS", "CHUNKER", "LIMITS")

type Entry = Mapping[str, Any]


_sources: list[tuple[Callable[[str], Entry | None], Callable[[], list[str]]]] = []
_groups: "list[OptionGroup]" = []


@dataclass(frozen=True)
class OptionGroup:
    """OPTIONS of an entry that belong to another room than the embedders; that room declares them once.

    `check` takes those that are given and raises ValueError, which names the option, for a bad one.
    """

    names: Collection[str]
    check: Callable[[Mapping[str, object]], None]

    def __post_init__(self) -> None:
        """Keep the options from all embedders."""
        _groups.append(self)

    def read(self, alias: str) -> dict[str, Any]:
        """Return those of an entry, checked. Raises ImproperlyConfigured."""
        options = {name: value for name, value in _get_options(alias).items() if name in self.names}
        try:
            self.check(options)
        except ValueError as error:
            raise misconfigured(alias, str(error)) from error
        return options


def register_entries(find: Callable[[str], Entry | None], list_aliases: Callable[[], list[str]]) -> None:
    """Also look for aliases with `find`, after settings.EMBEDDINGS; for an AppConfig's `ready`.

    Both functions are called often and may depend on what is bound. `find` may raise NoTenantError for an
    alias that can only be a tenant's; `list_aliases` must return none where no tenant is bound.
    """
    if (find, list_aliases) not in _sources:
        _sources.append((find, list_aliases))


def find_entry(alias: str) -> Entry | None:
    """Return the entry of an alias, the settings' before any other, or None.

    Raises ImproperlyConfigured when settings.EMBEDDINGS is not a dict.
    """
    spaces = conf.EMBEDDINGS
    if not isinstance(spaces, Mapping):
        raise ImproperlyConfigured(
            "EMBEDDINGS must be a dict of aliases, each with BACKEND, MODEL and OPTIONS."
        )
    if alias in spaces:
        return spaces[alias]
    return next((entry for find, _ in _sources if (entry := find(alias)) is not None), None)


def has_entry(alias: str) -> bool:
    """Return whether there is an entry of that alias, for the bound tenant if one is bound."""
    return find_entry(alias) is not None


def list_aliases() -> list[str]:
    """Return the aliases of the settings, then those of the bound tenant."""
    lent = [alias for _, list_lent in _sources for alias in list_lent()]
    return list(dict.fromkeys([*conf.EMBEDDINGS, *lent]))


def get_entry(alias: str) -> Entry:
    """Return the entry of an alias. Raises ImproperlyConfigured for an unknown alias or an unknown key."""
    entry = find_entry(alias)
    if entry is None:
        known = ", ".join(map(repr, list_aliases())) or "none"
        raise misconfigured(alias, f"unknown alias; known are: {known}.")
    if not isinstance(entry, Mapping):
        raise misconfigured(alias, f"must be a dict, not {type(entry).__name__}.")
    try:
        require_known("key", entry, SPACE_KEYS)
    except ValueError as error:
        raise misconfigured(alias, str(error)) from error
    return entry


def get_embedder_options(alias: str) -> dict[str, Any]:
    """Return the OPTIONS of an entry that are its embedder's own, unchecked. Raises ImproperlyConfigured."""
    claimed = {name for group in _groups for name in group.names}
    return {name: value for name, value in _get_options(alias).items() if name not in claimed}


def check_groups(alias: str) -> None:
    """Check those OPTIONS of an entry that are not its embedder's. Raises ImproperlyConfigured."""
    for group in _groups:
        group.read(alias)


def misconfigured(alias: str, reason: str) -> ImproperlyConfigured:
    """Return the error that names the entry at fault."""
    return ImproperlyConfigured(f"EMBEDDINGS[{alias!r}]: {reason}")


def _get_options(alias: str) -> Mapping[str, Any]:
    try:
        return require_dict("OPTIONS", get_entry(alias).get("OPTIONS", {}))
    except ValueError as error:
        raise misconfigured(alias, str(error)) from error
