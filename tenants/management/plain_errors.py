"""Errors of the command line that anybody may meet, as a line that says what to do instead of a traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, ProgrammingError, connection
from psycopg.errors import UndefinedColumn, UndefinedTable

NO_TERMINAL = (
    "This command asks a question, and there is no terminal to answer it. Answer with options instead; "
    "many commands take --noinput. They are listed by: manage.py {command} --help"
)
NO_REGISTRY = "There is no registry of tenants yet. Run: manage.py migrate_schemas"
NO_TABLE = "{error}. A tenant or `public` lags behind the code. Run: manage.py migrate_schemas"
NO_DATABASE = (
    "The database does not answer: {error}\n"
    "Correct DATABASE_URL, or start that server. Empty, it means the embedded PostgreSQL."
)
INTERRUPTED = 130  # what shells give for Ctrl-C


@contextmanager
def plain_errors(argv: list[str]) -> Iterator[None]:
    """Exit with a line for a missing terminal, database or table, for faulty settings, and for Ctrl-C.

    Other errors go on, as all do with --traceback, and those of what a shell was given to run.
    """
    command = argv[1] if len(argv) > 1 else ""
    if "--traceback" in argv or command == "shell":
        yield
        return
    try:
        yield
    except EOFError:
        sys.exit("\nCommandError: " + NO_TERMINAL.format(command=command))
    except ProgrammingError as error:
        if not isinstance(error.__cause__, UndefinedTable | UndefinedColumn):
            raise
        lacks = NO_TABLE.format(error=str(error).partition("\n")[0])
        sys.exit(f"CommandError: {NO_REGISTRY if is_registry_missing(error) else lacks}")
    except ImproperlyConfigured as error:
        sys.exit(f"ImproperlyConfigured: {error}")
    except OperationalError as error:
        if connection.connection is not None:
            raise
        sys.exit("CommandError: " + NO_DATABASE.format(error=error))
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        sys.exit(INTERRUPTED)


def is_registry_missing(error: ProgrammingError) -> bool:
    """Whether a statement failed because the database was never migrated."""
    return isinstance(error.__cause__, UndefinedTable) and 'relation "tenants_tenant"' in str(error)
