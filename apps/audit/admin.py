"""The audit log in the members' admin: to look through and to take along."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.urls import path
from django.utils import timezone

from apps.audit.exporting import write_csv, write_json
from apps.audit.models import Deed
from tenants.audit import record

FORMATS = {"csv": (write_csv, "text/csv; charset=utf-8"), "jsonl": (write_json, "application/jsonl")}


@admin.register(Deed)
class DeedAdmin(admin.ModelAdmin):
    """Shows deeds, the latest first, and hands out those that are shown as a file. Nobody changes any."""

    list_display = ["when", "who", "what", "on", "address"]
    list_filter = ["at", "what"]
    search_fields = ["who", "on", "whose", "address", "request_id"]
    fields = ["at", "who", "what", "on", "whose", "address", "request_id", "details"]
    list_per_page = 50
    show_full_result_count = False

    @admin.display(description="at", ordering="at")
    def when(self, deed: Deed) -> str:
        """Return the time to the minute, in a form that leaves room for the rest."""
        return f"{timezone.localtime(deed.at):%Y-%m-%d %H:%M}"

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Deed | None = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Deed | None = None) -> bool:
        """Refuse; `manage.py prune_audit` deletes what is old."""
        return False

    def get_urls(self) -> list[Any]:
        """Add the address of the files."""
        page = self.admin_site.admin_view(self.export_view)
        return [path("export.<str:format>", page, name="audit_deed_export"), *super().get_urls()]

    def export_view(self, request: HttpRequest, format: str) -> StreamingHttpResponse:
        """Send the deeds that the list's filters and search leave, without its pages."""
        if format not in FORMATS:
            raise Http404
        if not self.has_view_permission(request):
            raise PermissionDenied
        write, content_type = FORMATS[format]
        deeds = self.get_changelist_instance(request).get_queryset(request)
        record("export audit log", filter=request.GET.urlencode())
        response = StreamingHttpResponse(write(deeds.iterator(chunk_size=2_000)), content_type=content_type)
        response.headers["Content-Disposition"] = f'attachment; filename="audit.{format}"'
        return response
