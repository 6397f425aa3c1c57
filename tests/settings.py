"""The project's settings, with the tests' own app and the template's own address."""

import os

# Tests compare whole addresses; what .env says of this machine's port must not reach them.
os.environ["SITE_URL"] = "http://localhost:8000"

from project.settings import *  # noqa: F403
from project.settings import EMBEDDINGS, INSTALLED_APPS, TENANT_APPS

TENANT_APPS = [*TENANT_APPS, "tests.models_app"]
INSTALLED_APPS = [*INSTALLED_APPS, "tests.models_app"]
EMBEDDINGS = EMBEDDINGS | {
    "custom": {
        "BACKEND": "apps.search.embedders.minilm.MiniLMEmbedder",
        "MODEL": "notes.NoteEmbedding",
        "OPTIONS": {},
    }
}
SEARCH_DEFAULT_INDEX = "notes"
