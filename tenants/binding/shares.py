"""How much of a machine one tenant may have at a time, so that it leaves room for its neighbours.

A share is so many slots for one kind of work. All processes of a machine count together: a slot is a lock on
a file, which the system gives back when its holder is gone (`man 2 flock`). Where no file can be locked, each
process counts by itself. Whoever finds no slot free waits in a short line and is then refused: a line keeps a
client that never pauses from asking again at once, and it must be shorter than a process has threads.
"""

import os
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from weakref import WeakValueDictionary

from tenants.context import connection, get_current_schema
from tenants.postgresql.pool import is_from_pool

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]

LOOK_AGAIN = 0.02  # seconds; another process says nothing when it gives a slot back


class BusyError(RuntimeError):
    """The bound tenant has its whole share of some work already, and others in line for it."""


@contextmanager
def share(kind: str, *, at_once: int, in_line: int, patience: float) -> Iterator[None]:
    """Hold one of the bound tenant's `at_once` slots for a kind of work during the block.

    If all are taken, waits for at most `patience` seconds, among at most `in_line` others of the tenant in
    this process. Raises BusyError if the line is full or the patience is at its end. A session of a pool goes
    back to it meanwhile. Not to be nested for the same kind.
    """
    line = _get_line(f"{kind}.{get_current_schema()}")
    slot = line.enter(at_once, in_line, time.monotonic() + patience)
    try:
        yield
    finally:
        line.leave(slot)


class _Line:
    """The holders of a tenant's slots in this process, and those who wait for one."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._changed = threading.Condition()
        self._held: dict[int, int | None] = {}  # the number of a slot -> its file
        self._waiting: deque[object] = deque()

    def enter(self, at_once: int, in_line: int, until: float) -> int:
        with self._changed:
            slot = None if self._waiting else self._take(at_once)
            if slot is not None:
                return slot
            if len(self._waiting) >= in_line:
                raise BusyError(f"{self._name}: {at_once} at once and {in_line} in line are allowed.")
            own = object()
            self._waiting.append(own)
        try:
            _give_session_back()
            with self._changed:
                while slot is None:
                    if (left := until - time.monotonic()) <= 0:
                        raise BusyError(f"{self._name}: none of {at_once} at once became free.")
                    is_first = self._waiting[0] is own
                    self._changed.wait(min(left, LOOK_AGAIN) if is_first else left)
                    slot = self._take(at_once) if self._waiting[0] is own else None
                return slot
        finally:
            with self._changed:
                self._waiting.remove(own)
                self._changed.notify_all()

    def leave(self, slot: int) -> None:
        with self._changed:
            if (file := self._held.pop(slot)) is not None:
                os.close(file)
            self._changed.notify_all()

    def _take(self, at_once: int) -> int | None:
        for slot in range(at_once):
            if slot not in self._held:
                try:
                    self._held[slot] = _lock_file(f"{self._name}.{slot}")
                except BlockingIOError:  # another process has it
                    continue
                return slot
        return None


_lines: WeakValueDictionary[str, _Line] = WeakValueDictionary()
_lines_lock = threading.Lock()


def _get_line(name: str) -> _Line:
    with _lines_lock:
        if (line := _lines.get(name)) is None:
            line = _lines[name] = _Line(name)
        return line


def _lock_file(name: str) -> int | None:
    """Return a locked file, None where files cannot be locked. Raises BlockingIOError if it is taken."""
    if fcntl is None:
        return None
    folder = Path(tempfile.gettempdir(), f"shares-{os.getuid()}-{_get_database()}")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        file = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(file)
        raise
    return file


def _get_database() -> str:
    address = "\n".join(str(connection.settings_dict[part]) for part in ("HOST", "PORT", "NAME"))
    return sha256(address.encode()).hexdigest()[:16]


def _give_session_back() -> None:
    if is_from_pool(connection.connection) and not connection.in_atomic_block:
        connection.close()
