"""From BACKEND and OPTIONS, as settings write them, to an instance."""

import inspect
from collections.abc import Mapping
from typing import Any

from django.utils.module_loading import import_string

from apps.search.options.values import require_known


def import_backend[T](backend: object, base: type[T], kind: str) -> type[T]:
    """Return the subclass of `base` at a dotted path; `kind` is what it is called, such as "an embedder".

    Raises ValueError that begins with BACKEND.
    """
    if not isinstance(backend, str):
        raise ValueError(f"BACKEND must be the dotted path of {kind}, not {backend!r}.")
    try:
        found = import_string(backend)
    except ImportError as error:
        raise ValueError(f"BACKEND {backend!r} cannot be imported: {error}.") from error
    if not (isinstance(found, type) and issubclass(found, base)):
        package = base.__module__.rpartition(".")[0]  # which exports it
        raise ValueError(f"BACKEND {backend!r} must be a subclass of {package}.{base.__name__}.")
    if inspect.isabstract(found):
        methods = ", ".join(sorted(found.__abstractmethods__))  # type: ignore[attr-defined]
        raise ValueError(f"BACKEND {backend!r} is abstract; name a subclass that writes {methods}.")
    return found


def make_instance[T](chosen: type[T], options: Mapping[str, Any]) -> T:
    """Return an instance with these options.

    Raises ValueError for unknown and missing options, and what the constructor raises for bad ones.
    """
    required, name = list_options(chosen), chosen.__qualname__
    require_known("option", options, sorted(required), of=name)
    if missing := sorted(option for option in required if required[option] and option not in options):
        raise ValueError(f"{name} requires the option(s) {', '.join(missing)}.")
    return chosen(**options)


def list_options(chosen: type) -> dict[str, bool]:
    """Return the names of the constructor's options, each with whether it is required.

    Where a constructor hands `**options` on to its base class, the base class's options count too.
    """
    required: dict[str, bool] = {}
    constructors = [vars(owner)["__init__"] for owner in chosen.__mro__ if "__init__" in vars(owner)]
    for constructor in constructors:
        _, *parameters = inspect.signature(constructor).parameters.values()
        for parameter in parameters:
            if parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD):
                required.setdefault(parameter.name, parameter.default is parameter.empty)
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            break
    return required
