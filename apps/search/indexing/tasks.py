"""What a worker does for search. Tasks carry keys only, re-read their rows and may run twice."""

from collections.abc import Iterable
from datetime import timedelta
from itertools import batched
from typing import Any

from django.apps import apps
from django.core.cache import cache
from django.db.models import Model
from django.tasks import TaskResult, task
from django.utils import timezone
from django_tenants.utils import get_tenant_model

from apps.search.embedders import EmbeddingUnavailableError
from apps.search.indexes.sources import BATCH, get_sources_of
from apps.search.indexing.batches import Batch, make_batches
from apps.search.indexing.resting import rest_everywhere
from apps.search.indexing.runs import create_run, unpause, work_on
from apps.search.indexing.set_asides import index_patiently, set_aside
from apps.search.models import IndexRun
from apps.search.spaces.live_spaces import get_written_spaces
from apps.search.spaces.space import UnknownSpaceError
from apps.search.storage.pgvector.ann.report import (
    AnnIndexError,
    carry_out,
    needs_report,
    report_ann_indexes,
)
from apps.search.storage.pgvector.ann.resting import wake_ann_index
from apps.search.storage.pgvector.ann.status import list_tables
from apps.search.storage.pgvector.keywords.pending import make_pending_keywords
from apps.search.storage.pgvector.keywords.recipe import refresh_keywords
from apps.search.storage.pgvector.keywords.renewing import care_for_all_postings
from tenants.context import tenant_context
from tenants.queue.retries import PASSING_ERRORS, drop_lost_session
from tenants.queue.rows import SCHEMA_KEY
from tenants.queue.turns import BULK

FIRST_DELAY, MAX_DELAY = 15, 3_600  # seconds until an embedder that did not answer is asked again
MAX_ATTEMPTS = 24  # the last of them after more than half a day
MAINTENANCE_DELAY = 60  # seconds from the first write of a burst to the look at the vector indexes
WAKING_DELAY = 600  # seconds until a search asks again for an ANN index that rests
MAINTENANCE_KEY = "search:vector-indexes"  # in the cache, which keeps each tenant's keys apart
WAKING_KEY = "search:resting-index"


class IndexingError(RuntimeError):
    """An index failed over some objects, which are set aside; the cause says how."""


@task
def index_by_keys(model_label: str, pks: list[Any], space: str = "", attempt: int = 1) -> int:
    """Bring the documents of these objects up to date in the tenant's spaces; return how many rows changed.

    When a space can embed no text just now, the objects are set aside and a task for that `space` alone tries
    again later. A task for a model or a space that this worker does not know is tried again, too: another
    worker may have newer code and settings. One index's fault stops no other index.

    Raises EmbeddingUnavailableError or LookupError after MAX_ATTEMPTS, an error of the database's, with which
    the worker retries the task, and IndexingError for any other fault, when the objects are set aside.
    """
    try:
        model = apps.get_model(model_label)
    except LookupError as error:
        _try_later(model_label, pks, space, attempt, error)
        return 0
    keys = [model._meta.pk.to_python(pk) for pk in pks]
    batches = make_batches(model, keys)
    changed, begun = 0, timezone.now()
    failures: list[tuple[str, Batch, Exception]] = []
    for alias in [space] if space else get_written_spaces():
        for batch in batches:
            try:
                changed += index_patiently(batch, alias, has_waited=attempt > 1, begun=begun)
            except Exception as error:  # dealt with when the others are up to date
                drop_lost_session()
                failures.append((alias, batch, error))
    enqueue_maintenance()
    faults, waiting = _set_failures_aside(failures)
    for alias, unavailable in waiting.items():
        if attempt < MAX_ATTEMPTS:
            _try_later(model_label, pks, alias, attempt, unavailable)
        else:
            faults.append(unavailable)
    if faults:
        raise faults[0]
    return changed


def _set_failures_aside(
    failures: list[tuple[str, Batch, Exception]],
) -> tuple[list[Exception], dict[str, EmbeddingUnavailableError | UnknownSpaceError]]:
    """Return the faults to raise, the database's first, and the spaces that are to be tried again."""
    passing: list[Exception] = []
    faults: list[Exception] = []
    waiting: dict[str, EmbeddingUnavailableError | UnknownSpaceError] = {}
    for alias, batch, error in failures:
        if isinstance(error, PASSING_ERRORS):
            passing.append(error)
        elif isinstance(error, EmbeddingUnavailableError | UnknownSpaceError):
            waiting[alias] = error
            set_aside(batch.source.label, batch.keys, alias, str(error), is_lasting=False)
        else:
            fault = IndexingError(f"index {batch.index_name!r}: {type(error).__name__}: {error}")
            fault.__cause__ = error
            faults.append(fault)
            set_aside(batch.source.label, batch.keys, alias, str(fault), is_lasting=True)
    return [*passing, *faults], waiting


