"""How well objects are found by the best of their chunks: `python -m tests.eval.chunking`.

The tasks are those of tests.eval, but with the whole of each text: a query is the summary of one docstring or
package, which is taken out of the text, and the answer is the object that has it. Prints MRR@10 by meaning
and by both, how many chunks there are, and how many MB of text a second of the processor cuts.
"""

import os
import time
from itertools import islice
from statistics import mean
from typing import Any

import django

from tests.eval.__main__ import DEPTH, SPACES, _passing_tenant, _with_bar

CHUNKS = 10 * DEPTH  # read for DEPTH objects
OBJECTS = 500  # of a task
QUERIES = 250


def main() -> None:
    """Measure every chunker on every task in every space."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    django.setup()
    from tests.eval.tasks import make_long_tasks

    tasks = make_long_tasks()
    with _passing_tenant():
        for space in SPACES:
            for task in tasks:
                documents = dict(islice(task.documents.items(), OBJECTS))
                queries = [query for query in task.queries if query[1] in documents][:QUERIES]
                size = sum(map(len, documents.values())) / 1e6
                print(
                    f"\n{space}, {task.name}: {len(documents)} objects, {size:.1f} MB, {len(queries)} queries"
                )
                print(f"{'':<34}{'MRR@10':>8}{'hybrid':>8}{'chunks':>8}{'MB/s':>8}")
                for name, chunker in _chunkers().items():
                    _measure(space, name, chunker, documents, queries)


def _chunkers() -> dict[str, Any]:
    from apps.search import chunking

    inner = chunking.ParagraphChunker()
    return {
        "paragraphs, 180 words": inner,
        "sentences, 180 words": chunking.SentenceChunker(),
        "words, 180 words": chunking.SimpleChunker(),
        "tokens": chunking.TokenChunker(),
        "tokens, overlap 40": chunking.TokenChunker(overlap=40),
        "tokens, 128": chunking.TokenChunker(128),
        "headings, tokens": chunking.HeadingChunker(),
        "headings left out, tokens": chunking.HeadingChunker(with_headings=False),
        "headings, paragraphs": chunking.HeadingChunker(inner),
    }


def _measure(
    space: str, name: str, chunker: Any, documents: dict[str, str], queries: list[tuple[str, str]]
) -> None:
    from apps.search.chunking import as_chunk
    from apps.search.documents import Document
    from apps.search.embedders import get_embedder
    from apps.search.searching.hybrid import search_by_mode
    from apps.search.storage.pgvector import PgVectorProvider

    provider = PgVectorProvider(index_name="chunking", space=space)
    provider.clear()
    fit = chunker.fit(get_embedder(space))
    fit.chunk("the tokenizer is loaded by the first text")
    began = time.process_time()
    cut = {key: [as_chunk(piece).text for piece in fit.chunk(text)] for key, text in documents.items()}
    speed = sum(map(len, documents.values())) / 1e6 / (time.process_time() - began)
    rows = [Document(f"{key}#{n}", text) for key, texts in cut.items() for n, text in enumerate(texts)]
    provider.add(_with_bar(rows, f"{space}, {name}: embedding"))
    found = [
        mean(_reciprocal_rank(search_by_mode(provider, query, mode)[:CHUNKS], key) for query, key in queries)
        for mode in ("semantic", "hybrid")
    ]
    print(f"{name:<34}{found[0]:>8.3f}{found[1]:>8.3f}{len(rows):>8,}{speed:>8.1f}", flush=True)


def _reciprocal_rank(rows: Any, key: str) -> float:
    objects = list(dict.fromkeys(row.document_key.rpartition("#")[0] for row in rows))[:DEPTH]
    return 1 / (objects.index(key) + 1) if key in objects else 0.0


if __name__ == "__main__":
    main()
