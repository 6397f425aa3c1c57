"""The link to the page of search quality."""

from apps.search_quality.receivers import MAY_VIEW
from tenants.links import Link

HEADER = [Link("Quality", "search_quality", permission=MAY_VIEW)]
