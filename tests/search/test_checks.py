import pytest
from django.apps import apps
from django.core import checks
from django.db import models

from apps.search.checks import check_indexed_models, check_spaces, check_tables
from apps.search.indexed import Indexed
from tests.search.embedder import BACKEND


def space(**changes):
    return {"BACKEND": BACKEND, "MODEL": "pgvector.PgVectorEmbedding"} | changes


@pytest.fixture
def problem(settings, tables_app):
    def find(**entry):
        settings.EMBEDDINGS = {"default": space(), "tried": space(**entry)}
        (message,) = check_spaces()
        assert message.hint
        assert message.msg.startswith("EMBEDDINGS['tried']: ")
        return message.id, message.msg.removeprefix("EMBEDDINGS['tried']: ")

    return find


def test_settings_of_this_project_are_sound():
    assert check_spaces() == []
    assert check_indexed_models() == []


def test_checks_are_registered():
    registered = checks.registry.registry.get_checks()

    assert check_spaces in registered
    assert check_indexed_models in registered


def test_sound_spaces_raise_nothing(settings, tables_app):
    settings.EMBEDDINGS = {"default": space()} | {
        name: space(MODEL=f"tests_tables.{name}Embedding")
        for name in ("HalfCosine", "HalfProduct", "L2", "L1", "Product", "Ivfflat", "ClasslessIvfflat")
    }

    assert check_spaces() == []


@pytest.mark.parametrize("value", [{}, None, [], "default", {"fast": space()}])
def test_missing_default_is_named(settings, value):
    settings.EMBEDDINGS = value

    message = check_spaces()[0]

    assert message.id == "search.E001"
    assert message.msg.startswith("EMBEDDINGS")
    assert message.hint


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"BACKEND": "no.Such"}, "BACKEND 'no.Such' cannot be imported: No module named 'no'"),
        ({"BACKEND": None}, "BACKEND must be the dotted path of an embedder, not None."),
        ({"OPTIONS": {"dimension": 8}}, "unknown option 'dimension' for HashingEmbedder; allowed are: "),
        ({"OPTIONS": {"batch_size": 0}}, "batch_size must be a whole number of at least 1, not 0."),
        ({"OPTION": {}}, "unknown key 'OPTION'; allowed are: BACKEND, MODEL, OPTIONS, CHUNKER, LIMITS."),
    ],
)
def test_unusable_embedder_is_named(problem, entry, message):
    found = problem(**entry)

    assert found[0] == "search.E001"
    assert found[1].startswith(message)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (None, "MODEL None is not an installed model; write 'app_label.Model'."),
        ("notes.Nothing", "MODEL 'notes.Nothing' is not an installed model; write 'app_label.Model'."),
        ("notes.Note", "MODEL 'notes.Note' must be a subclass of BasePgVectorEmbedding."),
        ("tests_tables.VectorlessEmbedding", "tests_tables.VectorlessEmbedding must include 'vector' field"),
        ("tests_tables.TextVectorEmbedding", "tests_tables.TextVectorEmbedding.vector is a TextField; use"),
    ],
)
def test_unusable_table_is_named(problem, model, message):
    found = problem(MODEL=model)

    assert found[0] == "search.E002"
    assert found[1].startswith(message)


def test_different_dimensions_are_named(problem):
    assert problem(MODEL="notes.NoteEmbedding") == (
        "search.E003",
        "the embedder makes 8 dimensions, but notes.NoteEmbedding.vector has 384.",
    )


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("WrongClassEmbedding", "the operator class 'halfvec_cosine_ops' does not fit a vector column"),
        ("TwoDistancesEmbedding", "its ANN indexes serve different distances"),
        ("ClasslessEmbedding", "its HnswIndex 'classless' names no operator class"),
    ],
)
def test_index_that_does_not_fit_is_named(problem, model, message):
    found = problem(MODEL=f"tests_tables.{model}")

    assert found[0] == "search.E004"
    assert found[1].startswith(f"tests_tables.{model}: {message}")


@pytest.mark.parametrize(
    ("model", "dimensions", "message"),
    [
        ("UnfixedEmbedding", 8, "no fixed dimensions; 1 to 2,000 can be indexed."),
        ("TooWideEmbedding", 2001, "2001 dimensions; 1 to 2,000 can be indexed."),
    ],
)
def test_dimensions_that_no_index_can_have_are_named(problem, model, dimensions, message):
    found = problem(MODEL=f"tests_tables.{model}", OPTIONS={"dimensions": dimensions})

    expected = f"tests_tables.{model} has an HnswIndex, but its vector field has {message}"
    assert found == ("search.E006", expected)


def test_every_faulty_space_is_reported(settings):
    settings.EMBEDDINGS = {"default": space(MODEL="no.Model"), "b": space(BACKEND="no.Such"), "c": space()}

    assert [message.id for message in check_spaces()] == ["search.E002", "search.E001"]


def test_what_is_searched_is_in_the_tenants_schemas_alone(settings, tables_app):
    found = {message.obj._meta.label for message in check_tables()}

    assert {"tests_tables.Slip", "tests_tables.L2Embedding"} <= found
    assert not {label for label in found if not label.startswith("tests_tables.")}


@pytest.fixture
def forget_models():
    before = dict(apps.all_models["tests_tables"])
    yield
    apps.all_models["tests_tables"].clear()
    apps.all_models["tests_tables"].update(before)
    apps.clear_cache()


@pytest.mark.parametrize("missing", ["index_name", "index_fields"])
def test_indexed_model_that_says_too_little_is_named(forget_models, tables_app, missing):
    said = {"index_name": "poems", "index_fields": ("title",), "title": models.TextField()}
    del said[missing]
    meta = type("Meta", (), {"app_label": "tests_tables"})
    type("Silent", (Indexed,), said | {"Meta": meta, "__module__": __name__})

    (message,) = check_indexed_models()

    assert (message.id, message.msg) == (
        "search.E005",
        f"tests_tables.Silent is Indexed, but sets no {missing}.",
    )
    assert message.hint
