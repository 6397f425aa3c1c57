"""The tasks: the first sentence of a text, or its summary, asks for the rest of it.

One rule makes them all. It favours neither words nor meaning: the author wrote both parts about one thing,
and the query is taken out of the document. Texts come from what is installed, and are read while measuring.
"""

import json
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

from project.demo.docstrings import write_docstrings
from tests.eval.manuals import read_manuals, read_packages, read_settings

DOCSTRINGS = 1_300  # of which those that have a summary and enough below it are used
DOCUMENTS = 600  # of a task at most
QUERIES = 200
FEWEST = 40  # queries; with fewer a task says nothing
WORDS = 180  # of a document: what the embedder of the space "default" reads
CHARACTERS = 400  # of a document in a script without spaces, about as much
SHORTEST = 25  # words left of a document without its summary
SHORT = 5  # words that the description of a setting has at least
NOISE = re.compile(r"https?://\S+|<[^>]*>|[`*_=~#|\[\]-]{2,}")
# Chinese characters and kana, which are written without spaces; two of them count as a word.
UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
UNLATIN = ("ja", "ko", "ru", "zh")
SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[\u3002\uff01\uff1f])\s*")
CONFIGURATIONS = {
    "en": "english", "de": "german", "fr": "french", "es": "spanish", "ru": "russian",
}  # fmt: skip

type Text = tuple[str, str, str]  # key, summary, rest


@dataclass(frozen=True)
class Task:
    """Documents by key, and queries with the key of the one document that each is about."""

    name: str
    documents: dict[str, str]
    queries: list[tuple[str, str]]
    language: str = "en"

    @property
    def configuration(self) -> str:
        """The search language of a tenant that has these documents."""
        return CONFIGURATIONS.get(self.language, "simple")


def make_tasks() -> tuple[list[Task], list[str]]:
    """Return the tasks, and why others are left out; equal on equal machines."""
    tasks, missing = [], []
    for task in _make_all():
        if len(task.queries) >= FEWEST:
            tasks.append(task)
        else:
            missing.append(f"{task.name}: this machine has {len(task.queries)} of {FEWEST} texts.")
    return tasks, missing


def make_long_tasks() -> list[Task]:
    """Return docstrings and readmes with the whole of each text, as it was written but for its summary."""
    kinds = (("docstrings", _docstrings()), ("readmes", _packages(without_noise=False)))
    return [_make_task(name, "en", items, shorten=False) for name, items in kinds]


def count_words(text: str) -> int:
    """Return how many words a text has; of a script without spaces, two characters are one."""
    unspaced = len(UNSPACED.findall(text))
    return unspaced // 2 + len(UNSPACED.sub(" ", text).split())


def _make_all() -> Iterator[Task]:
    yield _make_task("docstrings", "en", _docstrings())
    yield _make_task("readmes", "en", _packages())
    yield _make_task("packages", "en", read_packages())
    for language, folder in (("en", ""), *((each, each) for each in ("de", "fr", "ru", "ja", "ko"))):
        yield _make_task("manual", language, _manual(language, folder))
    yield _make_task("manual", "zh", _manual("zh", "zh_CN"))
    for language, locale in (("de", "de"), ("es", "es"), ("ru", "ru"), ("zh", "zh_CN")):
        yield _make_task("settings", language, read_settings(locale), shortest=SHORT)


def _make_task(
    name: str, language: str, items: Iterator[Text], *, shorten: bool = True, shortest: int = SHORTEST
) -> Task:
    """Make a task, leaving out what is too short and summaries that occur twice."""
    found: dict[str, tuple[str, str]] = {}
    for key, summary, text in {key: (key, *texts) for key, *texts in items}.values():
        rest = text.replace(summary, " ")
        if count_words(rest) >= shortest and count_words(summary) >= 2:
            found.setdefault(summary, (key, _shorten(rest) if shorten else rest))
    queries = [(summary, key) for summary, (key, _) in found.items()]
    documents = dict(found.values())
    if shorten:
        kept = set(_spread([key for _, key in queries], DOCUMENTS))
        documents = {key: text for key, text in documents.items() if key in kept}
        queries = [query for query in queries if query[1] in kept]
        name = f"{name} {language}"
    return Task(name, documents, _spread(queries, QUERIES), language)


def _spread[Item](items: list[Item], most: int) -> list[Item]:
    """Return at most so many items, from the whole list."""
    return items if len(items) <= most else [items[len(items) * place // most] for place in range(most)]


def _shorten(text: str) -> str:
    words = " ".join(text.split()[:WORDS])
    return words[:CHARACTERS] if len(UNSPACED.findall(words)) > len(words) // 4 else words


def _manual(language: str, folder: str) -> Iterator[Text]:
    for key, text in read_manuals(folder):
        sentence, *rest = SENTENCE.split(text.strip(), maxsplit=1)
        is_foreign = language in UNLATIN and not re.search(r"[^\W\d_a-zA-Z]", text)  # not translated
        if rest and not is_foreign and count_words(sentence) <= SHORTEST:
            yield key, sentence, rest[0]


def _docstrings() -> Iterator[Text]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "docstrings.jsonl"
        write_docstrings(path, "python", DOCSTRINGS)
        records = [json.loads(line) for line in path.read_text().splitlines()]
    for record in records:
        summary, _, rest = record["body"].partition("\n\n")
        yield record["key"], re.split(r"(?<=[.!?])\s", " ".join(summary.split()))[0], rest


def _packages(*, without_noise: bool = True) -> Iterator[Text]:
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
