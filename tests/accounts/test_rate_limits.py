import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory

from apps.accounts.access import rate_limits
from apps.accounts.access.rate_limits import (
    Rate,
    count,
    describe_wait,
    get_client_address,
    get_rate,
    list_scopes,
)
from apps.accounts.checks import check_rate_limits
from apps.accounts.models import TryCount
from tenants.context import tenant_context

DAY = 86_400


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 1_000_000.0  # 40 seconds into a minute

        @classmethod
        def time(cls):
            return cls.now

    monkeypatch.setattr(rate_limits, "time", Clock)
    return Clock


def test_the_limit_ends_with_its_period(db, clock, limit):
    limit(sign_in="1/m")

    waits = [count("sign_in", "me")[0], count("sign_in", "me")[0]]
    clock.now += waits[1]

    assert waits == [0, 20]
    assert count("sign_in", "me")[0] == 0


def test_counts_that_have_ended_go_and_others_stay(in_acme, clock, limit):
    limit(sign_in="1/m", api="1/d")
    count("api", "me")
    for number in range(5):
        count("sign_in", f"client {number}")
    clock.now += 60

    for number in range(3):
        count("sign_in", f"later client {number}")

    scopes = sorted(key.partition(":")[0] for key in TryCount.objects.values_list("key", flat=True))
    assert scopes == ["api", "sign_in", "sign_in", "sign_in"]


def test_counting_writes_no_log_to_disk(acme, in_acme, column):
    tables = column("SELECT relpersistence FROM pg_class WHERE relname = 'accounts_trycount'")

    assert set(tables) == {"u"}


def test_the_limits_of_tenants_are_apart(acme, globex, limit):
    limit(sign_in="1/d")

    waits = []
    for tenant in (acme, acme, globex):
        with tenant_context(tenant):
            waits.append(count("sign_in", "me")[0] > 0)

    assert waits == [False, True, False]


