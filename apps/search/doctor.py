"""What `manage.py doctor` finds in the tenants' searches."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import Error, transaction
from django.db.models import Func, IntegerField
from psycopg import sql

from apps.operations.doctor.finding import Finding, Level, Scope, from_checks, write_sql
from apps.search.checks import check_indexed_models, check_spaces
from apps.search.doctor_work import check_orphans, check_work
from apps.search.embedders import has_entry
from apps.search.indexes.source_objects import Source
from apps.search.indexes.sources import ModelSource, get_sources
from apps.search.indexing.tasks import maintain_vector_indexes, make_keywords
from apps.search.providers import get_provider
from apps.search.spaces.live_spaces import get_written_spaces
from apps.search.spaces.space import get_space, list_spaces
from apps.search.storage.pgvector.ann.report import report_ann_indexes
from apps.search.storage.pgvector.ann.status import AnnIndexStatus, list_tables
from apps.search.storage.pgvector.keywords.pending import find_pending
from apps.search.storage.pgvector.tables.ann_index import get_declared_ann_index
from tenants.context import connection, owner_rights, tenant_context

LENGTH = Func("vector", function="vector_dims", output_field=IntegerField())
OPERATOR_CLASS = """
    SELECT o.opcname FROM pg_index i JOIN pg_opclass o ON o.oid = i.indclass[0]
    WHERE i.indexrelid = to_regclass(%s)
"""
DELETE = "DELETE FROM {schema}.{table} WHERE space = {space} AND index_name = {index_name}"
OPTIONS = "DATABASES['default']['OPTIONS']['options']: -c {name}={value}"


def check_settings(scope: Scope) -> Iterable[Finding]:
    """Yield search.E001 to E007, and options of the connection without which searches are poor or slow."""
    if not scope.is_whole:
        return
    yield from from_checks("search", [*check_spaces(), *check_indexed_models()])
    scan, candidates, page_cost = _read_options()
    if scan in ("", "off"):
        yield _advise("hnsw.iterative_scan", "strict_order", "is off: a filtered search finds too few")
    if int(candidates or 0) < 64:
        yield _advise("hnsw.ef_search", "64", f"is {candidates or 'unset, so 40'}: near documents are missed")
    if float(page_cost) > 2:
        yield _advise("random_page_cost", "1.1", f"is {page_cost}: vector indexes are shunned")


def check_tenants(scope: Scope) -> Iterable[Finding]:
    """Yield what is wrong with each tenant's vectors and their indexes."""
    for tenant in scope.tenants:
        try:
            # The tenant's own role may be what is missing.
            with tenant_context(tenant), owner_rights(), transaction.atomic():
                yield from list(_check_tenant(tenant))
        except Error as error:
            # Without its text, which may quote a row.
            message = f"Its search could not be examined: {type(error).__name__}."
            fix = f"manage.py migrate_schemas --schema={tenant.schema_name}"
            yield Finding(Level.ERROR, tenant.schema_name, message, fix)


def _read_options() -> tuple[str, str, str]:
    names = ("hnsw.iterative_scan", "hnsw.ef_search", "random_page_cost")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(['current_setting(%s, true)'] * len(names))}", names)
        scan, candidates, page_cost = cursor.fetchone()
    return scan or "", candidates or "", page_cost


def _advise(name: str, value: str, fault: str) -> Finding:
    return Finding(Level.WARNING, "search", f"{name} {fault}.", OPTIONS.format(name=name, value=value))


def _check_tenant(tenant: Any) -> Iterator[Finding]:
    schema = tenant.schema_name
    if not has_entry(tenant.space):
        known = ", ".join(sorted(list_spaces()))
        message = f"Its space {tenant.space!r} is neither in settings.EMBEDDINGS nor its own."
        yield Finding(Level.ERROR, schema, message, f"Add it, or choose another in the admin: {known}.")
    tables = list_tables()
    for model in tables:
        yield from _check_declared(model, schema)
    if tables:  # a tenant that is being provisioned has none
        yield from check_work(tenant)
    care = partial(_enqueue_care, tenant)  # one for all indexes: they share the task
    for status in report_ann_indexes():
        if status.rows:
            yield from _check_length(status)
            yield from _check_keywords(status, tenant)
            if status.space in get_written_spaces():
                yield from check_orphans(status)
            else:
                yield _describe_left_over(status, tenant)
            if status.space == tenant.space:
                yield from _check_chunks(status)
        yield from _check_index(status, care)


def _enqueue_care(tenant: Any) -> str:
    with tenant_context(tenant):
        maintain_vector_indexes.enqueue()
    return "a worker will do it, the task is written"


def _enqueue_keywords(status: AnnIndexStatus, tenant: Any) -> str:
    with tenant_context(tenant):
        make_keywords.enqueue(status.model._meta.label_lower, status.space, status.index_name)
    return "a worker will do it, the task is written"


