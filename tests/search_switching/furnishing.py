"""A switch of the tenant's space that waits for the cut-over."""

from tenants.context import owner_rights
from tests.search_switching.work import switch_to


def furnish(index, key, query):
    with owner_rights():
        switch_to("other")
