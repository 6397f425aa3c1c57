from collections import Counter

import pytest

from tests.house import House, is_within
from tests.optional import OPTIONAL

REGISTRY = ["tenants.admin", "tenants.models", "tenants.provisioning", "tenants.tasks"]
TENANTS = "tenants"  # all of it but REGISTRY, which is for those who look after the tenants

# What each app, or room of an app, may import besides itself and libraries. The first line that fits counts.
# An app that has no line, such as one of yours, may import what stands beside "apps.*".
RULES = {
    "tenants": [],
    "apps.operations.*": [TENANTS, *REGISTRY],
    "apps.accounts": [TENANTS],
    "apps.audit": [TENANTS, "apps.accounts"],
    "apps.search.options": [],
    "apps.search.chunking": ["apps.search.options"],
    "apps.search.endpoints": ["apps.search.options"],
    "apps.search.embedders": ["apps.search.endpoints", "apps.search.options", "apps.search.conf"],
    "apps.search.rerankers": [
        "apps.search.storage.pgvector",
        "apps.search.embedders",
        "apps.search.endpoints",
        "apps.search.options",
        "apps.search.conf",
    ],
    "apps.search.filters": ["apps.search.options"],
    "apps.search.storage.pgvector": [
        TENANTS,
        "apps.search.documents",
        "apps.search.embedders",
        "apps.search.filters",
        "apps.search.options",
    ],
    "apps.search": [TENANTS],
    "apps.*": [TENANTS, "apps.search"],
    "project.embedded_postgres": [],
    "project.demo": ["project", TENANTS, *REGISTRY, "apps.accounts", "apps.search", "apps.articles"],
    "project": [TENANTS, *REGISTRY, "apps.accounts", "apps.search"],
}
# Modules with a fixed name may import what loads them; whoever is left out loads none.
FIXED_NAMES = {
    "bundle": ["apps.operations.bundles"],
    "doctor": ["apps.operations.doctor"],
    "isolation": ["apps.operations.isolation", "apps.accounts.isolation"],
    "operators": REGISTRY,
}
KNOWN_NAMES = {  # of files that Django, Python or the house finds by name
    *("__init__", "__main__", "admin", "api", "apps", "asgi", "bundle", "checks", "conf", "doctor", "forms"),
    *("isolation", "managers", "models", "navigation", "operators", "schedules", "settings", "tasks"),
    *("urls", "urls_public", "views", "wsgi"),
}
MOST_FILES = 12


def get_rule(module):
    for room in RULES:
        start = room.removesuffix(".*")
        if is_within(module, start):
            depth = start.count(".") + 1 + room.endswith(".*")
            return ".".join(module.split(".")[:depth]), RULES[room]
    raise LookupError(module)


def find_fault(module, target):
    room, allowed = get_rule(module)
    name = next((part for part in module.split(".")[1:] if part in FIXED_NAMES), None)
    allowed = [room, *allowed, *FIXED_NAMES.get(name, [])]
    fitting = [other for other in (*allowed, *REGISTRY) if is_within(target, other)]
    if is_within(target, room) or (fitting and max(fitting, key=len) in allowed):
        return None
    return f"{room} may import only {', '.join(['libraries', *allowed])}"


def find_violations(house, imports):
    return [
        f"{house.paths[module].relative_to(house.root)}:{line}: imports {target}; {fault}"
        for module, line, target, _ in imports
        if (fault := find_fault(module, target))
    ]


def plant(root, path, text):
    for folder in (
        "tenants",
        "apps/search/storage/pgvector",
        "apps/search/embedders",
        "apps/accounts",
        "project",
    ):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for module in (
        "tenants/context",
        "tenants/models",
        "apps/search/indexing",
        "apps/search/forms",
        "apps/articles/apps",
        "apps/search/apps",
    ):
        (root / module).parent.mkdir(exist_ok=True)
        (root / f"{module}.py").touch()
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


@pytest.fixture(scope="module")
def house():
    return House()


