"""Evaluation runs: asked for, carried out, kept, and found again."""

from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from apps.search.embedders import EmbeddingError
from apps.search.searching.hybrid import MODES
from apps.search_quality.evaluating.measuring import DEPTH, NoGoldenQueriesError, evaluate, read_questions
from apps.search_quality.models import Evaluation, EvaluationRun
from tenants.context import get_current_tenant

KEPT = 200  # runs of an index in a space
STALE = timedelta(hours=1)  # a run that took longer is not waited for
SAVE_EVERY = 10  # searches


def ask_for_run(index_name: str, space: str | None = None) -> EvaluationRun | None:
    """Write a run that is to be carried out; return None while one of that index and space is under way."""
    space = space or get_current_tenant().space
    under_way = EvaluationRun.objects.filter(index_name=index_name, space=space, finished_at=None)
    if under_way.filter(made_at__gt=timezone.now() - STALE).exists():
        return None
    total = len(read_questions(index_name)) * len(MODES)
    return EvaluationRun.objects.create(index_name=index_name, space=space, total=total, k=DEPTH)


def carry_out(run: EvaluationRun) -> None:
    """Evaluate and save, or leave the reason on the run; what it had already is replaced."""

    def advance(count: int) -> None:
        run.done += count
        if run.done % SAVE_EVERY == 0:
            EvaluationRun.objects.filter(pk=run.pk).update(done=run.done)

    fault = "It failed for a reason that operators can see in the list of tasks."
    try:
        save_run(evaluate(run.index_name, space=run.space, k=run.k, progress=advance), run)
        fault = ""
    except EmbeddingError:
        fault = "The embedding service did not answer."
    except NoGoldenQueriesError:
        fault = "There was no golden query whose answer exists."
    finally:
        if fault:
            run.fault, run.finished_at = fault, timezone.now()
            run.save()


def save_run(evaluations: Sequence[Evaluation], run: EvaluationRun | None = None) -> EvaluationRun:
    """Save what `evaluate` returned as a finished run, a new one unless one is given, and return that.

    The oldest runs go, and the outcomes of all but this one and the latest baseline.
    """
    run = run or evaluations[0].run
    of_all = EvaluationRun.objects.filter(index_name=run.index_name, space=run.space)
    with transaction.atomic():
        run.finished_at, run.done = timezone.now(), run.total
        run.save()
        run.evaluations.all().delete()
        for evaluation in evaluations:
            evaluation.run = run
        Evaluation.objects.bulk_create(evaluations)
        kept = [run.pk, *of_all.filter(is_baseline=True).values_list("pk", flat=True)[:1]]
        Evaluation.objects.filter(run__in=of_all.exclude(pk__in=kept)).update(outcomes={})
        of_all.filter(pk__in=of_all.values("pk")[KEPT:]).delete()
    return run


def find_latest(index_name: str, space: str) -> EvaluationRun | None:
    """Return the latest run of an index in a space that has evaluations."""
    return list_runs(index_name, space).first()


def list_runs(index_name: str, space: str) -> QuerySet[EvaluationRun]:
    """Return the runs that have evaluations, the latest first."""
    runs = EvaluationRun.objects.filter(index_name=index_name, space=space, fault="")
    return runs.exclude(finished_at=None).prefetch_related("evaluations")