def _check_declared(model: Any, schema: str) -> Iterator[Finding]:
    """Compare the index that a model declares with the one that the tenant's table has."""
    declared = get_declared_ann_index(model)
    if declared is None:
        return
    wanted = declared.opclasses[0] if declared.opclasses else "vector_l2_ops"
    found = _read_operator_class(schema, declared.name)
    if found == wanted:
        return
    create = _create_sql(model, declared, schema)
    if not found:
        message = f"The vector index {declared.name} is missing: every search is exact."
        yield Finding(Level.WARNING, schema, message, create)
    else:
        message = f"The vector index {declared.name} has {found}; {wanted} is declared, so no search uses it."
        drop = write_sql("DROP INDEX {schema}.{name};", schema=schema, name=declared.name)
        yield Finding(Level.WARNING, schema, message, f"{drop} {create}")


def _create_sql(model: Any, declared: Any, schema: str) -> str:
    statement = declared.create_sql(model, connection.schema_editor(), concurrently=True)
    statement.parts["table"] = write_sql("{schema}.{table}", schema=schema, table=model._meta.db_table)
    return f"{statement};"


def _read_operator_class(schema: str, name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(OPERATOR_CLASS, [write_sql("{schema}.{name}", schema=schema, name=name)])
        row = cursor.fetchone()
    return row[0] if row else ""


def _check_length(status: AnnIndexStatus) -> Iterator[Finding]:
    """Compare the oldest and the newest vector with the embedder: all would have to be read for certainty."""
    try:
        wanted = get_space(status.space).embedder.dimensions
    except ImproperlyConfigured:  # an alias that is no more, or one that check_settings() has complained of
        return
    rows = status.model.objects.filter(space=status.space, index_name=status.index_name).order_by("pk")
    lengths = rows.values_list(LENGTH, flat=True)
    strange = {lengths.first(), lengths.last()} - {wanted, None}
    if strange:
        message = (
            f"{_name(status)}: vectors of {', '.join(map(str, sorted(strange)))} dimensions are stored; the "
            f"embedder makes {wanted}."
        )
        delete = _delete_sql(status, f" AND vector_dims(vector) <> {wanted};")
        fix = (
            f"Undo the change of EMBEDDINGS[{status.space!r}]; or: {delete} "
            f"manage.py rebuild_index --schema={status.schema} --space={status.space}"
        )
        yield Finding(Level.ERROR, status.schema, message, fix)


def _check_chunks(status: AnnIndexStatus) -> Iterator[Finding]:
    """Cut the oldest object of each model again: no task waits for it, so what differs was cut otherwise."""
    for source in get_sources(status.index_name):
        oldest = source.get_queryset().first() if isinstance(source, ModelSource) else None
        if oldest is None:
            continue
        try:
            documents = source.make_documents([oldest.pk], status.space)
        except ImproperlyConfigured:  # check_settings() has complained of it
            continue
        wanted = {document.content for document in documents}
        stored = _read_contents(status, oldest)
        if stored and stored != wanted:
            message = (
                f"{_name(status)}: the oldest {oldest._meta.label} would be cut into other chunks today "
                f"({len(stored)} stored, {len(wanted)} wanted): CHUNKER, the model's chunker or its text was "
                "changed, and not all was indexed again."
            )
            fix = f"manage.py rebuild_index --schema={status.schema} --index={status.index_name}"
            yield Finding(Level.WARNING, status.schema, message, fix)


def _read_contents(status: AnnIndexStatus, obj: Any) -> set[str]:
    rows = get_provider(status.index_name, space=status.space).objects
    of_object = rows.filter(document_key__startswith=Source.of(obj).prefix)
    return set(of_object.values_list("content", flat=True))


def _check_keywords(status: AnnIndexStatus, tenant: Any) -> Iterator[Finding]:
    rows = status.model.objects.filter(space=status.space, index_name=status.index_name)
    if waiting := find_pending(rows).count():
        message = (
            f"{_name(status)}: {waiting:,} documents wait for their keywords; searches by words are slow."
        )
        fix = f"manage.py doctor --schema={status.schema} --fix, and a worker"
        yield Finding(Level.INFO, status.schema, message, fix, partial(_enqueue_keywords, status, tenant))


def _describe_left_over(status: AnnIndexStatus, tenant: Any) -> Finding:
    message = f"{_name(status)}: {status.rows:,} documents; the tenant is served from {tenant.space!r}."
    return Finding(Level.INFO, status.schema, message, _delete_sql(status, ";"))


def _check_index(status: AnnIndexStatus, care: Callable[[], object]) -> Iterator[Finding]:
    if status.action == "none":
        return
    level = Level.INFO if status.action == "drop" and status.mode != "invalid" else Level.WARNING
    state = {"invalid": "invalid", "exact": "missing"}.get(status.mode, "of no use")
    message = f"{_name(status)}: its vector index is {state}; {status.why}."
    yield Finding(
        level, status.schema, message, f"manage.py vector_indexes --schema={status.schema} --apply", care
    )


def _name(status: AnnIndexStatus) -> str:
    return f"space {status.space!r}, index {status.index_name!r}"


def _delete_sql(status: AnnIndexStatus, rest: str) -> str:
    return write_sql(
        DELETE + rest,
        schema=status.schema,
        table=status.model._meta.db_table,
        space=sql.Literal(status.space),
        index_name=sql.Literal(status.index_name),
    )


CHECKS = [check_settings, check_tenants]