@pytest.fixture(scope="module")
def imports(house):
    return [found for found in house.imports if found.module != "project.settings"]  # it lists all apps


def test_every_room_imports_only_what_it_may_know(house, imports):
    assert find_violations(house, imports) == []


def test_nobody_imports_an_app_that_may_be_left_out(imports):
    strangers = [
        found
        for found in imports
        for app in OPTIONAL
        if is_within(found.target, app)
        and not any(is_within(found.module, other) for other in OPTIONAL)
        and app not in FIXED_NAMES.get(found.module.rpartition(".")[2], [])
    ]

    assert strangers == []


def get_test_module(path):
    return f"tests.{path.removesuffix('.py').replace('/', '.')}"


def test_the_tests_of_what_stays_import_nothing_that_may_be_left_out():
    tests = House(tops=["tests"])
    # These measure the example and the demo.
    tools = ("tests.bench_neighbours", "tests.bench_tenants", "tests.eval")

    strangers = [
        found
        for found in tests.imports
        for app, about in OPTIONAL.items()
        if is_within(found.target, app) and not found.is_string
        if not any(is_within(found.module, place) for place in (*tools, *map(get_test_module, about)))
    ]

    assert strangers == []


def test_modules_and_rooms_import_each_other_in_no_circle(house, imports):
    assert house.find_circles(imports) == []


def test_a_folder_has_a_dozen_files_besides_those_with_fixed_names(house):
    files = [
        path.parent.relative_to(house.root).as_posix()
        for path in house.paths.values()
        if path.stem not in KNOWN_NAMES and path.parent.name not in ("migrations", "commands")
    ]

    full = {folder for folder, count in Counter(files).items() if count > MOST_FILES}
    assert full == set()


def test_no_two_modules_of_an_app_have_the_same_name(house):
    names = Counter(
        (house.get_app(module), path.stem)
        for module, path in house.paths.items()
        if path.stem not in KNOWN_NAMES and path.parent.name != "migrations"
    )

    assert {twin for twin, count in names.items() if count > 1} == set()


def test_there_are_modules_to_judge_in_every_room(house):
    rooms = {get_rule(module)[0] for module in house.paths if "." in module}

    plain = {room for room in RULES if not room.endswith(".*")}
    assert plain - rooms <= {"project.demo", "apps.articles", "apps.audit"}  # which may be left out
    assert any(room.startswith("apps.operations.") for room in rooms)


