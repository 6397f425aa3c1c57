"""Writes a tenant into a bundle."""

import tomllib
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

import django
from django.conf import settings

from apps.operations.bundles.archive import write_archive
from apps.operations.bundles.errors import BundleError
from apps.operations.bundles.files import describe_files, open_file
from apps.operations.bundles.manifest import Content, FileContent, Manifest, TableContent, Versions
from apps.operations.bundles.parts import describe_parts, list_left_out, list_waiting
from apps.operations.bundles.progress import Bar, Progress, no_bar
from apps.operations.bundles.registration import describe_registration
from apps.operations.bundles.rows import copy_out, lock_tables, read_sequences, snapshot
from apps.operations.bundles.schema import (
    Schema,
    find_differences,
    read_fresh_schema,
    read_schema,
    sort_tables,
)
from tenants.context import connection, tenant_context, unbound
from tenants.models import Tenant


def export_tenant(tenant: Tenant, path: Path, *, bar: Bar = no_bar) -> Manifest:
    """Write all that a tenant has into one file, which only its owner may read; return its manifest.

    The rows are those of one moment, whoever writes meanwhile. Memory stays small. The folder of `path` must
    have room for the rows as text and for the bundle. Raises BundleError for a tenant that no bundle can hold
    whole, and for a file that exists already.
    """
    if path.exists():
        raise BundleError([f"{path} exists already."])
    fresh = read_fresh_schema()
    with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder, tenant_context(tenant):
        spool = _Spool(Path(folder))
        with bar("rows", None) as progress:
            draft = _read_database(tenant, fresh, spool, progress)
        with bar("files", None) as progress:
            manifest = draft.model_copy(update={"files": describe_files(progress)})
        with bar("bundle", manifest.size) as progress, write_archive(path, manifest) as archive:
            for content in manifest.contents:
                with spool.open(content) as source:
                    archive.add(content, source, progress)
    return manifest


class _Spool:
    """Keeps rows on disk until the manifest, which comes before them, is complete."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places: dict[str, Path] = {}

    def write(self, schema: str, table: str, columns: dict[str, str], progress: Progress) -> TableContent:
        place = self._folder / str(len(self._places))
        with place.open("wb") as target:
            content = copy_out(schema, table, columns, target, progress)
        self._places[content.member] = place
        return content

    def open(self, content: Content) -> IO[bytes] | Any:
        if isinstance(content, FileContent):
            return open_file(content.name)
        return self._places[content.member].open("rb")


def _read_database(tenant: Tenant, fresh: Schema, spool: _Spool, progress: Progress) -> Manifest:
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
                spool.write(schema, table, own.tables[table], progress)
                for table in sort_tables(schema, tables)
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
