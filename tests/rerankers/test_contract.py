import pytest

from apps.search.embedders.minilm import MODEL, TOKENIZER
from apps.search.rerankers import EndpointReranker, LightReranker, OnnxCrossEncoder

from .contract import PROMISES
from .stub_reranker import KEY


class Likeness(OnnxCrossEncoder):
    """A model of sentences is no cross-encoder, but reads pairs: the first number of its first token."""

    def _read(self, output):
        return float(output[0][0])


FILES = {"model_path": MODEL.find(), "model_sha256": MODEL.sha256}
FILES |= {"tokenizer_path": TOKENIZER.find(), "tokenizer_sha256": TOKENIZER.sha256, "max_tokens": 64}
RERANKERS = {
    "light": lambda server: LightReranker(),
    "endpoint": lambda server: EndpointReranker(base_url=server.url, model="stub", api_key=KEY),
    "cross_encoder": lambda server: Likeness(**FILES),
}


@pytest.mark.parametrize("name", RERANKERS)
@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_reranker_keeps_promise(promise, name, rerank_server):
    promise(RERANKERS[name](rerank_server))
