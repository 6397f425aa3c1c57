"""Every management command is called with nothing, with wrong arguments and without a terminal.

It must end well or with a line that says what to do, never in a traceback.
"""

import io
import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ImproperlyConfigured
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand
from django.db import ProgrammingError, connections, transaction

from tenants.context import connection
from tenants.management.plain_errors import plain_errors
from tenants.models import Tenant
from tests.optional import needs
from tests.workers import get_test_database_url

COMMANDS = get_commands()
DJANGO = [name for name, app in COMMANDS.items() if app == "django.core" or app.startswith("django.contrib")]
# Not without arguments, since they go on, write into the project, or work on a database of their own.
NOT_BARE = {"runserver", "db_worker", "dbshell", "shell", "test", "testserver", "collectstatic"}
NOT_BARE |= {"makemessages", "compilemessages", "diffsettings", "inspectdb", "dumpdata", "prove_isolation"}
# What else a command needs before it looks at its options.
NEEDED = {
    "compare_spaces": ["fast"],
    "create_domain": ["-d", "search.acme.example"],
    "create_tenant": ["--name=New", "--subdomain=new", "--owner-email=o@new.example"],
    "delete_domain": ["-d", "search.acme.example"],
    "export_tenant": ["--to=/nowhere/acme.tar.gz"],
    "golden_queries": ["export"],
    "import_articles": [__file__],
    "import_notes": [__file__],
    "import_tenant": ["/nowhere/acme.tar.gz"],
    "rename_tenant": ["apex"],
    "search": ["bicycle"],
    "switch_space": ["start", "--to=fast"],
    "tenant_command": ["check"],
    "all_tenants_command": ["check"],
}
COMMON = {"help", "version", "verbosity", "settings", "pythonpath", "traceback", "no_color", "force_color"}
BAD = "no such/value"  # no number, alias, name, address, host, language, JSON, folder or app
# Where it is good, since any text is.
ANY_TEXT = {
    ("create_tenant", "name"),
    ("import_tenant", "name"),
    ("create_tenant_superuser", "email"),  # without a terminal it is not looked at
}
# Django's own, which end in a traceback for bad values, as they do everywhere.
TRACEBACKS = {"diffsettings", "shell", "test", "testserver"}
NO_SERVER = "postgres://nobody@127.0.0.1:1/none"


class NoTerminal(io.StringIO):
    def isatty(self):
        return False


@pytest.fixture
def manage(monkeypatch, capsys, db, settings, tmp_path):
    """Run manage.py as a person without a terminal does; return its exit code and what it said."""
    settings.STATIC_ROOT = tmp_path
    (tmp_path / "site.css").touch()  # collectstatic asks before it overwrites
    monkeypatch.setattr(connections, "close_all", lambda: None)
    monkeypatch.setattr(sys, "stdin", NoTerminal())
    monkeypatch.setattr(BaseCommand, "check", lambda *args, **options: None)

    def run(name, *arguments):
        argv = ["manage.py", name, *arguments]
        monkeypatch.setattr(sys, "argv", argv)  # makemessages reads it
        try:
            with plain_errors(argv):
                load_command_class(COMMANDS[name], name).run_from_argv(argv)
        except SystemExit as end:
            code, said = (1, end.code) if isinstance(end.code, str) else (end.code or 0, "")
        else:
            code, said = 0, ""
        finally:
            connection.set_schema_to_public()
        out, errors = capsys.readouterr()
        return code, f"{out}{errors}{said}"

    return run


def list_options(name):
    parser = load_command_class(COMMANDS[name], name).create_parser("manage.py", name)
    return [action for action in parser._actions if action.dest not in COMMON]


def is_schema(action):
    return action.dest in ("schema", "schema_name", "schema_option")


def with_schema(name, schema):
    """Return the ways in which a command takes a schema."""
    return [
        [f"{action.option_strings[-1]}={schema}" if action.option_strings else schema, *NEEDED.get(name, [])]
        for action in list_options(name)
        if is_schema(action)
    ]


OF_A_TENANT = [name for name in COMMANDS if with_schema(name, "nope")]
REFUSING = {"clone_tenant", "rename_schema", "create_missing_schemas", "collectstatic_schemas", "flush"}


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - NOT_BARE))
def test_without_arguments_it_does_something_or_says_what_is_missing(name, acme, manage):
    code, said = manage(name)

    assert code in (0, 1, 2)
    assert code == 0 or said.strip()


