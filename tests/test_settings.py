import ast
import inspect
import logging
import re

import pytest
from django.conf import settings
from django.core.management import call_command

from apps.search.embedders import OpenAICompatibleEmbedder
from tenants.conf import AppSettings
from tests.optional import OPTIONAL, needs

ROOT = settings.BASE_DIR
ENTRY = re.compile(r"#?(?P<name>[A-Z][A-Z0-9_]*)=(?P<value>.*)")
HOST_NAME = re.compile(r"://|--(?:extra-)?index-url|--find-links|\b[\w-]+\.(?:org|com|io|net|dev|cloud)\b")
MACHINE_PATH = re.compile(r"(?:^|[\s@=])(?:/|~/|[A-Za-z]:\\|file:)")


def read_example():
    lines = (ROOT / ".env.example").read_text().splitlines()
    return [match["name"] for line in lines if (match := ENTRY.fullmatch(line))]


def read_variables(path):
    """Return the first argument of every env("X"), env.bool("X") and os.environ.get("X")."""
    calls = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    return {
        call.args[0].value
        for call in calls
        if re.match(r"env\b|os\.environ\b", ast.unparse(call.func))
        and call.args
        and isinstance(call.args[0], ast.Constant)
    }


def read_settings():
    return read_variables(ROOT / "project" / "settings.py")


def read_elsewhere():
    """Return what apps read, what is read before there are settings, and what an embedder's option names."""
    places = (ROOT / "project" / "embedded_postgres").glob("*.py")
    of_apps = [kind.list_variables() for kind in AppSettings.__subclasses__()]
    option = inspect.signature(OpenAICompatibleEmbedder.__init__).parameters["api_key_env"]
    return {option.default}.union(*of_apps, *map(read_variables, places))


def get_lock_files():
    return sorted((ROOT / "requirements").glob("*.txt"))


def test_every_variable_that_the_settings_read_stands_in_the_example():
    assert read_settings() - set(read_example()) == set()


@needs(*OPTIONAL)
def test_every_variable_of_the_example_is_read():
    assert set(read_example()) - read_settings() - read_elsewhere() == set()


def test_no_variable_stands_in_the_example_twice():
    names = read_example()

    assert sorted(names) == sorted(set(names))


def test_the_two_lists_are_not_empty_by_mistake():
    assert {"SECRET_KEY", "DATABASE_URL", "EMAIL_URL", "OPENAI_DIMENSIONS"} <= read_settings()
    assert {"SECRET_KEY", "DATABASE_URL", "EMAIL_URL", "OPENAI_DIMENSIONS"} <= set(read_example())


def test_there_are_lock_files_with_hashes():
    assert [path.name for path in get_lock_files()] == ["base.txt", "dev.txt", "docs.txt", "pages.txt"]
    for path in get_lock_files():
        text = path.read_text()
        assert text.count("==") <= text.count("--hash=sha256:")


@pytest.mark.parametrize("path", get_lock_files(), ids=lambda path: path.name)
def test_a_lock_file_has_no_address_and_no_path_of_a_machine(path):
    lines = enumerate(path.read_text().splitlines(), 1)

    found = [f"{path.name}:{number}: {line}" for number, line in lines if is_address(line)]

    assert found == []


def is_address(line):
    return bool(HOST_NAME.search(line) or MACHINE_PATH.search(line))


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://packages.example.org/simple",
        "--extra-index-url=http://10.0.0.1/",
        "# from mirror.example.com",
        "django @ file:///srv/wheels/django.whl",
        "-e /srv/checkout",
        "    # via -r /home/somebody/base.in",
        "    # via -r C:\\work\\base.in",
    ],
)
def test_an_address_in_a_lock_file_would_be_found(line):
    assert is_address(line)


@pytest.mark.parametrize(
    "line", ["django==6.1.3 \\", "    #   -c requirements/base.txt", "zope.interface==7.2 \\"]
)
def test_an_ordinary_line_of_a_lock_file_is_no_address(line):
    assert not is_address(line)


def test_all_migrations_are_made(db):
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_a_line_of_django_is_printed_once():
    consoles = [
        handler
        for name in ("django", None)
        for handler in logging.getLogger(name).handlers
        if type(handler) is logging.StreamHandler
    ]

    assert len(consoles) == 1
