import csv
import io
import json
import os
import threading
import tracemalloc
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.articles.importing.readers import Record, Rejected, count_bytes, read_paths, read_records
from apps.articles.importing.records import reject
from apps.search.chunking.files import extract_html, extract_markdown


@pytest.fixture
def read(tmp_path):
    def read_content(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return list(read_records(path))

    return read_content


def json_lines(*objects):
    return "".join(json.dumps(item) + "\n" for item in objects)


def csv_text(*rows):
    file = io.StringIO()
    csv.writer(file).writerows(rows)
    return file.getvalue()


# Text and Markdown


def test_a_text_file_is_one_record_titled_by_its_first_line(read):
    records = read("tea.txt", "\ufeff\r\n  How to make tea  \r\nBoil water.\r\n")

    body = "\n  How to make tea  \nBoil water.\n"
    assert records == [Record(key="tea.txt", title="How to make tea", body=body, source="tea.txt")]


def test_a_title_above_300_characters_is_shortened_with_an_ellipsis(read):
    [record] = read("long.txt", "x" * 301)

    assert record.title == "x" * 299 + "…"
    assert record.body == "x" * 301


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Intro\n\n## Second level ##\n# First", "Second level"),
        ("Set apart\n=========\ntext", "Set apart"),
        ("```\n# a comment in code\n```\n# Real", "Real"),
        ("~~~ python\n# one\n```\n# two\n~~~\n# Real", "Real"),
        ("#hashtag, ####### seven\n\n---\n\ntext", "notes"),
        ("just text", "notes"),
        ("---\ntitle: 'From the front: yes'\n---\n# Heading", "From the front: yes"),
        ("---\nauthor: Ann\n---\n# Heading", "Heading"),
        ("---\ntitle: >-\n  Over two\n  lines\n---\n# Heading", "Over two lines"),
        ("---\ntitle: |\n  One\n  more\n---\ntext", "One more"),
        ("---\ntitle: null\n---\n# Heading", "Heading"),
        ("---\ntitle: ~\n---\n# Heading", "Heading"),
        ("---\ntitle:\n---\n# Heading", "Heading"),
        ("---\ntitle: ''\n---\n# Heading", "Heading"),
        ("---\ntitle: 'null'\n---\n# Heading", "null"),
        ('---\ntitle: "Tab\\tand \\u00e9"\n---\ntext', "Tab and é"),
        ("---\ntitle: 'It''s'  # a comment\n---\ntext", "It's"),
        ("---\ntitle: 2024-01-01\n---\ntext", "2024-01-01"),
        ("---\ntitle: 1.10\n---\ntext", "1.10"),
        ("---\ntitle: yes\n---\ntext", "yes"),
        ("---\ntitle: [a, b]\n---\n# Heading", "Heading"),
        ("---\nlast updated: today\ntags: [a,\n  b]\ntitle: Tea\n---\ntext", "Tea"),
        ("---\n{title: Tea, tags: [hot]}\n---\ntext", "Tea"),
        ("---\ntags: !custom [a]\ntitle: !!python/name:os.system Tea\n---\ntext", "Tea"),
        ("---\ntitle: Tea: how to make it\n---\n# Heading", "Tea: how to make it"),
        ("- # in a list\n\n# Real", "Real"),
        ("1. item\n\n   ```\n   # code in an item\n   ```\n\n# Real", "Real"),
        ("    # indented code\n\n# Real", "Real"),
        ("> # quoted\n\n# Real", "Real"),
    ],
)
def test_the_title_of_markdown(read, text, title):
    [record] = read("notes.md", text)

    assert record.title == title


def test_simple_front_matter_gives_key_and_title_and_is_no_part_of_the_body(read):
    text = (
        '---\r\nkey: guide/tea\r\ntitle: "Tea"\r\ntags:\r\n  - hot\r\n- wet\r\n---\r\n\r\nBoil *water*.\r\n'
    )

    assert read("notes.md", text) == [Record("guide/tea", "Tea", "Boil *water*.\n", "notes.md")]


