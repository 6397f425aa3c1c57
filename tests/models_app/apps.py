"""An app of the tests only. Its tables are made by the fixture `make_table`, in the test's transaction."""

from django.apps import AppConfig


class TestModelsConfig(AppConfig):
    """Embedding tables for tests."""

    name = "tests.models_app"
    label = "tests_models"
