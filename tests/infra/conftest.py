import os

import pytest

from tests.infra.house import House

NOTES = {"acme": "The chain of a bicycle wants oil.", "globex": "Rain falls on the mountains."}


@pytest.fixture(scope="session")
def make_house():
    houses = []

    def make(name):
        houses.append(House(f"{name}_{os.getpid()}"))
        houses[-1].bootstrap()
        return houses[-1]

    yield make
    for house in houses:
        house.drop()


@pytest.fixture(scope="session")
def house(make_house, tmp_path_factory):
    """A database with two tenants, each with a note that is indexed."""
    house = make_house("house")
    house.manage("migrate_schemas", "--verbosity=0")
    for schema, text in NOTES.items():
        house.manage(
            "create_tenant", f"--name={schema}", f"--subdomain={schema}", f"--owner-email=a@{schema}.example"
        )
        path = tmp_path_factory.mktemp("notes") / "note.txt"
        path.write_text(text)
        house.manage("import_notes", f"--schema={schema}", str(path))
        house.manage("rebuild_index", f"--schema={schema}")
    return house
