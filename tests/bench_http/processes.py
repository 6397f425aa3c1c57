"""What the processes of a server take of memory and processors, as Linux counts it (`man 5 proc`)."""

import os
from dataclasses import dataclass
from pathlib import Path

KIBIBYTES = 1024
PROC = Path("/proc")


@dataclass(frozen=True)
class Memory:
    """Megabytes of a process: `resident` with all that it shares, `share` with its part, `own` without.

    A page that n processes have counts 1/n in the `share` (PSS), so that the shares of all add up.
    """

    resident: float
    share: float
    own: float


def find_workers(port: int) -> list[int]:
    """Return the process ids of the workers that the server at the port has forked; none without a /proc."""
    named = f":{port}".encode()
    servers = {
        int(folder.name)
        for folder in PROC.glob("[0-9]*")
        if any(part.endswith(named) for part in _read(folder / "cmdline").split(b"\0"))
    }
    return sorted(process for process in servers if int(_read_stat(process)[1]) in servers)


def measure_memory(process: int) -> Memory:
    """Return the memory of a process by its id."""
    found: dict[bytes, int] = {}
    for line in _read(PROC / str(process) / "smaps_rollup").splitlines()[1:]:
        name, amount, _ = line.split()
        found[name.rstrip(b":")] = int(amount) * KIBIBYTES
    own = found.get(b"Private_Clean", 0) + found.get(b"Private_Dirty", 0)
    return Memory(found.get(b"Rss", 0) / 1e6, found.get(b"Pss", 0) / 1e6, own / 1e6)


def count_seconds(processes: list[int]) -> float:
    """Return the seconds of processors that the processes have used since they began."""
    ticks = [int(count) for process in processes for count in _read_stat(process)[11:13]]
    return sum(ticks) / os.sysconf("SC_CLK_TCK") if ticks else 0.0


def _read_stat(process: int) -> list[bytes]:
    """Return the fields behind the process's name: its state, its parent, and so on."""
    return _read(PROC / str(process) / "stat").rpartition(b")")[2].split() or [b"0"] * 13


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:  # the process has ended, or is somebody else's
        return b""
