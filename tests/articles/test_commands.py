import json

import pytest
from django.core.management import CommandError, call_command
from django_tasks_db.models import DBTaskResult

from apps.articles.models import Article
from tenants.context import tenant_context


@pytest.fixture
def run(capsys):
    def run(name, *args, **options):
        call_command(name, *args, **options)
        return capsys.readouterr().out

    return run


def write_lines(path, *records):
    path.write_text("\n".join(json.dumps(record) for record in records))
    return path


def test_import_creates_updates_and_skips(run, acme, tmp_path):
    file = write_lines(
        tmp_path / "a.jsonl", {"key": "1", "title": "One", "body": "uno"}, {"key": "2", "body": "dos"}
    )
    first = run("import_articles", str(file), schema="acme")
    write_lines(
        file, {"key": "1", "title": "One", "body": "uno"}, {"key": "2", "title": "Two", "body": "dos"}
    )

    second = run("import_articles", str(file), schema="acme")

    assert "2 created, 0 updated, 0 unchanged, 0 rejected." in first
    assert "0 created, 1 updated, 1 unchanged, 0 rejected." in second
    with tenant_context(acme):
        assert dict(Article.objects.values_list("key", "title")) == {"1": "One", "2": "Two"}


def test_import_names_each_rejected_record_and_takes_the_rest(acme, tmp_path, capsys):
    file = tmp_path / "a.jsonl"
    file.write_text('{"key": "1", "body": "good"}\nnot json\n{"key": "", "body": "x"}\n')

    call_command("import_articles", str(file), schema="acme")

    out, err = capsys.readouterr()
    assert "1 created, 0 updated, 0 unchanged, 2 rejected." in out
    assert "a.jsonl:2:" in err
    assert "a.jsonl:3: The key is blank; key and body are required." in err


def test_import_reads_a_folder_of_all_kinds(run, acme, tmp_path):
    (tmp_path / "note.txt").write_text("A note\n\nwith text")
    (tmp_path / "page.html").write_text("<title>A page</title><p>with text</p>")
    (tmp_path / "doc.md").write_text("# A heading\n\nwith text")
    (tmp_path / "table.csv").write_text("key,title,body\nrow-1,A row,with text\n")

    run("import_articles", str(tmp_path), schema="acme")

    with tenant_context(acme):
        assert set(Article.objects.values_list("title", flat=True)) == {
            "A note",
            "A page",
            "A heading",
            "A row",
        }


def test_import_counts_what_it_overwrites(run, acme, globex, tmp_path):
    records = [{"key": "1", "body": "uno"}, {"key": "2", "body": "dos"}, {"key": "1", "body": "one"}]
    file = write_lines(tmp_path / "a.jsonl", *records)

    out = run("import_articles", str(file), schema="acme")
    other = run("import_articles", str(write_lines(file, records[1])), schema="globex")

    assert "2 created, 0 updated, 0 unchanged, 0 rejected.\n1 overwritten: their key came again" in out
    assert "overwritten" not in other
    with tenant_context(acme):
        assert Article.objects.get(key="1").body == "one"


def test_import_keeps_files_of_equal_names_apart(run, acme, tmp_path):
    for folder in ("de", "en"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "start.md").write_text(f"# {folder}\n\ntext")

    out = run("import_articles", str(tmp_path / "de"), str(tmp_path / "en"), schema="acme")

    assert "2 created" in out
    with tenant_context(acme):
        assert sorted(Article.objects.values_list("key", "title")) == [
            ("de/start.md", "de"),
            ("en/start.md", "en"),
        ]


def test_import_writes_the_tasks_that_index_what_changed(acme, tmp_path):
    file = write_lines(tmp_path / "a.jsonl", {"key": "1", "body": "uno"}, {"key": "2", "body": "dos"})

    call_command("import_articles", str(file), schema="acme")
    before = DBTaskResult.objects.count()
    call_command("import_articles", str(file), schema="acme")

    assert before == 1
    assert DBTaskResult.objects.count() == before


def test_import_into_one_tenant_is_unseen_in_another(acme, globex, tmp_path):
    file = write_lines(tmp_path / "a.jsonl", {"key": "1", "body": "uno"})

    call_command("import_articles", str(file), schema="acme")

    with tenant_context(globex):
        assert not Article.objects.exists()


def test_import_refuses_an_unknown_tenant_and_a_missing_file(acme, tmp_path):
    with pytest.raises(CommandError, match="--schema: no active tenant has the schema 'nobody'"):
        call_command("import_articles", str(tmp_path), schema="nobody")
    with pytest.raises(CommandError, match=r"PATH: no such file or folder: .*gone.txt"):
        call_command("import_articles", str(tmp_path / "gone.txt"), schema="acme")


def test_search_prints_a_table(run, library):
    out = run("search", "moon and water", schema="acme")

    lines = [line for line in out.splitlines() if line.strip()]
    assert len(lines) == 3
    assert lines[0].split()[0] == "1"
    assert "Tides" in lines[0]


def test_search_says_when_nothing_is_indexed(run, globex):
    assert "No article is indexed here yet." in run("search", "anything", schema="globex")


def test_search_refuses_bad_input(acme):
    with pytest.raises(CommandError, match="query: Type what you are looking for"):
        call_command("search", "  ", schema="acme")
    with pytest.raises(CommandError, match="limit: 1 to 100 are allowed"):
        call_command("search", "x", schema="acme", limit=1000)
    with pytest.raises(CommandError, match="index: There is no index 'x'"):
        call_command("search", "x", schema="acme", index="x")


def test_search_names_a_space_that_was_taken_out_of_the_settings(library, acme, settings):
    settings.EMBEDDINGS = {"other": settings.EMBEDDINGS["default"]}

    with pytest.raises(
        CommandError, match=r"^EMBEDDINGS\['default'\]: there is no such alias. Known aliases: other"
    ):
        call_command("search", "moon", schema="acme")


def test_search_takes_a_mode_and_a_filter(run, library):
    by_word = run("search", "yeast", schema="acme", mode="keyword")
    filtered = run("search", "yeast", schema="acme", filter='{"title": "Tides"}')
    nothing = run("search", "zeppelin", schema="acme", mode="keyword")

    assert [line.split()[2] for line in by_word.splitlines()] == ["Bread"]
    assert [line.split()[2] for line in filtered.splitlines()] == ["Tides"]
    assert "No article holds these words." in nothing


def test_a_command_reads_the_registry_whichever_tenant_is_bound(run, library, globex):
    with tenant_context(globex):
        out = run("search", "moon and water", schema="acme")

    assert "Tides" in out.splitlines()[0]
