import hashlib
import os
import threading

import numpy as np
import pytest

from apps.search.embedders import EmbeddingError, MiniLMEmbedder, OnnxEmbedder
from apps.search.embedders.minilm import MODEL, TOKENIZER
from apps.search.embedders.onnx_model import POLITENESS, OnnxModel
from apps.search.endpoints.patience import in_a_hurry

from .contract import PROMISES, TEXTS

LONG = [f"{text} {number}" for number in range(5) for text in TEXTS] + ["settings are read " * 90, "x " * 40]


def make_embedder(**options):
    files = {"model_path": MODEL.find(), "model_sha256": MODEL.sha256}
    files |= {"tokenizer_path": str(TOKENIZER.find()), "tokenizer_sha256": TOKENIZER.sha256}
    return OnnxEmbedder(**{**files, "dimensions": 384, "max_tokens": 256, **options})


def embed_plainly(texts):
    import onnxruntime
    from tokenizers import Tokenizer

    session = onnxruntime.InferenceSession(MODEL.find(), providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(TOKENIZER.find()))
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    vectors = []
    for tokens in map(tokenizer.encode, texts):
        given = {"input_ids": [tokens.ids], "attention_mask": [tokens.attention_mask]}
        hidden = session.run(None, given | {"token_type_ids": [tokens.type_ids]})[0][0]
        vectors.append(hidden.mean(axis=0) / np.linalg.norm(hidden.mean(axis=0)))
    return np.stack(vectors)


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_a_model_given_by_its_path_keeps(promise):
    promise(make_embedder(batch_size=3))


def test_many_texts_at_once_have_the_vectors_of_a_plain_session():
    vectors = MiniLMEmbedder(threads=3).embed_documents(LONG)

    assert np.abs(vectors - embed_plainly(LONG)).max() < 1e-5


def test_a_model_given_by_its_path_gives_the_same_vectors_as_its_class():
    assert np.array_equal(make_embedder().embed_documents(TEXTS), MiniLMEmbedder().embed_documents(TEXTS))


def test_poolings_differ_and_each_is_what_its_name_says():
    states = OnnxModel(MODEL, TOKENIZER, 256).run(TEXTS[:1], lambda hidden: hidden)[0]

    for pooling, expected in {"mean": states.mean(axis=0), "cls": states[0], "last": states[-1]}.items():
        vector = make_embedder(pooling=pooling).embed_query(TEXTS[0])
        assert np.allclose(vector, expected / np.linalg.norm(expected), atol=1e-5), pooling


def test_the_languages_of_a_model_are_told():
    assert make_embedder(languages=["en", "de"]).languages == ("en", "de")
    assert make_embedder().languages is None


def test_a_cut_vector_is_the_beginning_of_the_whole_one_at_length_one():
    whole = make_embedder().embed_query("text")

    cut = make_embedder(dimensions=64, matryoshka=True).embed_query("text")

    assert np.allclose(cut, whole[:64] / np.linalg.norm(whole[:64]), atol=1e-6)


def test_prefixes_of_queries_and_passages_are_put_before_the_texts():
    embedder = make_embedder(query_prefix="query: ", document_prefix="passage: ")

    assert np.allclose(embedder.embed_query("cat"), make_embedder().embed_query("query: cat"))
    assert np.allclose(embedder.embed_documents(["cat"]), make_embedder().embed_documents(["passage: cat"]))
    assert embedder.token_limit == 256 - 2 - 2


def test_what_changes_vectors_changes_the_model_id():
    changes = [{}, {"pooling": "cls"}, {"dimensions": 64, "matryoshka": True}, {"max_tokens": 64}]
    changes += [{"output": "last_hidden_state"}, {"model_sha256": "0" * 64}, {"tokenizer_sha256": "0" * 64}]

    ids = {make_embedder(**change).model_id for change in changes}

    assert len(ids) == len(changes)
    assert make_embedder(threads=1, batch_size=1).model_id in ids


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"model_path": "/no/such.onnx"}, "There is no file '/no/such.onnx'"),
        ({"model_sha256": "0" * 64}, "its sha256 must be 0000.*If the file is right, correct the sha256"),
        ({"tokenizer_sha256": "1" * 64}, "its sha256 must be 1111"),
        ({"output": "pooled"}, "there is no output 'pooled'; it has last_hidden_state"),
        ({"dimensions": 256}, "vectors have 384 numbers, but dimensions is 256. Set 384; or matryoshka"),
        ({"dimensions": 768, "matryoshka": True}, "vectors have 384 numbers, but dimensions is 768"),
        ({"pooling": "none"}, "the output has 3 axes, and pooling 'none' needs 2"),
    ],
)
def test_files_that_do_not_fit_the_options_are_named(option, message):
    with pytest.raises(EmbeddingError, match=message):
        make_embedder(**option).embed_query("text")


def test_a_file_that_is_no_model_is_named(tmp_path):
    file = tmp_path / "model.onnx"
    file.write_bytes(b"not a model")
    sha256 = hashlib.sha256(b"not a model").hexdigest()

    with pytest.raises(EmbeddingError, match=r"model\.onnx: onnxruntime cannot load it"):
        make_embedder(model_path=file, model_sha256=sha256).embed_query("text")
    with pytest.raises(EmbeddingError, match=r"model\.onnx: is no tokenizer\.json"):
        make_embedder(tokenizer_path=file, tokenizer_sha256=sha256).embed_query("text")


def test_missing_files_are_found_by_the_checks_and_before_any_text():
    with pytest.raises(EmbeddingError, match="There is no file"):
        make_embedder(tokenizer_path="missing.json").check_requirements()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"model_path": 5}, "model_path must be the path of a file, not 5."),
        ({"tokenizer_path": " "}, "tokenizer_path must be the path of a file, not ' '."),
        ({"model_sha256": "8199be6f"}, "model_sha256 must be the 64 digits that `sha256sum` prints"),
        ({"languages": "en"}, "languages is 'en'; allowed: a list of codes such as 'en', or None."),
        ({"languages": ["English"]}, "languages is \\['English'\\]; allowed: a list of codes"),
        ({"pooling": "max"}, "pooling is 'max'; allowed are: mean, cls, last, none."),
        ({"dimensions": 0}, "dimensions must be a whole number of at least 1, not 0."),
        ({"matryoshka": 1}, "matryoshka must be True or False, not 1."),
        ({"max_tokens": 2}, "max_tokens must be a whole number of at least 8, not 2."),
    ],
)
def test_wrong_option_is_named(option, message):
    with pytest.raises(ValueError, match=message):
        make_embedder(**option)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="only Linux has niceness by thread")
def test_threads_that_index_give_way_and_those_that_answer_do_not():
    found = []

    def note(hidden):
        found.append((threading.get_native_id(), os.getpriority(os.PRIO_PROCESS, 0)))

    model, own = OnnxModel(MODEL, TOKENIZER, 256, threads=2), os.getpriority(os.PRIO_PROCESS, 0)
    model.run(["one"], note)
    with in_a_hurry():
        model.run(["one", "two"], note)
    model.run(["one", "two"], note)

    assert found[0] == (threading.get_native_id(), own)
    assert [niceness for _, niceness in found[1:]] == [own, own, *[max(own, POLITENESS)] * 2]
