"""The way from an admin to an object's own page. Settings import it before Django's models are ready."""

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.exceptions import NotRegistered
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path


class ShownObjectsSite(AdminSite):
    """An admin site that leads to pages of objects it shows, and answers 404 for all others.

    Django's leads anybody of the staff to any object, and fails for a model whose table is in another schema.
    """

    def get_urls(self) -> list[Any]:
        page = self.admin_view(self.view_on_site)
        return [path("r/<path:content_type_id>/<path:object_id>/", page), *super().get_urls()]

    def view_on_site(self, request: HttpRequest, content_type_id: str, object_id: str) -> HttpResponse:
        """Redirect to the page of an object that the member may view. Raises Http404."""
        from django.contrib.contenttypes.models import ContentType  # not before the models are ready
        from django.contrib.contenttypes.views import shortcut

        try:
            model = ContentType.objects.get_for_id(int(content_type_id)).model_class()
            is_shown = model and self.get_model_admin(model).has_view_permission(request)
        except (ContentType.DoesNotExist, NotRegistered, ValueError):
            is_shown = False
        if not is_shown or "\0" in object_id:
            raise Http404("This admin shows no such object.")
        return shortcut(request, content_type_id, object_id)
