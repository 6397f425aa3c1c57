"""Spaces that a tenant brings itself: an embedding service of its own, asked with a key of its own."""