@pytest.mark.parametrize(
    "front",
    [
        "last updated: 2026\nreading time: 5",
        "tags:\n- a\n-   b\n\nnested:\n  one:\n    two: 3",
        "a: &x [1, 2]\nb: *x",
        "summary: >-\n  A text: with a colon\n  # and no comment",
        "? complex\n: value",
        "",
        "title: One: two",
    ],
)
def test_front_matter_is_no_part_of_the_body(read, front):
    [record] = read("notes.md", f"---\n{front}\n---\n# Heading\n")

    assert record.body == "# Heading\n"


@pytest.mark.parametrize("front", ["# Heading", "a: " * 20_000, "[" * 5000, "- a\n- b", "text", "a: b\n[c"])
def test_what_is_no_mapping_is_text(read, front):
    [record] = read("notes.md", f"---\n{front}\n---\ntext\n")

    assert record.body == f"---\n{front}\n---\ntext\n"


def test_rules_around_text_are_not_front_matter(read):
    text = "---\nThis is a sentence: with a colon.\n---\n"

    [record] = read("notes.md", text)

    assert (record.key, record.body) == ("notes.md", text)


def test_front_matter_that_is_never_closed_is_text(read):
    text = "---\ntitle: x\n" + "y: z\n" * 1000

    [record] = read("notes.md", text)

    assert record.body == text


def test_markdown_with_front_matter_only_is_rejected(read):
    assert read("notes.md", "---\ntitle: x\n---\n") == [
        Rejected("notes.md", "The body is blank; key and body are required.")
    ]


# HTML


def test_html_becomes_paragraphs_of_visible_text(read):
    page = """<!DOCTYPE html><html><head><title>Tea &amp;
        water</title><style>p { color: red }</style></head><body><h1>Making tea</h1>
        <p>Boil&nbsp;the <b>wa</b>ter,<br>then wait.</p><script>alert("<p>no</p>")</script>
        <ul><li>cup<li>pot</ul><svg><title>drawing</title></svg><template>unused</template>
        <pre>\n  def tea():\n      return "hot"\n</pre>
        <table><tr><td>a</td><td>b</td></tr></table>tail</body></html>"""

    [record] = read("tea.html", page)

    assert record.title == "Tea & water"
    assert record.body.split("\n\n") == [
        "Making tea",
        "Boil the water,\nthen wait.",
        "cup",
        "pot",
        '  def tea():\n      return "hot"',
        "a b",
        "tail",
    ]


@pytest.mark.parametrize(
    ("page", "title"),
    [
        ("<title></title><h1>Main <i>heading</i></h1><h1>Other</h1>", "Main heading"),
        ("<p>text</p>", "page"),
        ("<title>One</title><title>Two</title><p>text", "One"),
    ],
)
def test_the_title_of_html(read, page, title):
    [record] = read("page.htm", page)

    assert record.title == title


def test_a_tag_that_is_never_closed_is_text(read):
    [record] = read("page.html", "<p class='a<b'>1 <2 and <!-- gone --> it's <b>bold</b> <!-- open")

    assert record.body == "1 <2 and it's bold"


@pytest.mark.parametrize("piece", ["<a ", "<a b='", "<!--", "<?", "</", "<![", "<script><", "<p>"])
def test_a_long_page_of_broken_tags_takes_no_quadratic_time(piece):
    assert extract_html(piece * 100_000).title is None


def test_html_without_visible_text_is_rejected(read):
    assert read("page.html", "<title>x</title><script>y</script>") == [
        Rejected("page.html", "The body is blank; key and body are required.")
    ]


html_pieces = st.sampled_from(
    "<p> </p> <pre> </pre> <script> </script> <title> <h1> </h1> <![ <!-- --> <br/> </ &#0; &amp &#x110000; "
    "<? <! ]]> <a|b=' text <svg> [x]".replace("|", " ").split(" ")
)


@given(st.lists(html_pieces | st.text(max_size=5), max_size=40).map("".join))
def test_any_html_is_read(page):
    body = extract_html(page).body

    assert body == body.strip("\n")


@given(st.lists(st.sampled_from(["---", "...", "key: a", "# b", "===", "```", "x", "", " "]), max_size=12))
def test_any_markdown_keeps_its_text(lines):
    text = "\n".join(lines)

    extract = extract_markdown(text)

    assert text.endswith(extract.body.rstrip("\n")) or text.rstrip("\n").endswith(extract.body.rstrip("\n"))


# JSON Lines


