"""What the demo shows: an operator, two tenants, articles and golden queries.

Making it twice changes nothing.
"""

import io
import json
import secrets
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command

from apps.articles.models import Article
from project.demo import golden
from project.demo.docstrings import write_docstrings
from tenants.context import tenant_context
from tenants.models import Tenant
from tenants.provisioning.life_cycle import provision, register_tenant

TENANTS = {
    "python": {"name": "Python library", "space": "default"},
    "django": {"name": "Django", "space": "fast"},
}
OPERATOR = "operator@example.com"
FOLDER = Path(settings.VAR_DIR) / "demo"


def find_missing_spaces() -> list[str]:
    """Return the spaces of the demo's tenants that settings.EMBEDDINGS does not have."""
    return [options["space"] for options in TENANTS.values() if options["space"] not in settings.EMBEDDINGS]


def prepare(article_count: int) -> None:
    """Migrate, and make the operator, tenants, articles and golden queries, as far as they are missing."""
    call_command("migrate_schemas", verbosity=0)
    _make_superuser(OPERATOR)
    for subdomain, options in TENANTS.items():
        owner = f"owner@{subdomain}.example.com"
        tenant = Tenant.objects.filter(subdomain=subdomain).first() or register_tenant(
            subdomain=subdomain, owner_email=owner, search_is_public=True, **options
        )
        provision(tenant)
        with tenant_context(tenant):
            _make_superuser(tenant.owner_email)
            keys = _import_articles(tenant, article_count)
        golden.import_golden(tenant, keys, FOLDER)


def evaluate() -> None:
    """Evaluate the search of each tenant, once its documents are indexed."""
    for tenant in Tenant.objects.filter(subdomain__in=TENANTS):
        golden.evaluate(tenant)


def read_password() -> str:
    """Return the password of all the demo's accounts: random, made once, kept below var/."""
    file = FOLDER / "password"
    if not file.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(12))
    return file.read_text()


def _make_superuser(email: str) -> None:
    users = get_user_model().objects
    user = users.filter(email=email).first() or users.create_superuser(email)
    if not user.has_usable_password():
        user.set_password(read_password())
        user.save()


def _import_articles(tenant: Tenant, count: int) -> list[str]:
    """Import what is missing; return the articles' keys."""
    file = FOLDER / f"{tenant.subdomain}.jsonl"
    if not file.exists() or len(file.read_text().splitlines()) != count:
        write_docstrings(file, tenant.subdomain, count)
    keys = [json.loads(line)["key"] for line in file.read_text().splitlines()]
    if Article.objects.filter(key__in=keys).count() < len(keys):
        call_command("import_articles", str(file), schema=tenant.schema_name, stdout=io.StringIO())
    return keys
