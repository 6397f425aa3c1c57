"""The app of the default embedding table."""

from django.apps import AppConfig


class PgVectorConfig(AppConfig):
    """The storage app; its label names the default model, `pgvector.PgVectorEmbedding`."""

    name = "apps.search.storage.pgvector"
    label = "pgvector"
    verbose_name = "pgvector storage"

    def ready(self) -> None:
        """Teach psycopg to send vectors."""
        from apps.search.storage.pgvector.searching.parameter import register

        register()
