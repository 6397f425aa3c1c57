import ast

import pytest
from django.conf import settings

ROOT = settings.BASE_DIR
OURS = ("project", "tenants", "apps", "tests")
SEARCH = "apps.search"
PGVECTOR = "apps.search.storage.pgvector"
QUALITY = "apps.search_quality"  # may be left out, so nobody needs it
MAY_BE_LEFT_OUT = {QUALITY, "project.demo"}
BELOW_VIEWS = ["apps.search.storage", "apps.search.indexing.batches"]

# A module is judged by the first room that holds it: those inside come before those around them.
# For each: the rooms it may import, and those it may not although they are inside an allowed one.
RULES = {
    "apps.search.embedders": (["apps.search.embedders"], []),
    "apps.search.chunking": (["apps.search.chunking"], []),
    "apps.search.filters": (["apps.search.filters", "apps.search.embedders"], []),
    PGVECTOR: (
        [
            PGVECTOR,
            "apps.search.embedders",
            "apps.search.documents",
            "apps.search.filters",
            "tenants.context",
        ],
        [],
    ),
    QUALITY: ([SEARCH, "tenants.context"], []),
    "apps.search.views": ([SEARCH, "tenants.context"], [*BELOW_VIEWS, QUALITY]),
    "apps.search.api": ([SEARCH, "tenants.context"], [*BELOW_VIEWS, QUALITY]),
    "apps.search.doctor": ([SEARCH, "tenants.context", "apps.operations.doctor.finding"], []),
    "apps.search.doctor_work": ([SEARCH, "tenants.context", "apps.operations.doctor.finding"], []),
    "apps.search_own_spaces.doctor": (
        ["apps.search_own_spaces", "tenants.context", "apps.operations.doctor.finding"],
        [],
    ),
    "apps.search_own_spaces": (
        [
            "apps.search_own_spaces",
            "apps.search.embedders",
            "apps.search.spaces.space",
            "apps.search.searching.refusals",
            "apps.search.management",
            "tenants.context",
        ],
        [],
    ),
    SEARCH: ([SEARCH, "tenants.context"], [QUALITY, "apps.search_own_spaces"]),
    "apps.accounts": (["apps.accounts", "tenants.context"], []),
    "project.demo": (["project", "tenants"], []),
    "tenants": (["tenants"], []),
    "project": (["project"], []),
}


def is_within(module, room):
    return module == room or module.startswith(f"{room}.")


def get_module_name(root, path):
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_type_checking(node):
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def walk_imports(node):
    """Yield the imports that run, at the top or inside functions."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield node
    for child in node.orelse if is_type_checking(node) else ast.iter_child_nodes(node):
        yield from walk_imports(child)


def get_targets(node, package, modules):
    """Return what an import names: `from a import b` is the module a.b when there is one, otherwise a."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    above = package.rsplit(".", node.level - 1)[0] if node.level else ""
    base = ".".join(part for part in (above, node.module) if part)
    return [name if (name := f"{base}.{alias.name}") in modules else base for alias in node.names]


def find_fault(module, target):
    if not any(is_within(target, room) for room in OURS):
        return None
    room = next((room for room in RULES if is_within(module, room)), None)
    if room is None:  # an app of a newcomer's, such as apps.articles
        room = ".".join(module.split(".")[:2])
    allowed, refused = RULES.get(room, ([room, SEARCH], []))
    if any(is_within(target, other) for other in refused):
        return f"{room} must not import {' or '.join(refused)}"
    if any(is_within(target, other) for other in allowed):
        return None
    return f"{room} may import only {', '.join(['libraries', *allowed])}"


def find_violations(root):
    paths = {
        get_module_name(root, path): path for top in OURS[:3] for path in sorted((root / top).rglob("*.py"))
    }
    violations = []
    for module, path in paths.items():
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        for node in walk_imports(ast.parse(path.read_text())):
            for target in get_targets(node, package, paths):
                if fault := find_fault(module, target):
                    violations.append(f"{path.relative_to(root)}:{node.lineno}: imports {target}; {fault}")
    return violations


def plant(root, path, text):
    for folder in (
        "tenants",
        "apps/search/storage/pgvector",
        "apps/search/embedders",
        "apps/accounts",
        "project",
    ):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for module in ("tenants/context", "tenants/models", "apps/search/indexing", "apps/search/forms"):
        (root / f"{module}.py").touch()
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


