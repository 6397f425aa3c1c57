"""Spaces: an alias is one embedder with the table that stores its vectors.

Aliases are those of settings.EMBEDDINGS, for every tenant, and those of the bound tenant's own spaces.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured

from apps.search.embedders import (
    BaseEmbedder,
    Limits,
    get_embedder,
    get_entry,
    get_limits,
    has_entry,
    list_aliases,
)
from tenants.queue.not_here import NotHereError
from tenants.validators import OWN_SPACE_PREFIX

if TYPE_CHECKING:
    from apps.search.storage.pgvector.models import BasePgVectorEmbedding


@dataclass(frozen=True)
class Space:
    """One alias. Its parts are read at each call, for the tenant that is bound then."""

    alias: str

    @property
    def embedder(self) -> BaseEmbedder:
        """The process's embedder. Raises ImproperlyConfigured for an unusable BACKEND or OPTIONS."""
        return get_embedder(self.alias)

    @property
    def limits(self) -> Limits:
        """What its service allows and costs. Raises ImproperlyConfigured for unusable LIMITS."""
        return get_limits(self.alias)

    @property
    def model(self) -> "type[BasePgVectorEmbedding]":
        """The embedding table. Raises ImproperlyConfigured for an unusable MODEL."""
        from apps.search.storage.pgvector.models import BasePgVectorEmbedding  # not before the apps are ready

        label = get_entry(self.alias).get("MODEL")
        try:
            model = apps.get_model(str(label))
        except (LookupError, ValueError) as error:
            raise ImproperlyConfigured(
                f"EMBEDDINGS[{self.alias!r}]: MODEL {label!r} is not an installed model; "
                "write 'app_label.Model'."
            ) from error
        if not issubclass(model, BasePgVectorEmbedding):
            raise ImproperlyConfigured(
                f"EMBEDDINGS[{self.alias!r}]: MODEL {label!r} must be a subclass of BasePgVectorEmbedding."
            )
        return model


class UnknownSpaceError(ImproperlyConfigured, NotHereError):
    """The settings of this process have no such alias. A task that meets it waits for another worker."""


def get_space(alias: str) -> Space:
    """Return the space of that alias.

    Raises UnknownSpaceError when neither settings.EMBEDDINGS nor the bound tenant has it. For the alias of a
    tenant's own space, raises ImproperlyConfigured, and NoTenantError while none is bound.
    """
    if not has_entry(alias):
        known = ", ".join(sorted(list_aliases())) or "none"
        message = f"EMBEDDINGS[{alias!r}]: there is no such alias. Known aliases: {known}."
        # A tenant's own spaces are in the database: no other worker knows more of them.
        raise (ImproperlyConfigured if alias.startswith(OWN_SPACE_PREFIX) else UnknownSpaceError)(message)
    return Space(alias)
