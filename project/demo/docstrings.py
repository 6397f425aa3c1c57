"""Real documents that every machine with Python has: the docstrings of an installed package.

Nothing is committed: they are read from the running interpreter at import.
"""

import contextlib
import importlib
import importlib.util
import inspect
import io
import json
import pkgutil
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

SHORTEST = 80  # characters: below that a docstring says little more than the name
SKIPPED = (
    "test",
    "tests",
    "idlelib",
    "antigravity",
    "this",
    "lib2to3",
    "turtledemo",
    "ensurepip",
    "__main__",
    "gis",
)


def write_docstrings(path: Path, package: str, limit: int) -> int:
    """Write up to `limit` docstrings as JSON lines (key, title, body) and return how many.

    `package` is an installed package, or "python" for the standard library. Modules come first, then
    classes, then functions, the longest first within each.
    """
    found = sorted(_collect(package), key=lambda item: (item[0], -len(item[3])))[:limit]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for _, key, title, body in found:
            record = {"key": key, "title": title, "body": body, "source": key.split(".")[0]}
            file.write(json.dumps(record) + "\n")
    return len(found)


def _collect(package: str) -> Iterator[tuple[int, str, str, str]]:
    """Yield (rank, key, title, docstring), each docstring once: modules rank 0, classes 1, functions 2."""
    seen: set[str] = set()
    for module in _modules(package):
        for rank, name, thing in _documented(module):
            body = (inspect.getdoc(thing) or "").strip()
            if len(body) >= SHORTEST and body not in seen:
                seen.add(body)
                yield rank, name, f"{name} ({('module', 'class', 'function')[rank]})", body


def _documented(module: ModuleType) -> Iterator[tuple[int, str, Any]]:
    yield 0, module.__name__, module
    for name, thing in sorted(vars(module).items()):
        if name.startswith("_") or getattr(thing, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(thing):
            yield 1, f"{module.__name__}.{name}", thing
            for attribute, member in sorted(vars(thing).items()):
                if inspect.isroutine(member) and not attribute.startswith("_"):
                    yield 2, f"{module.__name__}.{name}.{attribute}", member
        elif inspect.isroutine(thing):
            yield 2, f"{module.__name__}.{name}", thing


def _modules(package: str) -> Iterator[ModuleType]:
    for name in _module_names(package):
        # Importing a module of somebody else may print, warn, or fail for want of a library or a platform.
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.suppress(Exception),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            yield importlib.import_module(name)


def _module_names(package: str) -> list[str]:
    names = []
    for root in sorted(sys.stdlib_module_names) if package == "python" else [package]:
        if _is_public(root):
            names.append(root)
            with contextlib.suppress(ImportError, AttributeError):
                spec = importlib.util.find_spec(root)
                folders = (spec and spec.submodule_search_locations) or []
                walk = pkgutil.walk_packages(folders, f"{root}.", onerror=lambda name: None)
                names += [module.name for module in walk if _is_public(module.name)]
    return names


def _is_public(name: str) -> bool:
    return not any(part.startswith("_") or part in SKIPPED for part in name.split("."))
