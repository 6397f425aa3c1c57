import pytest

from tests.infra.house import House, ScriptError, run


def run_as_superuser(house, sql):
    return run(["psql", "--no-psqlrc", "--command", sql], house.superuser | {"PGDATABASE": house.name})


def test_a_role_that_may_not_make_the_extension_is_told_who_may(make_house):
    house = make_house("bare")
    run_as_superuser(house, "DROP EXTENSION vector")

    with pytest.raises(ScriptError) as refused:
        house.manage("migrate_schemas", "--verbosity=0")
    run_as_superuser(house, "CREATE EXTENSION vector SCHEMA public")
    house.manage("migrate_schemas", "--verbosity=0")

    assert 'CommandError: permission denied to create extension "vector"' in str(refused.value)
    assert "a superuser has to run: CREATE EXTENSION vector SCHEMA public;" in str(refused.value)
    assert "Traceback" not in str(refused.value)


def test_a_database_that_does_not_answer_is_named_with_what_to_do():
    house = House("never_made")

    with pytest.raises(ScriptError) as refused:
        house.manage("migrate_schemas", "--verbosity=0")

    assert "CommandError: The database does not answer: connection failed" in str(refused.value)
    assert "Correct DATABASE_URL, or start that server" in str(refused.value)
    assert "Traceback" not in str(refused.value)
