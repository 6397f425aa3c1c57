"""Spaces: an alias of settings.EMBEDDINGS is one embedder with the table that stores its vectors."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from apps.search.embedders import BaseEmbedder, get_embedder
from tenants.context import get_current_tenant

if TYPE_CHECKING:
    from apps.search.storage.pgvector.models import BasePgVectorEmbedding


@dataclass(frozen=True)
class Space:
    """One entry of settings.EMBEDDINGS."""

    alias: str

    @property
    def embedder(self) -> BaseEmbedder:
        """The process's embedder. Raises ImproperlyConfigured for an unusable BACKEND or OPTIONS."""
        return get_embedder(self.alias)

    @property
    def model(self) -> "type[BasePgVectorEmbedding]":
        """The embedding table. Raises ImproperlyConfigured for a MODEL that is none."""
        from apps.search.storage.pgvector.models import BasePgVectorEmbedding  # not before the apps are ready

        label = settings.EMBEDDINGS[self.alias].get("MODEL")
        try:
            model = apps.get_model(str(label))
        except (LookupError, ValueError) as error:
            raise ImproperlyConfigured(
                f"EMBEDDINGS[{self.alias!r}]: MODEL {label!r} is no installed model; write 'app_label.Model'."
            ) from error
        if not issubclass(model, BasePgVectorEmbedding):
            raise ImproperlyConfigured(
                f"EMBEDDINGS[{self.alias!r}]: MODEL {label!r} must be a subclass of BasePgVectorEmbedding."
            )
        return model


def list_aliases() -> list[str]:
    """Return the aliases of all spaces that the bound tenant may use."""
    return [*settings.EMBEDDINGS]


def get_space(alias: str) -> Space:
    """Return the space of that alias. Raises ImproperlyConfigured when settings.EMBEDDINGS lacks it."""
    if alias not in settings.EMBEDDINGS:
        known = ", ".join(sorted(settings.EMBEDDINGS)) or "none"
        raise ImproperlyConfigured(f"EMBEDDINGS[{alias!r}]: there is no such alias. Known aliases: {known}.")
    return Space(alias)


def get_current_space() -> Space:
    """Return the bound tenant's space. Raises NoTenantError when no tenant is bound."""
    return get_space(get_current_tenant().space)
