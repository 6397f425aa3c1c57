"""SECURITY.md names walls, tests and attacks that there are."""

import ast
import re
from functools import cache

import pytest
from django.apps import apps
from django.conf import settings

from tests.optional import OPTIONAL, is_dropped, list_left_out, needs

ROOT = settings.BASE_DIR
PAGE = (ROOT / "SECURITY.md").read_text()
THREATS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.partition("## Threats, walls, proofs")[2].partition("\n## ")[0].splitlines()
    if line.startswith("| ") and not line.startswith("| threat |")
]
TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
ATTACKS = re.compile(r"^\| `(apps[\w.]+)` \| (.+) \|$", re.MULTILINE)


@cache
def list_tests(path):
    """Return the names of the tests in a file, none if it is gone."""
    file = ROOT / path
    nodes = ast.parse(file.read_text()).body if file.exists() else []
    return {node.name for node in nodes if getattr(node, "name", "").startswith("test_")}


@pytest.mark.parametrize("row", THREATS, ids=lambda row: row[0])
def test_a_threat_has_a_wall_and_tests_that_exist(row):
    threat, wall, proofs = row
    tests = [(path, name) for path, name in TEST.findall(proofs) if not is_dropped(path)]

    assert threat
    assert wall
    assert TEST.sub("", proofs).replace(",", "").strip() == ""
    assert tests or any(is_dropped(path) for path, _ in TEST.findall(proofs))
    assert [path for path, name in tests if not list_tests(path)] == []
    assert [f"{path}::{name}" for path, name in tests if name and name not in list_tests(path)] == []


def test_the_page_has_its_threats():
    assert len(THREATS) >= 30


@needs(*OPTIONAL)
def test_every_attack_is_on_the_page():
    from importlib import import_module

    load_attacks = import_module("apps.operations.isolation.proving").load_attacks
    listed = {app: set(re.findall(r"`(\w+)`", names)) for app, names in ATTACKS.findall(PAGE)}

    for app, names in listed.items():
        assert names == {
            name for name, attack in load_attacks().items() if attack.__module__.startswith(f"{app}.")
        }


def test_the_apps_whose_attacks_are_listed_exist():
    listed = {app for app, _ in ATTACKS.findall(PAGE)}

    assert {app for app in listed if not apps.is_installed(app)} <= set(list_left_out())


def test_there_is_an_address_and_supported_versions():
    assert re.search(r"^Write to <[^@>\s]+@[^@>\s]+>\.", PAGE, re.MULTILINE)
    assert "## Supported versions" in PAGE
