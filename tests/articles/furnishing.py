"""An article with a file."""

from django.core.files.base import ContentFile

from apps.articles.models import Article


def furnish(index, key, query):
    text = "The sea rises and falls because the moon pulls."
    Article.objects.create(
        title="Tides", body=text, source="https://example.com/sea", upload=ContentFile(text, "sea.txt")
    )
