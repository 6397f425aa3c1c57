"""Start, stop and delete the server of this checkout; any process may do so at any time."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import ImproperlyConfigured

from .cluster import MAINTENANCE_DATABASE, accepts, create_database, delete, launch, wait_until_ready
from .places import DATABASE, EmbeddedPostgresError, Places
from .processes import end, find_orphans, find_postmaster, read_pid
from .wheel import get_binary, get_major_version

# pg_ctl's modes, as signals (PostgreSQL manual, 18.5); named, because Windows lacks some.
STOP_SIGNALS = {"smart": "SIGTERM", "fast": "SIGINT", "immediate": "SIGQUIT"}
STOP_SECONDS = 60.0


def start() -> str:
    """Start the server unless it runs, make sure that the database `app` exists, and return its URL.

    A running server costs one connection and prints nothing; a start prints one line to stderr. Concurrent
    calls, also of other processes, give one server.

    Raises ImproperlyConfigured where the wheel is not installed, on Windows, and for a folder that is not
    writable, and EmbeddedPostgresError when the server does not start.
    """
    places = get_places()
    if not accepts(places, DATABASE):
        get_binary("postgres")  # before anything is written
        with _locked(places):
            _start(places)
    return places.url()


def stop(mode: str = "fast") -> None:
    """Stop the server if it runs, and return when it is gone.

    The mode "smart" waits for clients, "fast" disconnects them, "immediate" makes the next start recover.
    Raises ValueError for any other mode, and EmbeddedPostgresError when the server still runs after a minute.
    """
    if mode not in STOP_SIGNALS:
        raise ValueError(f"mode: {mode!r} is not one of {', '.join(STOP_SIGNALS)}.")
    places = get_places()
    if places.data.exists():
        with _locked(places):
            _stop(places, mode)


def status() -> bool:
    """Return whether the server runs and lets clients in."""
    return accepts(get_places(), MAINTENANCE_DATABASE)


def reset() -> None:
    """Stop the server and delete its data and its log. Raises EmbeddedPostgresError as `stop` does."""
    places = get_places()
    if places.top.exists():
        with _locked(places):
            _stop(places, "immediate")
            _end_orphans(places)
            for folder in (places.data, places.draft, places.sockets):
                delete(folder)
            places.log.unlink(missing_ok=True)


def url() -> str:
    """Return the URL of the database `app` for DATABASE_URL, whether the server runs or not."""
    return get_places().url()


def get_places() -> Places:
    """Return where this checkout keeps its server. Raises ImproperlyConfigured on Windows."""
    if sys.platform == "win32":
        raise ImproperlyConfigured(
            "DATABASE_URL: unset, and the embedded PostgreSQL does not run on Windows. Set it to a "
            "PostgreSQL >= 15 with pgvector >= 0.8, or use WSL (Windows Subsystem for Linux)."
        )
    return Places.from_environment()


@contextmanager
def _locked(places: Places) -> Iterator[None]:
    import fcntl  # not on Windows, where settings.py imports this module too

    try:
        _make_top(places)
        handle = places.lock.open("a")
    except OSError as error:
        raise ImproperlyConfigured(
            f"DATABASE_URL: unset, and {places.top} cannot hold the embedded PostgreSQL: {error}. "
            "Set it, or set EMBEDDED_POSTGRES_DIR to a folder that you may write to."
        ) from error
    with handle:  # closing it unlocks
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _make_top(places: Places) -> None:
    if places.top.is_dir():
        return
    places.top.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:  # what sudo makes in somebody's checkout stays theirs
        owner = places.top.parent.stat()
        os.chown(places.top, owner.st_uid, owner.st_gid)


def _start(places: Places) -> None:
    pid = find_postmaster(places.data)
    if accepts(places, MAINTENANCE_DATABASE) or (pid and places.socket.exists()):
        wait_until_ready(places, pid)
    else:
        _end_orphans(places)
        print(f"Starting PostgreSQL {get_major_version()} in {places.describe()} ...", file=sys.stderr)
        launch(places)
    create_database(places)


def _end_orphans(places: Places) -> None:
    # Servers whose folder was deleted under them: each would delete the new server's socket when it ends.
    for pid in find_orphans(places.data):
        end(pid, places.data, signal.SIGQUIT, STOP_SECONDS)


def _stop(places: Places, mode: str) -> None:
    pid = find_postmaster(places.data)
    if pid is not None:
        end(pid, places.data, signal.Signals[STOP_SIGNALS[mode]], STOP_SECONDS)
    elif accepts(places, MAINTENANCE_DATABASE):
        raise EmbeddedPostgresError(
            f"A server answers in {places.sockets}, but process {read_pid(places.data)}, which its "
            "postmaster.pid names, is not visible here as its postmaster. Stop it in the container where it "
            "runs, or, if the folder was moved, end that process."
        )
