"""Evaluations that take longer than a request may."""

from django.tasks import task

from apps.search_quality.evaluating.runs import carry_out
from apps.search_quality.models import EvaluationRun
from tenants.queue.turns import BULK


@task(priority=BULK)
def carry_out_run(pk: int) -> int:
    """Carry out an evaluation run unless that is done; return how many evaluations it has."""
    run = EvaluationRun.objects.filter(pk=pk).first()
    if run is None:
        return 0
    if run.finished_at is None:
        run.done = 0
        carry_out(run)
    return run.evaluations.count()
