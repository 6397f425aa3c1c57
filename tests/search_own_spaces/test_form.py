import pytest

from apps.search_own_spaces import forms
from apps.search_own_spaces.forms import OwnSpaceForm
from apps.search_own_spaces.models import OwnSpace
from tenants.binding.shares import share
from tenants.context import tenant_context
from tests.search_own_spaces.conftest import KEY

pytestmark = pytest.mark.usefixtures("in_acme")

FULL_WIDTH = "\uff11\uff12\uff17"  # 127


def save(values, **changes):
    form = OwnSpaceForm(values | changes)
    assert form.errors == {}
    return form.save()


def faults_of(values, instance=None, **changes):
    form = OwnSpaceForm(values | changes, instance=instance)
    before = OwnSpace.objects.count()
    faults = {name: list(map(str, messages)) for name, messages in form.errors.items()}
    assert OwnSpace.objects.count() == before
    assert KEY not in str(faults)
    assert KEY not in form.as_p()
    return faults


def change(space, values, **changes):
    form = OwnSpaceForm(values | {"api_key": ""} | changes, instance=OwnSpace.objects.get(pk=space.pk))
    assert form.errors == {}
    return form.save()


def test_a_new_space_is_tried_with_one_short_text_and_kept(values, stub_server):
    space = save(values, query_prefix="query: ", requests_per_minute=30, base_url=f"{stub_server.url}/")

    (request,) = stub_server.requests
    assert request["input"] == ["query: Is anybody there?"]
    assert request["headers"]["Authorization"] == f"Bearer {KEY}"
    space.refresh_from_db()
    assert (space.base_url, space.query_prefix, space.requests_per_minute) == (stub_server.url, "query: ", 30)
    assert space.checked_at is not None
    assert KEY not in space.encrypted_key


@pytest.mark.parametrize(
    ("status", "field", "reason"),
    [
        (401, "api_key", "status 401: check the key. The service said: Error code: 401 - no"),
        (403, "api_key", "status 403: check that the key may use the model."),
        (404, "base_url", "status 404: check base_url (most end in /v1) and model."),
        (400, "model", "status 400: check model, dimensions"),
        (307, "base_url", "status 307: it redirects, which is not followed"),
        (429, "base_url", "status 429: the rate limit or the quota is used up"),
        (500, "base_url", "status 500: tried 1 times, the service is at fault"),
    ],
)
def test_a_refusal_becomes_the_error_of_the_field_that_it_is_about(
    values, stub_server, status, field, reason
):
    stub_server.fail(status)

    faults = faults_of(values)

    assert list(faults) == [field]
    assert reason in faults[field][0]
    assert len(stub_server.requests) == 1


def test_other_dimensions_are_named(values):
    assert faults_of(values, dimensions=1024) == {"dimensions": ["its vectors have 16 dimensions, not 1024"]}


def test_a_refused_address_is_named(values, settings, connections):
    settings.EMBEDDINGS_ALLOW_PRIVATE_ADDRESSES = False

    faults = faults_of(values, base_url="https://169.254.169.254/latest")
    private = faults_of(values, base_url="https://10.0.0.7/v1")

    assert "169.254.169.254 cannot be the address of an embedding service" in faults["base_url"][0]
    assert "10.0.0.7 is not a public address, and no other is allowed here" in private["base_url"][0]
    assert connections == []


def test_a_service_that_does_not_answer_is_named(values, stub_server, monkeypatch):
    monkeypatch.setattr("apps.search_own_spaces.forms.TIMEOUT", 0.3)
    stub_server.be_slow(seconds=5)

    assert "no answer within 0.3 s, tried 1 times" in faults_of(values)["base_url"][0]


