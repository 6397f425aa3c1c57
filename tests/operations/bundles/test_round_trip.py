import stat
import tarfile

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db import ProgrammingError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django_tasks_db.models import DBTaskResult

from apps.accounts.models import ApiKey
from apps.operations.bundles.exporting import export_tenant
from apps.operations.bundles.importing import import_tenant
from apps.operations.bundles.parts import list_left_out
from apps.search import get_provider
from apps.search.indexing.batches import rebuild_index
from apps.search.storage.pgvector.ann.report import report_ann_indexes
from tenants.context import tenant_context
from tenants.provisioning.life_cycle import suspend
from tests.models_app.models import Note, NoteEmbedding
from tests.registry import delete_tenant
from tests.search.pgvector.filling import fill
from tests.tenants.provisioning_template.catalogs import ASPECTS, read_aspect, read_next_values, read_rows

from .conftest import COPY, PASSWORD


@pytest.fixture
def copied(bundle):
    return import_tenant(bundle, changes=COPY).tenant


def search(tenant, text, space="default"):
    with tenant_context(tenant):
        found = get_provider("notes", space=space).search(text)[:10]
        return [(row.document_key, row.content, row.metadata, row.score) for row in found]


def test_a_copy_has_all_rows_of_the_original(furnished, copied):
    original, copy = read_rows("acme"), read_rows(copied.schema_name)

    changed = {table for table in original if original[table] != copy[table]}
    assert changed - set(list_left_out()) == {"accounts_apikey"}
    assert len(original["notes_note"]) == 3
    assert len(original["pgvector_pgvectorembedding"]) == 3


def test_a_bundle_is_imported_where_the_cursor_is_that_of_debug(bundle):
    with CaptureQueriesContext(connection):
        tenant = import_tenant(bundle, changes=COPY).tenant

    assert tenant.schema_name == "copy"


@pytest.mark.parametrize("aspect", ASPECTS)
def test_a_copy_has_the_same_tables_indexes_constraints_and_sequences(furnished, copied, aspect):
    original, copy = (read_aspect(aspect, tenant.schema_name) for tenant in (furnished, copied))

    assert [line.replace("_copy=", "_acme=") for line in copy] == original
    assert original or aspect == "comments"


def test_a_copys_sequences_go_on_where_the_originals_stand(furnished, copied):
    copy, original = read_next_values("copy"), read_next_values("acme")

    differing = {name.removesuffix("_id_seq") for name in original if copy[name] != original[name]}
    assert copy.keys() == original.keys()
    assert differing <= set(list_left_out())


def test_a_copys_vectors_are_the_same_to_the_last_bit(furnished, copied, column):
    for table in ("pgvector_pgvectorembedding", "notes_noteembedding"):
        sent = [
            column(f"SELECT vector_send(vector) FROM {schema}.{table} ORDER BY id")
            for schema in ("acme", "copy")
        ]
        assert sent[0] == sent[1]
        assert len(sent[0]) == 3


@pytest.mark.parametrize("space", ["default", "custom"])
def test_a_copy_finds_what_the_original_finds(furnished, copied, space):
    for text in ("the moon and the sea", "dough", "saddle"):
        assert search(copied, text, space) == search(furnished, text, space)


def test_an_import_embeds_nothing(bundle, embedder, run_tasks):
    embedder.reset()

    import_tenant(bundle, changes=COPY)
    run_tasks()

    assert embedder.embedded == []


def test_rows_can_be_added_to_a_copy(copied):
    with tenant_context(copied):
        note = Note.objects.create(title="New", body="text")
        user = get_user_model().objects.create_user("new@copy.example")
        content_type = ContentType.objects.get_for_model(Note)

        assert note.pk == max(Note.objects.values_list("pk", flat=True))
        assert user.pk == max(get_user_model().objects.values_list("pk", flat=True))
        assert Permission.objects.filter(content_type=content_type).count() == 4


def test_files_are_the_same(furnished, copied, own_media):
    with tenant_context(copied):
        upload = Note.objects.get(key="bread").upload
        with upload.open() as file:
            assert file.read() == b"500 g flour\0\xff"

    names = sorted(str(path.relative_to(own_media)) for path in own_media.rglob("*") if path.is_file())
    assert names == sorted([f"acme/{upload.name}", f"copy/{upload.name}"])


@pytest.mark.parametrize("space", ["default", "custom"])
def test_what_is_added_to_one_is_not_found_in_the_other(furnished, copied, space):
    for tenant, word in ((furnished, "zeppelin"), (copied, "submarine")):
        with tenant_context(tenant):
            Note.objects.create(title=word, body=f"{word} {word}")
            rebuild_index("notes", space=space)

    found = {
        (tenant.name, word): any(word in content for _, content, *_ in search(tenant, word, space))
        for tenant in (furnished, copied)
        for word in ("zeppelin", "submarine")
    }
    assert found == {
        ("Acme", "zeppelin"): True,
        ("Acme", "submarine"): False,
        ("Copy", "zeppelin"): False,
        ("Copy", "submarine"): True,
    }


def test_a_copys_role_reads_its_own_rows_and_not_the_originals(furnished, copied):
    with tenant_context(copied), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM copy.notes_note")
        assert cursor.fetchone() == (3,)
        with pytest.raises(ProgrammingError, match="permission denied for schema acme"), transaction.atomic():
            cursor.execute("SELECT count(*) FROM acme.notes_note")


