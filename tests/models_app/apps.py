"""An app of a tenant's, installed in the tests whatever else is."""

from django.apps import AppConfig


class NotesConfig(AppConfig):
    """Notes of a tenant: what the tests of the core save, index and search."""

    name = "tests.models_app"
    label = "notes"
    url_prefix = "notes/"
