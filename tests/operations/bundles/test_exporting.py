import json
import os
import tarfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection

from apps.operations.bundles.exporting import export_tenant
from apps.operations.bundles.importing import import_tenant
from apps.operations.bundles.manifest import BundleError
from tenants.context import owner_rights, tenant_context
from tenants.provisioning.life_cycle import provision, register_tenant
from tenants.queue.backend import SCHEMA_KEY
from tests.models_app.models import Note
from tests.registry import delete_tenant
from tests.tenants.provisioning_template.catalogs import ASPECTS, read_aspect, read_next_values, read_rows
from tests.tenants.provisioning_template.conftest import add_migration  # noqa: F401  # a fixture

from .conftest import COPY

ODD_TABLE = '"Odd ""Table"""'
INITECH = {"name": "Initech", "subdomain": "initech", "owner_email": "bill@initech.example"}


@pytest.fixture
def refuse(tmp_path):
    """Export; return the reasons, and see that no file is left."""

    def refuse(tenant, **options):
        before = set(tmp_path.iterdir())
        with pytest.raises(BundleError) as caught:
            export_tenant(tenant, tmp_path / "b.tar.gz", **options)
        assert {path for path in tmp_path.iterdir() if path.name != "media"} == {
            path for path in before if path.name != "media"
        }
        return caught.value.faults

    return refuse


@pytest.fixture
def alter():
    def alter(tenant, sql):
        with tenant_context(tenant), owner_rights(), connection.cursor() as cursor:
            cursor.execute(sql)

    return alter


def unpack(path):
    with tarfile.open(path) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


def read_manifest(path):
    return json.loads(unpack(path)["manifest.json"])


def test_the_manifest_comes_first_and_says_what_is_inside(bundle, acme):
    with tarfile.open(bundle) as tar:
        names = tar.getnames()
    manifest = read_manifest(bundle)

    assert names[0] == "manifest.json"
    fields = {"name": "Acme", "subdomain": "acme", "space": "default", "search_is_public": False}
    assert manifest["tenant"]["fields"].items() >= fields.items()
    assert not {"id", "state", "schema_name", "created_at"} & manifest["tenant"]["fields"].keys()
    assert manifest["tenant"]["domains"] == ["acme.localhost"]
    assert manifest["left_out"] == [
        "accounts_trycount",
        "django_session",
        "pgvector_keywordindex",
        "pgvector_keywordpostings",
        "search_cachedvector",
        "search_cacheuse",
        "search_servicebudget",
    ]
    assert sorted(manifest["versions"]) == ["django", "pgvector", "postgresql", "project"]
    assert ["notes", "0001_initial"] in manifest["migrations"]
    (upload,) = manifest["files"]
    assert names[-1] == f"media/{upload['name']}"


def test_the_manifest_names_the_spaces_in_use_with_their_models(bundle):
    spaces = read_manifest(bundle)["parts"]["search"]

    assert [(space["alias"], space["model"], space["documents"]) for space in spaces] == [
        ("default", "pgvector.PgVectorEmbedding", 3),
        ("custom", "notes.NoteEmbedding", 3),
    ]
    assert spaces[1]["embedder"] == {
        "model_id": "hashing:384",
        "dimensions": 384,
        "query_prefix": "",
        "document_prefix": "",
    }


def test_every_table_that_the_catalog_has_is_in_it(bundle, tables_of):
    manifest = read_manifest(bundle)

    names = [table["name"] for table in manifest["tables"]]
    assert sorted([*names, *manifest["left_out"]]) == tables_of("acme")


def test_nothing_of_another_tenant_is_in_it(globex, furnished, tmp_path):
    with tenant_context(globex):
        Note.objects.create(title="canary-7431", body="canary-7431")
        default_storage.save("notes/canary-7431.txt", ContentFile(b"canary-7431"))
    export_tenant(furnished, tmp_path / "b.tar.gz")

    found = [name for name, content in unpack(tmp_path / "b.tar.gz").items() if b"canary-7431" in content]

    assert found == []
    assert b"globex" not in b"".join(unpack(tmp_path / "b.tar.gz").values()).lower()


def test_a_link_to_another_tenants_file_is_refused(acme, globex, refuse, own_media):
    with tenant_context(globex):
        default_storage.save("plan.txt", ContentFile(b"x"))
    with tenant_context(acme):
        default_storage.save("own.txt", ContentFile(b"x"))
    os.symlink(own_media / "globex/plan.txt", own_media / "acme/link.txt")
    os.symlink(own_media / "globex", own_media / "acme/folder")

    assert refuse(acme) == [
        "file 'link.txt' is a link that leads elsewhere.",
        "file 'folder/plan.txt' is a link that leads elsewhere.",
    ]


