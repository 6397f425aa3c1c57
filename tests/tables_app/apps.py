"""Embedding tables of all kinds. `make_table` makes them, in the transaction of a test."""

from django.apps import AppConfig


class TablesConfig(AppConfig):
    """Not installed, because some of its tables are faulty."""

    name = "tests.tables_app"
    label = "tests_tables"
