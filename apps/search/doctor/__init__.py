"""What `manage.py doctor` finds in the tenants' searches."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from django.db import Error, transaction

from apps.operations.doctor.finding import Finding, Level, Scope, from_checks
from apps.search.checks import check_indexed_models, check_spaces
from apps.search.doctor.stored import (
    check_ann_index,
    check_chunks,
    check_cut,
    check_declared,
    check_keywords,
    check_languages,
    check_length,
    describe_left_over,
)
from apps.search.doctor.work import check_missing, check_orphans, check_work, enqueue_in
from apps.search.embedders import has_entry, list_aliases
from apps.search.indexing.tasks import maintain_vector_indexes
from apps.search.spaces.live_spaces import get_written_spaces
from apps.search.storage.pgvector.ann.report import report_ann_indexes
from apps.search.storage.pgvector.ann.status import list_tables
from tenants.context import connection, owner_rights, tenant_context


def check_settings(scope: Scope) -> Iterable[Finding]:
    """Yield search.E001 to E007, and options of the connection that make searches poor or slow."""
    if not scope.is_whole:
        return
    yield from from_checks("search", [*check_spaces(), *check_indexed_models()])
    names = ("hnsw.iterative_scan", "hnsw.ef_search", "random_page_cost")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(['current_setting(%s, true)'] * len(names))}", names)
        scan, candidates, page_cost = cursor.fetchone()
    if scan in (None, "", "off"):
        yield _advise("hnsw.iterative_scan", "strict_order", "is off: a filtered search finds too few")
    if int(candidates or 0) < 64:
        yield _advise("hnsw.ef_search", "64", f"is {candidates or 'unset, so 40'}: near documents are missed")
    if float(page_cost) > 2:
        yield _advise("random_page_cost", "1.1", f"is {page_cost}: vector indexes are shunned")


def check_tenants(scope: Scope) -> Iterable[Finding]:
    """Yield what is wrong with each tenant's vectors and their ANN indexes."""
    for tenant in scope.tenants:
        try:
            # The tenant's own role may be what is missing.
            with tenant_context(tenant), owner_rights(), transaction.atomic():
                yield from list(_check_tenant(tenant))
        except Exception as error:  # one tenant's or index's fault hides no other
            # Without its text, which may quote a row.
            message = f"Its search could not be examined: {type(error).__name__}."
            command = "migrate_schemas" if isinstance(error, Error) else "rebuild_index"  # which tells more
            fix = f"manage.py {command} --schema={tenant.schema_name}"
            yield Finding(Level.ERROR, tenant.schema_name, message, fix)


def _advise(name: str, value: str, fault: str) -> Finding:
    fix = f"DATABASES['default']['OPTIONS']['options']: -c {name}={value}"
    return Finding(Level.WARNING, "search", f"{name} {fault}.", fix)


def _check_tenant(tenant: Any) -> Iterator[Finding]:
    schema = tenant.schema_name
    if not has_entry(tenant.space):
        known = ", ".join(sorted(list_aliases()))
        message = f"Its space {tenant.space!r} is neither in settings.EMBEDDINGS nor its own."
        yield Finding(Level.ERROR, schema, message, f"Add it, or choose another in the admin: {known}.")
    tables = list_tables()
    for model in tables:
        yield from check_declared(model, schema)
    if tables:  # a tenant that is being provisioned has none
        yield from check_work(tenant)
        if has_entry(tenant.space):
            yield from check_missing(tenant)
    care = partial(enqueue_in, tenant, maintain_vector_indexes)  # one for all indexes: they share the task
    for status in report_ann_indexes():
        if status.rows:
            yield from check_length(status)
            yield from check_keywords(status, tenant)
            if status.space in get_written_spaces():
                yield from check_orphans(status)
            else:
                yield describe_left_over(status, tenant)
            if status.space == tenant.space:
                yield from check_chunks(status)
                yield from check_cut(status)
                yield from check_languages(status, tenant)
        yield from check_ann_index(status, care)


CHECKS = [check_settings, check_tenants]
