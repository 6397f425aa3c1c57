"""The tasks, made of the docstrings and the packages of the running Python."""

import json
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

from project.demo.docstrings import write_docstrings

DOCSTRINGS = 1_300  # of which those that have a summary and enough below it are used
QUERIES = 300
WORDS = 180  # of a document: what the embedder of the space "default" reads
SHORTEST = 25  # words left of a document without its summary
NOISE = re.compile(r"https?://\S+|<[^>]*>|[`*_=~#|\[\]-]{2,}")


@dataclass(frozen=True)
class Task:
    """Documents by key, and queries with the key of the one document that each is about."""

    name: str
    documents: dict[str, str]
    queries: list[tuple[str, str]]


def make_tasks() -> list[Task]:
    """Return the tasks; equal on equal machines."""
    return [_make_task("headings", _docstrings()), _make_task("packages", _packages())]


def make_long_tasks() -> list[Task]:
    """Return the same tasks with the whole of each text, as it was written but for its summary."""
    kinds = (("docstrings", _docstrings()), ("readmes", _packages(without_noise=False)))
    return [_make_task(name, items, shorten=False) for name, items in kinds]


def _make_task(name: str, items: Iterator[tuple[str, str, str]], *, shorten: bool = True) -> Task:
    """Make a task of (key, summary, text), leaving out what is too short and summaries that occur twice."""
    found: dict[str, tuple[str, str]] = {}
    for key, summary, text in items:
        words = text.replace(summary, " ").split()
        if len(words) >= SHORTEST and len(summary.split()) >= 2:
            whole = text.replace(summary, " ")
            found.setdefault(summary, (key, " ".join(words[:WORDS]) if shorten else whole))
    queries = [(summary, key) for summary, (key, _) in found.items()]
    step = max(1, len(queries) // QUERIES)
    return Task(name, dict(found.values()), queries[::step][:QUERIES])


def _docstrings() -> Iterator[tuple[str, str, str]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "docstrings.jsonl"
        write_docstrings(path, "python", DOCSTRINGS)
        records = [json.loads(line) for line in path.read_text().splitlines()]
    for record in records:
        summary, _, rest = record["body"].partition("\n\n")
        yield record["key"], re.split(r"(?<=[.!?])\s", " ".join(summary.split()))[0], rest


def _packages(*, without_noise: bool = True) -> Iterator[tuple[str, str, str]]:
    for package in sorted(distributions(), key=lambda package: package.name):
        text = package.metadata["Description"] or package.metadata.get_payload() or ""
        summary = package.metadata["Summary"] or ""
        name = re.compile(re.escape(package.name), re.IGNORECASE)
        # The name would give the answer away.
        yield (
            package.name,
            name.sub("", summary).strip(),
            name.sub("", NOISE.sub(" ", str(text)) if without_noise else str(text)),
        )
