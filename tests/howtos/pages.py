"""Which how-tos are carried out, in which order, and what of them is not."""

from tests.clone.howto import read_blocks, read_commands

# A page goes on where the one before it ended.
PAGES = [
    "first-tenant.md",
    "new-app.md",
    "searching.md",
    "api.md",
    "indexes.md",
    "chunking.md",
    "search-quality.md",
    "another-reranker.md",
    "custom-embedding-table.md",
    "another-embedder.md",
    "bundles.md",
    "life-cycle.md",
]
FROM_A_CLONE = "make-it-yours.md"  # begins with nothing but the project's address
NOT_YET = {"production.md": "needs services: a proxy, a mail server, a host of one's own"}
# What of a page is left out, and why.
LEFT_OUT = {
    ("first-tenant.md", "delete_tenant"): "the pages that follow need the tenant; life-cycle.md deletes it",
    ("api.md", "--json"): "needs an embedding service",
    ("bundles.md", "docker compose"): "needs containers",
    (FROM_A_CLONE, "make demo"): "`make smoke` carries it out",
}
# What must run while a page is carried out, though the page does not say how to start it.
RUNNING = {"api.md": ["runserver"], "another-embedder.md": ["db_worker"]}
SHELL = "manage.py shell"


def is_left_out(page: str, command: str) -> bool:
    """Tell whether a command of a page is left out."""
    return any(page == of and word in command for of, word in LEFT_OUT)


def list_commands(page: str) -> list[str]:
    """Return the commands of a page in their order, those that are left out among them."""
    return [
        command for block in read_blocks(page) if block.language == "sh" for command in read_commands(block)
    ]
