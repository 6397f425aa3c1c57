import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType

from tenants.context import tenant_context
from tenants.models import Tenant
from tests.models_app.models import Note

ACME, PUBLIC = {"host": "acme.localhost"}, {"host": "localhost"}


@pytest.fixture
def note(acme):
    with tenant_context(acme):
        return Note.objects.create(title="Bicycle", body="The chain wants oil.")


@pytest.fixture
def staff(client, acme):
    with tenant_context(acme):
        user = get_user_model().objects.create_user("clerk@acme.example", is_staff=True)
        client.force_login(user)
    return user


def address(tenant, model, pk):
    with tenant_context(tenant):
        return f"/admin/r/{ContentType.objects.get_for_model(model).pk}/{pk}/"


def test_the_admin_leads_to_the_page_of_an_object_that_a_member_may_view(client, acme, note, staff):
    with tenant_context(acme):
        staff.user_permissions.add(Permission.objects.get(codename="view_note"))

    response = client.get(address(acme, Note, note.pk), headers=ACME)

    assert (response.status_code, response["Location"]) == (302, f"http://acme.localhost/notes/{note.pk}/")


def test_the_admin_leads_nowhere_for_objects_that_a_member_may_not_view(client, acme, note, staff):
    assert client.get(address(acme, Note, note.pk), headers=ACME).status_code == 404


def test_a_members_admin_knows_no_object_of_the_registry(client, acme, globex, staff):
    with tenant_context(acme):
        get_user_model().objects.update(is_superuser=True)

    statuses = [client.get(address(acme, Tenant, pk), headers=ACME).status_code for pk in (globex.pk, 10**9)]

    assert statuses == [404, 404]


@pytest.mark.parametrize(
    "path", ["1/1", "x/1", "1/x", f"{10**30}/1", f"1/{10**30}", "-1/-1", "1/%00", "%00/1"]
)
def test_the_admins_answer_404_for_objects_that_they_do_not_show(client, acme, note, path):
    for tenant, headers in ((acme, ACME), (None, PUBLIC)):
        if tenant:
            with tenant_context(tenant):
                client.force_login(get_user_model().objects.create_superuser("boss@acme.example"))
        else:
            client.force_login(get_user_model().objects.create_superuser("boss@example.com"))

        assert client.get(f"/admin/r/{path}/", headers=headers).status_code == 404
