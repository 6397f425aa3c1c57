"""Where one checkout keeps its server, and the addresses under which clients reach it."""

import hashlib
import os
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[2]
DATABASE = "app"
USER = "postgres"
# Names the socket file only: nothing listens on TCP, so checkouts cannot collide.
PORT = 54329
SOCKET = f".s.PGSQL.{PORT}"
# The kernel allows 107 bytes for a socket's path on Linux and 103 on macOS.
SOCKET_PATH_BYTES = 100


class Places:
    """The files of one embedded server, all below the folder `top`."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.data = top / "data"
        self.draft = top / "data.new"  # the data directory while initdb fills it
        self.lock = top / "lock"  # whoever starts, stops or resets the server holds it locked
        self.log = top / "server.log"
        inside = top / "run"
        self.sockets = inside if _can_hold_socket(inside) else _short_folder(top)
        self.socket = self.sockets / SOCKET  # the name is PostgreSQL's

    @classmethod
    def from_environment(cls) -> "Places":
        """Return the places that EMBEDDED_POSTGRES_DIR names, or `.postgres` of this checkout."""
        chosen = os.environ.get("EMBEDDED_POSTGRES_DIR") or ROOT / ".postgres"
        return cls(Path(chosen).expanduser().resolve())

    def url(self, database: str = DATABASE) -> str:
        """Return the database URL in the form that django-environ reads as HOST=<socket folder>.

        That is its form for Unix sockets, `postgresql://user@:port//folder/of/socket/name`. A
        percent-encoded folder before the port, as libpq has it, would keep its percent signs there.
        """
        return f"postgresql://{USER}@:{PORT}/{quote(f'{self.sockets}/{database}')}"

    def libpq_url(self, database: str = DATABASE) -> str:
        """Return the same address in the form that psql, pg_dump and psycopg read (libpq, 32.1.1.2)."""
        return f"postgresql://{USER}@/{database}?host={quote(str(self.sockets), safe='')}&port={PORT}"

    def describe(self) -> str:
        """Return `top` as a person in the checkout would write it."""
        return str(self.top.relative_to(ROOT) if self.top.is_relative_to(ROOT) else self.top)


def _can_hold_socket(folder: Path) -> bool:
    # libpq splits its host at commas; control characters and undecodable bytes do not fit a URL.
    name = str(folder / SOCKET)
    return len(os.fsencode(name)) <= SOCKET_PATH_BYTES and name.isprintable() and "," not in name


def _short_folder(top: Path) -> Path:
    # Not tempfile.gettempdir(): every process must find the same folder, whatever its TMPDIR.
    digest = hashlib.sha256(os.fsencode(top)).hexdigest()[:16]
    return Path("/tmp") / f"embedded-postgres-{digest}"  # noqa: S108 - its owner is checked before use


class EmbeddedPostgresError(RuntimeError):
    """The embedded server could not be started, reached or stopped; the message holds the end of its log."""
