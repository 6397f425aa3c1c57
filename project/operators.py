"""The operators' page of vector indexes. It knows the search app by dotted string only."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils.module_loading import import_string
from django.views.decorators.http import require_http_methods
from django_tenants.utils import get_tenant_model, tenant_context

PER_PAGE = 50  # tenants; each costs a handful of queries

site = import_string("tenants.admin.site.site")
site.index_template = "operators/index.html"


@require_http_methods(["GET", "POST"])
def vector_indexes(request: HttpRequest) -> HttpResponse:
    """Show every active tenant's vector indexes and what should change about them.

    `?schema=` shows one tenant, `&recall=1` measures its recall. A POST with `schema` writes the task that
    carries the changes out. Superusers only; 404 for a schema that no active tenant has.
    """
    if not request.user.is_superuser:
        raise PermissionDenied
    if request.method == "POST":
        return _apply(request)
    tenants = get_tenant_model().objects.filter(state="active").order_by("schema_name")
    if schema := request.GET.get("schema"):
        tenants = [get_object_or_404(tenants, schema_name=schema)]
    page = Paginator(tenants, PER_PAGE).get_page(request.GET.get("page"))
    with_recall = bool(schema) and request.GET.get("recall") == "1"
    context = site.each_context(request) | {
        "title": "Vector indexes",
        "page": page,
        "reports": [(tenant, _report(tenant, with_recall)) for tenant in page],
        "schema": schema,
        "with_recall": with_recall,
    }
    request.current_app = site.name
    return TemplateResponse(request, "operators/vector_indexes.html", context)


def _report(tenant: Any, with_recall: bool) -> Any:
    report_ann_indexes = import_string("apps.search.storage.pgvector.ann.report.report_ann_indexes")
    with tenant_context(tenant):
        return report_ann_indexes(with_recall=with_recall)


def _apply(request: HttpRequest) -> HttpResponse:
    """Leave it to a worker: a build takes minutes and cannot run in a request's transaction."""
    tenants = get_tenant_model().objects.filter(state="active")
    tenant = get_object_or_404(tenants, schema_name=request.POST.get("schema", ""))
    with tenant_context(tenant):
        import_string("apps.search.indexing.tasks.maintain_vector_indexes").enqueue()
    messages.success(request, f"A worker sees to the indexes of {tenant}. Reload to see what it did.")
    return redirect("vector_indexes")
