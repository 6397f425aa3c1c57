"""docs/upgrading.md, CHANGELOG.md and pyproject.toml say the same."""

import re
import tomllib
from functools import cache

import pytest

from tests.clone.repositories import ROOT
from tests.optional import is_dropped

PAGE = (ROOT / "docs" / "upgrading.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SECTION = re.compile(
    r"^### (?P<library>[\w-]+) `(?P<bound><[\d.]+)`\n(?P<table>.*?)(?=^#|\Z)", re.MULTILINE | re.DOTALL
)
ROW = re.compile(r"\| `(?P<where>[^`]+)` \| .+ \| `(?P<test>test_\w+)` \|")
# super()._name and other._name; Django documents _meta and the two managers, Python documents os._exit.
PRIVATE = re.compile(
    r"super\(\)\._[a-z]|\b(?!self\b|cls\b|os\._exit\b)\w+\._(?!meta\b|base_manager\b|default_manager\b)[a-z]"
)
OWN_PRIVATES = {"apps/search_own_spaces/embedder.py"}  # it extends an embedder of ours


def list_rows():
    return [
        (section["library"], line)
        for section in SECTION.finditer(PAGE)
        for line in section["table"].strip().splitlines()[2:]  # below the heading and its rule
    ]


@cache
def list_tests():
    texts = [path.read_text() for path in (ROOT / "tests").rglob("test_*.py")]
    return {
        name for text in texts for name in re.findall(r"^(?:async )?def (test_\w+)\(", text, re.MULTILINE)
    }


def get_bounds():
    """Return the upper bound of each library in pyproject.toml that has one."""
    pattern = re.compile(r"(?P<library>[\w-]+)(?:\[.*\])?[^<]*(?P<bound><[\d.]+)")
    matches = map(pattern.fullmatch, PROJECT["project"]["dependencies"])
    return {match["library"]: match["bound"] for match in matches if match}


def test_the_page_and_the_project_have_the_same_upper_bounds():
    assert {section["library"]: section["bound"] for section in SECTION.finditer(PAGE)} == get_bounds()


@pytest.mark.parametrize(("library", "line"), list_rows())
def test_each_private_use_is_where_the_page_says_and_has_its_test(library, line):
    row = ROW.fullmatch(line)

    assert row, f"{library}: {line!r} must be | `path` | what | `test_name` |"
    if not is_dropped(row["where"].rstrip("/")):
        assert (ROOT / row["where"]).exists()
        assert row["test"] in list_tests()


def test_every_private_use_stands_on_the_page():
    listed = tuple(row["where"] for _, line in list_rows() if (row := ROW.fullmatch(line)))
    used = {
        str(path.relative_to(ROOT))
        for top in ("apps", "project", "tenants")
        for path in (ROOT / top).rglob("*.py")
        if PRIVATE.search(path.read_text())
    }

    assert {path for path in used - OWN_PRIVATES if not path.startswith(listed)} == set()


def test_the_newest_version_of_the_changelog_is_the_projects():
    changelog = (ROOT / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## \[([\d.]+)\] - \d{4}-\d\d-\d\d$", changelog, re.MULTILINE)

    assert versions[0] == PROJECT["project"]["version"]
    assert versions == sorted(versions, key=lambda version: [*map(int, version.split("."))], reverse=True)
    assert PROJECT["tool"]["template"]["tag"] == f"v{versions[0]}"
