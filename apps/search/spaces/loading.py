"""Loads embedders before a server forks, so that its processes share the weights in memory."""

import logging

from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connections
from django_tenants.utils import get_tenant_model

from apps.search.conf import conf
from apps.search.embedders import EmbeddingError, get_embedder
from tenants.context import unbound

logger = logging.getLogger(__name__)


def load_embedders() -> list[str]:
    """Load the embedders of the settings' spaces that tenants use; return the aliases of those spaces.

    Where the registry cannot be read, loads that of new tenants. What cannot be loaded is logged, and tried
    again on first use. Closes this thread's database connections: they must not be shared by a fork.
    """
    tenant = get_tenant_model()
    used = {str(tenant._meta.get_field("space").get_default())}
    try:
        with unbound():
            used |= set(tenant.objects.values_list("space", flat=True).distinct())
    except Error as error:
        logger.warning("It is unknown which spaces tenants use. %s", error)
    finally:
        connections.close_all()
    loaded = []
    for alias in sorted(used & set(conf.EMBEDDINGS)):
        try:
            get_embedder(alias).load()
        except (EmbeddingError, ImproperlyConfigured) as error:
            logger.warning("The embedder of the space %r was not loaded. %s", alias, error)
        else:
            loaded.append(alias)
    return loaded
