"""Ranks with bm25s in its own Python (see `bm25s`): tasks in JSON on stdin, rankings on stdout.

Used as its manual shows, with the Snowball stemmer and the stop words of the language where it has them. It
knows no words in a script without spaces, so it is given pairs of characters.
"""

import json
import re
import sys
from typing import Any

import bm25s
import Stemmer
from bm25s import stopwords

UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]+")


def main() -> None:
    """Answer all tasks."""
    order = json.load(sys.stdin)
    found = {task["name"]: _rank(task, order["depth"]) for task in order["tasks"]}
    json.dump(found, sys.stdout)


def _rank(task: dict[str, Any], depth: int) -> list[list[tuple[str, float]]]:
    keys = list(task["documents"])
    stemmer = None if task["configuration"] == "simple" else Stemmer.Stemmer(task["configuration"])
    known = getattr(stopwords, f"STOPWORDS_{task['language'].upper()}", None)
    options = {"stemmer": stemmer, "stopwords": list(known) if known else [], "show_progress": False}
    texts = [_pair(text) for text in task["documents"].values()]
    retriever = bm25s.BM25()
    retriever.index(bm25s.tokenize(texts, **options), show_progress=False)
    queries = bm25s.tokenize([_pair(text) for text in task["queries"]], **options, return_ids=False)
    places, scores = retriever.retrieve(queries, k=min(depth, len(keys)), show_progress=False)
    return [
        [(keys[place], float(score)) for place, score in zip(*row, strict=True) if score > 0]
        for row in zip(places, scores, strict=True)
    ]


def _pair(text: str) -> str:
    def divide(match: re.Match[str]) -> str:
        run = match[0]
        return f" {' '.join(run[place : place + 2] for place in range(max(1, len(run) - 1)))} "

    return UNSPACED.sub(divide, text)


if __name__ == "__main__":
    main()
