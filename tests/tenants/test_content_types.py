from django.contrib.contenttypes.models import ContentType
from django.db import connection

from tenants.context import tenant_context
from tests.models_app.models import Note


def test_the_ids_of_content_types_are_each_tenants_own(acme, globex):
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE globex.django_content_type SET id = id + 1000 WHERE app_label = 'notes'; "
            "UPDATE globex.auth_permission SET content_type_id = content_type_id + 1000 "
            "WHERE content_type_id + 1000 IN (SELECT id FROM globex.django_content_type)"
        )
    found = {}

    for _ in range(2):  # the second time from the cache
        for tenant in (acme, globex):
            with tenant_context(tenant):
                found.setdefault(tenant.schema_name, []).append(ContentType.objects.get_for_model(Note).pk)

    assert found["acme"][0] == found["acme"][1]
    assert found["globex"][0] == found["globex"][1]
    assert found["globex"][0] >= 1000 > found["acme"][0]


def test_what_one_tenant_cached_another_does_not_see(acme, globex):
    manager = ContentType.objects
    with tenant_context(acme):
        manager.get_for_model(Note)
        cached_for_acme = dict(manager._cache["default"])

    connection.tenant, connection.schema_name = globex, "globex"  # bound without clearing any cache

    assert cached_for_acme
    assert manager._cache.setdefault("default", {}) == {}
