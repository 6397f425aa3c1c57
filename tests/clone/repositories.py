"""Copies of this project as repositories of their own, and git commands in them."""

import os
import shutil
import subprocess
import sys
import tomllib

from django.conf import settings

ROOT = settings.BASE_DIR
PACKAGE = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["name"]
IS_TEMPLATE = "-".join(["tenant", "search"]) == PACKAGE  # and not a clone, which was renamed
PERSON = {
    "GIT_AUTHOR_NAME": "Ann",
    "GIT_AUTHOR_EMAIL": "ann@example.com",
    "GIT_COMMITTER_NAME": "Ann",
    "GIT_COMMITTER_EMAIL": "ann@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


def run(folder, *command):
    """Return what a command prints that succeeds."""
    # Not the variables of this process: the settings have read .env into them.
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    variables = {"DATABASE_URL": settings.DATABASE_URL, "SECRET_KEY": settings.SECRET_KEY, "DEBUG": "True"}
    done = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env=environment | variables | PERSON,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def git(folder, *arguments):
    return run(folder, "git", *arguments)


def python(folder, *arguments):
    return run(folder, sys.executable, *arguments)


def commit(folder, message):
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)


def list_files(folder):
    listed = git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return [folder / name for name in listed.split("\0") if name]


def copy_project(folder, paths=None):
    """Make a repository of files of this project as they are now, by default of all; return its folder."""
    for path in paths or list_files(ROOT):
        if path.is_file():
            target = folder / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, "Begin")
    return folder


def edit(path, before, after):
    text = path.read_text()
    assert text.count(before) == 1, f"{path} has {before!r} {text.count(before)} times"
    path.write_text(text.replace(before, after))
