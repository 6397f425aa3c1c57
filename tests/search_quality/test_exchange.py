import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from apps.search.documents import Document
from apps.search.indexes.source_objects import Source
from apps.search.providers import get_provider
from apps.search_quality.golden.promoting import promote
from apps.search_quality.models import GoldenAnswer, GoldenQuery
from tenants.context import tenant_context
from tests.models_app.models import Note


def export(schema="acme", **options):
    out = StringIO()
    call_command("golden_queries", "export", schema=schema, stdout=out, **options)
    return out.getvalue()


def bring_in(text, schema="acme", **options):
    call_command("golden_queries", "import", schema=schema, file=StringIO(text), **options)


def as_line(**changes):
    return json.dumps({"q": "food", "answers": [{"model": "notes.note", "key": "bread"}]} | changes)


def list_golden(tenant):
    with tenant_context(tenant):
        return {
            (a.golden_query.query, json.dumps(a.golden_query.filter), a.key, a.grade)
            for a in GoldenAnswer.objects.select_related("golden_query")
        }


def test_what_was_exported_is_imported_as_it_was(acme, make_golden):
    make_golden("flour", "Bread")
    make_golden("flour", "Butter", grade=1)
    make_golden("„ümlaut“", "Butter", filter={"title": {"like": "B%"}})
    with tenant_context(acme):
        get_provider("notes").add([Document("leaflet", "Opening hours")])
        promote("notes", "when open", "leaflet")
    before, text = list_golden(acme), export()
    with tenant_context(acme):
        GoldenQuery.objects.all().delete()

    bring_in(text)
    bring_in(text)

    assert len(before) == 4
    assert list_golden(acme) == before
    assert export() == text


def test_a_line_names_objects_by_their_key_outside(acme, make_golden, notes):
    make_golden("flour", "Bread")

    assert json.loads(export()) == {
        "q": "flour",
        "index": "notes",
        "filter": None,
        "answers": [{"grade": 3, "model": "notes.note", "pk": str(notes["Bread"].pk), "key": "bread"}],
    }


def test_in_another_tenant_the_key_finds_the_object_whatever_its_primary_key(make_golden, globex):
    make_golden("flour", "Bread")
    with tenant_context(globex):
        Note.objects.create(title="First", body="x")
        own = Note.objects.create(title="Bread", body="x", key="bread")

    bring_in(export(), schema="globex")

    assert {key for _, _, key, _ in list_golden(globex)} == {Source.of(own).prefix}


def test_one_index_is_exported_alone(make_golden):
    make_golden("flour", "Bread")

    assert export(index="notes").count("\n") == 1
    with pytest.raises(CommandError, match=r"--index: There is no index 'nowhere'\. Known indexes: .*notes"):
        export(index="nowhere")


@pytest.mark.parametrize(
    "arguments", [["import", "FILE", "--schema=acme"], ["import", "--schema=acme", "FILE"]]
)
def test_the_file_may_stand_before_or_after_options(make_golden, acme, tmp_path, capsys, arguments):
    make_golden("flour", "Bread")
    path = tmp_path / "golden.jsonl"
    path.write_text(export())

    call_command("golden_queries", *[part.replace("FILE", str(path)) for part in arguments])

    assert capsys.readouterr().out == "acme: 1 answers imported\n"


def test_answers_that_are_gone_are_left_out(make_golden, acme, notes):
    make_golden("food", "Bread")
    make_golden("food", "Butter")
    with tenant_context(acme):
        notes["Butter"].delete()

    assert [answer["key"] for answer in json.loads(export())["answers"]] == ["bread"]


def test_replacing_deletes_what_the_lines_lack(make_golden, acme):
    make_golden("cream", "Butter")

    bring_in(as_line(), replace=True)

    assert [query for query, *_ in list_golden(acme)] == ["food"]


def test_blank_lines_are_passed_over(acme, notes, capsys):
    bring_in(f"\n{as_line()}\n\n")

    assert capsys.readouterr().out == "acme: 1 answers imported\n"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "line 2: Expecting property name"),
        ("[]", 'line 2: it must be an object with "q", "index", "filter" and a list of "answers".'),
        (as_line(answers=["bread"]), "line 2: an answer must be an object, not str."),
        (as_line(q=""), "line 2: q: Type what you are looking for: 1 to 2,000 characters."),
        (as_line(index="nowhere"), "line 2: index: There is no index 'nowhere'."),
        (as_line(filter={"a": {"near": 1}}), "line 2: filter: a.near: "),
        (as_line(answers=[{"model": "a.poem"}]), "line 2: model 'a.poem' is not an installed model."),
        (as_line(answers=[{"model": "accounts.user"}]), "line 2: model 'accounts.user' is not indexed."),
        (
            as_line(answers=[{"model": "notes.note", "pk": 0, "key": "gone"}]),
            "line 2: There is no object and no document 'notes.note",
        ),
        (as_line(answers=[{"document_key": "gone"}]), "line 2: There is no object and no document 'gone'"),
        (
            as_line(answers=[{"model": "notes.note", "key": "bread", "grade": 9}]),
            "line 2: grade: 9 is not a grade. Allowed: 1, 2, 3.",
        ),
    ],
)
def test_a_bad_line_is_named_and_nothing_imported(acme, notes, make_golden, line, reason):
    make_golden("cream", "Butter")

    with pytest.raises(CommandError) as failure:
        bring_in(f"{as_line()}\n{line}\n", replace=True)

    assert str(failure.value).startswith(reason)
    assert [query for query, *_ in list_golden(acme)] == ["cream"]


def test_another_tenants_golden_queries_are_not_exported(make_golden, globex):
    make_golden("cream", "Butter")

    assert export(schema="globex") == ""
