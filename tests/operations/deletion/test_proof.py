import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.cache.backends.base import BaseCache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import connection
from django_tenants.utils import schema_context

from apps.operations.deletion.deleting import delete_with_proof, finish_deletion, prove
from apps.operations.deletion.outside_database import look_for_cached, look_for_files
from apps.operations.deletion.remains import Gone
from tenants.locks import Lock, session_lock
from tenants.postgresql.role_names import get_role_name
from tenants.provisioning.caches import list_cached
from tenants.tasks import provision_tenant
from tests.tenants import tasks

GONE = Gone("acme", 1)


class ForeignCache(BaseCache):
    """As a cache server's: nobody can list its keys."""

    def __init__(self, location, params):
        super().__init__(params)


def plant_schema(pk):
    execute("CREATE SCHEMA acme")


def plant_set_aside_schema(pk):
    execute("CREATE SCHEMA acme_replaced_20260102030405")


def plant_role(pk):
    role = get_role_name(connection.settings_dict["NAME"], "acme")
    execute(f'CREATE ROLE "{role}"; GRANT "{role}" TO CURRENT_USER; GRANT USAGE ON SCHEMA public TO "{role}"')


def plant_task(pk):
    with schema_context("acme"):
        tasks.report_binding.enqueue()


def plant_task_of_the_registry(pk):
    provision_tenant.enqueue(pk)


def plant_session(pk):
    with schema_context("acme"):
        data = SessionStore().encode({"user": 1})
    Session.objects.create(session_key="k" * 32, session_data=data, expire_date="2100-01-01T00:00Z")


def plant_file(pk):
    with schema_context("acme"):
        default_storage.save("late.txt", ContentFile(b"x"))


def plant_folder(pk):
    plant_file(pk)
    with schema_context("acme"):
        default_storage.delete("late.txt")


def plant_cached(pk):
    with schema_context("acme"):
        cache.set("late", 1)


PLANTS = {
    plant_schema: ("schema", 'DROP SCHEMA "acme" CASCADE;'),
    plant_set_aside_schema: ("schema", 'DROP SCHEMA "acme_replaced_20260102030405" CASCADE;'),
    plant_role: ("role", "DROP OWNED BY"),
    plant_task: ("tasks", "manage.py delete_tenant acme --now"),
    plant_task_of_the_registry: ("tasks", "manage.py delete_tenant acme --now"),
    plant_session: ("sessions", "manage.py delete_tenant acme --now"),
    plant_file: ("files", "manage.py delete_tenant acme --now"),
    plant_folder: ("files", "manage.py delete_tenant acme --now"),
    plant_cached: ("cache", "manage.py delete_tenant acme --now"),
}


def execute(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)


def list_left(report):
    return [look for look in report.looks if look["verdict"] == "left"]


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_what_is_left_is_found_with_what_to_do_and_a_second_run_removes_it(deleted, plant):
    plant(deleted.tenant_pk)

    left = list_left(prove(deleted))
    found = (deleted.is_clean, deleted.remainders)
    finish_deletion(deleted)

    place, fix = PLANTS[plant]
    assert found == (False, 1)
    assert [look["place"] for look in left] == [place]
    assert left[0]["found"] >= 1
    assert fix in left[0]["fix"]
    deleted.refresh_from_db()
    assert deleted.is_clean


def test_a_process_that_is_at_work_on_the_tenant_is_found(deleted):
    with session_lock(Lock.LIFE_CYCLE, "acme"):
        held = list_left(prove(deleted))

    assert [(look["place"], look["found"]) for look in held] == [("locks", 1)]
    assert prove(deleted).is_clean


def test_nothing_of_another_tenant_is_taken_for_this_ones(deleted, globex, furnish):
    furnish(globex)

    assert prove(deleted).is_clean


def test_operators_sessions_are_none_of_the_tenants(acme, operator):
    assert delete_with_proof(acme).is_clean

    assert operator.get("/admin/", headers={"host": "localhost"}).status_code == 200


def test_a_cached_value_of_a_schema_with_a_longer_name_stays(deleted):
    with schema_context("acme_2"):
        cache.set("late", 1)

    finish_deletion(deleted)

    assert list_cached("default", "acme_2") == ["acme_2::1:late"]


def test_a_cache_in_the_database_is_looked_at_and_cleared(acme, globex, settings):
    backend = "django.core.cache.backends.db.DatabaseCache"
    settings.CACHES = {"default": settings.CACHES["default"] | {"BACKEND": backend, "LOCATION": "cached"}}
    call_command("createcachetable", verbosity=0)
    for schema in ("acme", "globex"):
        with schema_context(schema):
            cache.set("greeting", schema)
    before = list_cached("default", "acme")

    report = delete_with_proof(acme)

    assert before == ["acme::1:greeting"]
    assert report.is_clean
    assert list_cached("default", "globex") == ["globex::1:greeting"]


@pytest.mark.parametrize(
    ("values", "remark"),
    [
        (
            {"BACKEND": f"{__name__}.ForeignCache"},
            "ForeignCache does not list its keys; entries expire, by default after 300 s; "
            "no later tenant gets the schema's name",
        ),
        (
            {"KEY_FUNCTION": "django.core.cache.backends.base.default_key_func"},
            "its keys do not begin with the tenant's schema (KEY_FUNCTION); entries expire, by default after "
            "300 s; no later tenant gets the schema's name",
        ),
    ],
)
def test_a_cache_that_nobody_can_list_is_told_as_unseen(settings, values, remark):
    settings.CACHES = {"default": settings.CACHES["default"] | values}

    (look,) = look_for_cached(GONE)

    assert (look.verdict, look.remark) == ("unseen", remark)


def test_a_storage_that_does_not_keep_tenants_apart_is_left_alone(acme, settings, own_media):
    backend = "django.core.files.storage.FileSystemStorage"
    settings.STORAGES = settings.STORAGES | {"default": {"BACKEND": backend}}
    name = default_storage.save("everybodys.txt", ContentFile(b"x"))

    report = delete_with_proof(acme)

    (look,) = look_for_files(GONE)
    assert default_storage.exists(name)
    assert (look.verdict, look.fix) == ("unseen", "Delete the tenant's files there by hand.")
    assert report.is_clean  # of all that can be seen