@pytest.mark.parametrize(
    ("path", "line", "target"),
    [
        ("apps/accounts/views.py", "from apps.search import get_provider", "apps.search"),
        ("apps/accounts/views.py", "from tenants.models import Tenant", "tenants.models"),
        ("apps/accounts/views.py", "from tenants import models", "tenants.models"),
        ("apps/accounts/views.py", "from tests.tenants import tasks", "tests.tenants"),
        ("apps/accounts/views.py", "from apps.operations.doctor import finding", "apps.operations.doctor"),
        ("apps/accounts/doctor.py", "from tenants.models import Tenant", "tenants.models"),
        ("apps/accounts/doctor.py", "import apps.operations.bundles", "apps.operations.bundles"),
        ("apps/articles/views.py", "from apps.accounts.models import User", "apps.accounts.models"),
        ("apps/articles/views.py", "from tenants.models import Tenant", "tenants.models"),
        ("apps/articles/views.py", "get('project.api.api')", "project.api.api"),
        (
            "apps/operations/doctor/disk.py",
            "import apps.operations.fleet.files",
            "apps.operations.fleet.files",
        ),
        ("apps/search/providers.py", "from apps.articles.models import Article", "apps.articles.models"),
        ("apps/search/providers.py", "import_string('apps.articles.models')", "apps.articles.models"),
        ("apps/search/providers.py", "import project.settings", "project.settings"),
        ("apps/search/chunking/base.py", "from apps.search import forms", "apps.search.forms"),
        ("apps/search/chunking/base.py", "from .. import forms", "apps.search.forms"),
        (
            "apps/search/embedders/base.py",
            "from apps.search.documents import Document",
            "apps.search.documents",
        ),
        ("apps/search/embedders/base.py", "from ..documents import Document", "apps.search.documents"),
        ("apps/search/embedders/__init__.py", "from ...search import forms", "apps.search.forms"),
        (
            "apps/search/storage/pgvector/provider.py",
            "from apps.search import indexing",
            "apps.search.indexing",
        ),
        (
            "tenants/provisioning/life_cycle.py",
            "from apps.accounts.models import User",
            "apps.accounts.models",
        ),
        ("tenants/migrations/0002_x.py", "import project.urls", "project.urls"),
        ("project/urls.py", "from apps.articles.models import Article", "apps.articles.models"),
    ],
)
def test_a_planted_violation_is_named_with_file_line_and_rule(tmp_path, path, line, target):
    plant(tmp_path, path, f"import os\n\n\ndef late():\n    {line}\n")
    planted = House(tmp_path)

    violations = find_violations(planted, planted.imports)

    assert len(violations) == 1
    assert violations[0].startswith(f"{path}:5: imports {target}; ")
    assert " may import only libraries" in violations[0]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("apps/accounts/views.py", "import django.db, numpy"),
        ("apps/accounts/views.py", "from tenants import context"),
        ("apps/accounts/views.py", "from .models import User"),
        ("apps/accounts/doctor.py", "from apps.operations.doctor.finding import Finding"),
        ("apps/accounts/operators.py", "from tenants.models import Tenant"),
        ("apps/articles/views.py", "from apps.search.searching.forms import SearchForm"),
        ("apps/articles/views.py", "render('apps.articles.views')"),
        ("apps/operations/doctor/registry.py", "from tenants.models import Tenant"),
        ("apps/search/isolation.py", "from apps.accounts.isolation import plant_key"),
        ("apps/search/providers.py", "from tenants.context import tenant_context"),
        ("apps/search/embedders/minilm.py", "from .base import BaseEmbedder"),
        ("apps/search/storage/pgvector/provider.py", "from ...embedders import get_embedder"),
        ("apps/your_own/views.py", "from apps.search import get_provider"),
        ("tenants/provisioning/life_cycle.py", "from tenants import models"),
        ("project/urls.py", "from project.api import api"),
        ("project/urls.py", "from tenants.admin.site import site"),
        ("apps/search/providers.py", "import projects, tenants_of_others"),
    ],
)
def test_an_allowed_import_is_no_violation(tmp_path, path, line):
    plant(tmp_path, path, f"{line}\n")

    planted = House(tmp_path)
    assert find_violations(planted, planted.imports) == []


def test_an_import_for_the_type_checker_is_exempt_but_its_other_branch_is_not(tmp_path):
    text = "if TYPE_CHECKING:\n    from tenants.models import Tenant\nelse:\n    import tenants.models\n"
    plant(tmp_path, "apps/accounts/views.py", text)
    planted = House(tmp_path)

    violations = find_violations(planted, planted.imports)

    assert [violation.split(": ")[0] for violation in violations] == ["apps/accounts/views.py:4"]


def test_a_planted_circle_of_modules_is_found_inside_functions_too(tmp_path):
    plant(tmp_path, "tenants/one.py", "from tenants import two\n")
    plant(tmp_path, "tenants/two.py", "def late():\n    from tenants import one\n")
    planted = House(tmp_path)

    circles = planted.find_circles(planted.imports)

    assert {"tenants.one", "tenants.two"} in [set(circle) for circle in circles]


def test_a_planted_circle_of_rooms_is_found_where_no_modules_make_one(tmp_path):
    plant(tmp_path, "tenants/queue/rows.py", "from tenants.binding import names\n")
    plant(tmp_path, "tenants/binding/names.py", "")
    plant(tmp_path, "tenants/binding/log.py", "from tenants.queue import names\n")
    plant(tmp_path, "tenants/queue/names.py", "")
    planted = House(tmp_path)

    circles = planted.find_circles(planted.imports)

    assert [set(circle) for circle in circles] == [{"binding", "queue"}]
