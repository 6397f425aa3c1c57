"""How good a tenant's search is: golden queries, measured in every mode and space, and recent searches."""
