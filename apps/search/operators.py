"""The operators' page of vector indexes."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path
from django.views.decorators.http import require_http_methods

from apps.search.indexing.tasks import maintain_vector_indexes
from apps.search.storage.pgvector.ann.report import report_ann_indexes
from tenants.admin.pages import render_page
from tenants.context import tenant_context
from tenants.links import Link
from tenants.models import Tenant

PER_PAGE = 50  # tenants; each costs a handful of queries


@require_http_methods(["GET", "POST"])
def vector_indexes(request: HttpRequest) -> HttpResponse:
    """Show every active tenant's vector indexes and what should change about them.

    `?schema=` shows one tenant, `&recall=1` measures its recall. A POST with `schema` writes the task that
    makes the changes. 404 for a schema that no active tenant has.
    """
    tenants = Tenant.objects.filter(state=Tenant.State.ACTIVE).order_by("schema_name")
    if request.method == "POST":
        # Left to a worker: a build takes minutes and cannot run in a request's transaction.
        tenant = get_object_or_404(tenants, schema_name=request.POST.get("schema", ""))
        with tenant_context(tenant):
            maintain_vector_indexes.enqueue()
        messages.success(request, f"A worker sees to the indexes of {tenant}. Reload to see what it did.")
        return redirect("vector_indexes")
    schema = request.GET.get("schema")
    shown: Any = [get_object_or_404(tenants, schema_name=schema)] if schema else tenants
    page = Paginator(shown, PER_PAGE).get_page(request.GET.get("page"))
    with_recall = bool(schema) and request.GET.get("recall") == "1"
    reports = []
    for tenant in page:
        with tenant_context(tenant):
            reports.append((tenant, report_ann_indexes(with_recall=with_recall)))
    context = {"page": page, "reports": reports, "schema": schema}
    return render_page(request, "search/vector_indexes.html", "Vector indexes", **context)


urlpatterns = [path("vector-indexes/", vector_indexes, name="vector_indexes")]
HOME_LINKS = [
    Link("Vector indexes", "vector_indexes", text="how each tenant is searched, and what would change")
]
