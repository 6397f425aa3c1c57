"""Measuring the search by its golden queries."""