@pytest.mark.parametrize("schema", ["nope", "", "acm"])
@pytest.mark.parametrize("name", sorted(set(OF_A_TENANT) - REFUSING))
def test_a_schema_that_no_tenant_has_is_refused_with_those_there_are(name, schema, acme, globex, manage):
    for arguments in with_schema(name, schema):
        code, said = manage(name, *arguments)

        assert code != 0, arguments
        assert repr(schema) in said or "Name a tenant" in said
        assert "Did you mean 'acme'?" in said if schema == "acm" else "There are: acme, globex." in said


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - TRACEBACKS - REFUSING))
def test_a_bad_value_of_any_option_is_refused(name, acme, manage):
    for action in list_options(name):
        takes_value = action.option_strings and action.nargs is None and action.const is None
        if not takes_value or is_schema(action) or (name, action.dest) in ANY_TEXT:
            continue

        code, said = manage(
            name,
            *next(iter(with_schema(name, "acme")), NEEDED.get(name, [])),
            f"{action.option_strings[-1]}={BAD}",
        )

        assert code != 0 or name in DJANGO, (action.dest, said)
        assert code == 0 or said.strip()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["create_tenant", "--name=New", "--subdomain=acme", "--owner-email=o@new.example"],
            "--subdomain: 'acme' is the subdomain of another tenant. Choose another one.",
        ),
        (["rename_tenant", "globex", "acme"], "subdomain: 'acme' is the subdomain of another tenant."),
        (
            ["search", "--schema=acme", "x" * 2001],
            "query: A query may have 2000 characters; this one has 2001.",
        ),
        (
            ["search", "--schema=acme", "x", "--mode=nope"],
            "--mode: There is no mode 'nope'. Allowed: semantic,",
        ),
        (
            ["search", "--schema=acme", "x", "--index=nope"],
            "--index: There is no index 'nope'. Known indexes:",
        ),
        (["rebuild_index", "--schema=acme", "--space=nope"], "--space: EMBEDDINGS['nope']: there is no such"),
        pytest.param(
            ["switch_space", "estimate", "--schema=acme", "--to=nope"],
            "--to: EMBEDDINGS['nope']: there is no such alias. Known aliases: ",
            marks=needs("apps.search_switching"),
        ),
        pytest.param(
            ["compare_spaces", "nope", "--schema=acme"],
            "candidate: EMBEDDINGS['nope']: there is no such alias. Known aliases: ",
            marks=needs("apps.search_quality"),
        ),
        pytest.param(
            ["compare_spaces", "default", "--schema=acme", "--index=nope"],
            "--index: There is no index 'nope'. Known indexes: ",
            marks=needs("apps.search_quality"),
        ),
    ],
)
def test_a_fault_names_the_argument_the_value_and_what_is_allowed(acme, globex, manage, arguments, said):
    code, found = manage(*arguments)

    assert code == 1
    assert said in found


@pytest.mark.parametrize(
    "arguments", [["tenant_command", "nope", "--schema=acme"], ["all_tenants_command", "nope"]]
)
def test_an_unknown_command_for_tenants_is_named(acme, manage, arguments):
    code, said = manage(*arguments)

    assert code == 1
    assert "Unknown command: 'nope'" in said


@pytest.fixture
def furnished(acme):
    """acme with what commands ask about: a member and a content type that is stale."""
    get_user_model().objects.create_user("operator@example.com", password="correct horse battery")
    ContentType.objects.create(app_label="gone", model="gone")
    return acme


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["delete_tenant", "acme"], "Nobody answers; nothing was deleted. To go on unasked: --noinput"),
        (["delete_tenant", "acme", "--now"], "Nobody answers; nothing was deleted."),
        (["tenant_command", "check"], "Name a tenant: --schema=SCHEMA. There are: acme, globex."),
        (["create_tenant_superuser"], "Name a tenant: --schema=SCHEMA. There are: acme, globex."),
        (["changepassword", "operator@example.com"], "manage.py changepassword --help"),
        (["remove_stale_contenttypes", "--include-stale-apps"], "manage.py remove_stale_contenttypes --help"),
        (["collectstatic"], "there is no terminal to answer it."),
        (["flush"], "manage.py delete_tenant SCHEMA"),
        (["flush", "--noinput"], "manage.py delete_tenant SCHEMA"),
        (["rename_schema", "acme", "--no-such"], "To give the tenant another address"),
        (["clone_tenant", "acme", "globex"], "To copy a tenant"),
        (["rename_schema"], "To give the tenant another address: manage.py rename_tenant SCHEMA SUBDOMAIN"),
        (["clone_tenant"], "To copy a tenant: manage.py export_tenant SCHEMA --to FILE"),
        (["collectstatic_schemas"], "manage.py collectstatic --noinput"),
    ],
)
def test_what_asks_a_question_says_what_to_do_without_a_terminal(furnished, globex, manage, arguments, said):
    code, found = manage(*arguments)

    assert code != 0
    assert said in found
    assert Tenant.objects.get(schema_name="acme").state == "active"


