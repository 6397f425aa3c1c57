"""From BACKEND and OPTIONS, as settings write them, to a chunker."""

import inspect
from collections.abc import Mapping
from typing import Any

from django.utils.module_loading import import_string

from apps.search.chunking.base import Chunker

ENTRY_KEYS = ("BACKEND", "OPTIONS")


def make_chunker(entry: object, name: str) -> Chunker:
    """Return the chunker of an entry {"BACKEND": dotted path, "OPTIONS": {...}}.

    Raises ValueError that begins with the name of the entry and says what is wrong with it.
    """
    try:
        settings = _require_dict(entry, "it", ENTRY_KEYS)
        chunker_class = _import_chunker(settings.get("BACKEND"))
        options = _require_dict(settings.get("OPTIONS", {}), "OPTIONS")
        _check_names(chunker_class, options)
        return chunker_class(**options)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _require_dict(value: object, name: str, keys: tuple[str, ...] = ()) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} must be a dict, not {type(value).__name__}.")
    if keys and (unknown := [key for key in value if key not in keys]):
        raise ValueError(f"unknown key {unknown[0]!r}; allowed are: {', '.join(keys)}.")
    return value


def _import_chunker(backend: object) -> type[Chunker]:
    if not isinstance(backend, str):
        raise ValueError(f"BACKEND must be the dotted path of a chunker, not {backend!r}.")
    try:
        chunker_class = import_string(backend)
    except ImportError as error:
        raise ValueError(f"BACKEND {backend!r} cannot be imported: {error}.") from error
    if not (isinstance(chunker_class, type) and issubclass(chunker_class, Chunker)):
        raise ValueError(f"BACKEND {backend!r} must be a subclass of apps.search.chunking.Chunker.")
    if inspect.isabstract(chunker_class):
        raise ValueError(f"BACKEND {backend!r} is abstract; name a subclass that writes chunk.")
    return chunker_class


def _check_names(chunker_class: type[Chunker], options: Mapping[str, Any]) -> None:
    parameters = inspect.signature(chunker_class).parameters
    allowed = ", ".join(sorted(parameters)) or "none"
    for name in options:
        if name not in parameters:
            raise ValueError(f"unknown option {name!r} for {chunker_class.__name__}; allowed are: {allowed}.")
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty and name not in options:
            raise ValueError(f"{chunker_class.__name__} requires the option {name!r}.")
