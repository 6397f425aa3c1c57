from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.utils import timezone
from pgvector.django import CosineDistance

from tenants.context import tenant_context
from tenants.models import ProvisioningTemplate, Tenant
from tenants.provisioning.template import get_template
from tests.models_app.models import Note, NoteEmbedding

from .catalogs import ASPECTS, list_tables, read_aspect, read_next_values, read_rows

RICH = (Path(__file__).parent / "rich.sql").read_text()
ODD_TABLE = '"Odd ""Table"""'


def read_all(schema):
    aspects = {aspect: read_aspect(aspect, schema) for aspect in ASPECTS}
    return aspects | {"rows": read_rows(schema), "next values": read_next_values(schema)}


@pytest.mark.parametrize("aspect", ASPECTS)
def test_a_replayed_schema_is_what_migrating_gives(db, twins, aspect):
    migrated, replayed = (read_aspect(aspect, schema) for schema in twins)

    assert replayed == migrated
    assert migrated or aspect == "comments"


def test_a_replayed_schema_has_the_rows_that_migrating_gives(db, twins):
    migrated, replayed = (read_rows(schema) for schema in twins)

    assert replayed == migrated
    assert migrated["django_migrations"]
    assert migrated["django_content_type"]
    assert migrated["auth_permission"]


def test_the_next_ids_are_those_that_migrating_gives(db, twins):
    migrated, replayed = (read_next_values(schema) for schema in twins)

    assert replayed == migrated
    assert migrated["auth_permission_id_seq"] > 1


def test_the_template_was_used(db, twins):
    template = get_template()

    assert template.fault == ""
    assert ProvisioningTemplate.objects.count() == 1


def test_every_insert_gets_a_fresh_id(make):
    make("initech")

    with tenant_context(Tenant(schema_name="initech")):
        ids = {model: {row.pk for row in model.objects.all()} for model in (ContentType, Permission, Group)}
        content_type = ContentType.objects.create(app_label="a", model="b")
        permission = Permission.objects.create(name="p", codename="p", content_type=content_type)
        group = Group.objects.create(name="g")
        note = Note.objects.create(title="t", body="b")

    assert content_type.pk == max(ids[ContentType]) + 1
    assert permission.pk == max(ids[Permission]) + 1
    assert (group.pk, note.pk) == (1, 1)


def test_no_sequence_gives_an_id_that_a_table_has(make, column):
    make("initech")

    for table in list_tables("initech"):
        for name in column(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attidentity <> ''",
            f"initech.{table}",
        ):
            taken = column(f"SELECT {name} FROM initech.{table}")
            following = column("SELECT nextval(pg_get_serial_sequence(%s, %s))", f"initech.{table}", name)
            assert following[0] not in taken


def test_a_migration_is_recorded_as_applied_when_the_tenant_got_it(make, column):
    ProvisioningTemplate.objects.update(made_at=timezone.now() - timedelta(days=9))

    make("initech")

    assert min(column("SELECT applied FROM initech.django_migrations")) > timezone.now() - timedelta(hours=1)


def test_a_replayed_tenant_is_searched_with_its_hnsw_index(make):
    make("initech")
    near, far = [1.0] + [0.0] * 383, [0.0] * 383 + [1.0]

    with tenant_context(Tenant(schema_name="initech")):
        for key, vector in (("near", near), ("far", far)):
            NoteEmbedding.objects.create(
                space="custom", index_name="notes", document_key=key, content=key, vector=vector
            )
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
        rows = NoteEmbedding.objects.order_by(CosineDistance("vector", near))[:2]
        plan, found = rows.explain(), [row.document_key for row in rows]

    assert "Index Scan using note_embedding_hnsw" in plan
    assert found == ["near", "far"]


def test_whatever_the_catalog_can_say_is_replayed(add_migration, make, migrate, warnings):
    add_migration(sql=RICH)
    migrated = read_all(migrate("migrated_rich"))

    replayed = read_all(make("replayed_rich"))

    for aspect, lines in migrated.items():
        assert replayed[aspect] == lines
    assert ProvisioningTemplate.objects.get().fault == ""
    assert warnings() == []


def test_the_rich_schema_is_as_rich_as_it_seems(add_migration, make):
    add_migration(sql=RICH)

    make("rich")

    rows = read_rows("rich")[ODD_TABLE]
    values = read_next_values("rich")
    assert len(rows) == 2
    assert "2026-01-01T22:04:05.678901" in rows[0]
    assert [values[name] for name in ("Odd Sequence", "steps", "down")] == [20, 6, -7]
    assert any("DESC NULLS LAST" in line for line in read_aspect("indexes", "rich"))
    assert any("It's; odd" in line for line in read_aspect("comments", "rich"))


def test_names_mean_again_what_they_meant_before_the_replay(make, column):
    before = column("SHOW search_path")

    make("initech")

    assert column("SHOW search_path") == before
    assert connection.schema_name == "public"
