"""The example app: copy it, then delete it."""

from django.apps import AppConfig


class ArticlesConfig(AppConfig):
    """Articles of a tenant."""

    name = "apps.articles"
    url_prefix = ""  # its home page is the site's
    limited_pages = ("articles:article",)  # each searches for similar articles