def test_every_room_imports_only_what_it_may_know():
    assert find_violations(ROOT) == []


def test_there_are_modules_to_judge_in_every_room():
    modules = [get_module_name(ROOT, path) for top in OURS[:3] for path in (ROOT / top).rglob("*.py")]

    empty = {room for room in RULES if not any(is_within(module, room) for module in modules)}
    assert empty <= MAY_BE_LEFT_OUT


@pytest.mark.parametrize(
    ("path", "line", "target"),
    [
        ("apps/accounts/views.py", "from apps.search import get_provider", "apps.search"),
        ("apps/accounts/views.py", "from tenants.models import Tenant", "tenants.models"),
        ("apps/accounts/views.py", "from tenants import models", "tenants.models"),
        ("apps/accounts/views.py", "from tests.tenants import tasks", "tests.tenants"),
        ("apps/articles/views.py", "from apps.accounts.models import User", "apps.accounts.models"),
        ("apps/articles/views.py", "from tenants.models import Tenant", "tenants.models"),
        ("apps/search/providers.py", "from apps.articles.models import Article", "apps.articles.models"),
        ("apps/search/providers.py", "import project.settings", "project.settings"),
        ("apps/search/chunking/base.py", "from apps.search import forms", "apps.search.searching.forms"),
        ("apps/search/chunking/base.py", "from .. import forms", "apps.search.searching.forms"),
        (
            "apps/search/embedders/base.py",
            "from apps.search.documents import Document",
            "apps.search.documents",
        ),
        ("apps/search/embedders/base.py", "from ..documents import Document", "apps.search.documents"),
        ("apps/search/embedders/__init__.py", "from ...search import forms", "apps.search.searching.forms"),
        (
            "apps/search/storage/pgvector/provider.py",
            "from apps.search import indexing",
            "apps.search.indexing.batches",
        ),
        (
            "apps/search/views.py",
            "from apps.search.storage.pgvector import X",
            "apps.search.storage.pgvector",
        ),
        ("apps/search/api.py", "from apps.search import forms, indexing", "apps.search.indexing.batches"),
        (
            "tenants/provisioning/life_cycle.py",
            "from apps.accounts.models import User",
            "apps.accounts.models",
        ),
        ("tenants/migrations/0002_x.py", "import project.urls", "project.urls"),
        ("project/urls.py", "from tenants.admin.site import site", "tenants.admin.site"),
    ],
)
def test_a_planted_violation_is_named_with_file_line_and_rule(tmp_path, path, line, target):
    plant(tmp_path, path, f"import os\n\n\ndef late():\n    {line}\n")

    violations = find_violations(tmp_path)

    assert len(violations) == 1
    assert violations[0].startswith(f"{path}:5: imports {target}; ")
    assert " may import only libraries" in violations[0] or " must not import " in violations[0]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("apps/accounts/views.py", "import django.db, numpy"),
        ("apps/accounts/views.py", "from tenants import context"),
        ("apps/accounts/views.py", "from .models import User"),
        ("apps/articles/views.py", "from apps.search.searching.forms import SearchForm"),
        ("apps/search/providers.py", "from tenants.context import tenant_context"),
        ("apps/search/embedders/minilm.py", "from .base import BaseEmbedder"),
        ("apps/search/storage/pgvector/provider.py", "from ...embedders import get_embedder"),
        ("tenants/provisioning/life_cycle.py", "from tenants import models"),
        ("project/urls.py", "from project.api import api"),
        ("apps/search/providers.py", "import projects, tenants_of_others"),
    ],
)
def test_an_allowed_import_is_no_violation(tmp_path, path, line):
    plant(tmp_path, path, f"{line}\n")

    assert find_violations(tmp_path) == []


def test_an_import_for_the_type_checker_is_exempt_but_its_other_branch_is_not(tmp_path):
    text = "if TYPE_CHECKING:\n    from tenants.models import Tenant\nelse:\n    import tenants.models\n"
    plant(tmp_path, "apps/accounts/views.py", text)

    violations = find_violations(tmp_path)

    assert [violation.split(": ")[0] for violation in violations] == ["apps/accounts/views.py:4"]
