"""The files that a how-to shows: code blocks that begin with ```python title="path/of/the/file.py"."""

import re

from tests.clone.repositories import ROOT

BLOCK = re.compile(r'^```\w+ title="(?P<path>[^"]+)"\n(?P<text>.*?)^```$', re.MULTILINE | re.DOTALL)


def read_files(page):
    """Return the files that docs/how-to/<page> shows, by path."""
    text = (ROOT / "docs" / "how-to" / page).read_text()
    return {block["path"]: block["text"] for block in BLOCK.finditer(text)}


def write_files(page, folder):
    """Write the files of a how-to below a folder; every folder of Python files becomes a package."""
    for path, text in read_files(page).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        if target.suffix == ".py":
            (target.parent / "__init__.py").touch()
