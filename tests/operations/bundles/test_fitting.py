"""What does not fit is said, all at once, and nothing is written."""

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from apps.operations.bundles.checking import check_bundle
from apps.operations.bundles.exporting import export_tenant
from apps.operations.bundles.importing import import_tenant
from apps.operations.bundles.manifest import BundleError
from apps.search.documents import Document
from apps.search.storage.pgvector import PgVectorProvider
from tenants.context import tenant_context
from tenants.locks import hold_life_cycle
from tenants.models import Domain, Tenant
from tests.models_app.models import Note, NoteEmbedding

from .conftest import COPY

DIGEST = "0" * 64


@pytest.fixture
def bundle(old_bundle):
    return old_bundle


@pytest.fixture
def faults_of(schemas, own_media):
    """Try to import; return the faults, and see that nothing was written."""

    def look():
        files = sorted(path for path in own_media.rglob("*"))
        return Tenant.objects.count(), Domain.objects.count(), schemas(), files

    def find(path, changes=COPY):
        before = look()
        with pytest.raises(BundleError) as caught:
            import_tenant(path, changes=changes)
        assert look() == before
        return caught.value.faults

    return find


def find_entry(manifest, name):
    (entry,) = (entry for entry in (*manifest["tables"], *manifest["files"]) if entry["name"] == name)
    return entry


def test_a_bundle_that_fits_is_said_to_and_nothing_is_written(bundle, schemas):
    before = Tenant.objects.count(), schemas()

    manifest, row = check_bundle(bundle, COPY)

    assert (manifest.tenant.hostname, row.hostname, row.pk) == ("acme.localhost", "copy.localhost", None)
    assert (Tenant.objects.count(), schemas()) == before


def test_the_name_of_a_tenant_is_taken(bundle, faults_of):
    assert faults_of(bundle, {}) == [
        "tenant, subdomain: 'acme' is the subdomain of another tenant. Choose another one."
    ]


def test_the_host_leads_to_another_tenant(bundle, globex, faults_of):
    Domain.objects.create(domain="copy.localhost", tenant=globex, is_primary=False)

    (fault,) = faults_of(bundle)

    assert fault.startswith("tenant, subdomain: The host 'copy.localhost' leads to another tenant.")


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"subdomain": "a b"}, "tenant, subdomain: 'a b' is not a valid subdomain: use 1 to 48"),
        ({"subdomain": "copy", "owner_email": "bill"}, "tenant, owner_email: Enter a valid email address."),
        ({"subdomain": "copy", "name": ""}, "tenant, name: This field cannot be blank."),
    ],
)
def test_a_value_that_the_registry_refuses(bundle, faults_of, changes, fault):
    (found,) = faults_of(bundle, changes)

    assert found.startswith(fault)


def test_a_field_that_tenants_do_not_have(forge, faults_of):
    path = forge(lambda manifest: manifest["tenant"]["fields"].update(plan="gold"))

    assert faults_of(path) == ["tenant, plan: a tenant here has no such field."]


def test_a_space_that_is_missing(bundle, settings, faults_of):
    del settings.EMBEDDINGS["custom"]

    assert faults_of(bundle) == [
        "EMBEDDINGS['custom']: it is missing; 3 documents have vectors of 'hashing:384'."
    ]


def test_another_model_and_other_dimensions(bundle, settings, faults_of):
    settings.EMBEDDINGS["default"]["OPTIONS"] = {"dimensions": 16}

    assert faults_of(bundle) == [
        "EMBEDDINGS['default']: model_id was 'hashing:8' where the vectors were made; "
        "here it is 'hashing:16'.",
        "EMBEDDINGS['default']: dimensions was 8 where the vectors were made; here it is 16.",
    ]


def test_another_prefix(bundle, settings, faults_of):
    settings.EMBEDDINGS["default"]["OPTIONS"] = {"document_prefix": "passage: "}

    assert faults_of(bundle) == [
        "EMBEDDINGS['default']: document_prefix was '' where the vectors were made; here it is 'passage: '."
    ]


def test_another_table(bundle, settings, faults_of):
    settings.EMBEDDINGS["custom"]["MODEL"] = "pgvector.PgVectorEmbedding"

    assert faults_of(bundle) == [
        "EMBEDDINGS['custom']: its documents are in the table of notes.NoteEmbedding; "
        "here MODEL is pgvector.PgVectorEmbedding."
    ]


def test_a_table_that_a_provider_was_given_need_not_be_the_spaces(furnished, settings, tmp_path, faults_of):
    settings.EMBEDDINGS["default"]["OPTIONS"] = {"dimensions": 384}
    with tenant_context(furnished):
        PgVectorProvider(NoteEmbedding, space="default").add([Document("a", "A cat sits on the mat.")])

    export_tenant(furnished, tmp_path / "given.tar.gz")

    check_bundle(tmp_path / "given.tar.gz", COPY)
    settings.EMBEDDINGS["default"]["MODEL"] = "notes.NoteEmbedding"
    assert faults_of(tmp_path / "given.tar.gz") == [
        "EMBEDDINGS['default']: its documents are in the table of pgvector.PgVectorEmbedding; "
        "here MODEL is notes.NoteEmbedding."
    ]


def test_documents_of_a_space_that_is_nobodys_come_along_unless_it_is_one_here(
    furnished, settings, tmp_path, faults_of
):
    entry = settings.EMBEDDINGS.pop("custom")
    export_tenant(furnished, tmp_path / "unknown.tar.gz")
    check_bundle(tmp_path / "unknown.tar.gz", COPY)
    settings.EMBEDDINGS["custom"] = entry

    assert faults_of(tmp_path / "unknown.tar.gz") == [
        "EMBEDDINGS['custom']: it was in no settings where its 3 documents come from, so nobody knows "
        "which model made their vectors."
    ]


