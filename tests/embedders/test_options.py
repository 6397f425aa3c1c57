import pytest
from django.core.exceptions import ImproperlyConfigured

from apps.search.embedders import (
    BaseEmbedder,
    EmbeddingError,
    MiniLMEmbedder,
    OpenAICompatibleEmbedder,
    WordLlamaEmbedder,
    get_embedder,
    validate_embedding_settings,
)
from apps.search.options.instances import list_options

MINILM = "apps.search.embedders.MiniLMEmbedder"
WORDLLAMA = "apps.search.embedders.WordLlamaEmbedder"
OPENAI = "apps.search.embedders.OpenAICompatibleEmbedder"
SERVICE = {"base_url": "http://localhost:11434/v1", "model": "m", "dimensions": 8, "api_key": "sk-secret"}


class Undeclared(BaseEmbedder):
    def embed_batch(self, texts):
        return []


class NotInstalled(BaseEmbedder):
    dimensions = 2
    model_id = "not-installed:2"

    def embed_batch(self, texts):
        return []

    def check_requirements(self):
        raise EmbeddingError("install the-weights")


def test_alias_gives_the_embedder_it_names(settings):
    settings.EMBEDDINGS = {"default": {"BACKEND": MINILM, "MODEL": "pgvector.PgVectorEmbedding"}}

    embedder = get_embedder("default")

    assert type(embedder) is MiniLMEmbedder
    assert repr(embedder) == "<MiniLMEmbedder all-MiniLM-L6-v2-onnx-int8:384>"


def test_options_reach_the_embedder(settings):
    settings.EMBEDDINGS = {"a": {"BACKEND": MINILM, "OPTIONS": {"threads": 1, "query_prefix": "q: "}}}

    embedder = get_embedder("a")

    assert (embedder.threads, embedder.query_prefix, embedder.batch_size) == (1, "q: ", 32)


def test_aliases_with_equal_backend_and_options_share_one_embedder(settings):
    settings.EMBEDDINGS = {
        "a": {"BACKEND": WORDLLAMA, "OPTIONS": {"batch_size": 8, "query_prefix": "q"}, "MODEL": "a.A"},
        "b": {"BACKEND": WORDLLAMA, "OPTIONS": {"query_prefix": "q", "batch_size": 8}, "MODEL": "b.B"},
        "c": {"BACKEND": WORDLLAMA, "OPTIONS": {"batch_size": 9, "query_prefix": "q"}},
    }

    assert get_embedder("a") is get_embedder("b")
    assert get_embedder("a") is not get_embedder("c")


def test_changed_settings_are_read_at_the_next_call(settings):
    settings.EMBEDDINGS = {"default": {"BACKEND": MINILM}}
    before = get_embedder("default")

    settings.EMBEDDINGS = {"default": {"BACKEND": WORDLLAMA}}

    assert type(before) is MiniLMEmbedder
    assert type(get_embedder("default")) is WordLlamaEmbedder


def test_constructor_options_of_base_classes_count_where_they_are_handed_on():
    assert set(list_options(MiniLMEmbedder)) == {"threads", "query_prefix", "document_prefix", "batch_size"}
    assert set(list_options(WordLlamaEmbedder)) == {"query_prefix", "document_prefix", "batch_size"}
    required = {name for name, is_required in list_options(OpenAICompatibleEmbedder).items() if is_required}
    assert required == {"base_url", "model", "dimensions"}


def test_unknown_alias_lists_the_known_ones(settings):
    settings.EMBEDDINGS = {"default": {"BACKEND": MINILM}, "fast": {"BACKEND": WORDLLAMA}}

    assert mistake("slow") == "EMBEDDINGS['slow']: unknown alias; known are: 'default', 'fast'."


@pytest.mark.parametrize("value", [None, [], "default"])
def test_setting_of_another_type_is_refused(value, settings):
    settings.EMBEDDINGS = value

    assert mistake("default").startswith("EMBEDDINGS must be a dict of aliases")


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ("minilm", "must be a dict, not str."),
        ({}, "BACKEND must be the dotted path of an embedder, not None."),
        ({"BACKEND": MiniLMEmbedder}, "BACKEND must be the dotted path of an embedder, not <class"),
        ({"BACKEND": MINILM, "OPTION": {}}, "unknown key 'OPTION'; allowed are: BACKEND, MODEL,"),
        ({"BACKEND": MINILM, "OPTIONS": ["threads"]}, "OPTIONS must be a dict, not list."),
        ({"BACKEND": "nowhere.Embedder"}, "BACKEND 'nowhere.Embedder' cannot be imported: No module named"),
        ({"BACKEND": "Embedder"}, "BACKEND 'Embedder' cannot be imported: Embedder doesn't look like"),
        (
            {"BACKEND": "json.Embedder"},
            "BACKEND 'json.Embedder' cannot be imported: Module \"json\" does not",
        ),
        (
            {"BACKEND": "json.JSONDecoder"},
            "BACKEND 'json.JSONDecoder' must be a subclass of apps.search.embedders.BaseEmbedder.",
        ),
        ({"BACKEND": "json.loads"}, "BACKEND 'json.loads' must be a subclass of"),
        (
            {"BACKEND": "apps.search.embedders.base.BaseEmbedder"},
            "BACKEND 'apps.search.embedders.base.BaseEmbedder' is abstract; name a subclass that writes "
            "embed_batch.",
        ),
    ],
)
def test_mistake_in_a_space_is_named(space, message, settings):
    settings.EMBEDDINGS = {"default": space}

    assert mistake("default").startswith(f"EMBEDDINGS['default']: {message}")


