"""Runs: one way through all objects of an index, in slices; it can be stopped and goes on where it stopped.

A run belongs to no worker. Each slice is a task of its own, which saves the position after every batch and
gives up when another worker has moved it. So a run survives the death of its worker, and two workers on one
run do no harm.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from django.db import transaction
from django.db.models import F
from django.dispatch import Signal
from django.utils import timezone

from apps.search.embedders import EmbeddingUnavailableError
from apps.search.indexes.sources import get_sources
from apps.search.indexing.batches import Batch, count_objects, delete_orphans
from apps.search.indexing.set_asides import index_patiently
from apps.search.models import IndexRun, SetAside
from apps.search.providers import get_provider
from apps.search.storage.pgvector.keywords.recipe import refresh_keywords
from tenants.audit import record

State = IndexRun.State

run_finished = Signal()  # run=IndexRun, in the transaction that says that it is done

SLICE = 20  # seconds after which a worker may do something else first
WAIT = 30  # seconds until an embedder that does not answer is asked again, when it says nothing else


class RunError(RuntimeError):
    """The state of a run does not allow this."""


def create_run(index_name: str, space: str, *, switch_id: int | None = None) -> IndexRun:
    """Write down a run; `indexing.tasks.start_run` also writes its task."""
    total = count_objects(index_name)
    record("index", f"{index_name}/{space}")
    return IndexRun.objects.create(index_name=index_name, space=space, switch_id=switch_id, total=total)


def pause(run: IndexRun) -> None:
    """Stop after the present batch. Raises RunError unless it is running."""
    _change(run, State.RUNNING, State.PAUSED)


def cancel(run: IndexRun) -> None:
    """Stop for good after the present batch; written documents stay. Raises RunError when it has ended."""
    _change(run, (State.RUNNING, State.PAUSED), State.CANCELLED)


def unpause(run: IndexRun) -> None:
    """Let it go on; `tasks.resume_run` also writes its task. Raises RunError when it is over."""
    _change(run, (State.RUNNING, State.PAUSED), State.RUNNING)


def work_on(run: IndexRun, *, seconds: float = SLICE) -> datetime | None:
    """Do a slice of a running run and return when to go on: None when it is done or no longer ours.

    Objects that cannot be embedded are set aside; when none can, the run waits as long as the service asks.
    """
    until = monotonic() + seconds
    has_waited = run.resumes_at is not None  # and has done nothing since
    try:
        for position, batch in _batches(run):
            if not _do_batch(run, position, batch, has_waited=has_waited):
                return None
            if monotonic() >= until:
                return timezone.now()
        for source in get_sources(run.index_name):  # those whose fault was the service's, and not their own
            waiting = SetAside.objects.filter(space=run.space, model_label=source.label, is_lasting=False)
            for item in source.find(set(waiting.values_list("object_pk", flat=True))):
                item_alone = Batch(run.index_name, source, [item])
                index_patiently(item_alone, run.space, has_waited=has_waited)
    except EmbeddingUnavailableError as error:
        resumes_at = timezone.now() + timedelta(seconds=error.retry_after or WAIT)
        IndexRun.objects.filter(pk=run.pk).update(reason=str(error), resumes_at=resumes_at)
        return resumes_at
    _finish(run)
    return None


def _batches(run: IndexRun) -> Iterator[tuple[list[Any], Batch]]:
    """Yield what is left to do, from the run's position on."""
    sources = get_sources(run.index_name)
    label, after = run.position or (None, None)
    labels = [source.label for source in sources]
    first = labels.index(label) if label in labels else 0
    for number, source in enumerate(sources[first:]):
        start = after if number == 0 and label in labels else None
        for position, items in source.pages(start):
            yield [source.label, position], Batch(run.index_name, source, items)


def _do_batch(run: IndexRun, position: list[Any], batch: Batch, *, has_waited: bool) -> bool:
    """Index a batch and save the position; return whether the run is still ours."""
    if not IndexRun.objects.filter(pk=run.pk, state=State.RUNNING).exists():
        return False
    started = monotonic()
    documents = index_patiently(batch, run.space, has_waited=has_waited)
    # Another worker on the same run would have counted further.
    ours = IndexRun.objects.filter(pk=run.pk, state=State.RUNNING, objects_done=run.objects_done)
    moved = ours.update(
        position=position,
        objects_done=F("objects_done") + len(batch.items),
        documents=F("documents") + documents,
        seconds=F("seconds") + (monotonic() - started),
        reason="",
        resumes_at=None,
    )
    run.position, run.objects_done = position, run.objects_done + len(batch.items)
    return bool(moved)


def _finish(run: IndexRun) -> None:
    removed = delete_orphans(run.index_name, run.space)
    changed = removed + refresh_keywords(get_provider(run.index_name, space=run.space).objects)
    running = IndexRun.objects.filter(pk=run.pk, state=State.RUNNING)
    with transaction.atomic():
        documents = F("documents") + changed
        done = running.update(state=State.DONE, finished_at=timezone.now(), documents=documents, reason="")
        if done:
            run_finished.send(IndexRun, run=run)


def _change(run: IndexRun, allowed: Any, state: str) -> None:
    allowed = [allowed] if isinstance(allowed, str) else allowed
    finished_at = timezone.now() if state == State.CANCELLED else None
    runs = IndexRun.objects.filter(pk=run.pk, state__in=allowed)
    if not runs.update(state=state, reason="", resumes_at=None, finished_at=finished_at):
        run.refresh_from_db()
        raise RunError(f"The run {run} cannot become {state}.")
    run.refresh_from_db()
    record("change index run", f"{run.index_name}/{run.space}", state=state)
