"""From an alias of settings.EMBEDDINGS to its embedder.

Every error is an ImproperlyConfigured that begins with `EMBEDDINGS['alias']:`.
"""

import inspect
import json
import threading
from collections.abc import Callable, Container, Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from .base import BaseEmbedder, EmbeddingError
from .options import (
    FUSION_OPTIONS,
    SEARCH_OPTIONS,
    SERVICE_OPTIONS,
    check_fusion_options,
    check_search_options,
    check_service_options,
)

SPACE_KEYS = ("BACKEND", "MODEL", "OPTIONS", "CHUNKER")

_embedders: dict[tuple[str, str], BaseEmbedder] = {}
_lock = threading.Lock()


def get_embedder(alias: str) -> BaseEmbedder:
    """Return the embedder of a space; the same instance for the same BACKEND and OPTIONS in a process.

    Reads the settings at each call and loads no weights. Raises ImproperlyConfigured.
    """
    embedder_class, options = get_embedder_class(alias), _read_embedder_options(alias)
    named = {str(name): value for name, value in options.items()}
    key = (_read_backend(alias), json.dumps(named, sort_keys=True, default=repr))
    with _lock:
        if key not in _embedders:
            _embedders[key] = _make_embedder(alias, embedder_class, options)
        return _embedders[key]


def get_embedder_class(alias: str) -> type[BaseEmbedder]:
    """Import and return the class that a space names as BACKEND. Raises ImproperlyConfigured."""
    backend = _read_backend(alias)
    try:
        embedder_class = import_string(backend)
    except ImportError as error:
        raise _misconfigured(alias, f"BACKEND {backend!r} cannot be imported: {error}") from error
    if not (isinstance(embedder_class, type) and issubclass(embedder_class, BaseEmbedder)):
        base = f"{BaseEmbedder.__module__}.{BaseEmbedder.__qualname__}"
        raise _misconfigured(alias, f"BACKEND {backend!r} must be a subclass of {base}.")
    return embedder_class


def get_search_options(alias: str) -> dict[str, Any]:
    """Return those OPTIONS of a space that tune its searches: SEARCH_OPTIONS. Raises ImproperlyConfigured."""
    return _read_checked(alias, SEARCH_OPTIONS, check_search_options)


def get_fusion_options(alias: str) -> dict[str, Any]:
    """Return those OPTIONS of a space that say how its hybrid search fuses. Raises ImproperlyConfigured."""
    return _read_checked(alias, FUSION_OPTIONS, check_fusion_options)


def get_service_options(alias: str) -> dict[str, Any]:
    """Return those OPTIONS of a space that say what its service allows and costs. Raises as the others."""
    return _read_checked(alias, SERVICE_OPTIONS, check_service_options)


def get_chunker_entry(alias: str) -> object:
    """Return what a space names as CHUNKER, unchecked, or None. Raises ImproperlyConfigured."""
    return _read_space(alias).get("CHUNKER")


def validate_embedding_settings(alias: str) -> BaseEmbedder:
    """Check all of a space but MODEL and CHUNKER, and that all it needs is installed; return the embedder.

    Cheap enough for a system check: loads no weights and connects to nothing. Raises ImproperlyConfigured.
    """
    embedder = get_embedder(alias)
    get_search_options(alias)
    get_fusion_options(alias)
    get_service_options(alias)
    try:
        embedder.check_requirements()
    except EmbeddingError as error:
        raise _misconfigured(alias, str(error)) from error
    return embedder


def list_options(embedder_class: type[BaseEmbedder]) -> dict[str, bool]:
    """Return the names of an embedder's options, each with whether it is required.

    Where a constructor hands `**options` on to its base class, the base class's options count too.
    """
    required: dict[str, bool] = {}
    constructors = [vars(owner)["__init__"] for owner in embedder_class.__mro__ if "__init__" in vars(owner)]
    for constructor in constructors:
        _, *parameters = inspect.signature(constructor).parameters.values()
        for parameter in parameters:
            if parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD):
                required.setdefault(parameter.name, parameter.default is parameter.empty)
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            break
    return required


def _read_checked(
    alias: str, names: Container[str], check: Callable[[Mapping[str, object]], None]
) -> dict[str, Any]:
    options = {name: value for name, value in _read_options(alias).items() if name in names}
    try:
        check(options)
    except ValueError as error:
        raise _misconfigured(alias, str(error)) from error
    return options


def _make_embedder(
    alias: str, embedder_class: type[BaseEmbedder], options: Mapping[str, Any]
) -> BaseEmbedder:
    _check_option_names(alias, embedder_class, options)
    try:
        embedder = embedder_class(**options)
    except (TypeError, ValueError, ImproperlyConfigured) as error:
        raise _misconfigured(alias, str(error)) from error
    for attribute, kind in (("dimensions", int), ("model_id", str)):
        if not isinstance(value := getattr(embedder, attribute, None), kind) or not value:
            raise _misconfigured(
                alias, f"{embedder_class.__qualname__} must set {attribute} ({kind.__name__})."
            )
    return embedder


def _check_option_names(alias: str, embedder_class: type[BaseEmbedder], options: Mapping[str, Any]) -> None:
    required = list_options(embedder_class)
    allowed = ", ".join(sorted(required))
    for name in options:
        if name not in required:
            raise _misconfigured(
                alias, f"unknown option {name!r} for {embedder_class.__qualname__}; allowed are: {allowed}."
            )
    if missing := sorted(
        name for name, is_required in required.items() if is_required and name not in options
    ):
        names = ", ".join(missing)
        raise _misconfigured(alias, f"{embedder_class.__qualname__} requires the option(s) {names}.")


def _read_space(alias: str) -> Mapping[str, Any]:
    spaces = getattr(settings, "EMBEDDINGS", None)
    if not isinstance(spaces, Mapping):
        raise ImproperlyConfigured(
            "EMBEDDINGS must be a dict of aliases, each with BACKEND, MODEL and OPTIONS."
        )
    if alias not in spaces:
        known = ", ".join(repr(name) for name in spaces) or "none"
        raise _misconfigured(alias, f"unknown alias; known are: {known}.")
    space = spaces[alias]
    if not isinstance(space, Mapping):
        raise _misconfigured(alias, f"must be a dict, not {type(space).__name__}.")
    for key in space:
        if key not in SPACE_KEYS:
            raise _misconfigured(alias, f"unknown key {key!r}; allowed are: {', '.join(SPACE_KEYS)}.")
    return space


def _read_backend(alias: str) -> str:
    backend = _read_space(alias).get("BACKEND")
    if not isinstance(backend, str):
        raise _misconfigured(alias, f"BACKEND must be the dotted path of an embedder, not {backend!r}.")
    return backend


def _read_options(alias: str) -> Mapping[str, Any]:
    options = _read_space(alias).get("OPTIONS", {})
    if not isinstance(options, Mapping):
        raise _misconfigured(alias, f"OPTIONS must be a dict, not {type(options).__name__}.")
    return options


def _read_embedder_options(alias: str) -> dict[str, Any]:
    return {
        name: value
        for name, value in _read_options(alias).items()
        if name not in (*SEARCH_OPTIONS, *FUSION_OPTIONS, *SERVICE_OPTIONS)
    }


def _misconfigured(alias: str, reason: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"EMBEDDINGS[{alias!r}]: {reason}")
