"""The server's postgresql.conf: fast and gone after a power cut, for development and tests only."""

import sys

from .places import PORT, Places

SETTINGS: dict[str, str | int] = {
    "listen_addresses": "",
    "port": PORT,
    "unix_socket_permissions": "0700",
    "shared_preload_libraries": "",
    "max_connections": 200,
    # Every table and index of every tenant that one transaction touches is one lock.
    "max_locks_per_transaction": 1024,
    "shared_buffers": "128MB",
    # An HNSW index builds half as fast when its graph does not fit.
    "maintenance_work_mem": "512MB",
    "max_parallel_maintenance_workers": 2,
    "max_wal_size": "2GB",
    "max_wal_senders": 0,
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum_naptime": "20s",
    "jit": "off",
    "log_min_messages": "warning",
    "log_timezone": "UTC",
    "timezone": "UTC",
    # POSIX shared memory is 64 MB in a container by default, too little for a parallel HNSW build.
    "dynamic_shared_memory_type": "sysv" if sys.platform == "linux" else "posix",
}


def write_settings(places: Places) -> None:
    """Write postgresql.conf into the data directory; ALTER SYSTEM still overrides it."""
    folder = str(places.sockets).replace('"', '""')
    settings = SETTINGS | {"unix_socket_directories": f'"{folder}"'}
    text = "# Written by project/embedded_postgres at every start.\n"
    for name, value in settings.items():
        escaped = str(value).replace("\\", "\\\\").replace("'", "''")
        text += f"{name} = '{escaped}'\n"
    (places.data / "postgresql.conf").write_text(text, encoding="utf-8")
