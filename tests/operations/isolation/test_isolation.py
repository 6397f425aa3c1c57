import pytest
from django.conf import settings as project_settings
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import ProgrammingError, connection

from tenants.context import tenant_context
from tests.models_app.models import Note

ACCOUNT = "/accounts/account/"
PASSWORD = "correct horse 7 battery"


def at(tenant):
    return {"headers": {"host": tenant.hostname}}


@pytest.fixture
def boss(acme):
    with tenant_context(acme):
        return get_user_model().objects.create_superuser("boss@acme.example", PASSWORD)


@pytest.fixture
def boss_client(client, acme, boss):
    with tenant_context(acme):
        client.force_login(boss)
    return client


@pytest.fixture
def own_media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    settings.STORAGES = project_settings.STORAGES | {}  # the storage remembers the folder it began with
    return tmp_path


def test_a_superuser_is_nobody_elsewhere(boss, globex):
    def count():
        return get_user_model().objects.filter(email=boss.email).count()

    counts = [count()]
    with tenant_context(globex):
        counts.append(count())

    assert counts == [0, 0]


def test_a_superusers_password_opens_no_other_site(client, boss, acme, globex):
    credentials = {"username": boss.email, "password": PASSWORD}

    at_acme = client.post("/accounts/login/", credentials, **at(acme))
    client.cookies.clear()
    at_globex = client.post("/accounts/login/", credentials, **at(globex))
    at_public = client.post("/admin/login/", credentials, headers={"host": "localhost"})

    assert at_acme.status_code == 302
    assert (at_globex.status_code, at_public.status_code) == (200, 200)
    assert "sessionid" not in client.cookies


@pytest.mark.parametrize("path", ["/", ACCOUNT, "/admin/", "/admin/accounts/user/", "/search/?q=x"])
def test_a_signed_in_page_is_a_sign_in_page_elsewhere(boss_client, acme, globex, path):
    at_acme = boss_client.get(path, **at(acme))
    at_globex = boss_client.get(path, **at(globex))

    assert at_acme.status_code == 200
    assert at_globex.status_code == 302
    assert "/login/?next=" in at_globex.url


def test_a_session_is_in_its_own_schema_only(boss_client, acme, globex):
    key = boss_client.cookies["sessionid"].value

    with tenant_context(acme):
        assert Session.objects.filter(pk=key).exists()
    with tenant_context(globex):
        assert not Session.objects.filter(pk=key).exists()
    assert not Session.objects.filter(pk=key).exists()


def test_a_session_copied_into_another_schema_signs_nobody_in(boss_client, boss, acme, globex):
    key = boss_client.cookies["sessionid"].value
    with tenant_context(acme):
        session = Session.objects.get(pk=key)
    with tenant_context(globex):
        get_user_model().objects.filter(pk=boss.pk).delete()
        get_user_model()(pk=boss.pk, email=boss.email, password=boss.password).save(force_insert=True)
        Session(pk=key, session_data=session.session_data, expire_date=session.expire_date).save()

    response = boss_client.get(ACCOUNT, **at(globex))

    assert response.status_code == 302


@pytest.mark.parametrize("change", ["DROP TABLE acme.accounts_user CASCADE", "DROP SCHEMA acme CASCADE"])
def test_an_operator_does_not_sign_in_where_a_tenants_own_accounts_are_missing(client, acme, change):
    get_user_model().objects.create_superuser("operator@example.com", PASSWORD)
    connection.cursor().execute(change)
    credentials = {"username": "operator@example.com", "password": PASSWORD}

    # The search_path goes on to public, which has such a table; the tenant's role may not read it.
    with pytest.raises(ProgrammingError, match="permission denied for table accounts_user"):
        client.post("/accounts/login/", credentials, **at(acme))


def test_an_operator_is_nobody_in_a_tenant(client, db, acme):
    operator = get_user_model().objects.create_superuser("operator@example.com", PASSWORD)
    client.force_login(operator)

    statuses = [
        client.get("/admin/", headers={"host": host}).status_code for host in ("localhost", acme.hostname)
    ]

    assert statuses == [200, 302]


def test_a_member_does_not_sign_in_to_the_operators_site(boss_client):
    response = boss_client.get("/admin/", headers={"host": "localhost"})

    assert (response.status_code, response.url) == (302, "/admin/login/?next=/admin/")


def test_a_cached_value_is_its_tenants_only(acme, globex):
    with tenant_context(acme):
        cache.set("plan", "acme's")
    with tenant_context(globex):
        seen_by_globex = cache.get("plan")
        cache.set("plan", "globex's")
        cache.delete("plan")
    seen_unbound = cache.get("plan")

    with tenant_context(acme):
        assert cache.get("plan") == "acme's"
        cache.delete("plan")
    assert (seen_by_globex, seen_unbound) == (None, None)


def test_a_stored_file_is_its_tenants_only(acme, globex, own_media):
    with tenant_context(acme):
        name = default_storage.save("plan.txt", ContentFile(b"acme's"))
    with tenant_context(globex):
        exists = default_storage.exists(name)
        same_name = default_storage.save("plan.txt", ContentFile(b"globex's"))
        address = default_storage.url(name)

    with tenant_context(acme):
        assert default_storage.open(name).read() == b"acme's"
        assert default_storage.url(name) != address
    assert (exists, same_name) == (False, "plan.txt")
    assert sorted(path.parent.name for path in own_media.rglob("plan.txt")) == ["acme", "globex"]


@pytest.mark.parametrize("name", ["../acme/plan.txt", "/acme/plan.txt", "x/../../acme/plan.txt"])
def test_a_tenant_does_not_reach_into_anothers_folder(acme, globex, own_media, name):
    with tenant_context(acme):
        default_storage.save("plan.txt", ContentFile(b"acme's"))

    with tenant_context(globex), pytest.raises(SuspiciousFileOperation, match="outside of the base path"):
        default_storage.open(name)


def test_a_note_is_not_found_elsewhere(boss_client, acme, globex):
    with tenant_context(acme):
        note = Note.objects.create(title="Acme's plan", body="secret")
    with tenant_context(globex):
        boss_client.force_login(get_user_model().objects.create_user("ann@globex.example"))

    page = boss_client.get(f"/notes/{note.pk}/", **at(globex))
    home = boss_client.get("/", **at(globex))

    assert page.status_code == 404
    assert home.status_code == 200
    assert b"Acme's plan" not in home.content
    assert b"Acme&#x27;s plan" not in home.content


def test_rows_of_two_tenants_with_one_key_are_two_rows(acme, globex):
    titles = []
    for tenant in (acme, globex):
        with tenant_context(tenant):
            Note.objects.create(pk=1_000_000, key="plan", title=f"{tenant.name}'s plan", body="x")
    for tenant in (acme, globex):
        with tenant_context(tenant):
            titles.append(Note.objects.get(key="plan").title)

    assert titles == ["Acme's plan", "Globex's plan"]
