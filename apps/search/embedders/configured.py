"""From an alias, of settings.EMBEDDINGS or of the bound tenant, to its embedder.

Every error is an ImproperlyConfigured that begins with `EMBEDDINGS['alias']:`.
"""

import hashlib
import inspect
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Container, Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from .base import BaseEmbedder, EmbeddingError
from .entries import get_entry, is_in_settings, misconfigured
from .limits import get_limits
from .options import FUSION_OPTIONS, SEARCH_OPTIONS, check_fusion_options, check_search_options

# Those of the settings hold weights and are as few as the settings say; the tenants' come and go.
LENT_EMBEDDERS = 100

_embedders: dict[str, BaseEmbedder] = {}
_lent: OrderedDict[str, BaseEmbedder] = OrderedDict()
_lock = threading.Lock()


def get_embedder(alias: str) -> BaseEmbedder:
    """Return the embedder of a space; the same instance for the same BACKEND and OPTIONS in a process.

    Of the spaces that are not the settings' own, the 100 used last are kept. Reads the entry at each call and
    loads no weights. Raises ImproperlyConfigured.
    """
    embedder_class, options = get_embedder_class(alias), _read_embedder_options(alias)
    embedders = _embedders if is_in_settings(alias) else _lent
    key = _make_key(_read_backend(alias), options)
    with _lock:
        if key not in embedders:
            embedders[key] = _make_embedder(alias, embedder_class, options)
        if embedders is _lent:
            _lent.move_to_end(key)
            while len(_lent) > LENT_EMBEDDERS:
                _lent.popitem(last=False)
        return embedders[key]


def get_embedder_class(alias: str) -> type[BaseEmbedder]:
    """Import and return the class that a space names as BACKEND. Raises ImproperlyConfigured."""
    backend = _read_backend(alias)
    try:
        embedder_class = import_string(backend)
    except ImportError as error:
        raise misconfigured(alias, f"BACKEND {backend!r} cannot be imported: {error}") from error
    if not (isinstance(embedder_class, type) and issubclass(embedder_class, BaseEmbedder)):
        base = f"{BaseEmbedder.__module__}.{BaseEmbedder.__qualname__}"
        raise misconfigured(alias, f"BACKEND {backend!r} must be a subclass of {base}.")
    return embedder_class


def get_search_options(alias: str) -> dict[str, Any]:
    """Return those OPTIONS of a space that tune its searches: SEARCH_OPTIONS. Raises ImproperlyConfigured."""
    return _read_checked(alias, SEARCH_OPTIONS, check_search_options)


def get_fusion_options(alias: str) -> dict[str, Any]:
    """Return those OPTIONS of a space that say how its hybrid search fuses. Raises ImproperlyConfigured."""
    return _read_checked(alias, FUSION_OPTIONS, check_fusion_options)


def get_chunker_entry(alias: str) -> object:
    """Return what a space names as CHUNKER, unchecked, or None. Raises ImproperlyConfigured."""
    return get_entry(alias).get("CHUNKER")


def validate_embedding_settings(alias: str) -> BaseEmbedder:
    """Check all of a space but MODEL and CHUNKER, and that all it needs is installed; return the embedder.

    Cheap enough for a system check: loads no weights and connects to nothing. Raises ImproperlyConfigured.
    """
    embedder = get_embedder(alias)
    get_search_options(alias)
    get_fusion_options(alias)
    get_limits(alias)
    try:
        embedder.check_requirements()
    except EmbeddingError as error:
        raise misconfigured(alias, str(error)) from error
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


def _make_key(backend: str, options: Mapping[str, Any]) -> str:
    """Hashed, since the options may hold a key and what is in a dict turns up in a debugger's output."""
    named = {str(name): value for name, value in options.items()}
    text = json.dumps([backend, named], sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()


def _read_checked(
    alias: str, names: Container[str], check: Callable[[Mapping[str, object]], None]
) -> dict[str, Any]:
    options = {name: value for name, value in _read_options(alias).items() if name in names}
    try:
        check(options)
    except ValueError as error:
        raise misconfigured(alias, str(error)) from error
    return options


def _make_embedder(
    alias: str, embedder_class: type[BaseEmbedder], options: Mapping[str, Any]
) -> BaseEmbedder:
    _check_option_names(alias, embedder_class, options)
    try:
        embedder = embedder_class(**options)
    except (TypeError, ValueError, ImproperlyConfigured) as error:
        raise misconfigured(alias, str(error)) from error
    for attribute, kind in (("dimensions", int), ("model_id", str)):
        if not isinstance(value := getattr(embedder, attribute, None), kind) or not value:
            raise misconfigured(
                alias, f"{embedder_class.__qualname__} must set {attribute} ({kind.__name__})."
            )
    return embedder


def _check_option_names(alias: str, embedder_class: type[BaseEmbedder], options: Mapping[str, Any]) -> None:
    required = list_options(embedder_class)
    allowed = ", ".join(sorted(required))
    for name in options:
        if name not in required:
            raise misconfigured(
                alias, f"unknown option {name!r} for {embedder_class.__qualname__}; allowed are: {allowed}."
            )
    if missing := sorted(
        name for name, is_required in required.items() if is_required and name not in options
    ):
        names = ", ".join(missing)
        raise misconfigured(alias, f"{embedder_class.__qualname__} requires the option(s) {names}.")


def _read_backend(alias: str) -> str:
    backend = get_entry(alias).get("BACKEND")
    if not isinstance(backend, str):
        raise misconfigured(alias, f"BACKEND must be the dotted path of an embedder, not {backend!r}.")
    return backend


def _read_options(alias: str) -> Mapping[str, Any]:
    options = get_entry(alias).get("OPTIONS", {})
    if not isinstance(options, Mapping):
        raise misconfigured(alias, f"OPTIONS must be a dict, not {type(options).__name__}.")
    return options


def _read_embedder_options(alias: str) -> dict[str, Any]:
    return {
        name: value
        for name, value in _read_options(alias).items()
        if name not in (*SEARCH_OPTIONS, *FUSION_OPTIONS)
    }
