"""What a bundle may take of memory and disk, whoever made it."""

import json
import os
import subprocess
import sys

import pytest
from django.conf import settings as project_settings

from apps.operations.bundles.archive import UNRATED
from apps.operations.bundles.checking import check_bundle
from apps.operations.bundles.conf import conf
from apps.operations.bundles.exporting import export_tenant
from apps.operations.bundles.importing import import_tenant
from apps.operations.bundles.manifest import BundleError
from tenants.context import tenant_context
from tests.models_app.models import Note

from .conftest import COPY, make_member, write_archive

MB = 1024**2
RAISE = "Raise it in the environment for a bundle that you trust."
# Reads an archive in a process of its own; prints the memory that this took, in bytes, and what was said.
READ = """
import json, resource, sys
from pathlib import Path
from django.conf import settings
settings.configure()
from apps.operations.bundles.archive import load_manifest, read_members
from apps.operations.bundles.manifest import BundleError

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

path, before, read, said = Path(sys.argv[1]), peak(), 0, ""
try:
    manifest = load_manifest(path)
    for reader in read_members(path, manifest, lambda count: None):
        for block in reader:
            read += len(block)
except BundleError as error:
    said = str(error)
print(json.dumps([peak() - before, read, said]))
"""


def read(path, **variables):
    """Return the bytes of memory that reading took, the bytes read of the members, and the refusal."""
    done = subprocess.run(
        [sys.executable, "-c", READ, path],
        cwd=project_settings.BASE_DIR,
        env=os.environ | {name: str(value) for name, value in variables.items()},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def make_manifest(**values):
    empty = {
        "migrations": [],
        "tables": [],
        "left_out": [],
        "sequences": {},
        "tasks": [],
        "parts": {},
        "files": [],
    }
    tenant = {"schema_name": "acme", "hostname": "acme.localhost", "domains": [], "state": "active"}
    manifest = {
        "format": 1,
        "made_at": "2026-01-01T00:00:00Z",
        "versions": {"postgresql": "18", "pgvector": "0.8.6", "django": "6.1", "project": "x"},
        "tenant": tenant | {"state_reason": "", "fields": {}},
    }
    return json.dumps(manifest | empty | values, separators=(",", ":")).encode()


class Zeros:
    """A file of zeros that takes no memory itself."""

    def __init__(self, size):
        self.left = size

    def read(self, size):
        size = min(size, self.left)
        self.left -= size
        return bytes(size)


@pytest.fixture
def bomb(tmp_path):
    """Write a bundle of a file of zeros."""

    def write(size):
        files = [{"name": "x", "bytes": size, "sha256": "0" * 64}]
        member, _ = make_member("media/x")
        member.size = size
        manifest = make_member("manifest.json", make_manifest(files=files))
        return write_archive(tmp_path / "bomb.tar.gz", [manifest, (member, Zeros(size))])

    return write


def test_a_bomb_is_refused_long_before_it_has_gone_off(bomb):
    path = bomb(100 * MB)

    memory, unpacked, said = read(path)

    assert path.stat().st_size < MB // 4
    assert (
        said == f"it unpacks to more than {conf.BUNDLE_MAX_RATIO} times its size, BUNDLE_MAX_RATIO. {RAISE}"
    )
    assert unpacked <= UNRATED + conf.BUNDLE_MAX_RATIO * path.stat().st_size
    assert memory < UNRATED


def test_a_bomb_leaves_nothing_on_disk(bomb, acme, own_media):
    with pytest.raises(BundleError, match="BUNDLE_MAX_RATIO"):
        import_tenant(bomb(40 * MB), changes=COPY)

    assert not [path for path in own_media.rglob("*") if path.is_file()]


def test_memory_does_not_grow_with_a_member(bomb):
    """The operator trusts it: with the ratio allowed, ten times the bytes take as much memory."""
    taken = [read(bomb(size), BUNDLE_MAX_RATIO=10_000)[:2] for size in (4 * MB, 40 * MB)]

    assert [unpacked for _, unpacked in taken] == [4 * MB, 40 * MB]
    assert taken[1][0] < taken[0][0] + 4 * MB


def test_more_than_may_be_unpacked_is_refused_before_anything_is(old_bundle, settings):
    size = check_bundle(old_bundle, COPY)[0].size
    settings.BUNDLE_MAX_BYTES = size - 1

    with pytest.raises(BundleError) as caught:
        check_bundle(old_bundle, COPY)

    assert caught.value.faults == [f"it would unpack {size} bytes; BUNDLE_MAX_BYTES is {size - 1}. {RAISE}"]


def test_a_manifest_that_wants_all_memory(tmp_path):
    most = 2 * MB
    whole = make_manifest(parts={"x": [[]] * (most // 3 - 200)})  # what takes most memory for its bytes
    path = write_archive(tmp_path / "x.tar.gz", [make_member("manifest.json", whole)])
    larger = make_member("manifest.json", whole.ljust(32 * most))
    too_large = write_archive(tmp_path / "y.tar.gz", [larger])

    allowed, _, nothing = read(path, BUNDLE_MAX_MANIFEST_BYTES=most)
    refused, _, said = read(too_large, BUNDLE_MAX_MANIFEST_BYTES=most)

    assert most * 0.99 < len(whole) <= most
    assert nothing == ""
    assert allowed < 40 * most
    assert said == f"manifest.json has {32 * most} bytes; BUNDLE_MAX_MANIFEST_BYTES is {most}. {RAISE}"
    assert refused < 2 * most


def test_rows_are_measured_wherever_blocks_end(forge, members, settings):
    rows = members["tables/accounts_user.copy"]
    settings.BUNDLE_MAX_ROW_BYTES = 300_000
    members["tables/accounts_user.copy"] = rows + b"x" * 299_999 + b"\n" + b"y" * 300_000 + b"\n"
    with pytest.raises(BundleError) as fitting:  # each row is short enough, and still no row of that table
        import_tenant(forge(), changes=COPY)
    members["tables/accounts_user.copy"] = rows + b"x" * 299_999 + b"\n" + b"y" * 300_001 + b"\n"

    with pytest.raises(BundleError) as caught:
        import_tenant(forge(), changes=COPY)

    assert "PostgreSQL refuses it" in fitting.value.faults[0]
    assert caught.value.faults == [
        f"'tables/accounts_user.copy': a row has more bytes than BUNDLE_MAX_ROW_BYTES, 300000. {RAISE}"
    ]


def test_an_export_says_when_an_import_would_refuse_it(acme, settings, tmp_path):
    settings.BUNDLE_MAX_ROW_BYTES = 4_000
    with tenant_context(acme):
        Note.objects.create(title="Long", body="x" * 5_000)

    with pytest.raises(
        BundleError, match=r"notes_note\.copy': a row has more bytes than BUNDLE_MAX_ROW_BYTES, 4000"
    ):
        export_tenant(acme, tmp_path / "acme.tar.gz")
    settings.BUNDLE_MAX_MANIFEST_BYTES = 1_000
    with pytest.raises(BundleError, match=r"^manifest.json has \d+ bytes; BUNDLE_MAX_MANIFEST_BYTES is 1000"):
        export_tenant(acme, tmp_path / "acme.tar.gz")

    assert list(tmp_path.glob("*.gz*")) == []
