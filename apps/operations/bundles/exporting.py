"""Writes a tenant into a bundle."""

import tomllib
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import django
from django.conf import settings

from apps.operations.bundles.archive import write_archive
from apps.operations.bundles.files import describe_files, open_file
from apps.operations.bundles.manifest import BundleError, FileContent, Manifest, Versions
from apps.operations.bundles.parts import describe_parts, list_left_out, list_waiting
from apps.operations.bundles.progress import Bar, Progress, show_bar
from apps.operations.bundles.registration import describe_registration
from apps.operations.bundles.rows import copy_out, lock_tables, read_sequences, snapshot
from apps.operations.bundles.schema import (
    Schema,
    find_differences,
    read_fresh_schema,
    read_schema,
    sort_tables,
)
from tenants.audit import record
from tenants.context import connection, tenant_context, unbound
from tenants.models import Tenant


def export_tenant(tenant: Tenant, path: Path, *, bar: Bar = show_bar) -> Manifest:
    """Write all that a tenant has into one file, which only its owner may read; return its manifest.

    The rows are those of one moment, even if others write meanwhile. Memory stays small. The folder of `path`
    must have room for the rows as text and for the bundle. Raises BundleError for a tenant that no bundle can
    hold whole, and for a file that exists already.
    """
    if path.exists():
        raise BundleError([f"{path} exists already."])
    fresh = read_fresh_schema()
    with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder, tenant_context(tenant):
        spool = Path(folder)  # of the rows, until the manifest, which comes before them, is complete
        with bar("rows", None) as progress:
            draft = _read_database(tenant, fresh, spool, progress)
        with bar("files", None) as progress:
            manifest = draft.model_copy(update={"files": describe_files(progress)})
        with bar("bundle", manifest.size) as progress, write_archive(path, manifest) as archive:
            for number, content in enumerate(manifest.contents):
                rows = spool / str(number)
                source = open_file(content.name) if isinstance(content, FileContent) else rows.open("rb")
                with source:
                    archive.add(content, source, progress)
        record("export", path.name)
    return manifest


def _read_database(tenant: Tenant, fresh: Schema, spool: Path, progress: Progress) -> Manifest:
    schema, left_out = tenant.schema_name, list_left_out()
    with unbound():
        tenant.refresh_from_db()
        registration = describe_registration(tenant)
    tables = list(read_schema(schema).without(left_out).tables)
    with snapshot():
        # Before anything is read: a table that is rewritten after the first look would seem empty.
        lock_tables(schema, tables)
        own = read_schema(schema).without(left_out)
        if faults := list(find_differences(own, fresh.without(left_out))):
            raise BundleError(faults)
        return Manifest(
            format=1,
            made_at=datetime.now(UTC),
            versions=_read_versions(),
            tenant=registration,
            migrations=sorted(own.migrations),
            tables=[
                copy_out(schema, table, own.tables[table], spool / str(number), progress)
                for number, table in enumerate(sort_tables(schema, tables))
            ],
            left_out=left_out,
            sequences=read_sequences(schema, own.sequences),
            tasks=list_waiting(schema),
            parts=describe_parts(),
            files=[],
        )


def _read_versions() -> Versions:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('server_version'), extversion FROM pg_extension WHERE extname = 'vector'"
        )
        postgresql, pgvector = cursor.fetchone()
    path = Path(settings.BASE_DIR) / "pyproject.toml"  # which an image does not hold
    project = tomllib.loads(path.read_text()).get("project", {}) if path.exists() else {}
    name = f"{project.get('name', '')} {project.get('version', '')}".strip()
    return Versions(postgresql=postgresql, pgvector=pgvector, django=django.get_version(), project=name)
