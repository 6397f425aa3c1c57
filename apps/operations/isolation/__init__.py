"""Attacks of each tenant on every other: see `manage.py prove_isolation`."""
