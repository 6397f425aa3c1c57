"""Golden queries as JSON lines, so that a repository can hold them and another installation take them.

A line is {"q", "index", "filter", "answers"}. An answer is {"grade", "model", "pk", "key"}, where `key` is
the object's name outside (`Indexed.get_index_key`) and goes before `pk`, or {"grade", "document_key"}.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from django.apps import apps
from django.db import transaction

from apps.search.indexed import Indexed
from apps.search.indexes.source_objects import Source
from apps.search.providers import UnknownIndexError
from apps.search_quality.golden.answers import find_source, load_answers
from apps.search_quality.golden.promoting import PromotionForm, UnknownAnswerError
from apps.search_quality.models import GoldenAnswer, GoldenQuery


class InvalidGoldenLinesError(ValueError):
    """Lines that cannot be imported; the message has a line for each fault, with the line's number."""


def export_golden(index_name: str | None = None) -> Iterator[str]:
    """Yield the golden queries of an index, or of all, as JSON lines, the oldest first.

    Answers whose object is gone are left out.
    """
    wanted = {"index_name": index_name} if index_name else {}
    rows = GoldenQuery.objects.filter(**wanted).order_by("pk").prefetch_related("answers")
    objects = dict(load_answers(answer.key for row in rows for answer in row.answers.all()))
    for row in rows:
        answers = [_describe(answer, objects) for answer in row.answers.all() if answer.key in objects]
        line = {"q": row.query, "index": row.index_name, "filter": row.filter, "answers": answers}
        yield json.dumps(line, ensure_ascii=False)


def import_golden(lines: Iterable[str], *, replace: bool = False) -> int:
    """Promote what the lines say, all or nothing; return how many answers that were.

    `replace` deletes all golden queries first. Raises InvalidGoldenLinesError.
    """
    faults: list[str] = []
    count = 0
    with transaction.atomic():
        if replace:
            GoldenQuery.objects.all().delete()
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                count += _import_line(line)
            except (UnknownAnswerError, UnknownIndexError, ValueError) as error:
                faults.append(f"line {number}: {error}")
        if faults:
            raise InvalidGoldenLinesError("\n".join(faults))
    return count


def _describe(answer: GoldenAnswer, objects: dict[str, Any]) -> dict[str, Any]:
    source = find_source(answer.key)
    if source is None:
        return {"grade": answer.grade, "document_key": answer.key}
    key = objects[answer.key].get_index_key()
    return {"grade": answer.grade, "model": source.model, "pk": source.pk, "key": key}


def _import_line(line: str) -> int:
    row = json.loads(line)
    if not isinstance(row, dict) or not isinstance(row.get("answers"), list):
        raise ValueError('it must be an object with "q", "index", "filter" and a list of "answers".')
    for answer in row["answers"]:
        _validate(row, answer).promote()
    return len(row["answers"])


def _validate(row: dict[str, Any], answer: Any) -> PromotionForm:
    if not isinstance(answer, dict):
        raise ValueError(f"an answer must be an object, not {type(answer).__name__}.")
    filter = "" if row.get("filter") is None else json.dumps(row["filter"])
    document_key = answer.get("document_key") or f"{_find_object(answer).prefix}0"
    data = {**row, "filter": filter, "document_key": document_key, "grade": answer.get("grade", "")}
    form = PromotionForm(data)
    if not form.is_valid():
        faults = [f"{name}: {fault}" for name, found in form.errors.items() for fault in found]
        raise ValueError(" ".join(map(str, faults)))
    return form


def _find_object(answer: dict[str, Any]) -> Source:
    label, pk, key = (str(answer.get(name) or "") for name in ("model", "pk", "key"))
    try:
        model = apps.get_model(label)
    except (LookupError, ValueError) as error:
        raise ValueError(f"model {label!r} is not an installed model.") from error
    if not issubclass(model, Indexed):
        raise ValueError(f"model {label!r} is not indexed.")
    found = model.find_by_index_key(key) if key else None
    return Source.of(found) if found else Source(model._meta.label_lower, pk)