@pytest.mark.parametrize(
    ("state", "step"),
    [
        ("provisioning", "A worker provisions it: manage.py db_worker"),
        ("failed", 'Choose "Provision again" in the operators\' admin.'),
        ("suspended", "Resume it in the operators' admin."),
        ("leaving", "To keep it: manage.py delete_tenant waiting --keep"),
    ],
)
def test_of_a_tenant_that_is_not_active_the_state_and_the_way_out_are_told(make_tenant, manage, state, step):
    make_tenant("waiting", state=state)

    code, said = manage("search", "--schema=waiting", "bicycle")

    assert code == 1
    assert f"no active tenant has the schema 'waiting'. It is {state}. {step}" in said


def test_without_any_tenant_it_is_said_how_to_make_one(db, manage):
    Tenant.objects.all().delete()

    code, said = manage("search", "--schema=acme", "bicycle")

    assert code == 1
    assert "There are no tenants yet. To make one: manage.py create_tenant --help" in said


def test_of_many_tenants_some_are_named(make_tenant, manage):
    for number in range(20):
        make_tenant(f"x{number:02}")

    _, said = manage("search", "--schema=quite-different", "bicycle")

    assert f"x00, x01, x02, x03, x04, x05, x06, x07 and {Tenant.objects.count() - 10} more." in said


def test_before_the_first_migration_each_command_says_what_to_run(acme, manage):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE tenants_tenant RENAME TO elsewhere")

    code, said = manage("doctor")
    assert (code, "manage.py migrate_schemas" in said) == (1, True)
    with transaction.atomic():
        code, said = manage("search", "--schema=acme", "bicycle")
        transaction.set_rollback(True)
    assert (code, said) == (
        1,
        "CommandError: There is no registry of tenants yet. Run: manage.py migrate_schemas",
    )


@pytest.mark.parametrize("sql", ["SELECT 1 FROM nowhere", "SELECT nothing FROM tenants_tenant"])
def test_a_table_or_column_that_is_missing_is_to_be_migrated(db, sql):
    with (
        pytest.raises(SystemExit) as end,
        plain_errors(["manage.py", "search"]),
        connection.cursor() as cursor,
    ):
        cursor.execute(sql)

    assert end.value.code.startswith("CommandError: ")
    assert "does not exist. A tenant or `public` lags behind the code. Run: manage.py migrate_schemas" in (
        end.value.code
    )


def test_faulty_settings_are_told_in_a_line():
    with pytest.raises(SystemExit) as end, plain_errors(["manage.py", "search"]):
        raise ImproperlyConfigured("EMBEDDINGS['x']: no such thing.")

    assert end.value.code == "ImproperlyConfigured: EMBEDDINGS['x']: no such thing."


@pytest.mark.parametrize("error", [KeyError("secret"), ProgrammingError("other")])
def test_an_error_that_nobody_expects_keeps_its_traceback(error):
    with pytest.raises(type(error)), plain_errors(["manage.py", "search"]):
        raise error


def test_with_traceback_every_error_has_one():
    with pytest.raises(EOFError), plain_errors(["manage.py", "delete_tenant", "--traceback"]):
        raise EOFError


def test_a_command_that_is_stopped_ends_like_others():
    with pytest.raises(SystemExit) as end, plain_errors(["manage.py", "rebuild_index"]):
        raise KeyboardInterrupt

    assert end.value.code == 130


@pytest.mark.slow
@pytest.mark.parametrize(
    ("url", "arguments", "said"),
    [
        (None, ["tenant_command", "nope", "--schema=acme"], "Unknown command: 'nope'"),
        (None, ["delete_tenant", "acme"], "Nobody answers"),
        (NO_SERVER, ["search", "--schema=acme", "x"], "The database does not answer"),
    ],
)
def test_a_process_without_a_terminal_ends_in_a_line(acme, url, arguments, said):
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        env=os.environ | {"DATABASE_URL": url or get_test_database_url()},
        cwd=settings.BASE_DIR,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr
