"""The command line of the embedded server: `python -m project.embedded_postgres`."""

import argparse
import os
import sys

import environ
from django.core.exceptions import ImproperlyConfigured

from .places import DATABASE, PORT, ROOT, USER, EmbeddedPostgresError
from .server import STOP_SIGNALS, get_places, reset, start, status, stop
from .wheel import get_binary


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    # argparse would take psql's options for its own.
    own, passed_on = (arguments[:1], arguments[1:]) if arguments[:1] == ["psql"] else (arguments, [])
    options = _get_parser().parse_args(own, argparse.Namespace(passed_on=passed_on))
    environ.Env.read_env(ROOT / ".env")  # as settings.py does: EMBEDDED_POSTGRES_DIR may be there
    try:
        return options.run(options) or 0
    except (EmbeddedPostgresError, ImproperlyConfigured) as error:
        print(error, file=sys.stderr)
        return 1


def _get_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m project.embedded_postgres", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    def add(name: str, run: object, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        return command

    add("start", lambda _: print(start()), "start the server unless it runs, and print its URL")
    add("stop", lambda options: stop(options.mode), "stop the server").add_argument(
        "--mode", choices=STOP_SIGNALS, default="fast"
    )
    add("status", _print_status, "say whether the server runs; the exit code is 0 if it does, else 3")
    add("url", _print_url, "print the URL for DATABASE_URL").add_argument(
        "--libpq", action="store_true", help="in the form that psql and pg_dump read"
    )
    add("reset", lambda _: reset(), "stop the server and delete its data")
    add("psql", _run_psql, "start the server and run psql on it, with psql's own arguments")
    return parser


def _print_status(options: argparse.Namespace) -> int:
    running = status()
    print("running" if running else "stopped")
    return 0 if running else 3


def _print_url(options: argparse.Namespace) -> None:
    places = get_places()
    print(places.libpq_url() if options.libpq else places.url())


def _run_psql(options: argparse.Namespace) -> None:
    start()
    address = {
        "PGHOST": str(get_places().sockets),
        "PGPORT": str(PORT),
        "PGUSER": USER,
        "PGDATABASE": DATABASE,
    }
    psql = get_binary("psql")
    os.execve(psql, [psql, *options.passed_on], os.environ | address)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    sys.exit(main())
