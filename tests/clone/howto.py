"""What a how-to tells its reader to do: files to write, commands to run, a line of the settings.

A code block with a title is a file, such as ```python title="path/of/the/file.py", or `manage.py shell`.
One that begins with ```sh holds commands. All others only show something.
"""

import re
import textwrap
from typing import NamedTuple

from tests.clone.repositories import ROOT

LINE = re.compile(r'^```text\n(?P<line> +"[\w.]+",\n)```$', re.MULTILINE)
REMOVE = re.compile(r"^ +git rm -r --quiet (?P<paths>.+)$", re.MULTILINE)
BLOCK = re.compile(r'^```\w+ title="(?P<path>[^"]+)"\n(?P<text>.*?)^```$', re.MULTILINE | re.DOTALL)
FENCE = re.compile(
    r'^(?P<indent> *)```(?P<language>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^(?P=indent)```$',
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """A code block of a page."""

    language: str
    title: str | None
    text: str


def read_page(page):
    return (ROOT / "docs" / "how-to" / page).read_text()


def read_blocks(page):
    """Return the code blocks of docs/how-to/<page> in their order, without the indent of a list."""
    return [
        Block(match["language"], match["title"], textwrap.dedent(match["text"]))
        for match in FENCE.finditer(read_page(page))
    ]


def read_commands(block):
    """Return the commands of a shell block in their order, those with a backslash as one line."""
    lines = block.text.replace("\\\n", " ")
    # A quoted text goes on until its quote ends.
    return [line for line in re.findall(r"(?:'[^']*'|[^'\n])+", lines) if line.strip()]


def read_files(page):
    """Return the files that docs/how-to/<page> shows, by path."""
    return {block["path"]: block["text"] for block in BLOCK.finditer(read_page(page))}


def read_settings_line(page):
    """Return the one line that a how-to adds to the list of apps."""
    (match,) = LINE.finditer(read_page(page))
    return match["line"]


def read_removed_paths(page):
    """Return the paths that a how-to removes with `git rm`."""
    (match,) = REMOVE.finditer(read_page(page))
    return match["paths"].split()


def write_files(page, folder):
    """Write the files of a how-to below a folder; every folder of Python files becomes a package."""
    for path, text in read_files(page).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        if target.suffix == ".py":
            (target.parent / "__init__.py").touch()
