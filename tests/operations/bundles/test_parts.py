from types import ModuleType

import pytest
from django.apps import apps
from django_tasks_db.models import DBTaskResult

from apps.operations.bundles.importing import import_tenant
from apps.operations.bundles.parts import find_form_fault
from apps.search.indexing.tasks import index_by_keys
from tenants.context import tenant_context

from .conftest import COPY

OLD_PATHS = {
    "apps.search.tasks.index_by_keys": ["notes.note", []],
    "apps.search.tasks.continue_run": [0],
    "apps.search.tasks.make_keywords": ["pgvector.pgvectorembedding", "default", "notes"],
}
if apps.is_installed("apps.search_switching"):
    OLD_PATHS |= {
        "apps.search.switching.advancing.advance_switch": [0],
        "apps.search.switching.dropping.drop_documents": ["gone"],
        "apps.search.switching.loose.copy_loose_documents": ["default", "custom"],
    }


@pytest.fixture
def bundle(old_bundle):
    return old_bundle


def make_module(**contents):
    module = ModuleType("bundle")
    vars(module).update(contents)
    return module


@pytest.mark.usefixtures("as_owner")
def test_a_bundle_with_the_names_of_former_versions_is_imported(forge):
    def change(manifest):
        manifest["parts"] = {"apps.search.bundle": manifest["parts"]["search"]}
        manifest["tasks"] = [{"path": path, "args": args, "kwargs": {}} for path, args in OLD_PATHS.items()]

    tenant = import_tenant(forge(change), changes=COPY).tenant

    with tenant_context(tenant):
        names = {row.task.name for row in DBTaskResult.objects.all()}
    assert names == {path.rpartition(".")[2] for path in OLD_PATHS}


@pytest.mark.parametrize(
    "contents",
    [
        {"describe": dict, "find_faults": list, "after_load": str},
        {"TASKS": [index_by_keys]},
        {"EXCLUDE": ("accounts_apikey",)},
    ],
)
def test_a_module_with_any_part_of_the_form_keeps_it(contents):
    assert find_form_fault(make_module(**contents)) == ""


@pytest.mark.parametrize(
    ("contents", "fault"),
    [
        ({}, "must have one of: after_load, describe, find_faults, TASKS, EXCLUDE"),
        ({"describe": "no function"}, "must have a function describe"),
        ({"TASKS": ["apps.search.indexing.tasks.index_by_keys"]}, "must set TASKS to a list of Task"),
        ({"TASKS": [], "EXCLUDE": "accounts_apikey"}, "must set EXCLUDE to a list of str"),
    ],
)
def test_a_module_that_does_not_keep_the_form_is_named(contents, fault):
    assert find_form_fault(make_module(**contents)) == fault