def test_json_lines_are_records_and_a_missing_title_is_the_key(read):
    content = "\ufeff" + json_lines({"key": " a ", "title": "A\n b", "body": " text\n", "other": 1})
    content += "\n" + json_lines({"key": "b", "body": "more", "title": None}).replace("\n", "\r\n")

    assert read("notes.jsonl", content) == [
        Record("a", "A b", " text\n", "notes.jsonl"),
        Record("b", "b", "more", "notes.jsonl"),
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"key": "a"', "The line is not valid JSON: Expecting ',' delimiter at column 12."),
        ("[1]", "The line must be a JSON object with key, title and body, like {...}."),
        ("null", "The line must be a JSON object with key, title and body, like {...}."),
        ('{"body": "x"}', "The key is missing; key and body are required."),
        ('{"key": "a", "body": null}', "The body is missing; key and body are required."),
        ('{"key": " ", "body": "x"}', "The key is blank; key and body are required."),
        ('{"key": "a", "body": "\\n\\t"}', "The body is blank; key and body are required."),
        ('{"key": 7, "body": "x"}', "The key is a number; it must be a text."),
        ('{"key": "a", "body": ["x"]}', "The body is a list; it must be a text."),
        ('{"key": "a", "body": {}}', "The body is an object; it must be a text."),
        ('{"key": "a", "title": true, "body": "x"}', "The title is true or false; it must be a text."),
        (
            '{"key": "a", "body": "x\\u0000"}',
            "The body has a NUL at character 2; only valid Unicode text is allowed.",
        ),
        (
            '{"key": "a", "title": "\\ud83d", "body": "x"}',
            "The title has half a surrogate pair (U+D83D) at character 1; "
            "only valid Unicode text is allowed.",
        ),
        (json.dumps({"key": "k" * 201, "body": "x"}), "The key has 201 characters; at most 200 are allowed."),
        (
            json.dumps({"key": "a", "body": "x" * 2_000_001}),
            "The body has 2,000,001 characters; at most 2,000,000 are allowed.",
        ),
        (b'{"key": "\xff"}', "Byte 10 of the line (0xff) is not valid UTF-8; save the file as UTF-8."),
    ],
)
def test_a_bad_line_is_rejected_with_its_place_and_the_rest_goes_on(read, line, reason):
    good = json_lines({"key": "good", "body": "text"}).encode()
    line = line if isinstance(line, bytes) else line.encode()

    items = read("notes.jsonl", good + line + b"\n" + good)

    record = Record("good", "good", "text", "notes.jsonl")
    assert items == [record, Rejected("notes.jsonl:2", reason), record]


@pytest.mark.parametrize("line", ["[" * 100_000, '{"key": ' + "1" * 5000 + "}"])
def test_json_that_exhausts_the_parser_is_rejected(read, line):
    [rejected, record] = read("notes.jsonl", line + "\n" + json_lines({"key": "a", "body": "b"}))

    assert rejected.place == "notes.jsonl:1"
    assert rejected.reason.startswith("The line is JSON that cannot be read: ")
    assert record.key == "a"


def test_the_longest_key_and_body_are_taken(read):
    [record] = read("notes.jsonl", json_lines({"key": "k" * 200, "body": "é" * 2_000_000}))

    assert (len(record.key), len(record.body)) == (200, 2_000_000)


def test_a_surrogate_pair_in_json_is_one_character(read):
    [record] = read("notes.jsonl", '{"key": "a", "body": "\\ud83d\\ude00"}')

    assert record.body == "😀"


def test_a_line_too_long_for_memory_is_rejected_and_the_rest_goes_on(read):
    good = json_lines({"key": "good", "body": "text"})

    items = read("notes.jsonl", '{"key": "' + "x" * 64_000_100 + '"}\n' + good)

    reason = "The line is too long; at most 32,000,000 bytes are allowed."
    assert items == [Rejected("notes.jsonl:1", reason), Record("good", "good", "text", "notes.jsonl")]