@pytest.mark.parametrize(
    ("proxies", "forwarded", "remote", "address"),
    [
        (0, "203.0.113.9", "192.0.2.1", "192.0.2.1"),
        (0, "", "192.0.2.1", "192.0.2.1"),
        (None, "203.0.113.9", "192.0.2.1", "192.0.2.1"),
        (1, "203.0.113.9", "10.0.0.1", "203.0.113.9"),
        (1, "1.1.1.1, 203.0.113.9", "10.0.0.1", "203.0.113.9"),
        (1, "1.1.1.1,2.2.2.2, 203.0.113.9 ", "10.0.0.1", "203.0.113.9"),
        (2, "1.1.1.1, 203.0.113.9, 10.0.0.2", "10.0.0.1", "203.0.113.9"),
        (2, "203.0.113.9", "10.0.0.1", "10.0.0.1"),
        (1, "", "10.0.0.1", "10.0.0.1"),
        (1, "1.1.1.1, <script>", "10.0.0.1", "10.0.0.1"),
        (1, "unknown", "10.0.0.1", "10.0.0.1"),
        (1, "1.1.1.1, 203.0.113.9:51234", "10.0.0.1", "203.0.113.9"),
        (1, "1.1.1.1, [2001:db8:1:2:aaaa::1]", "10.0.0.1", "2001:db8:1:2::/64"),
        (1, "[2001:db8:1:2:aaaa::1]:51234", "10.0.0.1", "2001:db8:1:2::/64"),
        (1, '"[2001:db8:1:2:aaaa::1]:51234"', "10.0.0.1", "2001:db8:1:2::/64"),
        (1, "[::ffff:203.0.113.9]:51234", "10.0.0.1", "203.0.113.9"),
        (1, "fe80::1%eth0", "10.0.0.1", "fe80::/64"),
        (2, "203.0.113.9:51234, 10.0.0.2:80", "10.0.0.1", "203.0.113.9"),
        (1, "[203.0.113.9", "10.0.0.1", "10.0.0.1"),
        (1, "[]:80", "10.0.0.1", "10.0.0.1"),
        (0, "", "192.0.2.1:51234", "192.0.2.1"),
        (0, "", "[2001:db8:1:2:aaaa::1]:51234", "2001:db8:1:2::/64"),
        (1, "," * 10_000, "10.0.0.1", "10.0.0.1"),
        (0, "", "2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        (0, "", "2001:db8:1:2:bbbb::2", "2001:db8:1:2::/64"),
        (0, "", "::1", "::/64"),
        (0, "", "::ffff:192.0.2.1", "192.0.2.1"),
        (0, "", "", ""),
    ],
)
def test_an_address_is_taken_from_whom_one_trusts(settings, proxies, forwarded, remote, address):
    settings.NINJA_NUM_PROXIES = proxies
    request = RequestFactory().get("/", REMOTE_ADDR=remote, headers={"x-forwarded-for": forwarded})

    assert get_client_address(request) == address


@pytest.mark.parametrize("form", ["203.0.113.{}:5{}", "[2001:db8:{}::1]:5{}"])
def test_clients_behind_a_proxy_that_writes_ports_are_counted_apart(settings, acme, limit, form):
    settings.NINJA_NUM_PROXIES = 1
    limit(sign_in="1/d")

    def sign_in(number, port):
        headers = {"x-forwarded-for": form.format(number, port)}
        return count("sign_in", get_client_address(RequestFactory().get("/", headers=headers)))[0] > 0

    with tenant_context(acme):
        assert [sign_in(1, 1), sign_in(2, 1), sign_in(1, 2)] == [False, False, True]


@pytest.mark.parametrize("email", ["", "\x00", "\ud800", "x" * 100_000, "a b\r\nc:d"])
def test_whatever_is_sent_for_an_address_is_counted_without_failing(acme, limit, email):
    limit(sign_in_account="1/d")

    assert [count("sign_in_account", email)[0] > 0 for _ in range(2)] == [False, True]


@pytest.mark.parametrize("rate", ["often", "10", "10/", "/m", "-1/m", "10/0s", "10/eon", "1.5/m", "9/-5s"])
def test_a_bad_rate_is_e001(limit, rate):
    limit(api=rate)

    (error,) = check_rate_limits()

    assert error.id == "accounts.E001"
    assert error.msg == (
        f"RATE_LIMITS['api']: {rate!r} is not a rate. Write one such as '10/m', '100/h' or '5/30s', "
        "or '' for no limit."
    )
    with pytest.raises(ImproperlyConfigured, match=r"RATE_LIMITS\['api'\]"):
        count("api", "me")


@pytest.mark.parametrize(
    ("rate", "times", "seconds"),
    [("10/m", 10, 60), ("5/30s", 5, 30), ("100/h", 100, 3600), ("1/2d", 1, 2 * DAY), ("7/5min", 7, 300)],
)
def test_a_rate_is_read(limit, rate, times, seconds):
    limit(api=rate)

    read = get_rate("api")

    assert (read.times, read.seconds) == (times, seconds)
    assert check_rate_limits() == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1, "1 second."),
        (59, "59 seconds."),
        (119, "119 seconds."),
        (120, "2 minutes."),
        (3599, "60 minutes."),
    ],
)
def test_the_wait_is_said_in_words(seconds, text):
    assert describe_wait(seconds) == f"That was too often. Try again in {text}"


def test_each_rate_has_a_variable_and_a_default(settings, monkeypatch):
    del settings.RATE_LIMITS
    monkeypatch.setenv("RATE_LIMIT_API", "7/h")

    rates = {scope: get_rate(scope) for scope in list_scopes()}

    assert list(rates) == [
        "sign_in",
        "sign_in_account",
        "password_reset",
        "password_reset_account",
        "password_change",
        "api",
        "api_anonymous",
    ]
    assert (rates["api"], rates["sign_in"]) == (Rate(7, 3600), Rate(10, 60))


def test_a_bad_variable_is_e001(settings, monkeypatch):
    del settings.RATE_LIMITS
    monkeypatch.setenv("RATE_LIMIT_SIGN_IN", "often")

    (error,) = check_rate_limits()

    assert error.msg.startswith("RATE_LIMIT_SIGN_IN: 'often' is not a rate.")
