"""What `manage.py doctor` finds in the articles."""

from collections.abc import Iterator

from django.core.files.storage import default_storage
from django.db import Error, transaction

from apps.articles.models import Article
from apps.operations.doctor.finding import Finding, Level, Scope
from tenants.context import owner_rights, tenant_context

LOOKED_AT = 100  # uploads of a tenant, the latest: a storage may be asked over a network


def check_uploads(scope: Scope) -> Iterator[Finding]:
    """Yield the tenants whose latest articles name files that are gone."""
    for tenant in scope.provisioned:
        try:
            with tenant_context(tenant), owner_rights(), transaction.atomic():
                names = Article.objects.exclude(upload="").values_list("upload", flat=True)[:LOOKED_AT]
                gone = sum(not default_storage.exists(name) for name in names)
        except Error:  # the checks of the search say that the tenant lags
            continue
        if gone:
            message = f"Files of its latest articles that are gone: {gone}."
            yield Finding(Level.WARNING, tenant.schema_name, message, "Restore its files from a backup.")


CHECKS = [check_uploads]