def test_a_large_file_is_not_read_into_memory(tmp_path):
    line = json_lines({"key": "a", "body": "x" * 1000})
    jsonl, table = tmp_path / "a.jsonl", tmp_path / "a.csv"
    jsonl.write_text(line * 20_000)
    table.write_text("key,body\n" + ("a," + "x" * 1000 + "\n") * 20_000)

    tracemalloc.start()
    count = sum(1 for _ in read_paths([jsonl, table]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert count == 40_000
    assert peak < 2_000_000


# CSV


def test_csv_columns_are_found_by_name_in_any_order(read):
    content = "\ufeff" + csv_text(
        [" Body", "extra", "KEY", "title"],
        ['two\nlines, "quoted"', "-", "a", "A"],
        [],
        ["text", "-", "b", ""],
    )

    assert read("table.csv", content) == [
        Record("a", "A", 'two\nlines, "quoted"', "table.csv"),
        Record("b", "b", "text", "table.csv"),
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"a,A", "The row has 2 columns; the header has 3."),
        (b"a,A,text,more", "The row has 4 columns; the header has 3."),
        (b",A,text", "The key is blank; key and body are required."),
        (b"a,A,te\x00xt", "The body has a NUL at character 3; only valid Unicode text is allowed."),
        (b"a,A,te\xffxt", "The row has the byte 0xff, not valid UTF-8; save the file as UTF-8."),
        (
            b'a,"A"B,text',
            "This is not valid CSV up to line 4: ',' expected after '\"'; "
            "quotes within a quoted field must be doubled and each opened quote closed.",
        ),
    ],
)
def test_a_bad_row_is_rejected_with_the_line_it_begins_on_and_the_rest_goes_on(read, row, reason):
    items = read("table.csv", b'key,title,body\na,A,"two\nlines"\n' + row + b"\nb,B,text\n")

    assert items == [
        Record("a", "A", "two\nlines", "table.csv"),
        Rejected("table.csv:4", reason),
        Record("b", "B", "text", "table.csv"),
    ]


def test_a_quote_that_is_never_closed_is_rejected_where_it_was_opened(read):
    items = read("table.csv", 'key,body\na,b\nc,"d\ne,f\n')

    assert items == [
        Record("a", "a", "b", "table.csv"),
        Rejected(
            "table.csv:3",
            "This is not valid CSV up to line 4: unexpected end of data; "
            "quotes within a quoted field must be doubled and each opened quote closed.",
        ),
    ]


@pytest.mark.parametrize("header", ["key,body,,", "key,,body,", "key,Note,body,note", ",key,note,body"])
def test_columns_that_are_not_used_may_have_any_name_or_none(read, header):
    cells = {"key": "a", "body": "text"}
    row = ",".join(cells.get(name, "-") for name in header.split(","))

    assert read("table.csv", f"{header}\n{row}\n") == [Record("a", "a", "text", "table.csv")]


@pytest.mark.parametrize("header", ["a;b;c", "key,title", "key,key,body", "1,2,3"])
def test_a_header_without_the_columns_is_rejected(read, header):
    items = read("table.csv", f"{header}\n1,2,3\n")

    reason = f"The header must name each of key, title, body once, separated by commas, not '{header}'."
    assert items == [Rejected("table.csv:1", reason)]


def test_a_csv_field_of_the_longest_body_is_taken(read):
    [record] = read("table.csv", csv_text(["key", "body"], ["a", "line\n" * 400_000]))

    assert len(record.body) == 2_000_000


def test_a_csv_line_too_long_for_memory_is_rejected_and_the_rest_goes_on(read):
    [rejected, record] = read("table.csv", "key,body\na," + "b," * 20_000_000 + "\nb,text\n")

    assert rejected.place == "table.csv:2"
    assert "a line is above 32,000,000 characters" in rejected.reason
    assert record.key == "b"


def test_a_csv_of_a_header_only_has_no_records(read):
    assert read("table.csv", "key,body\r\n") == []


cells = st.characters(codec="utf-8", exclude_characters="\0")


@given(st.lists(st.tuples(*[st.text(cells, min_size=1, max_size=longest) for longest in (200, None, None)])))
def test_csv_gives_back_what_was_written(tmp_path_factory, rows):
    path = tmp_path_factory.getbasetemp() / "round.csv"
    path.write_text(csv_text(["key", "title", "body"], *rows), "utf-8", newline="")

    records = [item for item in read_records(path) if isinstance(item, Record)]

    expected = [row for row in rows if row[0].strip() and row[2].strip()]
    assert [(record.key, record.body) for record in records] == [
        (key.strip(), body) for key, _, body in expected
    ]


