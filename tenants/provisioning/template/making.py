"""Makes the template on first need, and a tenant's schema from it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import unified_diff
from itertools import chain, islice
from typing import NamedTuple

from django.core.management import call_command
from django.db import DatabaseError, OperationalError, transaction
from django_tenants.signals import schema_migrated, schema_pre_migration
from django_tenants.utils import quote_schema_name

from tenants.conf import conf
from tenants.context import connection
from tenants.locks import Lock, session_lock
from tenants.models import ProvisioningTemplate, Tenant
from tenants.provisioning.erasing import drop_schema
from tenants.provisioning.template.catalog import read_statements
from tenants.provisioning.template.census import digest, read_objects, read_properties
from tenants.provisioning.template.fingerprint import get_fingerprint
from tenants.provisioning.template.replaying import TemplateError, replay, search_path
from tenants.validators import TEMPLATE_COPY_SCHEMA, TEMPLATE_SCHEMA

logger = logging.getLogger(__name__)

SEPARATOR = ";\n"
SHOWN_LINES = 10  # of the difference between a template and its copy


class Description(NamedTuple):
    """All that a schema holds, without its name."""

    statements: list[str]
    objects: list[str]
    properties: list[str]


def create_schema(tenant: Tenant) -> None:
    """Create the tenant's schema, which must not exist, with all tables and rows that its migrations make.

    It replays the template, and sends django-tenants' signals of a migration before and after. Where
    TENANT_PROVISIONING = {"TEMPLATE": False} switches that off, it migrates; where the template does not
    work, too, with a warning in the log that says why. Raises what a migration raises.
    """
    if conf.TENANT_PROVISIONING.get("TEMPLATE", True):
        try:
            template = get_template()
            schema_pre_migration.send(Tenant, schema_name=tenant.schema_name)
            replay(tenant.schema_name, template.statements, template.objects_digest)
        except Exception as error:  # also what a migration raised on the template: the tenant's own may pass
            reason = f"{type(error).__name__}: {error}".strip()
            logger.warning("%s is migrated, not made from the template. %s", tenant.schema_name, reason)
            connection.set_schema_to_public()
        else:
            schema_migrated.send(Tenant, schema_name=tenant.schema_name)
            return
    tenant.create_schema(check_if_exists=False, verbosity=0)


def get_template() -> ProvisioningTemplate:
    """Return the template that fits the present migrations and server; make it when there is none.

    Raises TemplateError when the migrations make something that a template cannot hold, and whatever a
    migration raises.
    """
    fingerprint = get_fingerprint()
    template = _find(fingerprint)
    if template is None:
        with session_lock(Lock.TEMPLATE, TEMPLATE_SCHEMA):
            template = _find(fingerprint) or _make(fingerprint)
    if template.fault:
        raise TemplateError(template.fault)
    return template


def _find(fingerprint: str) -> ProvisioningTemplate | None:
    return ProvisioningTemplate.objects.filter(fingerprint=fingerprint).first()


def _make(fingerprint: str) -> ProvisioningTemplate:
    logger.info("Making the template of the tenants' schema")
    with _scratch_schemas():
        original = _migrate(TEMPLATE_SCHEMA)
        statements = SEPARATOR.join(original.statements)
        fault = _find_chance(original) or _find_loss(original, statements)
    template = ProvisioningTemplate(
        fingerprint=fingerprint,
        statements=statements,
        objects_digest=digest(original.objects),
        fault=fault,
    )
    with transaction.atomic():
        ProvisioningTemplate.objects.all().delete()
        template.save()
    return template


@contextmanager
def _scratch_schemas() -> Iterator[None]:
    """Have two schemas for the block only; drop them first if a killed process left them."""
    names = (TEMPLATE_SCHEMA, TEMPLATE_COPY_SCHEMA)
    if taken := Tenant.objects.filter(schema_name__in=names).first():
        raise TemplateError(f"A tenant has the schema {taken.schema_name!r}, which the template needs.")
    for schema in names:
        drop_schema(schema)
    try:
        yield
    finally:
        for schema in names:
            drop_schema(schema)


def _migrate(schema: str) -> Description:
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {quote_schema_name(schema)}")
    call_command("migrate_schemas", tenant=True, schema_name=schema, interactive=False, verbosity=0)
    connection.set_schema_to_public()
    return _describe(schema)


def _describe(schema: str) -> Description:
    with transaction.atomic(), connection.cursor() as cursor, search_path(cursor, schema):
        return Description(read_statements(cursor), read_objects(cursor), read_properties(cursor))


def _find_chance(original: Description) -> str:
    """Migrate once more; return what came out otherwise: a random key, say, that tenants must not share."""
    again = _migrate(TEMPLATE_COPY_SCHEMA)
    drop_schema(TEMPLATE_COPY_SCHEMA)
    difference = _compare(original, again)
    return f"Migrating twice gives two schemas:\n{difference}" if difference else ""


def _find_loss(original: Description, statements: str) -> str:
    """Replay into a second schema; return what is missing in it."""
    try:
        replay(TEMPLATE_COPY_SCHEMA, statements)
    except OperationalError:  # the connection or the server, and not the statements
        raise
    except DatabaseError as error:
        return f"A statement of the template fails: {error}".splitlines()[0]
    difference = _compare(original, _describe(TEMPLATE_COPY_SCHEMA))
    return f"A replay does not give what migrating gives:\n{difference}" if difference else ""


def _compare(before: Description, after: Description) -> str:
    """Return the lines that differ, with a minus for `before`; the values of rows are left out."""
    difference = list(unified_diff([*chain(*before)], [*chain(*after)], n=0, lineterm=""))[2:]
    shown = (line.partition(" OVERRIDING ")[0] for line in difference if not line.startswith("@@"))
    return "\n".join(islice(shown, SHOWN_LINES))
