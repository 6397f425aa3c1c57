"""Measure this project beside psycopg alone, and beside its peers where they are installed.

    make bench                                  # 20,000 documents of 256 dimensions, about three minutes
    make bench DOCUMENTS=2000 TENANTS=5         # a quick look
    make bench-peers                            # installs the peers into var/bench-peers first

DOCUMENTS, DIMENSIONS, QUERIES, ROUNDS and TENANTS say how much. Everything happens in the project's own
PostgreSQL, in a database made for the run and dropped after it, so that no running worker takes part. The
figures go to the terminal, to var/bench.json and, drawn, to docs/bench.svg. A missed target is shown and
fails nothing: machines differ.
"""

import os
import secrets
import signal
import sys
from pathlib import Path

import django

ROOT = Path(__file__).resolve().parent.parent.parent
# Debugging records every query, which is not what production does; the first users' invitations go nowhere.
ENVIRONMENT = {
    "DJANGO_SETTINGS_MODULE": "project.settings",
    "DEBUG": "False",
    "EMAIL_URL": "dummymail://",
    "LOG_LEVEL": "ERROR",
}


def main(arguments: list[str]) -> int:
    """Run and report; return 130 when interrupted, else 0, and 1 when the peers cannot be installed."""
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background jobs ignore the first
        signal.signal(number, signal.default_int_handler)
    os.environ.update(ENVIRONMENT)
    os.environ.update(SECRET_KEY=secrets.token_urlsafe(50), ENCRYPTION_KEYS=secrets.token_urlsafe(50))
    django.setup()
    from tests.bench import peers
    from tests.bench.report import write_report
    from tests.bench.run import run
    from tests.bench.workload import Options

    options = Options.from_environment()
    if "--with-peers" in arguments and (fault := peers.install()):
        print(fault, file=sys.stderr)
        return 1
    try:
        found = run(options, show_progress, with_peers=peers.are_installed())
    except KeyboardInterrupt:
        print("\nInterrupted; everything made for this run is deleted.", file=sys.stderr)
        return 130
    write_report(found, ROOT / "var" / "bench.json", ROOT / "docs" / "bench.svg")
    return 0


def show_progress(text: str) -> None:
    """Say what is going on: on a terminal in one line, else not at all."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
