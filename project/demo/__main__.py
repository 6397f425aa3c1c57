"""The demo's command: prepares, starts a worker and a web server, and stops them again.

`PORT` is the port of the web server (8000), `DEMO_ARTICLES` the number of articles of a tenant (900).
"""

import logging
import os
import signal
import socket
import subprocess
import sys
import time

import django

from project import embedded_postgres


def read_number(name: str, default: int, most: int) -> int:
    """Return a variable of the environment that is a number from 1 to `most`; exit where it is none."""
    value = os.environ.get(name) or str(default)
    if value.isdecimal() and 1 <= int(value) <= most:
        return int(value)
    sys.exit(f"{name}: {value!r} is no number from 1 to {most:,}. Try: {name}={default + 123} make demo")


PORT = read_number("PORT", 8000, 65_535)
STOPPED_BY = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # the last one comes of a closed terminal
ARTICLES = read_number("DEMO_ARTICLES", 900, 100_000)


def main() -> None:
    """Run until interrupted, then stop what was started."""
    addresses = _free_addresses()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    os.environ.setdefault("LOG_LEVEL", "WARNING")  # what the worker does, the bar shows
    os.environ |= {"SITE_URL": f"http://localhost:{PORT}", "EMAIL_URL": "dummymail://", "DEBUG": "True"}
    found_running = bool(os.environ.get("DATABASE_URL")) or embedded_postgres.status()
    processes: list[subprocess.Popen] = []
    for number in STOPPED_BY:  # a shell's background job begins with SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    try:
        django.setup()
        _run(addresses, processes)
    except KeyboardInterrupt:
        print("\nStopping ...", flush=True)
    finally:
        _stop(processes)
        if not found_running:
            _stop_database()


def _run(addresses: list[str], processes: list[subprocess.Popen]) -> None:
    from django.apps import apps  # this and what follows: not before the apps are ready

    if "articles" not in apps.app_configs:
        sys.exit("The demo shows articles, and apps.articles was left out.")
    from project.demo.data import evaluate, find_missing_spaces, prepare

    if missing := find_missing_spaces():
        sys.exit(f"The demo shows the spaces default and fast; EMBEDDINGS has no {' and no '.join(missing)}.")
    logging.getLogger("audit").setLevel(logging.WARNING)  # nobody else did what is done here
    print("Preparing the database and the documents; the first time takes a minute or two ...", flush=True)
    prepare(ARTICLES)
    worker = "manage.py db_worker --interval 0.5 --no-reload --verbosity 0"
    web = "-m gunicorn project.wsgi --threads 4 --log-level warning"
    for address in addresses:
        web += f" --bind {address}"
    environment = os.environ | {"EMAIL_URL": "consolemail://"}  # these two print what they send
    # In groups of their own: Ctrl-C would reach them a moment before `_stop` does, and a worker takes the
    # second signal as an order to break off.
    for command in (worker, web):
        arguments = [sys.executable, *command.split()]
        processes.append(subprocess.Popen(arguments, env=environment, process_group=0))  # noqa: S603 - our own
    _await_indexing(processes)
    evaluate()
    _await_web_server(processes)
    _print_addresses()
    while all(process.poll() is None for process in processes):
        time.sleep(0.5)
    sys.exit("A process of the demo ended; its messages are above.")


def _await_indexing(processes: list[subprocess.Popen]) -> None:
    """Show how far the worker is, until nothing waits."""
    from django.tasks import TaskResultStatus
    from django_tasks_db.models import DBTaskResult

    from tenants.management.progress import Bar

    waiting = DBTaskResult.objects.filter(status__in=[TaskResultStatus.READY, TaskResultStatus.RUNNING])
    total = waiting.count()
    with Bar(total=total, desc="indexing", unit=" batches") as bar:
        while (count := waiting.count()) and all(process.poll() is None for process in processes):
            bar.update(max(0, total - count - bar.n))
            time.sleep(0.3)
        bar.update(total - bar.n)


def _await_web_server(processes: list[subprocess.Popen]) -> None:
    """Wait until it listens: where nothing is left to index, it would be named before it answers."""
    while all(process.poll() is None for process in processes):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", PORT)) == 0:
                return
        time.sleep(0.1)


def _print_addresses() -> None:
    from project.demo.data import OPERATOR, TENANTS, read_password
    from tenants.models import Tenant

    lines = [f"  http://localhost:{PORT}/  the operators' site; its admin: http://localhost:{PORT}/admin/"]
    for tenant in Tenant.objects.filter(subdomain__in=TENANTS):
        lines.append(f"  {tenant.url}  {tenant.name}, space {tenant.space}; member {tenant.owner_email}")
    print("\n".join(["", "Ready.", *lines]))
    print(f"  Operator: {OPERATOR}  Password of all three accounts: {read_password()}")
    print("  Mail is printed here: invitations, and links to set a new password.")
    print('  Try "read settings from a config file" in both. Ctrl-C stops.', flush=True)


def _free_addresses() -> list[str]:
    """The loopback addresses to listen on: browsers resolve *.localhost to either family."""
    addresses = []
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, PORT))
        except OSError as error:
            if family == socket.AF_INET:
                sys.exit(f"PORT: {PORT} is not free ({error.strerror}). Try another: PORT=8123 make demo")
            continue
        addresses.append(f"[{host}]:{PORT}" if ":" in host else f"{host}:{PORT}")
    return addresses


def _stop(processes: list[subprocess.Popen]) -> None:
    for number in STOPPED_BY:
        signal.signal(number, signal.SIG_IGN)
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()


def _stop_database() -> None:
    """Stop PostgreSQL, unless somebody else uses it by now."""
    if not embedded_postgres.status():
        return
    from django.db import connection

    for _ in range(50):  # it notices only after a moment that worker and web server are gone
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
            others = cursor.fetchone()[0]
        connection.close()
        if not others:
            embedded_postgres.stop()
            return
        time.sleep(0.1)
    print("PostgreSQL keeps running: somebody else uses it. `make db-stop` stops it.")


if __name__ == "__main__":
    main()