def test_spaces_that_cannot_be_read(forge, faults_of):
    path = forge(lambda manifest: manifest["parts"].update(search=[{"alias": 5}]))

    assert faults_of(path) == ["search: the spaces cannot be read: 4 faults."]


def test_migrations_that_this_code_does_not_have(forge, faults_of):
    path = forge(lambda manifest: manifest["migrations"].append(["notes", "0099_newer"]))

    assert faults_of(path) == [
        "migrations that this code does not have: notes.0099_newer. Upgrade the code here."
    ]


def test_migrations_that_were_not_applied(forge, faults_of):
    path = forge(lambda manifest: manifest["migrations"].remove(["notes", "0001_initial"]))

    assert faults_of(path) == [
        "migrations that were not applied: notes.0001_initial. Run migrate_schemas where it comes from."
    ]


def test_other_columns(forge, faults_of):
    def change(manifest):
        columns = find_entry(manifest, "notes_noteembedding")["columns"]
        columns |= {"vector": "vector(512) NOT NULL", "rating": "integer"}
        del columns["content"]

    assert faults_of(forge(change)) == [
        "table notes_noteembedding, column content: missing; here it is text NOT NULL.",
        "table notes_noteembedding, column rating: integer; here it is not known.",
        "table notes_noteembedding, column vector: vector(512) NOT NULL; here it is vector(384) NOT NULL.",
    ]


def test_tables_and_sequences_that_are_missing_or_not_known(forge, members, faults_of):
    members["tables/crm_deal.copy"] = members.pop("tables/auth_group_permissions.copy")
    manifest = members["manifest.json"]
    members["manifest.json"] = manifest.replace(b'"name": "auth_group_permissions"', b'"name": "crm_deal"')
    path = forge(lambda manifest: manifest["sequences"].pop("auth_group_id_seq"))

    assert faults_of(path) == [
        "table crm_deal: no migration here makes it. Drop it, or name it in "
        "EXCLUDE of an app's bundle.py to leave it out.",
        "table auth_group_permissions: a migration here makes it, but it is missing.",
        "sequence auth_group_id_seq: it is missing.",
    ]


def test_a_newer_pgvector(forge, faults_of, column):
    (here,) = column("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
    path = forge(lambda manifest: manifest["versions"].update(pgvector="99.0"))

    assert faults_of(path) == [f"pgvector: {here} is older than 99.0, which the bundle was made with."]


def test_another_format(forge, faults_of):
    path = forge(lambda manifest: manifest.update(format=2, colour="red"))

    assert faults_of(path) == ["manifest.json: format 2; this code reads format 1."]


def test_parts_that_are_missing_or_not_known(forge, faults_of):
    def change(manifest):
        manifest["parts"] = {"crm": {}}

    assert faults_of(forge(change)) == [
        "part crm: no app here has it.",
        "part search: it is missing.",
    ]


def test_a_task_that_is_not_allowed(forge, faults_of):
    task = {"path": "tenants.tasks.provision_tenant", "args": [1], "kwargs": {}}
    path = forge(lambda manifest: manifest["tasks"].append(task))

    assert faults_of(path) == [
        "task tenants.tasks.provision_tenant: no app here lets it travel (TASKS of its bundle.py)."
    ]


def test_bytes_that_were_changed(forge, members, faults_of):
    def change(manifest):
        find_entry(manifest, "notes_note")["sha256"] = DIGEST
        manifest["files"][0]["sha256"] = DIGEST

    name = next(name for name in members if name.startswith("media/"))

    assert faults_of(forge(change)) == [
        "'tables/notes_note.copy': its bytes are not those of the manifest.",
        f"'{name}': its bytes are not those of the manifest.",
    ]


def test_files_of_a_former_tenant_in_the_same_place(bundle, faults_of):
    with tenant_context(Tenant(schema_name="copy")):
        default_storage.save("old/plan.txt", ContentFile(b"x"))

    assert faults_of(bundle) == [
        "files: 'old/plan.txt' is in the way of those of copy. Remove what is there."
    ]


def test_all_faults_are_told_at_once(forge, settings, faults_of):
    del settings.EMBEDDINGS["custom"]

    def change(manifest):
        manifest["migrations"].append(["notes", "0099_newer"])
        manifest["versions"]["pgvector"] = "99.0"
        find_entry(manifest, "notes_note")["sha256"] = DIGEST

    faults = faults_of(forge(change), {"subdomain": "public"})

    assert [fault.partition(":")[0] for fault in faults] == [
        "tenant, subdomain",
        "pgvector",
        "migrations that this code does not have",
        "EMBEDDINGS['custom']",
        "'tables/notes_note.copy'",
    ]


def test_a_tenant_that_is_being_imported_right_now(bundle, faults_of):
    reason = "A bundle is being imported."
    Tenant.objects.create(
        name="Copy", subdomain="copy", schema_name="copy", owner_email="a@b.example", state_reason=reason
    )

    with hold_life_cycle("copy"):
        faults = faults_of(bundle)

    assert faults == ["tenant, subdomain: 'copy' is being imported or provisioned right now."]


def test_a_tenant_that_waits_to_be_provisioned_is_not_taken_over(bundle, faults_of):
    Tenant.objects.create(name="Copy", subdomain="copy", schema_name="copy", owner_email="a@b.example")

    assert faults_of(bundle) == [
        "tenant, subdomain: 'copy' is the subdomain of another tenant. Choose another one."
    ]


def test_a_refusal_tells_nothing_of_other_tenants_rows(bundle, globex, faults_of):
    with tenant_context(globex):
        Note.objects.create(title="secret of Globex", body="x")

    assert "secret" not in "".join(faults_of(bundle, {"subdomain": "globex"}))
