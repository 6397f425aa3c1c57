"""From the bound tenant to the provider that serves it."""

from contextlib import nullcontext
from typing import TYPE_CHECKING

from django.http import HttpRequest

from apps.search.indexes.registry import get_index_names, get_indexed_models
from apps.search.spaces.space import get_space
from apps.search.storage.pgvector.provider import PgVectorProvider
from tenants.context import NoTenantError, get_current_tenant, tenant_context

if TYPE_CHECKING:
    from tenants.models import Tenant


class UnknownIndexError(LookupError):
    """No model is indexed under that name."""


def get_provider(
    index_name: str,
    *,
    tenant: "Tenant | None" = None,
    request: HttpRequest | None = None,
    space: str | None = None,
) -> PgVectorProvider:
    """Return the provider of an index: the tenant's space, that space's embedder and its table.

    The tenant is the one given, else the request's, else the bound one; `space` overrides the tenant's.
    Raises NoTenantError when there is none, UnknownIndexError for an index that no model has, and
    ImproperlyConfigured for a space that neither settings.EMBEDDINGS nor the tenant has.
    """
    if index_name not in get_index_names():
        raise UnknownIndexError(
            f"There is no index {index_name!r}. Known indexes: {', '.join(get_index_names()) or 'none'}."
        )
    if request is not None and tenant is None:
        tenant = getattr(request, "tenant", None)
        if tenant is None:
            raise NoTenantError("The request belongs to no tenant: it is for the operators' site.")
    with tenant_context(tenant) if tenant else nullcontext():  # the space may be that tenant's own
        chosen = get_space(space or (tenant or get_current_tenant()).space)
        return PgVectorProvider(
            chosen.model,
            index_name=index_name,
            space=chosen.alias,
            embedder=chosen.embedder,
            tenant=tenant,
            source_models=get_indexed_models(index_name),
        )