def test_a_page_that_is_no_embedding_service_is_named(values, stub_server):
    stub_server.answer("<html>Welcome</html>", "text/html")

    assert "check base_url (most end in /v1)" in faults_of(values)["base_url"][0]


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        (
            "alias",
            "voyage",
            "Begin with 'own-' and go on with lower-case letters, digits and single hyphens.",
        ),
        ("alias", "own-", "Begin with 'own-'"),
        ("alias", "own-A", "Begin with 'own-'"),
        ("alias", "own-a--b", "Begin with 'own-'"),
        ("alias", "own-a\n", None),
        ("alias", "own-" + "a" * 47, "Ensure this value has at most 50 characters"),
        ("base_url", "localhost:11434", "base_url must be http://host:port/path"),
        ("base_url", "https://user:pass@host.test/v1", "base_url must be http://host:port/path"),
        ("base_url", "file:///etc/passwd", "base_url must be http://host:port/path"),
        ("base_url", "https://0177.0.0.1/v1", "base_url has the host '0177.0.0.1', which is no name and no"),
        ("base_url", "https://127.1/v1", "base_url has the host '127.1', which is no name and no IP address"),
        ("base_url", "https://0x7f000001/v1", "base_url has the host '0x7f000001', which is no name and no"),
        ("base_url", "https://2130706433/v1", "base_url has the host '2130706433', which is no name and no"),
        (
            "base_url",
            f"https://{FULL_WIDTH}.0.0.1/v1",
            f"base_url has the host '{FULL_WIDTH}.0.0.1', which is",
        ),
        (
            "base_url",
            f"https://0.0.0.{FULL_WIDTH}/v1",
            f"base_url has the host '0.0.0.{FULL_WIDTH}', which is",
        ),
        ("base_url", "https://١٢٧.0.0.1/v1", "base_url has the host '١٢٧.0.0.1', which is no name"),
        ("base_url", "https://256.1.1.1/v1", "base_url has the host '256.1.1.1', which is no name"),
        ("base_url", "https://[1.2.3.4]/v1", "base_url has the host '[1.2.3.4]', which is no name"),
        ("base_url", "https://host.test:65536/v1", "base_url has the port 65536; 1 to 65,535 are allowed."),
        ("base_url", "https://host.test:0/v1", "base_url has the port 0; 1 to 65,535 are allowed."),
        ("base_url", "https://host.test:\uff11/v1", "base_url must be http://host:port/path"),
        ("base_url", "https://host.test/\x7f", "base_url must be http://host:port/path"),
        ("base_url", "", "This field is required."),
        ("model", " ", "This field is required."),
        ("dimensions", 0, "Ensure this value is greater than or equal to 1."),
        ("dimensions", 16_001, "Ensure this value is less than or equal to 16000."),
        ("dimensions", "many", "Enter a whole number."),
        ("batch_size", 0, "Ensure this value is greater than or equal to 1."),
        ("batch_size", 2_049, "batch_size must be a whole number of at least 1 and at most 2048"),
        ("max_input_bytes", 3, "max_input_bytes must be a whole number of at least 4"),
        ("requests_per_minute", 0, "Ensure this value is greater than or equal to 1."),
        ("tokens_per_minute", -1, "Ensure this value is greater than or equal to"),
        ("price_per_million_tokens", -1, "Ensure this value is greater than or equal to 0."),
        ("api_key", "two words", "A key is printable ASCII without spaces or line ends."),
        ("api_key", "a\r\nX-Header: b", "A key is printable ASCII"),
        ("api_key", "schlüssel", "A key is printable ASCII"),
    ],
)
def test_a_bad_value_is_named_and_nobody_is_asked(values, stub_server, name, value, fault):
    faults = faults_of(values, **{name: value})

    assert list(faults) == ([name] if fault else [])
    assert not fault or faults[name][0].startswith(fault)
    assert len(stub_server.requests) == (0 if fault else 1)


def test_as_many_numbers_as_an_answer_may_hold(values, stub_server):
    faults = faults_of(values, dimensions=8_000, batch_size=126)

    assert faults == {"batch_size": ["At most 125 texts of so many dimensions at once."]}


def test_an_alias_is_given_once_and_not_one_of_the_installations(values, make_space, settings):
    make_space()
    settings.EMBEDDINGS = settings.EMBEDDINGS | {"own-fast": settings.EMBEDDINGS["fast"]}

    assert faults_of(values) == {"alias": ["Search space with this Alias already exists."]}
    assert faults_of(values, alias="own-fast") == {"alias": ["'own-fast' is a space of this installation."]}


def test_a_change_of_limits_asks_nobody_and_keeps_the_key(values, stub_server):
    space = save(values)

    changed = change(space, values, tokens_per_minute=500, price_per_million_tokens="0.13")

    assert len(stub_server.requests) == 1
    assert (changed.tokens_per_minute, str(changed.price_per_million_tokens)) == (500, "0.13")
    assert changed.encrypted_key == space.encrypted_key


def test_a_new_key_is_tried_before_it_is_kept(values, stub_server):
    space = save(values)
    stub_server.fail(401)

    faults = faults_of(values, OwnSpace.objects.get(), api_key="wrong-key-0123456789")
    changed = change(space, values, api_key="right-key-0123456789")

    assert "status 401: check the key" in faults["api_key"][0]
    assert changed.describe_key() == "set, ends in 6789"
    assert stub_server.requests[-1]["headers"]["Authorization"] == "Bearer right-key-0123456789"


def test_what_vectors_depend_on_is_not_changed_by_a_forged_form(values):
    space = save(values)

    change(space, values, model="another", base_url="https://elsewhere.test", dimensions=8, alias="own-other")

    stored = OwnSpace.objects.get()
    assert (stored.alias, stored.model, stored.base_url) == ("own-stub", "stub", space.base_url)


def test_the_form_shows_whether_there_is_a_key_and_never_the_key(values):
    space = save(values)

    page = OwnSpaceForm(instance=space).as_p()

    assert "Now: set, ends in 6789. Empty to leave it so." in page
    assert KEY not in page
    assert space.encrypted_key not in page


def test_a_tenant_tries_one_service_at_a_time(values, stub_server, monkeypatch, globex):
    monkeypatch.setattr(forms, "IN_LINE", 0)

    with share("probe", at_once=1, in_line=0, patience=0):
        form = OwnSpaceForm(values)
        assert form.errors == {
            "base_url": ["Another service is being tried just now. Try again in a few seconds."]
        }
        assert stub_server.requests == []
        with tenant_context(globex):
            assert OwnSpaceForm(values).is_valid()
    assert OwnSpaceForm(values).is_valid()
