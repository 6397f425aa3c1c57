import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.conf import settings as project_settings
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import JsonResponse
from django.test import RequestFactory
from django.urls import path
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from tenants.tasks import provision_tenant

ASK_FOR_HEALTH = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
import django
django.setup()
from django.test import Client
response = Client().get("/healthz")
print(response.status_code, response.content.decode().strip())
"""

HOSTILE_HOSTS = [
    "a b",
    "acme.localhost:evil",
    "acme.localhost@x",
    "x@acme.localhost",
    "acme.localhost/",
    "acme.localhost\x00",
    "acme.localhost\x00.localhost",
    "acme.localhost\r\nhost: globex.localhost",
    "acme.localhost,globex.localhost",
    "äcme.localhost",
    "a" * 10_000,
    "acme.localhost" + "." * 2,
    ".acme.localhost",
    "acme..localhost",
    "*",
    "%00",
    "",
    "[::1]",
    "[acme.localhost]",
    "127.0.0.1",
    "' OR 1=1 --",
]


def show_tenant(request):
    tenant = request.tenant.schema_name if request.tenant else None
    return JsonResponse({"tenant": tenant, "schema": connection.schema_name})


def fail(request):
    raise ValueError("broken view")


urlpatterns = [path("", show_tenant), path("broken/", fail)]


@pytest.fixture
def own_urls(settings):
    settings.ROOT_URLCONF = settings.PUBLIC_SCHEMA_URLCONF = __name__


@pytest.fixture
def get(client, db):
    return lambda path, host: client.get(path, headers={"host": host})


@pytest.mark.parametrize(
    "host",
    ["acme.localhost", "ACME.LocalHost", "acme.localhost.", "acme.localhost:8123", "Acme.localhost.:80"],
)
def test_a_tenants_host_binds_it_however_it_is_written(get, acme, own_urls, host):
    response = get("/", host)

    assert response.json() == {"tenant": "acme", "schema": "acme"}


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST.", "localhost:8123", "www.localhost", "WWW.localhost:80"]
)
def test_the_base_domain_is_the_operators_site_and_binds_nobody(get, own_urls, host):
    response = get("/", host)

    assert response.json() == {"tenant": None, "schema": "public"}


def test_a_further_domain_leads_to_the_same_tenant(get, acme, own_urls):
    acme.domains.create(domain="search.acme.example", is_primary=False)

    response = get("/", "search.acme.example")

    assert response.json()["tenant"] == "acme"


@pytest.mark.parametrize(
    "host", ["nobody.localhost", "www.acme.localhost", "localhost.evil.example", "public.localhost"]
)
def test_an_unknown_host_is_not_found(get, acme, own_urls, host):
    response = get("/", host)

    assert response.status_code == 404


@pytest.mark.parametrize("host", HOSTILE_HOSTS)
def test_a_hostile_host_is_not_found(get, acme, own_urls, host):
    response = get("/", host)

    assert response.status_code == 404
    assert connection.schema_name == "public"


@pytest.mark.parametrize("path", ["/", "/admin/", "/api/search", "/nothing/here", "/static/../x"])
def test_every_path_of_an_unknown_host_is_not_found(get, path):
    response = get(path, "nobody.localhost")

    assert response.status_code == 404


@pytest.mark.parametrize("state", ["provisioning", "failed"])
def test_a_tenant_that_is_not_ready_answers_503_and_when_to_try_again(get, make_tenant, own_urls, state):
    make_tenant("soon", state=state, state_reason="IntegrityError: secret detail")

    response = get("/", "soon.localhost")

    assert (response.status_code, response["Retry-After"]) == (503, "10")
    assert b"secret detail" not in response.content


def test_a_suspended_tenant_answers_403(get, make_tenant, own_urls):
    make_tenant("late", state="suspended", state_reason="unpaid bill")

    response = get("/", "late.localhost")

    assert response.status_code == 403
    assert "Retry-After" not in response
    assert b"unpaid bill" not in response.content


def test_a_suspended_tenants_admin_and_api_are_closed_too(get, make_tenant):
    make_tenant("late", state="suspended")

    statuses = [get(path, "late.localhost").status_code for path in ("/admin/", "/api/search?q=x")]

    assert statuses == [403, 403]


@pytest.mark.parametrize(
    "host", ["localhost", "acme.localhost", "nobody.localhost", "10.0.0.7:8000", *HOSTILE_HOSTS]
)
def test_the_health_address_answers_on_any_host(get, host):
    response = get("/healthz", host)

    assert (response.status_code, response.content) == (200, b"ok\n")


def test_the_health_address_answers_on_a_suspended_tenants_host(get, make_tenant):
    make_tenant("late", state="suspended")

    assert get("/healthz", "late.localhost").status_code == 200


@pytest.mark.parametrize("host", ["localhost", "acme.localhost", "nobody.localhost"])
def test_a_process_is_ready_with_the_extension_and_all_migrations_of_public(get, host):
    response = get("/readyz", host)

    assert (response.status_code, response.content) == (
        200,
        b"ok\nqueue: the first due task waits for 0 seconds\n",
    )


def test_a_process_that_knows_more_migrations_than_public_is_not_ready(get, column):
    column("DELETE FROM public.django_migrations WHERE app = 'tenants' AND name >= '0007' RETURNING 1")

    response = get("/readyz", "acme.localhost")

    assert response.status_code == 503
    assert response.content.startswith(b"public lacks migrations up to tenants.0")


def test_without_the_extension_in_public_a_process_is_not_ready(get, monkeypatch):
    monkeypatch.setattr("tenants.provisioning.soundness._list_last_migrations", frozenset)
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA elsewhere")
        cursor.execute("ALTER EXTENSION vector SET SCHEMA elsewhere")

    response = get("/readyz", "acme.localhost")

    assert (response.status_code, response.content) == (
        503,
        b"the extension vector is not in the schema public\n",
    )


def test_readiness_tells_for_how_long_the_queue_waits(get, acme):
    provision_tenant.enqueue(acme.pk)
    DBTaskResult.objects.update(enqueued_at=timezone.now() - timedelta(minutes=5))

    response = get("/readyz", "acme.localhost")

    assert response.status_code == 200
    assert re.search(rb"waits for 30\d seconds", response.content)


def test_the_health_address_says_when_there_is_no_database(tmp_path):
    # A folder without a server's socket: the same as a server that is gone.
    environment = os.environ | {"DATABASE_URL": f"postgresql://nobody@:5432/{tmp_path}/gone"}

    asked = subprocess.run(
        [sys.executable, "-c", ASK_FOR_HEALTH],
        env=environment,
        cwd=project_settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert asked.stdout.strip() == "503 database unavailable", asked.stderr


def test_the_health_address_recovers_when_the_server_ended_its_session(db, column):
    ask = get_wsgi_application()

    def get_status():
        seen = []
        ask(RequestFactory().get("/healthz").environ, lambda status, headers: seen.append(status)).close()
        return seen[0], connection.connection.info.backend_pid

    with ThreadPoolExecutor(1) as thread:
        first, pid = thread.submit(get_status).result()
        column("SELECT pg_terminate_backend(%s, 10000)", pid)
        second, new_pid = thread.submit(get_status).result()
        thread.submit(connection.close)

    assert (first, second) == ("200 OK", "200 OK")
    assert new_pid != pid


def test_nothing_stays_bound_after_a_request(get, acme, own_urls):
    get("/", "acme.localhost")

    assert connection.schema_name == "public"
    assert connection.tenant.schema_name == "public"


def test_nothing_of_an_earlier_binding_reaches_a_request(get, acme, globex, own_urls):
    connection.set_tenant(globex)

    response = get("/", "localhost")

    assert response.json() == {"tenant": None, "schema": "public"}


def test_a_view_that_raises_leaves_nothing_bound(get, client, acme, own_urls):
    client.raise_request_exception = False

    response = get("/broken/", "acme.localhost")

    assert response.status_code == 500
    assert connection.schema_name == "public"


@pytest.mark.parametrize("path", ["/admin/tenants/tenant/", "/admin/django_tasks_database/dbtaskresult/"])
def test_a_tenants_host_never_shows_the_operators_admin(operator, acme, path):
    shown_to_operators = operator.get(path, headers={"host": "localhost"})

    response = operator.get(path, headers={"host": "acme.localhost"})

    assert shown_to_operators.status_code == 200
    assert (response.status_code, response.url) == (302, f"/admin/login/?next={path}")


@pytest.mark.parametrize("path", ["/search/?q=x", "/api/search?q=x", "/api/docs", "/notes/1/"])
def test_the_operators_host_never_shows_a_tenants_pages(operator, acme, path):
    response = operator.get(path, headers={"host": "localhost"})

    assert response.status_code == 404


def test_the_public_home_lists_only_active_tenants_with_public_search(get, make_tenant):
    make_tenant("open", search_is_public=True)
    make_tenant("closed", search_is_public=False)
    make_tenant("late", search_is_public=True, state="suspended")
    make_tenant("soon", search_is_public=True, state="provisioning")

    response = get("/", "localhost")

    assert response.status_code == 200
    assert [tenant.subdomain for tenant in response.context["tenants"]] == ["open"]


@pytest.fixture
def https(settings):
    settings.SECURE_SSL_REDIRECT = True


@pytest.mark.usefixtures("https", "acme")
@pytest.mark.parametrize("host", ["nobody.localhost", "evil.example", *HOSTILE_HOSTS])
def test_a_host_that_nobody_has_is_not_redirected_to_https(get, host):
    response = get("/", host)

    assert response.status_code == 404
    assert "location" not in response.headers


@pytest.mark.usefixtures("https", "acme")
@pytest.mark.parametrize("host", ["acme.localhost", "ACME.localhost.", "localhost", "www.localhost"])
def test_a_host_that_somebody_has_is_redirected_to_https(get, host):
    response = get("/search/?q=x", host)

    assert (response.status_code, response.url) == (301, f"https://{host}/search/?q=x")


@pytest.mark.usefixtures("https")
def test_a_suspended_tenants_host_is_redirected_before_it_says_so(get, make_tenant):
    make_tenant("late", state="suspended")

    assert get("/", "late.localhost").status_code == 301
