"""The operators' page on which a tenant's search goes from one space to another."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path
from django.views.decorators.http import require_http_methods

from apps.search.indexes.registry import get_index_names
from apps.search.indexing import runs
from apps.search.indexing.tasks import resume_run, start_run
from apps.search.models import IndexRun
from apps.search.spaces.live_spaces import get_written_spaces
from apps.search_switching.estimating import estimate_switch
from apps.search_switching.models import SpaceSwitch, SwitchError
from apps.search_switching.status import get_status
from apps.search_switching.steps import STEPS, start_switch
from tenants.admin.pages import render_page
from tenants.context import tenant_context
from tenants.links import Link
from tenants.models import Tenant

DONE = {
    "pause": "The filling stops after the present batch.",
    "resume": "A worker goes on with the filling.",
    "cut-over": "The new space is searched now. The old one is kept up to date until you end the switch.",
    "roll-back": "The old space is searched again. The new one is kept up to date.",
    "end": "The switch is over. A worker deletes the documents of the old space.",
    "cancel": "The switch is cancelled. A worker deletes the documents of the new space.",
}
RUN_STEPS: dict[str, tuple[Callable[[IndexRun], None], str]] = {
    "pause_run": (runs.pause, "It stops after the present batch."),
    "resume_run": (resume_run, "A worker goes on."),
    "cancel_run": (runs.cancel, "It is cancelled; what is done stays."),
}


@require_http_methods(["GET", "POST"])
def space_switch(request: HttpRequest, schema: str) -> HttpResponse:
    """Show a tenant's spaces and its switch; a POST with `step` takes one.

    `?estimate=ALIAS` also shows what a switch to that space would take; `?ask=end` and `?ask=cancel` ask
    before documents go; `?ask=still` stops the page from loading anew while a worker is busy. 404 for a
    schema that no tenant has.
    """
    tenant = get_object_or_404(Tenant.objects.exclude(provisioned_at=None), schema_name=schema)
    if request.method == "POST":
        try:
            with tenant_context(tenant):
                said = _take_step(request, request.POST.get("step", ""))
            messages.success(request, said)
        except (SwitchError, runs.RunError) as error:
            messages.error(request, str(error))
        return redirect("space_switch", schema=schema)
    context: dict[str, Any] = {"tenant": tenant, "asked": request.GET.get("ask", "")}
    with tenant_context(tenant):
        context["status"] = get_status()
        if target := request.GET.get("estimate", ""):
            context |= {"target": target, "estimate": estimate_switch(target)}
    title = f"Search space of {tenant}"
    return render_page(request, "search_switching/space_switch.html", title, **context)


def _take_step(request: HttpRequest, step: str) -> str:
    """Take a step; return what follows. Raises SwitchError or RunError where it is not possible."""
    if step == "start":
        target = request.POST.get("target", "")
        by = request.user.get_username()
        start_switch(target, is_automatic="automatic" in request.POST, started_by=by)
        return f"A worker fills the space {target}. What is saved goes into both; searches use the old one."
    if step == "rebuild":
        return _rebuild(request.POST.get("index", ""))
    if step in RUN_STEPS:
        take_run, said = RUN_STEPS[step]
        take_run(get_object_or_404(IndexRun, pk=request.POST.get("run") or 0, switch_id=None))
        return said
    if step not in STEPS:
        raise PermissionDenied
    # Of the switch that the page showed, and of no other.
    STEPS[step](get_object_or_404(SpaceSwitch, pk=request.POST.get("switch") or 0))
    return DONE[step]


def _rebuild(index_name: str) -> str:
    """Leave it to a worker to bring an index up to date in each space that is written to."""
    if index_name not in get_index_names():
        raise PermissionDenied
    for space in get_written_spaces():
        start_run(index_name, space)
    return f"A worker brings the index {index_name} up to date."


urlpatterns = [path("search-space/<slug:schema>/", space_switch, name="space_switch")]
HOME_LINKS = [
    Link(
        "Search spaces",
        "operators:tenants_tenant_changelist",
        text="choose a tenant, then “Search space”, to change its embedding model or to bring its indexes "
        "up to date",
    )
]
TENANT_LINKS = [Link("Search space", "space_switch", takes="schema_name")]