def test_files_behind_a_link_to_the_whole_folder_are_the_tenants_own(acme, own_media, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk/own.txt").write_bytes(b"x")
    own_media.mkdir()
    os.symlink(tmp_path / "disk", own_media / "acme")

    manifest = export_tenant(acme, tmp_path / "b.tar.gz")

    assert [file.name for file in manifest.files] == ["own.txt"]


def test_a_file_whose_name_no_bundle_may_hold_is_refused(acme, refuse, own_media):
    (own_media / "acme").mkdir(parents=True)
    (own_media / "acme/a\\b").write_bytes(b"x")

    assert refuse(acme) == ["file 'a\\\\b' holds a character that a file's name may not have."]


@pytest.mark.parametrize(
    ("content", "fault"),
    [(b"longer than before", "was changed while it was read"), (b"other", "was changed while it was read")],
)
def test_a_file_that_changes_meanwhile_is_said(acme, refuse, own_media, content, fault):
    (own_media / "acme").mkdir(parents=True)
    (own_media / "acme/a.txt").write_bytes(b"first")

    @contextmanager
    def change(label, total):
        if label == "bundle":
            (own_media / "acme/a.txt").write_bytes(content)
        yield lambda count: None

    assert refuse(acme, bar=change) == [f"'media/a.txt' {fault}. Export once more."]


def test_a_file_that_is_deleted_meanwhile_is_said(acme, refuse, own_media):
    (own_media / "acme").mkdir(parents=True)
    (own_media / "acme/a.txt").write_bytes(b"first")

    @contextmanager
    def delete(label, total):
        if label == "bundle":
            (own_media / "acme/a.txt").unlink()
        yield lambda count: None

    assert refuse(acme, bar=delete) == ["file 'a.txt' was deleted meanwhile. Export once more."]


def test_a_file_that_is_there_is_not_overwritten(acme, tmp_path):
    path = tmp_path / "b.tar.gz"
    path.write_bytes(b"precious")

    with pytest.raises(BundleError, match=r"b\.tar\.gz exists already\."):
        export_tenant(acme, path)

    assert path.read_bytes() == b"precious"


def test_a_table_that_no_migration_makes_is_refused(acme, alter, refuse):
    alter(acme, "CREATE TABLE notes_of_somebody (id serial, note text)")

    assert refuse(acme) == [
        "table notes_of_somebody: no migration here makes it. Drop it, or name it in "
        "EXCLUDE of an app's bundle.py to leave it out.",
        "sequence notes_of_somebody_id_seq: no migration here makes it.",
    ]


def test_a_table_that_is_left_out_stays_behind(acme, alter, monkeypatch, tmp_path):
    alter(acme, "CREATE TABLE notes_of_somebody (id serial, note text)")
    monkeypatch.setattr("apps.accounts.bundle.EXCLUDE", ["django_session", "notes_of_somebody"])

    export_tenant(acme, tmp_path / "b.tar.gz")

    assert "tables/notes_of_somebody.copy" not in unpack(tmp_path / "b.tar.gz")
    assert import_tenant(tmp_path / "b.tar.gz", changes=COPY).tenant.state == "active"


def test_a_column_that_drifted_is_refused(acme, alter, refuse):
    alter(acme, "ALTER TABLE notes_noteembedding ALTER vector TYPE public.vector")

    assert refuse(acme) == [
        "table notes_noteembedding, column vector: vector NOT NULL; here it is vector(384) NOT NULL."
    ]


def test_a_tenant_that_lags_is_refused(acme, alter, refuse):
    alter(acme, "DELETE FROM django_migrations WHERE app = 'notes' AND name < '0002'")

    assert refuse(acme) == [
        "migrations that were not applied: notes.0001_initial. Run migrate_schemas where it comes from."
    ]


@pytest.mark.parametrize("state", ["provisioning", "failed"])
def test_a_tenant_that_is_not_whole_is_refused(make_tenant, refuse, state):
    tenant = make_tenant("soon", state=state)

    assert refuse(tenant) == [f"soon is {state}; only an active or a suspended tenant is whole."]


def test_tasks_that_wait_are_in_it_without_their_tenant(acme, globex, tmp_path):
    for tenant in (acme, globex):
        with tenant_context(tenant):
            note = Note.objects.create(title=tenant.name, body="text")
    export_tenant(globex, tmp_path / "b.tar.gz")

    (task,) = read_manifest(tmp_path / "b.tar.gz")["tasks"]

    assert task["args"] == ["notes.note", [note.pk]]
    assert SCHEMA_KEY not in task["kwargs"]


def test_odd_names_types_and_values_come_through(acme, add_migration, tmp_path):  # noqa: F811
    add_migration(sql=(Path(__file__).parents[2] / "tenants/provisioning_template/rich.sql").read_text())
    odd = register_tenant(**INITECH)
    provision(odd)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL intervalstyle = 'sql_standard'; SET LOCAL extra_float_digits = -10")
        cursor.execute(f"UPDATE initech.{ODD_TABLE} SET span = '-1 year 2 days', ratio = 1.0 / 3")
    export_tenant(odd, tmp_path / "b.tar.gz")

    copy = import_tenant(tmp_path / "b.tar.gz", changes=COPY).tenant

    assert read_rows(copy.schema_name) == read_rows("initech")
    assert len(read_rows("copy")[ODD_TABLE]) == 2
    assert read_next_values("copy") == read_next_values("initech")
    for aspect in ASPECTS:
        found, wanted = read_aspect(aspect, "copy"), read_aspect(aspect, "initech")
        assert [line.replace("_copy=", "_initech=") for line in found] == wanted


def test_rows_are_those_of_one_moment_while_others_write(committed, tmp_path):
    tenant = committed(register_tenant, **INITECH)
    try:
        committed(provision, tenant)
        path = tmp_path / "b.tar.gz"

        committed(export_tenant, tenant, path, bar=write_meanwhile(tenant))

        members = unpack(path)
        assert members["tables/auth_group.copy"] == b""
        assert b"between" not in b"".join(members.values())
    finally:
        committed(delete_tenant, tenant)


def write_meanwhile(tenant):
    """After the first bytes were read another session adds rows to tables that are still to be read."""
    written = []

    @contextmanager
    def bar(label, total):
        def progress(count):
            if label == "rows" and not written:
                written.append(True)
                with ThreadPoolExecutor(1) as pool:
                    pool.submit(write_rows, tenant).result(timeout=60)

        yield progress

    return bar


def write_rows(tenant):
    try:
        with tenant_context(tenant), connection.cursor() as cursor:
            cursor.execute("INSERT INTO auth_group (name) VALUES ('between')")
            cursor.execute("UPDATE accounts_user SET name = 'between'")
    finally:
        connection.close()
