"""A copy of the project with a database and a port of its own, in which a how-to is carried out."""

import http.client
import os
import re
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from django.conf import settings

from tests.clone.repositories import PERSON

ANSWERS = {"delete_tenant": "Acme\n"}
# What has no end runs until the page ends.
ENDLESS = {"runserver": "runserver {port} --noreload", "db_worker": "db_worker --no-reload --interval 0.2"}
WAIT = 120  # seconds until a server listens


class Installation:
    """A folder, the environment of its commands, and the processes that run there."""

    def __init__(self, folder: Path, database: str) -> None:
        """Take the folder as it is; the database must exist."""
        self.folder = folder
        self.port = _find_free_port()
        self.processes: list[subprocess.Popen] = []
        # What commands say, and what is right here.
        self.words = {
            "localhost:8000": f"localhost:{self.port}",
            "createsuperuser": "createsuperuser --noinput",
        }
        self.log = folder.parent / f"{database}.log"
        self.environment = {
            name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"
        }
        self.environment |= PERSON | {
            "DATABASE_URL": make_url(database),
            "SITE_URL": f"http://localhost:{self.port}",
            "EMAIL_URL": "consolemail://",
            "DJANGO_SUPERUSER_EMAIL": "operator@example.com",
            "DJANGO_SUPERUSER_PASSWORD": "correct horse battery staple",
            "CURL_HOME": str(folder.parent),
        }
        (folder.parent / ".curlrc").write_text("fail-with-body\nsilent\nshow-error\n")
        self.enter(folder)

    def enter(self, folder: Path) -> None:
        """Go to a folder, whose environment of Python is this one."""
        self.folder = folder
        link = folder / ".venv"
        if (folder / "manage.py").exists() and not link.exists():
            link.symlink_to(sys.prefix)
            with (folder / ".git" / "info" / "exclude").open("a") as exclude:
                exclude.write(".venv\n")
        self.environment["PATH"] = f"{sys.prefix}/bin:{os.environ['PATH']}"

    def run(self, command: str, text: str = "") -> str:
        """Run a command, with a text or an answer as its input; return its output, or exit with it."""
        start = time.monotonic()
        for word, instead in self.words.items():
            command = command.replace(word, str(instead))
        if words := re.match(r"cd (\S+)$", command):
            self.enter(self.folder / words[1])
            return ""
        if name := next((name for name in ENDLESS if name in command and "--batch" not in command), None):
            return self.start(name)
        answer = next((answer for word, answer in ANSWERS.items() if word in command), "")
        done = subprocess.run(
            # Make takes the environment of Python as it is.
            ["/bin/bash", "-c", re.sub(r"^make ", "make -o setup ", command)],
            cwd=self.folder,
            env=self.environment,
            input=text or answer,
            capture_output=True,
            text=True,
            check=False,
        )
        print(f"{time.monotonic() - start:6.1f} s  {command}", flush=True)
        if done.returncode or "Traceback" in done.stderr:
            sys.exit(f"{text}\n{done.stdout}\n{done.stderr}\nThis ended with {done.returncode}: {command}")
        return done.stdout

    def start(self, name: str) -> str:
        """Start a worker or a web server, and wait until the server answers."""
        arguments = ENDLESS[name].format(port=self.port).split()
        with self.log.open("a") as log:
            self.processes.append(
                subprocess.Popen(
                    [sys.executable, "manage.py", *arguments],
                    cwd=self.folder,
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            )
        if name == "runserver":
            self._await_server()
        print(f"          {name}", flush=True)
        return ""

    def _await_server(self) -> None:
        for _ in range(WAIT * 5):
            time.sleep(0.2)
            if self.processes[-1].poll() is not None:
                break
            server = http.client.HTTPConnection("localhost", self.port, timeout=60)
            try:
                server.request("GET", "/")
                if server.getresponse().status == 200:
                    return
            except OSError:
                continue
        sys.exit(f"{self.log.read_text()}\nThe web server does not answer.")

    def stop(self) -> None:
        """Stop what runs; exit if a process has ended by itself, or told of an error that nobody expects."""
        ended = [process.args for process in self.processes if process.poll() is not None]
        for process in self.processes:
            process.terminate()
            process.wait()
        self.processes.clear()
        text = self.log.read_text() if self.log.exists() else ""
        if ended or "Traceback" in text:
            sys.exit(f"{text}\nA process told of an error, or ended: {ended}")


class Databases(ExitStack):
    """Databases that begin with nothing and are dropped at the end."""

    def make(self, name: str) -> str:
        """Make one; return its name."""
        _run_sql(f'CREATE DATABASE "{name}"')
        for each in (name, f"test_{name}"):
            self.callback(_run_sql, f'DROP DATABASE IF EXISTS "{each}" WITH (FORCE)')
        return name


def make_url(name: str) -> str:
    """Return the address of a database beside the one of the settings."""
    parts = urlsplit(settings.DATABASE_URL)
    return parts._replace(path=f"{parts.path.rpartition('/')[0]}/{name}").geturl()


def _run_sql(statement: str) -> None:
    database = settings.DATABASES["default"]
    names = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "NAME"}
    params = {name: database[key] for name, key in names.items() if database.get(key)}
    with psycopg.connect(**params, autocommit=True) as session:
        session.execute(statement)


def _find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
