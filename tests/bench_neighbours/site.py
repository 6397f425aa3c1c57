"""The site that is measured: tenants in their own database, and gunicorn as infra/Dockerfile starts it."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import numpy as np
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from apps.accounts.models import ApiKey, User
from apps.articles.models import Article
from apps.search import get_provider
from apps.search.documents import Document, EmbeddedDocument
from tenants.context import tenant_context
from tenants.models import Tenant
from tenants.provisioning.life_cycle import provision, register_tenant

EMAIL, PASSWORD = "owner@example.com", "correct horse battery staple"
WORDS = ["settings", "file", "database", "query", "template", "form", "cache", "session", "worker", "queue"]
BATCH = 500


def make_tenant(subdomain: str, documents: int, space: str = "fast") -> Tenant:
    """Provision a tenant that anybody may search, with documents.

    In another space than "fast", the documents have vectors at random: to embed them would take minutes.
    """
    name = subdomain.title()
    tenant = register_tenant(
        name=name, subdomain=subdomain, owner_email=EMAIL, space=space, search_is_public=True
    )
    provision(tenant)
    with tenant_context(tenant):
        for start in range(0, documents, BATCH):
            _write(range(start, min(start + BATCH, documents)))
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
    return tenant


def let_owner_in(tenant: Tenant) -> str:
    """Set the password of a tenant's owner; return an API key of theirs."""
    with tenant_context(tenant):
        owner = User.objects.get(email=EMAIL)
        owner.set_password(PASSWORD)
        owner.save()
        return ApiKey.objects.issue(owner, "bench")[1]


def read_command(folder: Path | None = None) -> list[str]:
    """Return the command of the image, of this code or that in `folder`."""
    dockerfile = ((folder or settings.BASE_DIR) / "infra" / "Dockerfile").read_text().replace("\\\n", "")
    return json.loads(re.search(r"^CMD (\[\"gunicorn.*\])", dockerfile, re.MULTILINE)[1])


@contextmanager
def serve(
    log: Path, command: list[str] | None = None, folder: Path | None = None, **variables: str
) -> Iterator[int]:
    """Yield the port of the shipped command, which serves the database at hand in processes of its own.

    It serves the code in `folder`, by default this.
    """
    port = _free_port()
    command = [part.replace("0.0.0.0:8000", f"127.0.0.1:{port}") for part in command or read_command(folder)]
    environment = os.environ | {
        "DATABASE_URL": _get_database_url(),
        "SITE_URL": f"http://localhost:{port}",
        "BEHIND_PROXY": "True",
        "EMBEDDINGS_ALLOW_PRIVATE_ADDRESSES": "True",
        **variables,
    }
    with log.open("w") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=folder, env=environment, stdout=output, stderr=output
        )
        try:
            _await(port, server)
            yield port
        finally:
            server.terminate()
            server.wait()


def prepare_static_files() -> None:
    """Collect them, as the image does."""
    call_command("collectstatic", interactive=False, verbosity=0)


def _write(numbers: range) -> None:
    articles = Article.objects.bulk_create(
        Article(title=f"Article {number}", body=" ".join(_choose(number, 60))) for number in numbers
    )
    provider = get_provider("articles")
    make = Document if provider.space == "fast" else partial(_make_embedded, provider.embedder.dimensions)
    provider.add(
        [
            make(
                f"articles.article:{article.pk}:0",
                article.body,
                {"tags": _choose(article.pk, 12), "year": 2000 + article.pk % 25, "text": "a" * 100},
            )
            for article in articles
        ]
    )


def _make_embedded(dimensions: int, *parts: Any) -> EmbeddedDocument:
    return EmbeddedDocument(*parts, np.random.default_rng().standard_normal(dimensions, np.float32))


def _choose(number: int, count: int) -> list[str]:
    return [f"{WORDS[number * step % 97 % len(WORDS)]}{step % 7 or ''}" for step in range(1, count + 1)]


def _get_database_url() -> str:
    parts = urlsplit(settings.DATABASE_URL)
    folder = parts.path.rsplit("/", 1)[0]
    return parts._replace(path=f"{folder}/{connection.settings_dict['NAME']}").geturl()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _await(port: int, server: subprocess.Popen) -> None:
    for _ in range(300):
        try:
            urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5).close()
            return
        except OSError:
            if server.poll() is not None:
                break
            time.sleep(0.2)
    raise RuntimeError("The server does not answer; see its log.")
