"""pgvector storage: adding this app to TENANT_APPS adds the default model, PgVectorEmbedding.

It needs PostgreSQL, the pgvector extension in `public`, and the pgvector package.
"""

from django.core.exceptions import ImproperlyConfigured

try:
    import pgvector.django  # noqa: F401
except ImportError as error:
    raise ImproperlyConfigured(
        "apps.search.storage.pgvector needs the pgvector package. Install it: pip install pgvector"
    ) from error

from apps.search.storage.pgvector.provider import PgVectorProvider

__all__ = ["PgVectorProvider"]
