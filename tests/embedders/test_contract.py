import pytest

from apps.search.embedders import MiniLMEmbedder, OpenAICompatibleEmbedder, WordLlamaEmbedder

from .contract import PROMISES
from .stub_server import DIMENSIONS

EMBEDDERS = {
    "minilm": lambda server: MiniLMEmbedder(batch_size=3),
    "wordllama": lambda server: WordLlamaEmbedder(batch_size=3),
    "openai_compatible": lambda server: OpenAICompatibleEmbedder(
        base_url=server.url, model="stub", dimensions=DIMENSIONS, api_key="none", batch_size=3
    ),
}


@pytest.mark.parametrize("name", EMBEDDERS)
@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_embedder_keeps_promise(promise, name, stub_server):
    embedder = EMBEDDERS[name](stub_server)

    promise(embedder)
