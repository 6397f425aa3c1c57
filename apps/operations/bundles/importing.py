"""Makes a tenant of a bundle.

A row in the state `provisioning` takes the name first. Everything else, except for an empty schema and the
files, is one transaction. The domain is part of it, so no request ever meets half a tenant. The next import
takes over what a killed one left.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.utils import timezone

from apps.operations.bundles.archive import read_members
from apps.operations.bundles.checking import check_bundle
from apps.operations.bundles.files import delete_files, save_file
from apps.operations.bundles.manifest import BundleError, Manifest, TableContent
from apps.operations.bundles.parts import enqueue_waiting, finish_parts
from apps.operations.bundles.progress import Bar, Progress, show_bar
from apps.operations.bundles.registration import reserved
from apps.operations.bundles.rows import (
    MANY,
    analyze,
    copy_in,
    drop_indexes,
    empty_tables,
    make_indexes,
    refusals_named,
    set_sequence,
    use_plain_formats,
)
from apps.operations.bundles.schema import read_schema
from tenants.audit import record
from tenants.context import connection, owner_rights, tenant_context, unbound
from tenants.models import Domain, Tenant
from tenants.provisioning.erasing import drop_schema
from tenants.provisioning.life_cycle import make_owner
from tenants.provisioning.roles import create_role, drop_roles
from tenants.provisioning.template import create_schema


@dataclass(frozen=True)
class Imported:
    """The tenant that an import made, the link that invites its owner ("" for none), and lines to print."""

    tenant: Tenant
    link: str = ""
    remarks: list[str] = field(default_factory=list)


def import_tenant(
    path: Path, *, changes: Mapping[str, str] | None = None, is_moved: bool = False, bar: Bar = show_bar
) -> Imported:
    """Make a tenant of a bundle, after everything has been checked.

    `changes` replace fields of the tenant: `subdomain` and `name` for a copy; a new `owner_email` is invited.
    With another host the tenant is a copy, and nobody can sign in with what authenticates at the original,
    unless `is_moved`. Raises BundleError with all that does not fit; nothing is left behind then.
    """
    changes = changes or {}
    manifest, tenant = check_bundle(path, changes, bar=bar)
    is_copy = not is_moved and tenant.hostname != manifest.tenant.hostname
    with unbound(), reserved(tenant), _undone_if_it_fails(tenant):
        create_schema(tenant)
        with transaction.atomic():
            with tenant_context(tenant), owner_rights():
                with bar("importing", manifest.size) as progress:
                    _load(path, manifest, tenant.schema_name, progress)
                remarks = finish_parts(is_copy=is_copy)
                enqueue_waiting(manifest.tasks)
            link = _open(tenant, manifest, invites="owner_email" in changes)
            record("import", path.name, whose=tenant.schema_name)
    # Where these lead to is decided by their DNS.
    if others := sorted(set(manifest.tenant.domains) - {manifest.tenant.hostname}):
        remarks.insert(0, f"It had other hosts, too: {', '.join(others)}. Add them in the operators' admin.")
    return Imported(tenant, link, remarks)


@contextmanager
def _undone_if_it_fails(tenant: Tenant) -> Iterator[None]:
    """Begin with nothing, whatever a killed import left, and leave nothing, not even the row."""
    try:
        _empty(tenant)
        yield
    except BaseException:
        connection.set_schema_to_public()
        _empty(tenant)
        tenant.delete()
        raise


def _empty(tenant: Tenant) -> None:
    drop_schema(tenant.schema_name)
    drop_roles([tenant.schema_name])
    with tenant_context(tenant):
        delete_files()


def _load(path: Path, manifest: Manifest, schema: str, progress: Progress) -> None:
    use_plain_formats()
    with refusals_named("rows"):
        empty_tables(schema, [table.name for table in manifest.tables])
    large = [table.name for table in manifest.tables if table.rows >= MANY]
    statements = drop_indexes(schema, large)
    for reader in read_members(path, manifest, progress):
        if isinstance(reader.content, TableContent):
            copy_in(schema, reader.content, reader)
        else:
            save_file(reader)
    if read_schema(schema).migrations != set(manifest.migrations):
        raise BundleError(["table django_migrations: its rows are not the migrations of the manifest."])
    for name, sequence in manifest.sequences.items():
        set_sequence(schema, name, sequence)
    with refusals_named("rows"):
        connection.check_constraints()
        make_indexes(statements)
    analyze(schema, large)
    ContentType.objects.clear_cache()


def _open(tenant: Tenant, manifest: Manifest, *, invites: bool) -> str:
    """Let requests in: the role, the owner's invitation if there is to be one, the domain, the state."""
    create_role(tenant)
    link = make_owner(tenant) if invites else ""
    tenant.state, tenant.state_reason = manifest.tenant.state, manifest.tenant.state_reason
    tenant.provisioned_at = timezone.now()
    Domain.objects.create(domain=tenant.hostname, tenant=tenant)
    tenant.save(update_fields=["state", "state_reason", "provisioned_at"])
    return link
