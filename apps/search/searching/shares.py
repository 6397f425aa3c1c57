"""How many searches a tenant may have at work at once."""

import os
from contextlib import AbstractContextManager

from apps.search.conf import conf
from tenants.binding.shares import share


def search_share() -> AbstractContextManager[None]:
    """Return a block within which the bound tenant searches: it waits for its turn, or raises BusyError."""
    at_once = conf.SEARCHES_AT_ONCE or max(1, (os.cpu_count() or 1) // 2)
    return share("search", at_once=at_once, in_line=conf.SEARCHES_IN_LINE, patience=conf.SEARCH_PATIENCE)
