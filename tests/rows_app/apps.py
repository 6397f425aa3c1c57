"""The app of the tests of rows that several models have."""

from django.apps import AppConfig


class RowsConfig(AppConfig):
    """Not installed, because its tables are made in some tests only."""

    name = "tests.rows_app"
    label = "tests_rows"
