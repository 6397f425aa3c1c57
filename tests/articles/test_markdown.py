import time

import pytest

from apps.articles.models import Article
from apps.articles.rendering import LONGEST, render_markdown
from tenants.context import tenant_context
from tests.registry import make_public

TEXT = "# The owl\n\nIt **flies** by night, says [the book](https://example.com/owl).\n\n## Food\n\n- mice\n"


def render(text, title="Title"):
    return str(render_markdown(text, title)).strip()


@pytest.fixture
def show(client, acme):
    make_public(acme)

    def show(**values):
        with tenant_context(acme):
            article = Article.objects.create(**values)
        return client.get(article.get_absolute_url(), headers={"host": acme.hostname}).content.decode()

    return show


def test_the_page_of_a_markdown_file_is_html_with_its_title_once(show):
    page = show(title="The owl", body=TEXT, source="birds/owl.md")

    assert page.count("The owl</h1>") == 1
    assert "<h2>The owl" not in page
    assert (
        '<p>It <strong>flies</strong> by night, says <a href="https://example.com/owl" rel="nofollow">'
        in page
    )
    assert "<h3>Food</h3>" in page
    assert "<li>mice</li>" in page


@pytest.mark.parametrize("source", ["", "birds/owl.txt", "https://example.com/md"])
def test_any_other_text_is_shown_as_it_is(show, source):
    page = show(title="The owl", body=TEXT, source=source)

    assert "It **flies** by night" in page


def test_a_text_that_is_too_long_to_be_read_is_shown_as_it_is(show):
    page = show(title="The owl", body=f"{TEXT}{'x' * LONGEST}", source="owl.md")

    assert "It **flies** by night" in page


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("# Title\n\nText", "<p>Text</p>"),
        ("# *Title* {#top}\n\nText", "<p>Text</p>"),
        ("# Another\n\nText", "<h2>Another</h2>\n<p>Text</p>"),
        ("Text\n\n# Title", "<p>Text</p>\n<h2>Title</h2>"),
        ("###### Deep", "<h6>Deep</h6>"),
        ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"),
        ("a <b onclick=x>b</b>", "<p>a &lt;b onclick=x&gt;b&lt;/b&gt;</p>"),
        ("[a](javascript:alert(1))", "<p>a</p>"),
        ("[a](JaVaScRiPt&colon;alert(1))", "<p>a</p>"),
        (
            "[a](data:text/html,x) [b](vbscript:x) [c](file:///etc) [d](//x.test) [e](e.md)",
            "<p>a b c d e</p>",
        ),
        ("<javascript:alert(1)> <https://a.test>", None),
        ("[m](mailto:a@b.test)", '<p><a href="mailto:a@b.test" rel="nofollow">m</a></p>'),
        ("[![build](https://ci.test/x.svg)](https://ci.test)", None),
        ('[a](https://x.test/"onmouseover="x)', None),
        ("```<b>\n<i>\n```", '<pre><code class="language-&lt;b&gt;">&lt;i&gt;\n</code></pre>'),
    ],
)
def test_no_text_becomes_more_than_harmless_html(text, html):
    rendered = render(text)

    assert rendered == html or html is None
    assert not any(part in rendered for part in ("<script", "<img", "<b", '"javascript:', '" onmouseover'))


def test_the_cells_of_a_table_have_no_style_of_their_own():
    table = render("|a|b|\n|:-:|-:|\n|1|2|")

    assert "<td>1</td>" in table
    assert "style" not in table


def test_an_image_is_its_description():
    linked = render("[![build](https://ci.test/x.svg)](https://ci.test)")

    assert linked == '<p><a href="https://ci.test" rel="nofollow">build</a></p>'


@pytest.mark.parametrize("part", ["[", "*", "> ", "[a](", "![", "<", "_a", "- a\n  ", "|a|\n|-|\n", "&"])
def test_time_grows_with_the_text_not_with_its_square(part):
    def measure(count):
        def once():
            started = time.process_time()
            render(part * (count // len(part)))
            return time.process_time() - started

        return min(once() for _ in range(3))

    assert measure(16_000) < 32 * max(measure(2_000), 0.01)
