import pytest

from apps.articles.models import Article
from apps.search.indexing.batches import rebuild_index
from tenants.context import tenant_context
from tests.registry import make_public

TEXTS = {
    "Tides": "The sea rises and falls twice a day because the moon pulls at the water.",
    "Bread": "Flour, water, salt and yeast: knead the dough, let it rise, bake it hot.",
    "Bicycles": "Two wheels, a chain and a saddle; who rides one needs no fuel.",
}
EMBEDDINGS = {
    alias: {
        "BACKEND": "apps.search.embedders.wordllama.WordLlamaEmbedder",
        "MODEL": "pgvector.PgVectorEmbedding",
        "OPTIONS": {},
    }
    for alias in ("default", "fast")
}


@pytest.fixture(autouse=True)
def _quick_embedder(settings):
    settings.EMBEDDINGS = EMBEDDINGS


@pytest.fixture(autouse=True)
def _search_articles(settings):
    settings.SEARCH_DEFAULT_INDEX = "articles"


@pytest.fixture
def library(acme):
    """acme with three indexed articles and public search."""
    make_public(acme)
    with tenant_context(acme):
        articles = {
            title: Article.objects.create(title=title, body=body, key=title.lower(), source="almanac")
            for title, body in TEXTS.items()
        }
        rebuild_index("articles")
    return articles
