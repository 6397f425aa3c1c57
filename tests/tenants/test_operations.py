import pytest
from django.db import connection

from tenants.operations import CreateOptionalExtension


@pytest.fixture
def extensions(db):
    def read():
        with connection.cursor() as cursor:
            cursor.execute("SELECT extname, extnamespace::regnamespace::text FROM pg_extension")
            return dict(cursor.fetchall())

    return read


@pytest.fixture
def without_unaccent(db):
    with connection.cursor() as cursor:
        cursor.execute("DROP EXTENSION unaccent")


def create(name):
    with connection.schema_editor() as editor:
        CreateOptionalExtension(name).database_forwards("tenants", editor, None, None)


@pytest.mark.usefixtures("without_unaccent")
def test_extension_that_is_offered_is_created_in_public(extensions):
    create("unaccent")
    create("unaccent")

    assert extensions()["unaccent"] == "public"


def test_extension_that_is_not_offered_is_no_error(extensions):
    before = extensions()

    create("no_such_extension")

    assert extensions() == before


@pytest.mark.usefixtures("without_unaccent")
@pytest.mark.parametrize(("grant", "created"), [("", False), ("CREATE", True)])
def test_role_that_is_no_superuser_creates_what_it_may(extensions, grant, created):
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE visitor")
        cursor.execute("GRANT CREATE ON SCHEMA public TO visitor")
        if grant:
            cursor.execute(f"GRANT {grant} ON DATABASE {connection.ops.quote_name(database())} TO visitor")
        cursor.execute("SET LOCAL ROLE visitor")

    create("unaccent")

    assert ("unaccent" in extensions()) == created


def test_extension_that_others_may_use_stays_when_migrating_backwards(extensions):
    with connection.schema_editor() as editor:
        CreateOptionalExtension("unaccent").database_backwards("tenants", editor, None, None)

    assert "unaccent" in extensions()


def test_migration_created_unaccent(extensions):
    assert extensions()["unaccent"] == "public"


def database():
    return connection.settings_dict["NAME"]
