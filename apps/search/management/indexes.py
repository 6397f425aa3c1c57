"""Which indexes a command works on: the argument --index."""

from django.core.management.base import CommandError

from apps.search.indexes.registry import get_index_names


def choose_indexes(name: str | None) -> list[str]:
    """Return the index of that name, or all without one. Raises CommandError for a name that no index has."""
    known = get_index_names()
    if name is None:
        return known
    if name not in known:
        listed = ", ".join(known) or "none"
        raise CommandError(f"--index: There is no index {name!r}. Known indexes: {listed}.")
    return [name]
