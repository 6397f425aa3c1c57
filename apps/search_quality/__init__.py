"""How good a tenant's search is: golden queries, measured in every mode and space, and recent searches.

An app of its own, which may be left out of TENANT_APPS; the search works without it.
"""
