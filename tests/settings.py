"""The project's settings, with the tests' own app, spaces and address: a clone may choose others."""

import os

# Tests compare whole addresses; what .env says of this machine's port must not reach them.
os.environ["SITE_URL"] = "http://localhost:8000"

from project.settings import *  # noqa: F403
from project.settings import EMBEDDINGS as CHOSEN
from project.settings import INSTALLED_APPS, TENANT_APPS

TENANT_APPS = [*TENANT_APPS, "tests.models_app"]
INSTALLED_APPS = [*INSTALLED_APPS, "tests.models_app"]
MINILM = "apps.search.embedders.minilm.MiniLMEmbedder"
EMBEDDINGS = {
    "default": {"BACKEND": MINILM, "MODEL": "pgvector.PgVectorEmbedding"},
    "fast": {
        "BACKEND": "apps.search.embedders.wordllama.WordLlamaEmbedder",
        "MODEL": "pgvector.PgVectorEmbedding",
        "OPTIONS": {"fusion_weights": (0.35, 0.65)},
    },
    "custom": {"BACKEND": MINILM, "MODEL": "notes.NoteEmbedding", "OPTIONS": {}},
}
if "openai" in CHOSEN:  # in a worker that a test starts
    EMBEDDINGS["openai"] = CHOSEN["openai"]
SEARCH_DEFAULT_INDEX = "notes"
