"""What README, CONTRIBUTING and docs/ name exists: paths, imports, commands, targets, links, checks."""

import re
from functools import cache
from importlib import import_module

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands

from tests.clone.howto import BLOCK
from tests.optional import OPTIONAL, is_dropped

ROOT = settings.BASE_DIR
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
PATH = re.compile(r"`((?:apps|docs|infra|project|requirements|tenants|tests)/[\w./*-]*)`")
DOTTED = re.compile(r"`((?:apps|project|tenants|tests)(?:\.\w+)+)`")
IMPORT = re.compile(r"^ *from ((?:apps|project|tenants|tests)[\w.]*) import ([\w, ]+)$", re.MULTILINE)
COMMAND = re.compile(r"manage\.py (\w+)")
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)(?:#([\w-]+))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
CHECK = re.compile(r"\b[a-z_]+\.[EW]\d{3}\b")

PARTS = ["Status", "Context", "Decision", "Consequences"]  # of a decision record


class AnyModule(yaml.SafeLoader):
    """Reads mkdocs.yml, which names a Python function."""


AnyModule.add_multi_constructor("tag:yaml.org,2002:python/name:", lambda loader, suffix, node: suffix)


@cache
def list_examples():
    """Return the files that the pages tell a reader to write."""
    return {block["path"] for page in PAGES for block in BLOCK.finditer(page.read_text())}


def is_example(path):
    return any(example == path or example.startswith(f"{path.rstrip('/')}/") for example in list_examples())


def find_bad_path(path):
    if is_example(path) or is_dropped(path):
        return None
    found = any(ROOT.glob(path)) if "*" in path else (ROOT / path).exists()
    return None if found else path


def find_bad_name(name):
    """Return a dotted name of a module, or of something in it, that there is not."""
    path = name.replace(".", "/")
    if any(
        is_dropped(path) or is_example(each) for each in (path, f"{path}.py", f"{path.rpartition('/')[0]}.py")
    ):
        return None
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            value = import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            value = getattr(value, part, None)
        return None if value is not None else name
    return name


def slugify(heading):
    """Return the anchor that GitHub and MkDocs make of a heading."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", text.lower()).strip().replace(" ", "-")


def list_ids(pages):
    return [str(page.relative_to(ROOT)) for page in pages]


@pytest.mark.parametrize("page", PAGES, ids=list_ids(PAGES))
def test_a_page_names_only_what_there_is(page):
    text = page.read_text()
    imports = {
        f"{module}.{name.strip()}" for module, names in IMPORT.findall(text) for name in names.split(",")
    }
    names = {*DOTTED.findall(text), *imports} - {"apps.py"}
    names = {name for name in names if not CHECK.fullmatch(name)}
    names = {name for name in names if f"class {name.rpartition('.')[2]}(" not in text}  # the page makes it

    bad = [*map(find_bad_path, PATH.findall(text)), *map(find_bad_name, names)]
    unknown = {name for name in COMMAND.findall(text) if name not in get_commands()}
    optional = {"golden_queries", "evaluate_search", "compare_spaces", "switch_space", "import_articles"}
    optional |= {"export_tenant", "import_tenant", "prove_isolation", "rotate_encryption", "vector_indexes"}
    assert [name for name in bad if name] == []
    assert unknown - optional - {"COMMAND"} == set()


@pytest.mark.parametrize("page", PAGES, ids=list_ids(PAGES))
def test_the_links_of_a_page_lead_somewhere(page):
    broken = []
    for target, anchor in LINK.findall(FENCE.sub("", page.read_text())):
        path = (page.parent / target).resolve() if target else page
        if not path.exists():
            broken.append(target)
        elif anchor and anchor not in map(slugify, HEADING.findall(FENCE.sub("", path.read_text()))):
            broken.append(f"{target}#{anchor}")

    assert broken == []


def test_every_page_stands_in_the_navigation():
    site = yaml.load((ROOT / "mkdocs.yml").read_text(), AnyModule)  # noqa: S506 - a safe loader
    shown = set(re.findall(r"[\w/-]+\.md", str(site["nav"])))
    pages = {str(page.relative_to(ROOT / "docs")) for page in PAGES if page.is_relative_to(ROOT / "docs")}

    assert {page for page in pages if not page.startswith("decisions/0")} == shown


def test_the_reference_has_every_system_check():
    texts = [
        path.read_text() for top in ("apps", "project", "tenants") for path in (ROOT / top).rglob("*.py")
    ]
    made = {check for text in texts for check in re.findall(r'"([a-z_]+\.[EW]\d{3})"', text)}
    listed = set(CHECK.findall((ROOT / "docs" / "reference" / "checks.md").read_text()))

    assert made - listed == set()
    if not any(is_dropped(app.replace(".", "/")) for app in OPTIONAL):
        assert listed - made == set()


def test_the_reference_has_every_command():
    page = (ROOT / "docs" / "reference" / "commands.md").read_text()
    ours = {name for name, app in get_commands().items() if app.startswith(("apps.", "tenants"))}

    assert {name for name in ours if f"`{name}" not in page} == set()


def test_the_make_targets_that_the_pages_name_exist():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([\w -]+):", makefile, re.MULTILINE))
    targets = {name for line in targets for name in line.split()}
    named = {name for page in PAGES for name in re.findall(r"`make ([a-z-]+)", page.read_text())}

    assert named - targets == set()


def test_decisions_have_one_form_and_one_numbering():
    records = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
    index = (ROOT / "docs" / "decisions" / "index.md").read_text()

    assert [int(path.name[:4]) for path in records] == list(range(1, len(records) + 1))
    for path in records:
        text = path.read_text()
        title = re.match(rf"# {int(path.name[:4])}\. (.+)\n", text)
        assert title, path.name
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == [
            "Status",
            "Context",
            "Decision",
            "Consequences",
        ]
        assert f"| {int(path.name[:4])} | [{title[1]}]({path.name}) |" in index
