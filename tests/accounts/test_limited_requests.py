import re

import pytest
from django.test import Client

from apps.accounts.access.rate_limits import get_rate
from apps.accounts.models import ApiKey
from tenants.context import tenant_context, unbound

from .conftest import PASSWORD

LOGIN, RESET, API = "/accounts/login/", "/accounts/password_reset/", "/api/notes"
EMAIL = "member@example.com"
WRONG = "wrong"
DAY = 86_400


def sign_in(client, host, *, email=EMAIL, password=WRONG, path=LOGIN, address="192.0.2.1", **headers):
    data = {"username": email, "password": password}
    return client.post(path, data, headers={"host": host} | headers, REMOTE_ADDR=address)


def statuses(responses):
    return [response.status_code for response in responses]


def issue_key(tenant, member):
    with tenant_context(tenant):
        return ApiKey.objects.issue(member, "import")[1]


def call(host, key="", address="192.0.2.1", path=API):
    headers = {"host": host} | ({"authorization": f"Bearer {key}"} if key else {})
    return Client().get(path, headers=headers, REMOTE_ADDR=address)


def assert_is_refused(response, *, seconds=DAY):
    assert response.status_code == 429
    assert 1 <= int(response["Retry-After"]) <= seconds


def test_too_many_failed_sign_ins_from_an_address_are_refused_with_a_page(client, member, limit):
    limit(sign_in="2/d")

    answers = [sign_in(client, "acme.localhost") for _ in range(3)]

    assert statuses(answers) == [200, 200, 429]
    assert_is_refused(answers[2])
    html = answers[2].content.decode()
    assert "<h1>Please wait a little</h1>" in html
    assert re.search(r"That was too often\. Try again in \d+ (second|minute)s?\.", html)


def test_once_refused_the_right_password_does_not_help(client, member, limit):
    limit(sign_in="1/d")
    sign_in(client, "acme.localhost")

    assert_is_refused(sign_in(client, "acme.localhost", password=PASSWORD))
    assert "sessionid" not in client.cookies


def test_another_tenant_is_not_limited_by_the_same_person_at_the_same_place(client, member, twin, limit):
    limit(sign_in="1/d", sign_in_account="1/d", password_reset="1/d", password_reset_account="1/d")
    for _ in range(2):
        sign_in(client, "acme.localhost")
        client.post(RESET, {"email": EMAIL}, headers={"host": "acme.localhost"})

    at_globex = sign_in(client, "globex.localhost", password=PASSWORD)
    link = client.post(RESET, {"email": EMAIL}, headers={"host": "globex.localhost"})
    at_public = sign_in(client, "localhost", path="/admin/login/")

    assert sign_in(client, "acme.localhost").status_code == 429
    assert statuses([at_globex, link, at_public]) == [302, 302, 200]


def test_another_address_is_not_limited_but_the_account_may_be(client, member, limit):
    limit(sign_in="1/d", sign_in_account="3/d")
    sign_in(client, "acme.localhost")

    answers = [sign_in(client, "acme.localhost", address=f"192.0.2.{n}") for n in (2, 3, 4)]

    assert statuses(answers) == [200, 200, 429]
    assert (
        sign_in(client, "acme.localhost", email="other@example.com", address="192.0.2.5").status_code == 200
    )


@pytest.mark.parametrize("email", ["MEMBER@example.com", " member@example.com ", "\uff4dember@example.com"])
def test_an_account_has_one_limit_however_its_address_is_written(client, member, limit, email):
    limit(sign_in_account="1/d")
    sign_in(client, "acme.localhost")

    assert_is_refused(sign_in(client, "acme.localhost", email=email))


def test_what_is_refused_for_the_address_does_not_count_for_the_account(client, member, limit):
    limit(sign_in="1/d", sign_in_account="2/d")
    for _ in range(5):
        sign_in(client, "acme.localhost")

    assert sign_in(client, "acme.localhost", address="192.0.2.9", password=PASSWORD).status_code == 302


def test_sign_ins_that_succeed_are_not_counted(member, limit):
    limit(sign_in="1/d", sign_in_account="1/d")

    answers = [sign_in(Client(), "acme.localhost", password=PASSWORD) for _ in range(3)]

    assert statuses(answers) == [302] * 3


@pytest.mark.parametrize("host", ["acme.localhost", "localhost"])
def test_the_sign_in_of_an_admin_has_the_same_limit(client, member, limit, host):
    limit(sign_in="1/d")

    answers = [sign_in(client, host, path="/admin/login/") for _ in range(2)]

    assert statuses(answers) == [200, 429]


def test_looking_at_the_form_is_not_limited(client, acme, at_acme, limit):
    limit(sign_in="1/d")

    assert statuses(client.get(LOGIN, **at_acme) for _ in range(3)) == [200] * 3