@pytest.mark.parametrize("name", ["thread", "self", 1])
def test_unknown_option_lists_the_allowed_ones(name, settings):
    settings.EMBEDDINGS = {"default": {"BACKEND": MINILM, "OPTIONS": {name: 1, "batch_size": 2}}}

    allowed = "allowed are: batch_size, document_prefix, query_prefix, threads."
    assert (
        mistake("default") == f"EMBEDDINGS['default']: unknown option {name!r} for MiniLMEmbedder; {allowed}"
    )


def test_missing_options_are_named(settings):
    settings.EMBEDDINGS = {"default": {"BACKEND": OPENAI, "OPTIONS": {"model": "m"}}}

    expected = "OpenAICompatibleEmbedder requires the option(s) base_url, dimensions."
    assert mistake("default") == f"EMBEDDINGS['default']: {expected}"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1 and at most 2048, not 0."),
        ({"batch_size": 2049}, "batch_size must be a whole number of at least 1 and at most 2048, not 2049."),
        ({"dimensions": 0}, "dimensions must be a whole number of at least 1, not 0."),
        ({"dimensions": 8.0}, "dimensions must be a whole number of at least 1, not 8.0."),
        ({"max_retries": -1}, "max_retries must be a whole number of at least 0, not -1."),
        (
            {"max_input_bytes": 3},
            "max_input_bytes must be a whole number of at least 4 and at most 300000, not",
        ),
        ({"timeout": 0}, "timeout must be a positive number of seconds, not 0."),
        ({"timeout": float("nan")}, "timeout must be a positive number of seconds, not nan."),
        ({"timeout": "30"}, "timeout must be a positive number of seconds, not '30'."),
        ({"send_dimensions": "yes"}, "send_dimensions must be True or False, not 'yes'."),
        ({"model": " "}, "model must not be blank."),
        ({"query_prefix": 5}, "query_prefix must be a str, not int."),
        ({"base_url": None}, "base_url must be a str, not NoneType."),
        ({"base_url": "localhost:11434"}, "base_url must be http://host"),
        ({"base_url": "ftp://host/v1"}, "base_url must be http://host"),
        ({"base_url": "http://"}, "base_url must be http://host"),
        ({"base_url": "http://host/v1?key=abc"}, "base_url must be http://host"),
        ({"base_url": "http://ho st/v1"}, "base_url must be http://host"),
        ({"base_url": "http://["}, "base_url must be http://host"),
        ({"api_key": ""}, "api_key is not set."),
        ({"api_key": "sk-secret\n"}, "api_key must be printable ASCII without spaces or line ends."),
        ({"api_key": 7}, "api_key must be printable ASCII without spaces or line ends."),
    ],
)
def test_wrong_option_value_is_named(option, message, settings):
    settings.EMBEDDINGS = {"default": {"BACKEND": OPENAI, "OPTIONS": SERVICE | option}}

    found = mistake("default")
    assert found.startswith(f"EMBEDDINGS['default']: {message}")
    assert "sk-secret" not in found


def test_password_in_base_url_is_refused_without_repeating_it(settings):
    options = SERVICE | {"base_url": "http://user:hunter2@host/v1"}
    settings.EMBEDDINGS = {"default": {"BACKEND": OPENAI, "OPTIONS": options}}

    found = mistake("default")
    assert "base_url must be http://host" in found
    assert "hunter2" not in found


@pytest.mark.parametrize(
    "url", ["https://api.openai.com/v1/", "http://[::1]:8080/v1", "http://tei:80", "http://h"]
)
def test_base_url_may_have_port_path_and_closing_slash(url, settings):
    settings.EMBEDDINGS = {"default": {"BACKEND": OPENAI, "OPTIONS": SERVICE | {"base_url": url}}}

    assert get_embedder("default").base_url == url.rstrip("/")


def test_key_comes_from_the_environment_variable_that_is_named(settings, monkeypatch, stub_server):
    monkeypatch.setenv("MY_SERVICE_KEY", "sk-from-environment")
    options = {"base_url": stub_server.url, "model": "m", "dimensions": 16, "api_key_env": "MY_SERVICE_KEY"}
    settings.EMBEDDINGS = {"default": {"BACKEND": OPENAI, "OPTIONS": options}}

    get_embedder("default").embed_query("cat")

    assert stub_server.requests[0]["headers"]["Authorization"] == "Bearer sk-from-environment"


def test_missing_environment_variable_is_named(settings, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    options = {name: value for name, value in SERVICE.items() if name != "api_key"}
    settings.EMBEDDINGS = {"default": {"BACKEND": OPENAI, "OPTIONS": options}}

    expected = "The environment variable OPENAI_API_KEY is not set. Set it, or the option api_key"
    assert mistake("default").startswith(f"EMBEDDINGS['default']: {expected}")


def test_embedder_that_declares_no_dimensions_is_refused(settings):
    settings.EMBEDDINGS = {"default": {"BACKEND": f"{__name__}.Undeclared"}}

    assert mistake("default") == "EMBEDDINGS['default']: Undeclared must set dimensions (int)."


def test_validation_returns_the_embedder_of_a_sound_space(settings):
    settings.EMBEDDINGS = {"default": {"BACKEND": MINILM}}

    assert validate_embedding_settings("default").dimensions == 384


def test_validation_says_what_to_install(settings):
    settings.EMBEDDINGS = {"default": {"BACKEND": f"{__name__}.NotInstalled"}}

    with pytest.raises(ImproperlyConfigured, match=r"^EMBEDDINGS\['default'\]: install the-weights$"):
        validate_embedding_settings("default")


def mistake(alias):
    with pytest.raises(ImproperlyConfigured) as caught:
        get_embedder(alias)
    return str(caught.value)
