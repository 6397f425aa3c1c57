"""The app of the default embedding table."""

from django.apps import AppConfig

from apps.search.storage.pgvector.tables.vectors import register_parameter


class PgVectorConfig(AppConfig):
    """The storage app; its label names the default model, `pgvector.PgVectorEmbedding`."""

    name = "apps.search.storage.pgvector"
    label = "pgvector"
    verbose_name = "pgvector storage"

    def ready(self) -> None:
        """Teach psycopg to send vectors."""
        register_parameter()
