"""From an alias, of settings.EMBEDDINGS or of the bound tenant, to its embedder.

Every error is an ImproperlyConfigured that begins with `EMBEDDINGS['alias']:`.
"""

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from apps.search.conf import conf
from apps.search.options.instances import import_backend, make_instance

from .base import BaseEmbedder, EmbeddingError
from .entries import check_groups, get_embedder_options, get_entry, misconfigured
from .limits import get_limits

LENT_EMBEDDERS = 100  # of tenants, which come and go; those of the settings are few, and all are kept

_embedders: dict[str, BaseEmbedder] = {}
_lent: OrderedDict[str, BaseEmbedder] = OrderedDict()
_lock = threading.Lock()


def get_embedder(alias: str) -> BaseEmbedder:
    """Return the embedder of a space; the same instance for the same BACKEND and OPTIONS in a process.

    Of the spaces that are not the settings' own, the 100 used last are kept. Reads the entry at each call and
    loads no weights. Raises ImproperlyConfigured.
    """
    backend, options = get_entry(alias).get("BACKEND"), get_embedder_options(alias)
    embedders = _embedders if alias in conf.EMBEDDINGS else _lent
    try:
        embedder_class = import_backend(backend, BaseEmbedder, "an embedder")  # type: ignore[type-abstract]
        key = _make_key(str(backend), options)
        with _lock:
            if key not in embedders:
                embedders[key] = _make_embedder(embedder_class, options)
            if embedders is _lent:
                _lent.move_to_end(key)
                while len(_lent) > LENT_EMBEDDERS:
                    _lent.popitem(last=False)
            return embedders[key]
    except (TypeError, ValueError, ImproperlyConfigured) as error:
        raise misconfigured(alias, str(error)) from error


def validate_embedding_settings(alias: str) -> BaseEmbedder:
    """Check all of a space but MODEL and CHUNKER, and that all it needs is installed; return the embedder.

    Cheap enough for a system check: loads no weights and connects to nothing. Raises ImproperlyConfigured.
    """
    embedder = get_embedder(alias)
    check_groups(alias)
    get_limits(alias)
    try:
        embedder.check_requirements()
    except EmbeddingError as error:
        raise misconfigured(alias, str(error)) from error
    return embedder


def _make_key(backend: str, options: Mapping[str, Any]) -> str:
    """Return a digest: options may hold a secret, and the keys of a dict turn up in a debugger's output."""
    named = {str(name): value for name, value in options.items()}
    text = json.dumps([backend, named], sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()


def _make_embedder(embedder_class: type[BaseEmbedder], options: Mapping[str, Any]) -> BaseEmbedder:
    embedder = make_instance(embedder_class, options)
    for attribute, kind in (("dimensions", int), ("model_id", str)):
        if not isinstance(value := getattr(embedder, attribute, None), kind) or not value:
            raise ValueError(f"{embedder_class.__qualname__} must set {attribute} ({kind.__name__}).")
    return embedder
