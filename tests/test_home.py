from django.contrib.auth.models import AnonymousUser

from project.views import home
from tenants.context import tenant_context


def get_home(rf, tenant):
    request = rf.get("/")
    request.user, request.tenant = AnonymousUser(), tenant
    with tenant_context(tenant):
        return home(request).content.decode()


def test_the_plain_home_page_has_the_search_box_where_anyone_may_search(rf, acme):
    acme.search_is_public = True

    page = get_home(rf, acme)

    assert "<h1" in page
    assert 'role="search"' in page


def test_the_plain_home_page_asks_visitors_to_sign_in_where_only_members_may_search(rf, acme):
    acme.search_is_public = False

    page = get_home(rf, acme)

    assert 'role="search"' not in page
    assert "/accounts/login/" in page
