"""Make the data directory, launch the server on it and wait until it answers."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import psycopg

from .configuration import write_settings
from .places import DATABASE, PORT, USER, EmbeddedPostgresError, Places
from .processes import is_postmaster, read_pid
from .wheel import Identity, get_binary, get_identity

START_SECONDS = 60.0
MOST_ABSENCES = 25  # looks, 0.02 s apart
MAINTENANCE_DATABASE = "postgres"


def connect(places: Places, database: str) -> psycopg.Connection:
    """Connect to the server, in autocommit.

    Raises psycopg.OperationalError where there is no server, none that is ready, or no such database.
    """
    return psycopg.connect(
        host=str(places.sockets), port=PORT, user=USER, dbname=database, connect_timeout=5, autocommit=True
    )


def accepts(places: Places, database: str) -> bool:
    """Return whether the server of this checkout lets a client into the database."""
    try:
        # Anybody could have put the folder of a long path's socket into /tmp.
        if places.sockets.lstat().st_uid != places.data.lstat().st_uid:
            return False
        connect(places, database).close()
    except (OSError, psycopg.OperationalError):
        return False
    return True


def create_database(places: Places) -> None:
    """Create the database `app` unless it is there."""
    with connect(places, MAINTENANCE_DATABASE) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
        if not known:
            connection.execute(f"CREATE DATABASE {DATABASE}")


def launch(places: Places) -> None:
    """Launch a server that outlives this process, and return when it answers.

    Raises EmbeddedPostgresError, with its log, when it ended or did not answer in time.
    """
    identity = get_identity(places.top)
    _prepare(places, identity)
    write_settings(places)
    deadline = time.monotonic() + START_SECONDS
    # Backends of a killed postmaster hold its memory until they notice, which one that computes does late.
    while error := _try_to_launch(places, identity):
        if "pre-existing shared memory block" not in str(error) or time.monotonic() > deadline:
            raise error
        time.sleep(0.2)


def delete(folder: Path) -> None:
    """Delete a folder with all that is in it, if it exists."""
    if folder.exists():
        shutil.rmtree(folder)


def wait_until_ready(places: Places, pid: int | None) -> None:
    """Return when the server lets clients in.

    Raises EmbeddedPostgresError when the postmaster `pid` ended, or let no clients in for a minute.
    """
    deadline = time.monotonic() + START_SECONDS
    absences = 0
    while not accepts(places, MAINTENANCE_DATABASE):
        # Between fork and exec a process has no command line for a moment.
        absences = 0 if pid and is_postmaster(pid, places.data) else absences + 1
        if absences > MOST_ABSENCES:
            raise EmbeddedPostgresError(f"The PostgreSQL server in {places.top} ended while it started.")
        if time.monotonic() > deadline:
            raise EmbeddedPostgresError(
                f"The PostgreSQL server in {places.top} (process {pid}) let nobody in for "
                f"{START_SECONDS:g} s."
            )
        time.sleep(0.02)


def _try_to_launch(places: Places, identity: Identity) -> EmbeddedPostgresError | None:
    start_of_log = places.log.stat().st_size
    try:
        wait_until_ready(places, _spawn(places, identity))
    except EmbeddedPostgresError as error:
        with places.log.open(errors="replace") as log:
            log.seek(start_of_log)
            return EmbeddedPostgresError(
                f"{error} Its log says:\n{log.read()[-3000:]}\nTo delete its data and begin anew: "
                "python -m project.embedded_postgres reset"
            )
    return None


def _spawn(places: Places, identity: Identity) -> int:
    # Not pg_ctl, whose shell command breaks on some paths. The shell in between leaves the server to init,
    # so that it never becomes a zombie of this process; the new session keeps Ctrl-C away from it.
    script = '"$@" >&2 & echo $!'
    command = ["/bin/sh", "-c", script, "sh", get_binary("postgres"), "-D", str(places.data)]
    environment = _get_environment() | _forgive_stale_locks(places)
    with places.log.open("ab") as log:
        shell = subprocess.run(  # noqa: S603 - the arguments are paths of this checkout
            command,
            check=True,
            cwd="/",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            **identity,
        )
    return int(shell.stdout)


def _get_environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return kept | {"LC_ALL": "C"}


def _forgive_stale_locks(places: Places) -> dict[str, str]:
    # No server of this checkout lives, so a living process that a lock file names is a stranger or a zombie,
    # yet PostgreSQL would give way to it. postmaster.pid must stay, because it also leads PostgreSQL to the
    # shared memory that surviving backends hold; it ignores the pid in this variable (CreateLockFile in
    # miscinit.c).
    places.socket.with_name(f"{places.socket.name}.lock").unlink(missing_ok=True)
    pid = read_pid(places.data)
    if pid is None:
        (places.data / "postmaster.pid").unlink(missing_ok=True)
    return {"PG_GRANDPARENT_PID": str(pid)} if pid else {}


def _prepare(places: Places, identity: Identity) -> None:
    folder = places.sockets
    folder.mkdir(mode=0o700, exist_ok=True)
    owner = folder.lstat().st_uid
    if not folder.is_relative_to(places.top) and owner not in (os.geteuid(), identity.get("user")):
        raise EmbeddedPostgresError(f"{folder} belongs to user {owner}, not to the server: delete it.")
    places.log.touch(mode=0o600)
    if not (places.data / "PG_VERSION").exists():
        _initialise(places, identity)
    for path in (places.lock, places.log, places.data, places.sockets):
        _give(path, identity)


def _give(path: Path, identity: Identity) -> None:
    uid, gid = identity.get("user", os.geteuid()), identity.get("group", os.getegid())
    if path.lstat().st_uid != uid:
        for entry in (path, *path.rglob("*")):
            os.chown(entry, uid, gid, follow_symlinks=False)


def _initialise(places: Places, identity: Identity) -> None:
    # Beside the data and renamed at the end: an interrupted initdb leaves nothing that looks finished.
    draft = places.draft
    delete(draft)
    draft.mkdir(mode=0o700)
    _give(draft, identity)
    options = ["-U", USER, "-A", "trust", "-E", "UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"]
    command = [get_binary("initdb"), "-D", str(draft), *options, "--no-sync", "--no-instructions"]
    done = subprocess.run(  # noqa: S603 - the arguments are paths of this checkout
        command, cwd="/", env=_get_environment(), capture_output=True, text=True, errors="replace", **identity
    )
    if done.returncode:
        raise EmbeddedPostgresError(f"initdb failed in {draft}:\n{done.stdout}{done.stderr}")
    draft.rename(places.data)
