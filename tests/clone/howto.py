"""What a how-to tells its reader to do: files to write, a line of the settings to add, paths to remove.

A file is a code block that begins with ```python title="path/of/the/file.py".
"""

import re

from tests.clone.repositories import ROOT

LINE = re.compile(r'^```text\n(?P<line> +"[\w.]+",\n)```$', re.MULTILINE)
REMOVE = re.compile(r"^ +git rm -r --quiet (?P<paths>.+)$", re.MULTILINE)
BLOCK = re.compile(r'^```\w+ title="(?P<path>[^"]+)"\n(?P<text>.*?)^```$', re.MULTILINE | re.DOTALL)


def read_page(page):
    return (ROOT / "docs" / "how-to" / page).read_text()


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
