"""Wires the signals and the checks."""

from typing import ClassVar

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class SearchConfig(AppConfig):
    """Per-tenant semantic search."""

    name = "apps.search"
    url_prefix = "search/"
    limited_pages = ("search",)

    # Tasks may still wait in a queue or lie in a bundle under the paths on the left.
    moved_tasks: ClassVar[dict[str, str]] = {
        f"apps.search.tasks.{name}": f"apps.search.indexing.tasks.{name}"
        for name in ("index_by_keys", "continue_run", "maintain_vector_indexes", "make_keywords")
    }

    def ready(self) -> None:
        """Listen to the indexed models and register the system checks."""
        from apps.search import checks  # noqa: F401
        from apps.search.indexing import signals
        from apps.search.rerankers import second_look  # noqa: F401 - claims its OPTIONS of a space
        from apps.search.searching import fusion  # noqa: F401 - the same

        signals.connect()
        autodiscover_modules("search_indexes")
