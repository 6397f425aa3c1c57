"""The page of search quality, and what is posted from it and from the search page."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.core.paginator import Paginator
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from apps.search.indexes.registry import get_default_index, get_index_names
from apps.search_quality.evaluating.runs import ask_for_run, carry_out, list_runs
from apps.search_quality.golden.promoting import PromotionForm, UnknownAnswerError, find_promoted, take_back
from apps.search_quality.models import GoldenQuery, RecentQuery
from apps.search_quality.page.plot import make_plot
from apps.search_quality.page.reports import (
    MODE_NAMES,
    judge_spaces,
    list_spaces,
    report_golden,
    report_space,
)
from apps.search_quality.receivers import MAY_PROMOTE, MAY_VIEW
from apps.search_quality.recent import list_recent
from apps.search_quality.tasks import carry_out_run

MAY_EVALUATE = "quality.add_evaluationrun"
MAY_FORGET = "quality.delete_goldenquery"
MAY_SEE_RECENT = "quality.view_recentquery"
MAY_CLEAR_RECENT = "quality.delete_recentquery"
PER_PAGE = 50
PLOTTED = 30  # runs
RECENT = 20
AT_ONCE = 30  # searches that a request may wait for
MEASURES = {"ndcg": "nDCG@10", "mrr": "MRR@10", "recall": "Recall@10"}


def member_with(permission: str) -> Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponse]]:
    """Return a decorator that sends strangers to sign in and refuses members without the permission."""

    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        return never_cache(login_required(permission_required(permission, raise_exception=True)(view)))

    return decorate


@require_safe
@member_with(MAY_VIEW)
def quality(request: HttpRequest) -> HttpResponse:
    """Show how good the search of `?index=` is, its golden queries and, to members who may, recent searches.

    `?space=` and `?measure=` choose what is plotted. 404 for an unknown index, space or measure.
    """
    index = _get_index(request.GET)
    spaces = list_spaces(index)
    reports = [report_space(index, space) for space in spaces]
    plotted = _choose(request.GET.get("space"), spaces)
    measure = _choose(request.GET.get("measure"), list(MEASURES))
    rows = GoldenQuery.objects.filter(index_name=index).prefetch_related("answers")
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "index": index,
        "indexes": get_index_names(),
        "reports": reports,
        "is_under_way": any(report.under_way and not report.fault for report in reports),
        "comparisons": [
            (other.space, judged)
            for other in reports[1:]
            if (judged := judge_spaces(reports[0].evaluations, other.evaluations))
        ],
        "plot": make_plot(list(reversed(list_runs(index, plotted)[:PLOTTED])), measure),
        "plotted": plotted,
        "measure": measure,
        "measures": MEASURES,
        "mode_names": MODE_NAMES,
        "page": page,
        "golden": report_golden(page, reports[0].evaluations),
        "recent": list_recent(index, RECENT) if request.user.has_perm(MAY_SEE_RECENT) else None,
    }
    return render(request, "search_quality/page.html", context)


@require_POST
@member_with(MAY_PROMOTE)
def promote_answer(request: HttpRequest) -> HttpResponse:
    """Make a result the right answer, or with `undo` no longer; then back to `next`. 400 for bad input."""
    form = PromotionForm(request.POST)
    if not form.is_valid():
        return HttpResponseBadRequest(
            "What was to be promoted is not a result of a search.", content_type="text/plain"
        )
    if request.POST.get("undo"):
        asked = form.cleaned_data
        promoted = find_promoted(asked["index"], asked["q"], asked["filter"])
        if answer := promoted.get(asked["document_key"]):
            take_back(answer)
    else:
        try:
            form.promote()
        except UnknownAnswerError:
            messages.error(request, "That result is gone, so it was not promoted.")
    url = request.POST.get("next", "")
    is_safe = url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure())
    return redirect(url if is_safe else reverse("search"))


@require_POST
@member_with(MAY_EVALUATE)
def evaluate_now(request: HttpRequest) -> HttpResponse:
    """Evaluate a space of an index: here if it has few golden queries, otherwise by a worker."""
    index = _get_index(request.POST)
    space = request.POST.get("space")
    if space not in list_spaces(index):
        return HttpResponseBadRequest("There are no documents in that space.", content_type="text/plain")
    with transaction.atomic():
        run = ask_for_run(index, space)
        if run and run.total > AT_ONCE:
            carry_out_run.enqueue(run.pk)
    if run is None:
        messages.info(request, "An evaluation is under way already.")
    elif run.total <= AT_ONCE:
        carry_out(run)
    return redirect(_get_page(index))


@require_POST
@member_with(MAY_FORGET)
def forget(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete a golden query; 404 when there is none."""
    golden = get_object_or_404(GoldenQuery, pk=pk)
    golden.delete()
    messages.success(request, f"“{golden}” is no longer a golden query.")
    return redirect(_get_page(golden.index_name))


@require_POST
@member_with(MAY_CLEAR_RECENT)
def clear_recent(request: HttpRequest) -> HttpResponse:
    """Empty the log of an index's recent searches."""
    index = _get_index(request.POST)
    RecentQuery.objects.filter(index_name=index).delete()
    messages.success(request, "The log of recent searches is empty.")
    return redirect(_get_page(index))


def _get_index(data: Any) -> str:
    names = get_index_names()
    return _choose(data.get("index"), [get_default_index(), *names] if names else [])


def _choose(value: str | None, allowed: list[str]) -> str:
    if (value and value not in allowed) or not allowed:
        raise Http404(f"{value!r} is none of {', '.join(allowed)}.")
    return value or allowed[0]


def _get_page(index: str) -> str:
    return reverse("search_quality", query={"index": index})
