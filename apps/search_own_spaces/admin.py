"""A tenant's own spaces in the members' admin."""

from typing import Any

from django.contrib import admin
from django.contrib.admin import ActionLocation
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters

from apps.search_own_spaces.forms import CHANGEABLE, OwnSpaceForm
from apps.search_own_spaces.models import FIXED, OwnSpace


@admin.register(OwnSpace)
class OwnSpaceAdmin(admin.ModelAdmin):
    """Adds, changes and deletes spaces. What is in use offers no deletion."""

    form = OwnSpaceForm
    list_display = ["alias", "model", "dimensions", "base_url", "key", "checked_at"]

    @admin.display
    def key(self, space: OwnSpace) -> str:
        """Whether there is a key, and how it ends."""
        return space.describe_key()

    def get_fields(self, request: HttpRequest, obj: OwnSpace | None = None) -> list[Any]:
        """Return the fields of the form, or what a person sees who may only look."""
        if obj is None or self.has_change_permission(request, obj):
            return list(super().get_fields(request, obj))
        return [*FIXED, *CHANGEABLE, "key", "checked_at"]

    def get_readonly_fields(self, request: HttpRequest, obj: OwnSpace | None = None) -> list[str]:
        """Keep what vectors depend on as it was made."""
        return list(FIXED) if obj else []

    @method_decorator(sensitive_post_parameters("api_key"))
    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Keep the key out of reports of errors."""
        return super().changeform_view(request, *args, **kwargs)

    def has_delete_permission(self, request: HttpRequest, obj: OwnSpace | None = None) -> bool:
        """Return whether the person may delete spaces and, of one space, whether nothing needs it."""
        is_free = obj is None or not obj.describe_uses()
        return is_free and super().has_delete_permission(request, obj)

    def get_actions(
        self, request: HttpRequest, action_location: Any = ActionLocation.CHANGE_LIST
    ) -> dict[str, Any]:
        """Leave out the deletion of many at once: some may be in use."""
        actions = super().get_actions(request, action_location)
        actions.pop("delete_selected", None)
        return actions
