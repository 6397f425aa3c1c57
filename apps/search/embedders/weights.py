"""Finds, verifies and loads weights: files inside installed packages, or anywhere on the machine."""

import ctypes
import functools
import hashlib
import importlib.util
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .base import EmbeddingError


def once_per_process[**P, T](load: Callable[P, T]) -> Callable[P, T]:
    """Wrap `load` so that it runs once for the same arguments, whichever thread comes first.

    A forked child loads anew: it has none of its parent's threads and must not share its connections.
    A failed load is tried again by the next call.
    """
    return _once(load, os.getpid)


def once_for_forks[**P, T](load: Callable[P, T]) -> Callable[P, T]:
    """As once_per_process, but a forked child has what its parent loaded, in the same memory.

    Only for what works without threads, locks and connections of its own, as weights do that are only read.
    """
    return _once(load, lambda: 0)


def give_back_memory() -> None:
    """Give memory that was freed back to the system, as glibc does only if it is asked (malloc_trim(3)).

    A model takes far more while it is loaded than it does afterwards.
    """
    with suppress(OSError, AttributeError, TypeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def _once[**P, T](load: Callable[P, T], get_process: Callable[[], int]) -> Callable[P, T]:
    lock = threading.Lock()
    loaded: dict[tuple[object, ...], T] = {}

    @functools.wraps(load)
    def load_once(*args: P.args, **kwargs: P.kwargs) -> T:
        key = (get_process(), args, tuple(sorted(kwargs.items())))
        with lock:
            if key not in loaded:
                loaded[key] = load(*args, **kwargs)
            return loaded[key]

    return load_once


def find_package_file(package: str, path: str, *, install: str) -> Path:
    """Return the path of a file in an installed top-level package, without importing the package.

    Raises EmbeddingError that says to install `install` if the package or the file is missing.
    """
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations if spec else None) or ():
        if (file := Path(folder, path)).is_file():
            return file
    raise EmbeddingError(
        f"The file {path!r} of the Python package {package!r} is missing: "
        f"install it with `pip install {install}`."
    )


def read_verified(file: Path, sha256: str, *, install: str = "") -> bytes:
    """Return the content of `file`. Raises EmbeddingError unless its SHA-256 (FIPS 180-4) is `sha256`.

    The error says to install `install` again, or, without it, to correct the option if the file is right.
    """
    content = file.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        advice = f"Install it again with `pip install --force-reinstall {install}`."
        raise EmbeddingError(
            f"{file} is not the file this embedder was made for: its sha256 must be {sha256}, "
            f"but it is {found}. {advice if install else 'If the file is right, correct the sha256.'}"
        )
    return content


@dataclass(frozen=True)
class WeightsFile:
    """A file of a known content: `path` inside `package`, which `install` brings, or without them a path."""

    path: str
    sha256: str
    package: str = ""
    install: str = ""

    def find(self) -> Path:
        """Return where the file lies. Raises EmbeddingError if it is missing."""
        if self.package:
            return find_package_file(self.package, self.path, install=self.install)
        if (file := Path(self.path)).is_file():
            return file
        raise EmbeddingError(f"There is no file {self.path!r}.")

    def read(self) -> bytes:
        """Return its content. Raises EmbeddingError if it is missing or is another one."""
        return read_verified(self.find(), self.sha256, install=self.install)