def test_the_registry_has_the_copy_under_its_new_name(furnished, copied):
    copied.refresh_from_db()

    assert (copied.name, copied.subdomain, copied.state, copied.state_reason) == (
        "Copy",
        "copy",
        "active",
        "",
    )
    assert (copied.owner_email, copied.space) == (furnished.owner_email, furnished.space)
    assert copied.provisioned_at is not None
    assert [domain.domain for domain in copied.domains.all()] == ["copy.localhost"]


def test_a_moved_tenant_comes_back_under_its_own_name(bundle, furnished):
    delete_tenant(furnished)

    tenant = import_tenant(bundle).tenant

    assert (tenant.subdomain, tenant.schema_name) == ("acme", "acme")
    with tenant_context(tenant):
        assert ApiKey.objects.authenticate(furnished.plain_key).name == "nightly"


def test_a_copy_does_not_accept_the_originals_keys(bundle, furnished):
    imported = import_tenant(bundle, changes=COPY)

    assert imported.remarks == ["1 API keys of the original are revoked here."]
    with tenant_context(imported.tenant):
        assert ApiKey.objects.authenticate(furnished.plain_key) is None
        assert ApiKey.objects.get().state == "revoked"
    with tenant_context(furnished):
        assert ApiKey.objects.authenticate(furnished.plain_key) is not None


def test_the_keys_of_a_tenant_that_moved_to_another_host_stay_valid(bundle, furnished):
    imported = import_tenant(bundle, changes=COPY, is_moved=True)

    assert imported.remarks == []
    with tenant_context(imported.tenant):
        assert ApiKey.objects.authenticate(furnished.plain_key) is not None


def test_members_sign_in_at_the_copy_with_their_passwords(copied):
    with tenant_context(copied):
        assert authenticate(username="mia@acme.example", password=PASSWORD).groups.get().name == "Editors"


def test_sessions_stay_behind(client, furnished, tmp_path):
    with tenant_context(furnished):
        client.force_login(get_user_model().objects.get(email="mia@acme.example"))
        assert Session.objects.count() == 1

    export_tenant(furnished, tmp_path / "b.tar.gz")

    with tenant_context(import_tenant(tmp_path / "b.tar.gz", changes=COPY).tenant):
        assert Session.objects.count() == 0


def test_a_new_owner_is_invited_and_may_do_everything(bundle, mailoutbox):
    imported = import_tenant(bundle, changes=COPY | {"owner_email": "olga@copy.example"})

    assert imported.link.startswith("http://copy.localhost:8000/accounts/reset/")
    assert [(mail.to, imported.link in mail.body) for mail in mailoutbox] == [(["olga@copy.example"], True)]
    with tenant_context(imported.tenant):
        assert get_user_model().objects.get(email="olga@copy.example").is_superuser


def test_without_a_new_owner_nobody_is_written_to(bundle, mailoutbox):
    assert import_tenant(bundle, changes=COPY).link == ""
    assert mailoutbox == []


def test_a_suspended_tenant_arrives_suspended(furnished, tmp_path, client):
    suspend(furnished, "unpaid")
    export_tenant(furnished, tmp_path / "b.tar.gz")

    tenant = import_tenant(tmp_path / "b.tar.gz", changes=COPY).tenant

    assert (tenant.state, tenant.state_reason) == ("suspended", "unpaid")
    assert client.get("/", headers={"host": tenant.hostname}).status_code == 403


@pytest.mark.usefixtures("as_owner")
def test_objects_that_wait_for_their_index_are_indexed_in_the_copy(acme, tmp_path, run_tasks):
    with tenant_context(acme):
        note = Note.objects.create(title="Late", body="zeppelin")
    export_tenant(acme, tmp_path / "b.tar.gz")
    DBTaskResult.objects.all().delete()

    copy = import_tenant(tmp_path / "b.tar.gz", changes=COPY).tenant
    run_tasks()

    assert [key for key, *_ in search(copy, "zeppelin")] == [f"notes.note:{note.pk}:0"]
    assert search(acme, "zeppelin") == []


def test_vector_indexes_of_many_rows_are_made_by_the_maintenance(
    acme, tmp_path, settings, run_tasks, as_owner
):
    settings.PGVECTOR = {"INDEX_ROWS": 100}
    with tenant_context(acme):
        fill(120, dimensions=8, index_name="notes", space="default")
    export_tenant(acme, tmp_path / "b.tar.gz")

    copy = import_tenant(tmp_path / "b.tar.gz", changes=COPY).tenant
    run_tasks()

    with tenant_context(copy):
        assert [(status.rows, status.mode) for status in report_ann_indexes()] == [(120, "hnsw")]


def test_large_tables_have_all_their_indexes_again(acme, tmp_path):
    with tenant_context(acme):
        fill(1_100, dimensions=384, index_name="notes", space="custom", model=NoteEmbedding)
    export_tenant(acme, tmp_path / "b.tar.gz")

    import_tenant(tmp_path / "b.tar.gz", changes=COPY)

    for aspect in ("indexes", "valid indexes", "constraints"):
        assert read_aspect(aspect, "copy") == read_aspect(aspect, "acme")
    assert any("USING hnsw" in line for line in read_aspect("indexes", "copy"))


def test_the_file_is_for_its_owner_only(bundle):
    with tarfile.open(bundle) as tar:
        modes = {stat.S_IMODE(member.mode) for member in tar}

    assert modes | {stat.S_IMODE(bundle.stat().st_mode)} == {0o600}
    assert [path.name for path in bundle.parent.iterdir() if "acme" in path.name] == ["acme.tar.gz"]
