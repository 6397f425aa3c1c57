import pytest
from django.db import migrations

from apps.operations.fleet.files import MigrationFiles, Planner


def make(name, *dependencies, replaces=()):
    attributes = {
        "operations": [],
        "dependencies": [("notes", other) for other in dependencies],
        "replaces": [("notes", other) for other in replaces],
    }
    return type("Migration", (migrations.Migration,), attributes)(name, "notes")


@pytest.fixture
def squashed():
    files = MigrationFiles()
    found = [
        make("0001"),
        make("0002", "0001"),
        make("0001_squashed_0002", replaces=["0001", "0002"]),
        make("0003", "0001_squashed_0002"),
    ]
    files.migrations = {("notes", migration.name): migration for migration in found}
    return Planner(files, "notes")


@pytest.mark.parametrize(
    ("applied", "planned", "lacks_a_row"),
    [
        ([], ["0001_squashed_0002", "0003"], False),
        (["0001"], ["0002", "0003"], False),
        (["0001", "0002"], ["0003"], True),
        (["0001", "0002", "0003"], [], True),
        (["0001", "0002", "0001_squashed_0002", "0003"], [], False),
    ],
)
def test_squashed_migrations_count_as_django_counts_them(squashed, applied, planned, lacks_a_row):
    rows = [("notes", name) for name in applied]

    plan = squashed.plan(rows)

    assert [migration.name for migration, _ in plan] == planned
    assert squashed.lacks_replacements(rows) is lacks_a_row