def set_given_up_aside(result: TaskResult) -> None:
    """Set aside, in its tenant, the objects of an `index_by_keys` that failed and will not be run again."""
    error = result.errors[-1]
    tenant = get_tenant_model().objects.filter(schema_name=result.kwargs.get(SCHEMA_KEY)).first()
    if tenant is None or error.exception_class_path == f"{__name__}.{IndexingError.__qualname__}":
        return  # these are set aside already
    model_label, pks, space = [*result.args, ""][:3]
    try:
        labels = {source.label for _, source in get_sources_of(apps.get_model(model_label))}
    except LookupError:
        labels = {model_label}
    reason = f"Its task was given up. {error.traceback.strip().rpartition('\n')[2]}"
    with tenant_context(tenant):
        for alias in [space] if space else get_written_spaces():
            for label in labels:
                set_aside(label, [str(pk) for pk in pks], alias, reason, is_lasting=True)


def _try_later(
    model_label: str,
    pks: list[Any],
    space: str,
    attempt: int,
    error: EmbeddingUnavailableError | UnknownSpaceError | LookupError,
) -> None:
    if attempt >= MAX_ATTEMPTS:
        raise error
    seconds = max(getattr(error, "retry_after", None) or 0, min(MAX_DELAY, FIRST_DELAY * 2 ** (attempt - 1)))
    later = index_by_keys.using(run_after=timezone.now() + timedelta(seconds=seconds), priority=BULK)
    later.enqueue(model_label, pks, space, attempt + 1)


@task(priority=BULK)
def continue_run(run_pk: int) -> int:
    """Do a slice of a run, and write the task for the next one; return how many objects are done."""
    run = IndexRun.objects.filter(pk=run_pk, state=IndexRun.State.RUNNING).first()
    if run is None:
        return 0
    try:
        resumes_at = work_on(run)
    except UnknownSpaceError as error:
        IndexRun.objects.filter(pk=run.pk).update(reason=explain_waiting(error))
        raise
    if resumes_at:
        continue_run.using(run_after=resumes_at).enqueue(run.pk)
    else:
        enqueue_maintenance()
    return run.objects_done


def explain_waiting(error: UnknownSpaceError) -> str:
    """Return why a run or a switch waits, for those who look at it."""
    return f"A worker has other settings; restart it. {error}"


def start_run(index_name: str, space: str, *, switch_id: int | None = None) -> IndexRun:
    """Write down a run through an index into a space, and its task, in the current transaction.

    `switch_id` names what the run is a part of.
    """
    run = create_run(index_name, space, switch_id=switch_id)
    continue_run.enqueue(run.pk)
    return run


def resume_run(run: IndexRun) -> None:
    """Let a run go on that was paused or that has lost its task. Raises RunError when it has ended."""
    unpause(run)
    continue_run.enqueue(run.pk)


@task(priority=BULK)
def maintain_vector_indexes() -> int:
    """Build, rebuild and drop the tenant's ANN indexes and postings where that pays; return how many changed.

    Raises AnnIndexError, once all others are dealt with, when some could not be changed.
    """
    outcomes = [fault for _, fault in carry_out(report_ann_indexes())]
    postings = care_for_all_postings(list_tables())
    if faults := [fault for fault in outcomes if fault]:
        raise AnnIndexError("\n".join(faults))
    return len(outcomes) + postings


@task(priority=BULK)
def wake_vector_index(model_label: str, name: str) -> None:
    """Build an ANN index of the tenant's that rests. Raises AnnIndexError when that fails."""
    if faults := wake_ann_index(apps.get_model(model_label), name):
        raise AnnIndexError("\n".join(faults))


@task(priority=BULK)
def rest_vector_indexes() -> int:
    """Let the ANN indexes of all quiet and suspended tenants rest; return the bytes that are free now.

    Written once a day, while no tenant is bound (see schedules.py).
    """
    return sum(size for _, size in rest_everywhere())


@task(priority=BULK)
def make_keywords(model_label: str, space: str, index_name: str) -> int:
    """Make the keywords of documents without them, or with those of another recipe; return how many."""
    model = apps.get_model(model_label)
    made = make_pending_keywords(model, space, index_name)
    made += refresh_keywords(model.objects.filter(space=space, index_name=index_name))
    enqueue_maintenance()
    return made


def enqueue_maintenance() -> None:
    """Write the task that looks after the bound tenant's ANN indexes, to run a minute from now.

    At most one a minute, and none while the tenant has too few documents for any index. The task runs after
    the last write that found it waiting, so no write goes unseen.
    """
    if cache.get(MAINTENANCE_KEY) or not needs_report():
        return
    if cache.add(MAINTENANCE_KEY, True, MAINTENANCE_DELAY):
        run_after = timezone.now() + timedelta(seconds=MAINTENANCE_DELAY)
        maintain_vector_indexes.using(run_after=run_after).enqueue()


def enqueue_waking(model_label: str, name: str) -> None:
    """Write the task that builds an ANN index of the bound tenant's that rests, once in ten minutes."""
    if cache.add(f"{WAKING_KEY}:{name}", True, WAKING_DELAY):
        wake_vector_index.enqueue(model_label, name)


def enqueue_indexing(model: type[Model], pks: Iterable[Any]) -> None:
    """Write the tasks that index these objects, in the current transaction, for the bound tenant.

    One object alone is indexed before tasks of many: somebody has just saved it.
    """
    for batch in batched(pks, BATCH):
        keys = [pk if isinstance(pk, int) else str(pk) for pk in batch]  # as JSON can hold them
        task = index_by_keys.using(priority=BULK) if len(keys) > 1 else index_by_keys
        task.enqueue(model._meta.label_lower, keys)
