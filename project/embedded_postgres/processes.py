"""Which processes are postmasters of a data directory, and how to end them.

A pid alone proves nothing: after a crash or the restart of a container it may name anybody, or a zombie.
"""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from .places import EmbeddedPostgresError

PROC = Path("/proc")


def read_pid(data: Path) -> int | None:
    """Return the pid in postmaster.pid, alive or not; None where there is no such file or no pid in it."""
    try:
        return int((data / "postmaster.pid").read_text().split()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None


def find_postmaster(data: Path) -> int | None:
    """Return the pid of the living postmaster that postmaster.pid names, else None."""
    pid = read_pid(data)
    return pid if pid and is_postmaster(pid, data) else None


def find_orphans(data: Path) -> list[int]:
    """Return the postmasters of this data directory, whatever its postmaster.pid says."""
    return [pid for pid in _list_pids() if is_postmaster(pid, data)]


def is_postmaster(pid: int, data: Path) -> bool:
    """Return whether the process lives and is a postmaster started on this data directory."""
    return _read_command(pid).endswith(f"/postgres -D {data}")


def end(pid: int, data: Path, number: signal.Signals, seconds: float) -> None:
    """Signal a postmaster and wait until it is gone.

    Raises EmbeddedPostgresError when it lives longer than the given seconds.
    """
    with suppress(ProcessLookupError):
        os.kill(pid, number)
    deadline = time.monotonic() + seconds
    while is_postmaster(pid, data):
        if time.monotonic() > deadline:
            raise EmbeddedPostgresError(
                f"The PostgreSQL server in {data} (process {pid}) still runs {seconds:g} s "
                f"after {number.name}."
            )
        time.sleep(0.02)


def _list_pids() -> list[int]:
    if PROC.joinpath("self").exists():
        return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]
    return [int(line) for line in _run_ps("-axo", "pid=").split()]


def _read_command(pid: int) -> str:
    if not PROC.joinpath("self").exists():
        return _run_ps("-ww", "-o", "command=", "-p", str(pid)).rstrip("\n")
    try:
        arguments = (PROC / str(pid) / "cmdline").read_bytes()  # empty for a zombie
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return os.fsdecode(arguments.rstrip(b"\0").replace(b"\0", b" "))


def _run_ps(*arguments: str) -> str:  # macOS has no /proc
    return os.fsdecode(subprocess.run(["/bin/ps", *arguments], capture_output=True).stdout)  # noqa: S603 - a fixed program with numbers
