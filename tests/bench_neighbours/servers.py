"""What servers make of CLIENTS (120) at once: answers with 5xx, requests/s, and sessions of the database.

Run it with `python -m tests.bench_neighbours.servers`.
"""

import http.client
import os
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from secrets import token_urlsafe

import django

CLIENTS = int(os.environ.get("CLIENTS") or 120)
REQUESTS = 4  # of each client, one after the other
SESSIONS = """
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


def main() -> None:
    """Print a line for each server."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    secrets = {name: token_urlsafe(50) for name in ("SECRET_KEY", "ENCRYPTION_KEYS")}
    os.environ |= {"DEBUG": "False", "EMAIL_URL": "dummymail://"} | secrets
    django.setup()
    from tests.bench_neighbours.site import make_tenant, prepare_static_files, read_command, serve
    from tests.own_database import own_database

    as_asgi = [part.replace("project.wsgi", "project.asgi") for part in read_command()]
    as_asgi += ["--worker-class", "asgi"]
    without_pool = {"DATABASE_POOL": "0"}
    servers = {
        "WSGI, the image's command": (None, {}),
        "ASGI with its pool": (as_asgi, {}),
        "ASGI without a pool": (as_asgi, without_pool),
    }
    prepare_static_files()
    log = Path("var/bench-servers.log")
    log.parent.mkdir(exist_ok=True)
    with own_database("bench_neighbours"):
        make_tenant("victim", 100)
        print(f"{CLIENTS} clients, {REQUESTS} requests each")
        for name, (command, variables) in servers.items():
            with serve(log, command, **variables) as port:
                _measure(name, port)


def _measure(name: str, port: int) -> None:
    from django.db import connection

    stopped, most = threading.Event(), [0]

    def watch() -> None:
        while not stopped.wait(0.1):
            most[0] = max(most[0], _count_sessions(connection))
        connection.close()

    for _ in range(20):
        _ask(port)
    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as clients:
        statuses = Counter(clients.map(lambda _: _ask(port), range(CLIENTS * REQUESTS)))
    seconds = time.perf_counter() - started
    stopped.set()
    watcher.join()
    failed = sum(count for status, count in statuses.items() if status >= 500 or not status)
    left = _count_sessions(connection)
    connection.close()
    rate = f"{CLIENTS * REQUESTS / seconds:6.0f} requests/s"
    print(f"  {name:<26} {failed:4} with 5xx, {rate}, {most[0]:4} sessions, {left:4} left", flush=True)


def _count_sessions(connection: object) -> int:
    with connection.cursor() as cursor:
        cursor.execute(SESSIONS)
        return cursor.fetchone()[0]


def _ask(port: int) -> int:
    """Return the status of the tenant's home page, 0 where there is no answer."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        client.request("GET", "/", headers={"Host": f"victim.localhost:{port}"})
        answer = client.getresponse()
        answer.read()
        return answer.status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        client.close()


if __name__ == "__main__":
    main()
