"""Carries out the commands of how-tos, read from the pages, in a copy of the project: `make test-howtos`.

The copy has a database of its own, which begins with nothing. A page goes on where the one before it ended.
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from urllib.parse import urlsplit

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

import psycopg
from django.conf import settings

from tests.clone.howto import read_page, read_settings_line, write_files
from tests.clone.repositories import copy_project

PAGES = ["first-tenant.md", "new-app.md"]  # in this order
NOT_YET = {  # why; other tests go through the same steps, without reading the page
    "another-embedder.md": "begins in the middle: the settings are edited, and workers restarted",
    "api.md": "needs a running server",
    "bundles.md": "needs a second installation",
    "chunking.md": "has no commands",
    "custom-embedding-table.md": "edits a migration that makemigrations wrote",
    "indexes.md": "edits the example's files",
    "life-cycle.md": "asks for tenants' names",
    "make-it-yours.md": "tests/clone and tests/matrix do what it says",
    "production.md": "needs services: a proxy, a mail server, a host of one's own",
    "search-quality.md": "needs golden queries, which people give",
    "searching.md": "needs a running server",
}
BLOCK = re.compile(r"^(?P<indent> *)```sh\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL)
# What is left out, and why.
LEFT_OUT = {
    "createsuperuser": "asks for a password",
    "delete_tenant": "asks for the tenant's name; tests/operations/deletion runs it",
    "runserver": "has no end",
    "pytest": "`make test-optional` runs these tests",
}


def read_commands(page):
    """Return the commands of a page's shell blocks in their order, those with a backslash as one line."""
    text = "".join(textwrap.dedent(match["text"]) for match in BLOCK.finditer(read_page(page)))
    lines = text.replace("\\\n", " ").splitlines()
    return [line for line in lines if line and not any(word in line for word in LEFT_OUT)]


def carry_out(command, folder, environment):
    """Run a command of a page; return its output, or exit with it."""
    words = shlex.split(command, comments=True)
    programs = {"python": [sys.executable], "ruff": [sys.executable, "-m", "ruff"]}
    words = [*programs.get(words[0], [words[0]]), *words[1:]]
    start = time.monotonic()
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    print(f"{time.monotonic() - start:6.1f} s  {command}", flush=True)
    if done.returncode or "Traceback" in done.stderr:
        sys.exit(f"{done.stdout}\n{done.stderr}\nThis ended with {done.returncode}: {command}")
    return done.stdout


def main():
    """Carry the pages out; exit with the first command that fails."""
    parts = urlsplit(settings.DATABASE_URL)
    name = f"howtos_{os.getpid()}"
    url = parts._replace(path=f"{parts.path.rpartition('/')[0]}/{name}").geturl()
    environment = os.environ | {"DATABASE_URL": url}
    environment.pop("DJANGO_SETTINGS_MODULE")
    make = f'CREATE DATABASE "{name}"', f'DROP DATABASE "{name}" WITH (FORCE)'
    _run_sql(make[0])
    try:
        with tempfile.TemporaryDirectory(prefix="howtos-") as parent:
            folder = copy_project(Path(parent) / "project")
            for page in PAGES:
                print(page)
                write_files(page, folder)
                if page == "new-app.md":
                    choices = folder / "project" / "settings.py"
                    line = '    "apps.articles",\n'
                    choices.write_text(choices.read_text().replace(line, line + read_settings_line(page)))
                for command in read_commands(page):
                    carry_out(command, folder, environment)
    finally:
        _run_sql(make[1])
    print(f"{len(PAGES)} pages carried out")


def _run_sql(statement):
    database = settings.DATABASES["default"]
    names = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "NAME"}
    params = {name: database[key] for name, key in names.items() if database.get(key)}
    with psycopg.connect(**params, autocommit=True) as session:
        session.execute(statement)


if __name__ == "__main__":
    main()
