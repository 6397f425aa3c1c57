"""Read the records of an import out of text, Markdown, HTML, JSON Lines and CSV files.

Nothing here knows the database. A record that cannot be taken is yielded as Rejected, never raised, so
that the rest of an import goes on. JSON Lines and CSV files are streamed: the memory needed depends on
the longest record, not on the file.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from apps.articles.importing.formats import READERS
from apps.articles.importing.records import Record, Rejected, reject

__all__ = ["Record", "Rejected", "count_bytes", "read_paths", "read_records"]

OnBytes = Callable[[int], object]


class _File(NamedTuple):
    path: Path
    label: str  # its path as read_paths says, with slashes; the key of a whole-file record


def read_paths(paths: Iterable[Path], on_bytes: OnBytes | None = None) -> Iterator[Record | Rejected]:
    """Yield the records of files and of all files with a known suffix below folders, sorted by path.

    Hidden files are left out, symbolic links are followed and no folder below is read twice. A file that
    is named itself is read even if hidden, and is Rejected if its suffix is not known. Keys are relative to
    the folder that was given, or, of several paths, to the innermost folder that holds them all; so files of
    equal names have keys of their own. A key that files name themselves may be yielded more than once.

    on_bytes is called with the number of bytes done since its last call, as count_bytes counts them.
    """
    for found in _find(paths):
        if isinstance(found, Rejected):
            yield found
        else:
            yield from _read_file(found, on_bytes)


def read_records(path: Path, on_bytes: OnBytes | None = None) -> Iterator[Record | Rejected]:
    """Yield the records of one .txt, .md, .html, .htm, .jsonl or .csv file; see read_paths.

    .txt, .md, .html: one record. Its key is the file's path below the folder given, its title the first
    line, the first heading or the page's title, failing that the file's name.
    .jsonl: one JSON object a line with the texts key, body and optionally title; others are ignored.
    .csv: the same as columns, named by a header line (RFC 4180, separated by commas).
    Everything is UTF-8, with or without a byte order mark.
    """
    yield from _read_file(_File(path, path.name), on_bytes)


def count_bytes(paths: Iterable[Path]) -> int:
    """Return the size of all files that read_paths would read, in bytes."""
    return sum(_size(found.path) for found in _find(paths) if isinstance(found, _File))


def _size(path: Path) -> int:
    try:
        status = path.stat()
    except OSError:  # reading it will tell why
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) and path.suffix.lower() in READERS else 0


def _find(paths: Iterable[Path]) -> Iterator[_File | Rejected]:
    given = [Path(os.path.abspath(path)) for path in paths]
    folders = [path if os.path.isdir(path) else path.parent for path in given]
    top = Path(os.path.commonpath(folders)) if folders else Path()
    for path, folder in zip(given, folders, strict=True):
        label = path.relative_to(top).as_posix()
        if path == folder:
            yield from _find_below(path, "" if label == "." else label)
        else:
            yield _File(path, label)


def _find_below(folder: Path, label: str) -> Iterator[_File | Rejected]:
    seen: set[tuple[int, int]] = set()
    waiting = [(folder, label)]
    while waiting:
        path, label = waiting.pop()
        # os.path.isdir says False where Path.is_dir of Python 3.12 raises PermissionError.
        if os.path.isdir(path):
            try:
                names = _visible_names(path, seen)
            except OSError as error:
                yield _unreadable(label or str(path), error)
                continue
            waiting += [(path / name, f"{label}/{name}" if label else name) for name in names]
        elif path.suffix.lower() in READERS and not _is_link_to_itself(path):
            yield _File(path, label)


def _visible_names(folder: Path, seen: set[tuple[int, int]]) -> list[str]:
    status = folder.stat()
    identity = (status.st_dev, status.st_ino)
    if identity in seen:  # a loop of symbolic links, or a second way to the same folder
        return []
    seen.add(identity)
    return sorted((name for name in os.listdir(folder) if not name.startswith(".")), reverse=True)


def _is_link_to_itself(path: Path) -> bool:
    try:
        path.stat()
    except OSError as error:
        return error.errno == errno.ELOOP
    return False


def _read_file(file: _File, on_bytes: OnBytes | None) -> Iterator[Record | Rejected]:
    try:
        status = file.path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a named pipe would wait for ever
            yield reject(file.label, "This is a folder or a device; only regular files are read.")
            return
        reader = READERS.get(file.path.suffix.lower())
        if reader is None:
            known = ", ".join(READERS)
            yield reject(file.label, f"The suffix {file.path.suffix!r} is unknown; allowed are {known}.")
            return
        with file.path.open("rb") as stream:
            yield from _with_progress(reader(stream, file.label), stream, status.st_size, on_bytes)
    except OSError as error:
        yield _unreadable(file.label, error)


def _with_progress(
    items: Iterator[Record | Rejected], stream: BinaryIO, size: int, on_bytes: OnBytes | None
) -> Iterator[Record | Rejected]:
    done = 0
    for item in items:
        position = min(stream.tell(), size)
        if on_bytes and position > done:
            on_bytes(position - done)
        done = max(done, position)
        yield item
    if on_bytes and size > done:
        on_bytes(size - done)


def _unreadable(label: str, error: OSError) -> Rejected:
    return reject(label, f"This cannot be read ({error.strerror}); it must exist and be readable.")