def test_links_to_set_a_password_are_limited_for_address_and_account(
    client, member, mailoutbox, limit, run_tasks
):
    limit(password_reset="2/d", password_reset_account="1/d")

    def ask(email, address):
        headers = {"host": "acme.localhost"}
        return client.post(RESET, {"email": email}, headers=headers, REMOTE_ADDR=address)

    answers = [ask(EMAIL, "192.0.2.1"), ask(EMAIL, "192.0.2.2"), ask("nobody@example.com", "192.0.2.3")]
    answers += [ask(f"{n}@example.com", "192.0.2.9") for n in range(3)]
    run_tasks()

    assert statuses(answers) == [302, 429, 302, 302, 302, 429]
    assert len(mailoutbox) == 1


def test_a_key_of_the_api_has_its_own_limit_and_the_answer_is_json(acme, member, limit):
    limit(api="2/d")
    first, second = issue_key(acme, member), issue_key(acme, member)

    answers = [call("acme.localhost", key) for key in (first, first, first, second)]

    assert statuses(answers) == [200, 200, 429, 200]
    assert_is_refused(answers[2])
    (message,) = answers[2].json()["errors"]["rate"]
    assert message.startswith("That was too often. Try again in ")


def test_keys_of_another_tenant_do_not_count(acme, globex, member, twin, limit):
    limit(api="1/d")
    keys = [issue_key(acme, member), issue_key(globex, twin)]
    with tenant_context(acme):
        number = ApiKey.objects.get().pk
    with tenant_context(globex):  # the hardest case: the very same number
        ApiKey.objects.filter(user=twin).update(id=number)

    answers = [call("acme.localhost", keys[0]) for _ in range(2)]

    assert statuses(answers) == [200, 429]
    assert call("globex.localhost", keys[1]).status_code == 200


def test_a_member_has_one_limit_over_api_and_search_page(member_client, at_acme, limit):
    limit(api="2/d")

    answers = [member_client.get(path, **at_acme) for path in (API, "/search/?q=", API, "/search/?q=")]

    assert statuses(answers) == [200, 400, 429, 429]  # a question that cannot be answered counts, too
    assert member_client.get("/search/", **at_acme).status_code == 200


def test_anybody_is_limited_by_address_where_the_search_is_public(acme, member, limit):
    limit(api_anonymous="1/d")
    with unbound():
        acme.search_is_public = True
        acme.save()

    answers = [call("acme.localhost"), call("acme.localhost"), call("acme.localhost", address="192.0.2.7")]

    assert statuses(answers) == [200, 429, 200]
    assert call("acme.localhost", issue_key(acme, member)).status_code == 200


def test_a_call_without_rights_is_401_and_not_429(acme, limit):
    limit(api="1/d", api_anonymous="1/d")

    assert statuses(call("acme.localhost", "wrong") for _ in range(3)) == [401] * 3


@pytest.mark.parametrize("rate", ["", "0", None, "  "])
def test_an_empty_rate_switches_the_limit_off(client, member, limit, rate):
    limit(sign_in=rate)

    assert statuses(sign_in(client, "acme.localhost") for _ in range(4)) == [200] * 4
    assert get_rate("sign_in") is None


@pytest.mark.parametrize("proxies", [0, 1])
def test_nobody_gets_round_the_limit_by_headers(client, member, settings, limit, proxies):
    settings.NINJA_NUM_PROXIES = proxies
    limit(sign_in="1/d")
    own = ", 203.0.113.9" if proxies else ""
    names = ["x-forwarded-for", "x-real-ip", "forwarded", "x-client-ip", "cf-connecting-ip"]

    answers = [
        sign_in(client, "acme.localhost", **dict.fromkeys(names[1:], f"198.51.100.{n}"),
                **{"x-forwarded-for": f"198.51.100.{n}\x00{own}"})
        for n in range(3)
    ]  # fmt: skip

    assert statuses(answers) == [200, 429, 429]


@pytest.mark.parametrize("page", ["/accounts/password_change/", "/admin/password_change/"])
def test_an_open_session_is_no_place_to_guess_the_password(admin_client, acme, at_acme, limit, page):
    limit(password_change="2/d")
    new = {"new_password1": "another long passphrase 9", "new_password2": "another long passphrase 9"}

    guesses = [admin_client.post(page, new | {"old_password": f"{n}"}, **at_acme) for n in range(3)]
    right = admin_client.post(page, new | {"old_password": PASSWORD}, **at_acme)

    assert statuses(guesses) == [200, 200, 429]
    assert_is_refused(right)


def test_a_password_may_be_changed_as_often_as_one_likes(admin_client, acme, at_acme, limit):
    limit(password_change="1/d")
    old, answers = PASSWORD, []
    for number in range(3):
        new = f"another long passphrase {number}"
        form = {"old_password": old, "new_password1": new, "new_password2": new}
        answers.append(admin_client.post("/accounts/password_change/", form, **at_acme))
        old = new

    assert statuses(answers) == [302, 302, 302]


def test_guesses_in_one_tenant_are_not_counted_in_another(client, acme, globex, member, twin, limit):
    limit(password_change="1/d")

    answers = []
    for tenant, user in ((acme, member), (globex, twin)):
        with tenant_context(tenant):
            client.force_login(user)
        at = {"headers": {"host": tenant.hostname}}
        answers.append(client.post("/accounts/password_change/", {"old_password": "x"}, **at))

    assert statuses(answers) == [200, 200]
