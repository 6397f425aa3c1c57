import re

import pytest

from tests.clone.howto import Block, read_blocks, read_commands
from tests.clone.repositories import ROOT
from tests.howtos.pages import FROM_A_CLONE, LEFT_OUT, NOT_YET, PAGES, SHELL, is_left_out, list_commands

CARRIED_OUT = [*PAGES, FROM_A_CLONE]
PROGRAMS = {"python", ".venv/bin/python", "ruff", "make", "git", "curl", "mkdir", "touch", "cd"}
FOLDERS = {"apps", "tests", "project", "golden.jsonl"}


def test_each_how_to_is_carried_out_or_says_why_not():
    pages = [path.name for path in (ROOT / "docs" / "how-to").glob("*.md")]

    assert sorted([*CARRIED_OUT, *NOT_YET]) == sorted(pages)


@pytest.mark.parametrize("page", CARRIED_OUT)
def test_every_command_of_a_how_to_begins_with_a_known_program(page):
    programs = {command.split()[0] for command in list_commands(page) if not is_left_out(page, command)}

    assert programs - PROGRAMS == set()


@pytest.mark.parametrize("page", CARRIED_OUT)
def test_every_title_of_a_how_to_is_a_file_or_the_shell(page):
    titles = {block.title for block in read_blocks(page) if block.title} - {SHELL}

    assert {title for title in titles if title.split("/")[0] not in FOLDERS} == set()


@pytest.mark.parametrize("page", CARRIED_OUT)
def test_what_binds_a_tenant_has_a_title(page):
    untitled = [block.text for block in read_blocks(page) if block.language == "python" and not block.title]
    bare = [text for text in untitled if re.search(r"^with tenant_context", text, re.MULTILINE)]

    assert bare == [text for text in bare if page == "another-embedder.md" and "set_searched_space" in text]


@pytest.mark.parametrize(("page", "word"), LEFT_OUT)
def test_what_is_left_out_stands_on_its_page(page, word):
    assert any(word in command for command in list_commands(page))


def test_a_command_ends_where_its_quote_and_its_last_line_end():
    text = "one --a \\\n    b  # why\ncurl --json '{\n  \"a\": 1\n}'\n\ntwo\n"

    commands = read_commands(Block("sh", None, text))

    assert [command.split()[0] for command in commands] == ["one", "curl", "two"]
    assert commands[1].endswith("}'")
