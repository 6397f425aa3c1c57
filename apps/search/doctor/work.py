"""What a tenant's search has left undone."""

import re
from collections.abc import Iterator
from functools import partial
from itertools import batched
from typing import Any

from django.db.models import Count
from django.tasks import Task

from apps.operations.doctor.finding import Finding, Level, write_sql
from apps.search.indexes.registry import get_index_names, get_indexed_models
from apps.search.indexes.sources import BATCH, IndexSource, ModelSource, get_sources
from apps.search.indexing.set_asides import fit_key
from apps.search.indexing.tasks import continue_run, index_by_keys, resume_run, start_run
from apps.search.models import IndexRun, SetAside
from apps.search.providers import get_provider
from apps.search.storage.pgvector.ann.status import AnnIndexStatus
from apps.search.storage.pgvector.objects.source_keys import get_pk_condition
from apps.search.storage.pgvector.provider import PgVectorProvider
from tenants.context import connection, tenant_context
from tenants.queue.rows import UNDONE, find_rows

KEYS = 1_000  # looked up at once


def enqueue_in(tenant: Any, task: Task, *arguments: Any) -> str:
    """Write a task of the tenant's, and say so."""
    with tenant_context(tenant):
        task.enqueue(*arguments)
    return "a worker will do it, the task is written"


def check_work(tenant: Any) -> Iterator[Finding]:
    """Yield, for the bound tenant, objects that are set aside and runs that no task goes on with."""
    schema = tenant.schema_name
    counts = SetAside.objects.order_by("space").values_list("space").annotate(count=Count("pk"))
    for space, count in counts:
        message = f"space {space!r}: {count} objects could not be embedded and are set aside."
        why = write_sql("SELECT * FROM {schema}.{table};", schema=schema, table=SetAside._meta.db_table)
        fix = f"Save them, or: manage.py rebuild_index --queue --schema={schema} --space={space}. Why: {why}"
        yield Finding(Level.WARNING, schema, message, fix)
    for run in IndexRun.objects.filter(state=IndexRun.State.RUNNING):
        if not find_rows(continue_run, schema=schema, args=[run.pk]).filter(status__in=UNDONE).exists():
            message = f"the run {run.pk} through the index {run.index_name!r} stands still: its task is gone."
            fix = f"manage.py doctor --fix --schema={schema}"
            yield Finding(Level.WARNING, schema, message, fix, partial(_resume, tenant, run))


def check_orphans(status: AnnIndexStatus) -> Iterator[Finding]:
    """Yield, for the bound tenant, that an index holds documents of objects that are gone.

    Deleting an object writes a task that removes them, except where Django sends no signal.
    """
    sources = [source for source in get_sources(status.index_name) if isinstance(source, ModelSource)]
    count = sum(_count_orphans(status, source) for source in sources)
    if count := count + _count_strays(status, {source.label for source in sources}):
        message = (
            f"space {status.space!r}, index {status.index_name!r}: {count:,} documents whose objects are "
            "gone, or are indexed no more."
        )
        fix = (
            f"manage.py rebuild_index --schema={status.schema} --index={status.index_name} "
            f"--space={status.space}"
        )
        yield Finding(
            Level.INFO if _is_indexing(status.schema) else Level.WARNING, status.schema, message, fix
        )


def check_missing(tenant: Any) -> Iterator[Finding]:
    """Yield, for the bound tenant, that objects or texts lack documents in the space that is searched.

    Blank ones have none, and those that are set aside are told by `check_work`.
    """
    for index_name in get_index_names():
        provider = get_provider(index_name)
        count = sum(_count_missing(provider, source) for source in get_sources(index_name))
        if not count:
            continue
        runs = IndexRun.objects.filter(
            index_name=index_name, space=provider.space, state=IndexRun.State.RUNNING
        )
        is_waiting = runs.exists() or _is_indexing(tenant.schema_name)
        message = f"space {provider.space!r}, index {index_name!r}: {count:,} objects without documents."
        fix = (
            f"manage.py rebuild_index --schema={tenant.schema_name} --index={index_name} "
            f"--space={provider.space}"
        )
        mend = partial(_rebuild, tenant, index_name, provider.space)
        yield Finding(Level.INFO if is_waiting else Level.WARNING, tenant.schema_name, message, fix, mend)


def _count_missing(provider: PgVectorProvider, source: IndexSource) -> int:
    aside = SetAside.objects.filter(space=provider.space, model_label=source.label)
    known = set(aside.values_list("object_pk", flat=True))
    keys = {key for key in source.list_keys() if fit_key(key) not in known}
    count = 0
    for some in batched(sorted(keys), KEYS):
        first = {f"{source.get_prefix(key)}0": key for key in some}
        stored = provider.objects.filter(document_key__in=list(first))
        lacking = first.keys() - set(stored.values_list("document_key", flat=True))
        for items in batched(source.find([first[key] for key in lacking]), BATCH):
            documents = source.make_documents(items, provider.space)
            count += sum(document.document_key in lacking for document in documents)
    return count


def _is_indexing(schema: str) -> bool:
    return find_rows(index_by_keys, schema=schema).filter(status__in=UNDONE).exists()


def _rebuild(tenant: Any, index_name: str, space: str) -> str:
    with tenant_context(tenant):
        start_run(index_name, space)
    return "a worker will do it, the task is written"


def _count_orphans(status: AnnIndexStatus, source: ModelSource) -> int:
    alive, parameters = get_pk_condition(source.get_queryset(), "document_key")
    table = connection.ops.quote_name(status.model._meta.db_table)
    made_of_it = f"^{re.escape(source.label)}:[^:]*:[0-9]+$"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM {table} WHERE space = %s AND index_name = %s "  # noqa: S608 - the table is a model's, and quoted
            f"AND document_key ~ %s AND NOT {alive}",
            [status.space, status.index_name, made_of_it, *parameters],
        )
        return int(cursor.fetchone()[0])


def _count_strays(status: AnnIndexStatus, labels: set[str]) -> int:
    """Count the documents of models that are no source of the index, such as a proxy of one that is."""
    strays = {model._meta.label_lower for model in get_indexed_models()} - labels
    rows: Any = status.model.objects.filter(space=status.space, index_name=status.index_name)
    pattern = f"^({'|'.join(map(re.escape, sorted(strays)))}):[^:]*:[0-9]+$"
    return rows.filter(document_key__regex=pattern).count() if strays else 0


def _resume(tenant: Any, run: IndexRun) -> str:
    with tenant_context(tenant):
        resume_run(run)
    return "a worker will go on with it, the task is written"
