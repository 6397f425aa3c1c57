"""The Python that the pages show for `manage.py shell` can be pasted into it."""

import re
import textwrap
from code import InteractiveConsole
from codeop import compile_command

import pytest
from django.conf import settings

from tests.optional import needs
from tests.search.embedder import BACKEND, HashingEmbedder

ROOT = settings.BASE_DIR
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SNIPPET = re.compile(r"^ *```python\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL)


def list_snippets():
    """Return the snippets that bind a tenant, which is what one does in the shell."""
    return [
        pytest.param(textwrap.dedent(match["text"]), id=f"{page.relative_to(ROOT)}-{match.start()}")
        for page in PAGES
        for match in SNIPPET.finditer(page.read_text())
        if "with tenant_context(" in match["text"]
    ]


@pytest.mark.parametrize("text", list_snippets())
def test_a_snippet_can_be_pasted_line_by_line_and_piped_as_a_whole(text):
    waiting = []

    for line in [*text.splitlines(), ""]:
        waiting.append(line)
        if compile_command("\n".join(waiting), symbol="single") is not None:  # or it raises SyntaxError
            waiting = []

    assert waiting == []
    compile(text, "snippet", "exec")


@needs("apps.articles")
@pytest.mark.parametrize("is_piped", [False, True])
def test_the_snippet_of_the_readme_runs(acme, settings, capsys, is_piped):
    settings.EMBEDDINGS = {"default": {"BACKEND": BACKEND, "MODEL": "pgvector.PgVectorEmbedding"}}
    HashingEmbedder.reset()
    (text,) = [match["text"] for match in SNIPPET.finditer((ROOT / "README.md").read_text())]
    text = text.replace('"python"', '"acme"')
    console = InteractiveConsole()

    if is_piped:
        exec(text, console.locals)  # noqa: S102 - as the shell does
    else:
        for line in [*text.splitlines(), ""]:
            console.push(line)

    out, errors = capsys.readouterr()
    assert errors == ""
    assert "A cat sits on the mat." in out
    assert "<EmbeddingQuerySet []>" in out  # acme has no articles


def test_a_blank_line_within_a_block_would_be_found():
    with pytest.raises(SyntaxError):
        test_a_snippet_can_be_pasted_line_by_line_and_piped_as_a_whole("with x:\n    1\n\n    2\n")
