from collections import Counter

from django.contrib.auth.models import AnonymousUser

from project.urls import PAGES
from project.views import home
from tenants.context import tenant_context


def get_home(rf, tenant):
    request = rf.get("/")
    request.user, request.tenant = AnonymousUser(), tenant
    with tenant_context(tenant):
        return home(request)


def test_the_plain_home_page_has_the_search_box_where_anyone_may_search(rf, acme):
    acme.search_is_public = True

    page = get_home(rf, acme).content.decode()

    assert "<h1" in page
    assert 'role="search"' in page


def test_the_plain_home_page_sends_visitors_to_sign_in_where_only_members_may_search(rf, acme):
    acme.search_is_public = False

    response = get_home(rf, acme)

    assert (response.status_code, response.url) == (302, "/accounts/login/?next=/")


def test_no_two_pages_of_apps_have_one_name():
    names = Counter(
        f"{getattr(module, 'app_name', '')}:{pattern.name}"
        for config, module in PAGES.load()
        if hasattr(config, "url_prefix")
        for pattern in module.urlpatterns
    )

    assert [name for name, times in names.items() if times > 1] == []
