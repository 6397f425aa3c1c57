from tests.clone.repositories import ROOT
from tests.howtos import LEFT_OUT, NOT_YET, PAGES, read_commands


def test_each_how_to_is_carried_out_or_says_why_not():
    pages = [path.name for path in (ROOT / "docs" / "how-to").glob("*.md")]

    assert sorted([*PAGES, *NOT_YET]) == sorted(pages)


def test_what_asks_or_has_no_end_is_left_out():
    commands = read_commands("first-tenant.md")

    assert commands[0] == "python manage.py migrate_schemas"
    assert not any(word in command for word in LEFT_OUT for command in commands)
    assert any("--public-search" in command and "create_tenant" in command for command in commands)
