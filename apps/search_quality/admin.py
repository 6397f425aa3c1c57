"""Golden queries and recent searches in the members' admin."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from apps.search_quality.golden.answers import load_answers
from apps.search_quality.models import GoldenAnswer, GoldenQuery, RecentQuery


class GoldenAnswerInline(admin.StackedInline):
    """The answers: their grades can be changed, new ones come from the search page."""

    model = GoldenAnswer
    extra = 0
    fields = ["found", "key", "grade"]
    readonly_fields = ["found", "key"]

    @admin.display(description="answer")
    def found(self, answer: GoldenAnswer) -> str:
        """Return the answer's title, or say that it is gone."""
        objects = dict(load_answers([answer.key]))
        return str(objects[answer.key] or answer.key) if answer.key in objects else "gone"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: an answer is promoted where it is found."""
        return False


@admin.register(GoldenQuery)
class GoldenQueryAdmin(admin.ModelAdmin):
    """Golden queries, to grade their answers and to delete them."""

    list_display = ["query", "index_name", "created_at"]
    list_filter = ["index_name"]
    search_fields = ["query"]
    readonly_fields = ["index_name", "query", "filter", "created_at"]
    inlines = [GoldenAnswerInline]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: a golden query is promoted where its answer is found."""
        return False


@admin.register(RecentQuery)
class RecentQueryAdmin(admin.ModelAdmin):
    """Recent searches, to look at and to delete."""

    list_display = ["query", "index_name", "mode", "times", "last_at"]
    list_filter = ["index_name", "mode"]
    search_fields = ["query"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: searches are noted as they happen."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: what was searched for stays as it was."""
        return False
