"""Articles in the members' admin."""

from django.contrib import admin

from apps.articles.models import Article


@admin.register(Article)
class ArticleAdmin(admin.ModelAdmin):
    """Write and find articles."""

    list_display = ["title", "key", "source", "updated_at"]
    search_fields = ["title", "key", "source"]
