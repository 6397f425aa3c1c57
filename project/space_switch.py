"""The operators' page on which a tenant's search goes from one space to another.

It knows the search app by dotted string only.
"""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils.module_loading import import_string
from django.views.decorators.http import require_http_methods
from django_tenants.utils import get_tenant_model, tenant_context

site = import_string("tenants.admin.site.site")

SWITCHING = "apps.search_switching"
DONE = {
    "pause": "The filling stops after the present batch.",
    "resume": "A worker goes on with the filling.",
    "cut_over": "The new space is searched now. The old one is kept up to date until you end the switch.",
    "roll_back": "The old space is searched again. The new one is kept up to date.",
    "end": "The switch is over. A worker deletes the documents of the old space.",
    "cancel": "The switch is cancelled. A worker deletes the documents of the new space.",
}
RUN_STEPS = {
    "pause_run": ("apps.search.indexing.runs.pause", "It stops after the present batch."),
    "resume_run": ("apps.search.indexing.tasks.resume_run", "A worker goes on."),
    "cancel_run": ("apps.search.indexing.runs.cancel", "It is cancelled; what is done stays."),
}
STEPS = {"pause": "pause_switch", "resume": "resume_switch", "end": "end_switch", "cancel": "cancel_switch"}


@require_http_methods(["GET", "POST"])
def space_switch(request: HttpRequest, schema: str) -> HttpResponse:
    """Show a tenant's spaces and its switch; a POST with `step` takes one.

    `?estimate=ALIAS` also shows what a switch to that space would take; `?ask=end` and `?ask=cancel` ask
    before documents go; `?ask=still` stops the page from loading anew while a worker is busy. Superusers
    only; 404 for a schema that no tenant has.
    """
    if not request.user.is_superuser:
        raise PermissionDenied
    tenant = get_object_or_404(get_tenant_model().objects.exclude(provisioned_at=None), schema_name=schema)
    if request.method == "POST":
        _take(request, tenant)
        return redirect("space_switch", schema=schema)
    with tenant_context(tenant):
        context = site.each_context(request) | {
            "title": f"Search space of {tenant}",
            "tenant": tenant,
            "asked": request.GET.get("ask", ""),
            "overview": import_string(f"{SWITCHING}.overview.look_over")(),
            **_estimate(request.GET.get("estimate", "")),
        }
    request.current_app = site.name
    return TemplateResponse(request, "operators/space_switch.html", context)


def _estimate(target: str) -> dict[str, Any]:
    if not target:
        return {}
    estimate = import_string(f"{SWITCHING}.estimating.estimate_switch")(target)
    return {"target": target, "estimate": estimate}


def _take(request: HttpRequest, tenant: Any) -> None:
    """Take a step and say what follows, or why it is not possible."""
    step = request.POST.get("step", "")
    refused = (
        import_string(f"{SWITCHING}.steps.SwitchError"),
        import_string("apps.search.indexing.runs.RunError"),
    )
    try:
        with tenant_context(tenant):
            if step == "start":
                said = _start(request)
            elif step == "rebuild":
                said = _rebuild(request)
            elif step in RUN_STEPS:
                said = _step_run(request, *RUN_STEPS[step])
            else:
                said = _step(request, step)
    except refused as error:
        messages.error(request, str(error))
    else:
        messages.success(request, said)


def _start(request: HttpRequest) -> str:
    target = request.POST.get("target", "")
    start = import_string(f"{SWITCHING}.steps.start_switch")
    start(target, is_automatic="automatic" in request.POST, started_by=request.user.get_username())
    return f"A worker fills the space {target}. What is saved goes into both; searches use the old one."


def _rebuild(request: HttpRequest) -> str:
    """Leave it to a worker to bring an index up to date in each space that is written to."""
    index_name = request.POST.get("index", "")
    if index_name not in import_string("apps.search.indexes.registry.get_index_names")():
        raise PermissionDenied
    for space in import_string("apps.search.spaces.live_spaces.get_written_spaces")():
        import_string("apps.search.indexing.tasks.start_run")(index_name, space)
    return f"A worker brings the index {index_name} up to date."


def _step_run(request: HttpRequest, path: str, said: str) -> str:
    runs = import_string("apps.search.models.IndexRun").objects.filter(switch=None)
    import_string(path)(get_object_or_404(runs, pk=request.POST.get("run") or 0))
    return said


def _step(request: HttpRequest, step: str) -> str:
    """Take a step of the live switch that the page showed, and of no other."""
    if step not in DONE:
        raise PermissionDenied
    model = import_string("apps.search.models.SpaceSwitch")
    switch = get_object_or_404(model, pk=request.POST.get("switch") or 0)
    take: Callable[[Any], None] = import_string(f"{SWITCHING}.steps.{STEPS.get(step, step)}")
    take(switch)
    return DONE[step]
