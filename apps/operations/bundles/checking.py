"""Checks whether a bundle fits. It looks at everything, writes nothing, and reports all faults at once."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from apps.operations.bundles.archive import load_manifest, read_members
from apps.operations.bundles.files import list_files
from apps.operations.bundles.manifest import BundleError, Manifest
from apps.operations.bundles.parts import find_part_faults, list_left_out
from apps.operations.bundles.progress import Bar, Progress, show_bar
from apps.operations.bundles.registration import find_row_faults, make_row
from apps.operations.bundles.schema import Schema, find_differences, read_fresh_schema
from tenants.context import connection, tenant_context, unbound
from tenants.models import Tenant


def check_bundle(path: Path, changes: Mapping[str, str], *, bar: Bar = show_bar) -> tuple[Manifest, Tenant]:
    """Return the manifest of a bundle that fits, and the row, not saved, of the tenant that it would become.

    `changes` replace fields of the tenant. Raises BundleError with all that does not fit, and OSError when
    the bundle cannot be read.
    """
    manifest = load_manifest(path)
    there = Schema(
        migrations=set(manifest.migrations),
        tables={table.name: table.columns for table in manifest.tables},
        sequences=dict.fromkeys(manifest.sequences, ""),
    )
    with unbound():
        row = make_row(manifest, changes)
        faults = [
            *find_row_faults(row, manifest),
            *_find_left_files(row),
            *_find_old_pgvector(manifest),
            *_find_misfits(there),
            *find_part_faults(manifest),
        ]
    with bar("checking", manifest.size) as progress:
        faults += _find_damage(path, manifest, progress)
    if faults:
        raise BundleError(faults)
    return manifest, row


def _find_left_files(row: Tenant) -> Iterator[str]:
    """Files of a former tenant must not become those of a new one, nor be overwritten by them."""
    if row.pk is None and row.schema_name:
        with tenant_context(row):
            if name := next(list_files(), None):
                yield f"files: {name!r} is in the way of those of {row.schema_name}. Remove what is there."


def _find_misfits(there: Schema) -> Iterator[str]:
    """What stays behind is decided here: a bundle could say that nothing does, and bring sessions."""
    left_out = list_left_out()
    for name in sorted(there.tables.keys() & set(left_out)):
        yield f"table {name}: its rows must stay behind (EXCLUDE of a bundle.py), but the bundle has them."
    yield from find_differences(there.without(left_out), read_fresh_schema().without(left_out))


def _find_old_pgvector(manifest: Manifest) -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
        (here,) = cursor.fetchone()
    there = manifest.versions.pgvector
    if _parse(here) < _parse(there):
        yield f"pgvector: {here} is older than {there}, which the bundle was made with."


def _parse(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


def _find_damage(path: Path, manifest: Manifest, progress: Progress) -> list[str]:
    """Return which members are not what the manifest says. One that it does not list ends the reading."""
    faults = []
    try:
        for reader in read_members(path, manifest, progress):
            if not reader.is_genuine():
                faults.append(f"{reader.content.member!r}: its bytes are not those of the manifest.")
    except BundleError as error:
        faults += error.faults
    return faults