# Every format

SUFFIXES = [".txt", ".md", ".html", ".htm", ".jsonl", ".csv"]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\r\n\n"])
def test_an_empty_file_is_rejected(read, suffix, content):
    [rejected] = read(f"empty{suffix}", content)

    assert rejected.place == f"empty{suffix}"
    assert rejected.reason.startswith("The file is empty; it must have ")


@pytest.mark.parametrize("suffix", [".txt", ".md", ".html"])
def test_a_file_that_is_not_utf8_is_rejected_at_its_line(read, suffix):
    items = read(f"old{suffix}", b"\xef\xbb\xbffirst\ncaf\xe9\n")

    reason = "Byte 4 of the line (0xe9) is not valid UTF-8; save the file as UTF-8."
    assert items == [Rejected(f"old{suffix}:2", reason)]


@pytest.mark.parametrize("suffix", [".txt", ".md"])
def test_a_file_with_nul_is_rejected(read, suffix):
    items = read(f"bad{suffix}", "title\n\0")

    reason = "The body has a NUL at character 7; only valid Unicode text is allowed."
    assert items == [Rejected(f"bad{suffix}", reason)]


def test_a_file_too_long_for_memory_is_rejected(tmp_path):
    path = tmp_path / "huge.txt"
    with path.open("wb") as file:
        file.truncate(10**9)

    reason = "The file is too long; at most 32,000,000 bytes are allowed."
    assert list(read_records(path)) == [Rejected("huge.txt", reason)]


@given(st.sampled_from(SUFFIXES), st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_read_without_an_error(tmp_path_factory, suffix, content):
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    path.write_bytes(content)

    items = list(read_records(path))

    assert all(isinstance(item, Record | Rejected) for item in items)
    json.dumps([vars(item) for item in items], ensure_ascii=False).encode()


# Files and folders


def test_a_folder_is_read_in_order_with_its_subfolders(tmp_path):
    (tmp_path / "b" / "deep").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    for name in ["c.TXT", "b/deep/x.md", "b/a.txt", ".hidden.txt", ".git/x.txt", "picture.png", "a.txt"]:
        (tmp_path / name).write_text("text")

    records = list(read_paths([tmp_path]))

    assert [record.key for record in records] == ["a.txt", "b/a.txt", "b/deep/x.md", "c.TXT"]
    assert [record.source for record in records] == ["a.txt", "b/a.txt", "b/deep/x.md", "c.TXT"]


def test_the_place_of_a_rejection_is_below_the_folder_given(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "notes.jsonl").write_text("x\n")

    [rejected] = read_paths([tmp_path])

    assert rejected.place == "sub/notes.jsonl:1"


def test_loops_of_symbolic_links_are_passed_over(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.txt").write_text("text")
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    (tmp_path / "sub" / "itself.txt").symlink_to("itself.txt")

    assert [record.key for record in read_paths([tmp_path])] == ["sub/a.txt"]


def test_a_folder_below_another_that_is_given_too_is_read_for_each_under_one_key(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.txt").write_text("text")

    records = read_paths([tmp_path / "sub", tmp_path])

    assert [record.key for record in records] == ["sub/a.txt", "sub/a.txt"]


def test_files_of_equal_names_in_two_folders_have_keys_of_their_own(tmp_path, monkeypatch):
    for name in ("one/docs/a.txt", "two/a.txt", "two/b.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("text")
    monkeypatch.chdir(tmp_path / "one")

    folders = read_paths([Path("docs"), Path("../two")])
    files = read_paths([Path("docs/a.txt"), tmp_path / "two/a.txt"])
    beside = read_paths([tmp_path / "two/a.txt", Path("../two/b.txt")])

    assert [record.key for record in folders] == ["one/docs/a.txt", "two/a.txt", "two/b.txt"]
    assert [record.key for record in files] == ["one/docs/a.txt", "two/a.txt"]
    assert [record.key for record in beside] == ["a.txt", "b.txt"]


def test_a_link_to_a_file_is_read_and_a_dangling_one_rejected(tmp_path):
    (tmp_path / "original").write_text("text")
    (tmp_path / "link.txt").symlink_to("original")
    (tmp_path / "dangling.txt").symlink_to("nothing")

    [rejected, record] = read_paths([tmp_path])

    reason = "This cannot be read (No such file or directory); it must exist and be readable."
    assert rejected == Rejected("dangling.txt", reason)
    assert record.key == "link.txt"


def test_a_hidden_file_that_is_named_itself_is_read(tmp_path):
    (tmp_path / ".notes.txt").write_text("text")

    assert [record.key for record in read_paths([tmp_path / ".notes.txt"])] == [".notes.txt"]


def test_a_file_with_an_unknown_suffix_that_is_named_itself_is_rejected(tmp_path):
    (tmp_path / "paper.pdf").write_text("text")

    items = list(read_paths([tmp_path / "paper.pdf"]))

    reason = "The suffix '.pdf' is unknown; allowed are .txt, .md, .html, .htm, .jsonl, .csv."
    assert items == [Rejected("paper.pdf", reason)]


def test_a_path_that_does_not_exist_is_rejected_and_the_rest_goes_on(tmp_path):
    (tmp_path / "a.txt").write_text("text")

    [rejected, record] = read_paths([tmp_path / "gone", tmp_path / "a.txt"])

    reason = "This cannot be read (No such file or directory); it must exist and be readable."
    assert rejected == Rejected("gone", reason)
    assert record.key == "a.txt"


def test_a_file_that_vanishes_while_the_others_are_read_is_rejected(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.txt").write_text("text")
    items = read_paths([tmp_path])

    next(items)
    (tmp_path / "b.txt").unlink()

    assert [item.place for item in items] == ["b.txt"]


@contextmanager
def without_the_rights_of_root():
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_what_may_not_be_read_is_rejected():
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o711)
        (folder / "locked.txt").write_text("text")
        (folder / "locked.txt").chmod(0)
        (folder / "locked").mkdir(mode=0)

        with without_the_rights_of_root():
            items = list(read_paths([folder / "locked.txt", folder / "locked", folder / "locked" / "a.txt"]))

    reason = "This cannot be read (Permission denied); it must exist and be readable."
    assert items == [Rejected(place, reason) for place in ["locked.txt", "locked", "locked/a.txt"]]


def test_a_folder_given_as_a_file_is_rejected(tmp_path):
    reason = "This is a folder or a device; only regular files are read."

    assert list(read_records(tmp_path)) == [Rejected(tmp_path.name, reason)]


def test_a_named_pipe_is_rejected_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.txt")
    items = []
    thread = threading.Thread(target=lambda: items.extend(read_paths([tmp_path])), daemon=True)

    thread.start()
    thread.join(timeout=30)

    assert items == [Rejected("pipe.txt", "This is a folder or a device; only regular files are read.")]


def test_the_place_of_a_rejection_is_printable_whatever_the_file_is_called(tmp_path):
    (tmp_path / "a\x1b[2J\n.jsonl").write_text("x")

    [rejected] = read_paths([tmp_path])

    assert rejected.place == "a\\x1b[2J\\n.jsonl:1"
    assert reject(os.fsdecode(b"caf\xe9.txt"), "no") == Rejected("caf\\udce9.txt", "no")


# Progress


def test_the_bytes_reported_add_up_to_the_bytes_counted(tmp_path):
    (tmp_path / "a.jsonl").write_text(json_lines({"key": "a", "body": "b"}, {"key": 1}) * 50 + "\n\n")
    (tmp_path / "b.csv").write_text(csv_text(["key", "body"], *[["a", "text " * 1000]] * 50))
    (tmp_path / "c.csv").write_text("no,header\n" * 50)
    (tmp_path / "d.html").write_text("<p>text")
    (tmp_path / "e.pdf").write_text("unknown")
    paths = [tmp_path, tmp_path / "e.pdf", tmp_path / "gone.txt"]
    steps = []

    items = list(read_paths(paths, on_bytes=steps.append))

    known = sum(path.stat().st_size for path in tmp_path.iterdir() if path.suffix != ".pdf")
    assert sum(steps) == count_bytes(paths) == known
    assert all(step > 0 for step in steps)
    assert len(steps) > 100
    assert len(items) == 100 + 50 + 1 + 1 + 2
