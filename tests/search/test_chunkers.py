import pytest

from apps.operations.doctor.examining import examine
from apps.operations.doctor.finding import Level
from apps.search import get_provider
from apps.search.checks import check_spaces
from apps.search.chunking import Chunk, Chunker, HeadingChunker, ParagraphChunker, TokenChunker
from apps.search.embedders import get_embedder
from apps.search.filters import compile_filter, count_facets
from apps.search.indexes.source_objects import make_documents
from apps.search.indexing.batches import index_objects, rebuild_index
from apps.search.searching.results import search_objects
from apps.search.spaces.space_chunker import get_chunker
from tenants.context import owner_rights, tenant_context
from tests.models_app.models import Note

pytestmark = pytest.mark.usefixtures("embedder")

HEADINGS = {"BACKEND": "apps.search.chunking.HeadingChunker"}
WORDS = {"BACKEND": "apps.search.chunking.SimpleChunker", "OPTIONS": {"limit": 5, "overlap": 0}}
GUIDE = "# Install\n\nTake it.\n\n## Linux\n\nAs root.\n\n## Windows\n\nAs admin."


class Marking(Chunker):
    """Says more of a chunk than the chunk's text."""

    def chunk(self, text):
        return [Chunk(text, {"title": "the chunker's", "mark": 1})]


class Fussy(Chunker):
    """Has an option that must be given."""

    def __init__(self, must):
        self.must = must

    def chunk(self, text):
        return [text]


@pytest.fixture
def set_chunker(settings):
    def set_chunker(entry, alias="default"):
        changed = settings.EMBEDDINGS[alias] | {"CHUNKER": entry}
        settings.EMBEDDINGS = settings.EMBEDDINGS | {alias: changed}

    return set_chunker


@pytest.fixture
def make_guide():
    def make_guide(body=GUIDE, title="Guide", **values):
        note = Note.objects.create(title=title, body=body, **values)
        index_objects(Note, [note.pk])
        return note

    return make_guide


def contents(space=None):
    rows = get_provider("notes", space=space).objects.order_by("document_key")
    return list(rows.values_list("content", flat=True))


def problems():
    return [(message.id, message.msg) for message in check_spaces()]


def test_a_space_without_chunker_cuts_with_the_models_own():
    assert get_chunker(Note.chunker, "own", "default") == ParagraphChunker(limit=180, overlap=30)


def test_the_chunker_of_the_space_comes_before_the_models_and_is_fit_for_its_embedder(set_chunker):
    set_chunker({"BACKEND": "apps.search.chunking.TokenChunker", "OPTIONS": {"limit": 99}})

    chunker = get_chunker(Note.chunker, "own", "default")

    assert chunker == TokenChunker(99).fit(get_embedder("default"))
    assert get_chunker(Note.chunker, "own", "other") == Note.chunker


def test_the_models_own_chunker_is_fit_for_the_embedder_too(monkeypatch):
    monkeypatch.setattr(Note, "chunker", HeadingChunker())

    (document,) = make_documents(Note(pk=7, title="t", body="b"), "default")

    assert document.content == "t\n\nb"
    with pytest.raises(ValueError, match="there is no tokenizer yet"):
        make_documents(Note(pk=7, title="t", body="b"))


def test_a_chunk_brings_its_headings_into_the_metadata(in_acme, set_chunker, make_guide):
    set_chunker(HEADINGS)
    make_guide(source="book")
    rows = get_provider("notes").objects

    found = rows.filter(compile_filter({"headings": {"contains": "Linux"}})).get()

    assert found.content == "Guide\nInstall\nLinux\n\nAs root."
    assert found.metadata == {"title": "Guide", "source": "book", "headings": ["Guide", "Install", "Linux"]}
    assert count_facets(rows, "headings")[:2] == [("Guide", 3), ("Install", 3)]
    assert search_objects("as root", "notes", 1)[0].snippet == "Install Linux As root."


def test_what_the_object_says_of_itself_comes_before_what_the_chunk_says(set_chunker):
    set_chunker({"BACKEND": f"{__name__}.Marking"})

    (document,) = make_documents(Note(pk=7, title="t", body="b", source="s"), "default")

    assert document.metadata == {"title": "t", "source": "s", "mark": 1}


def test_each_tenant_is_cut_as_its_own_space_says_and_sees_no_headings_of_another(
    acme, globex, set_chunker, make_guide
):
    set_chunker(HEADINGS, "other")
    acme.space = "other"
    for tenant in (acme, globex):
        with tenant_context(tenant):
            make_guide(title=tenant.name)

    with tenant_context(acme):
        assert len(contents()) == 3
        assert ("Acme", 3) in count_facets(get_provider("notes").objects, "headings")
    with tenant_context(globex):
        assert contents() == [f"Globex\n\n{GUIDE}"]
        assert count_facets(get_provider("notes", space="other").objects, "headings") == []


def test_another_chunker_is_another_space_beside_the_first(in_acme, settings, set_chunker, make_guide):
    settings.EMBEDDINGS = settings.EMBEDDINGS | {"sections": settings.EMBEDDINGS["default"]}
    set_chunker(HEADINGS, "sections")
    make_guide()

    rebuild_index("notes", space="sections")

    assert (len(contents()), len(contents("sections"))) == (1, 3)
    assert get_embedder("sections") is get_embedder("default")


@pytest.mark.parametrize(("before", "after"), [(WORDS, HEADINGS), (HEADINGS, WORDS), (WORDS, None)])
def test_rebuild_converges_after_a_chunker_was_edited_in_place(
    in_acme, settings, set_chunker, make_guide, before, after
):
    set_chunker(before)
    notes = [make_guide(title=f"Guide {number}") for number in range(3)]
    set_chunker(after)

    rebuild_index("notes")

    wanted = [document.content for note in notes for document in make_documents(note, "default")]
    assert contents() == wanted
    assert rebuild_index("notes") == 0


def test_the_doctor_notices_a_chunker_that_was_edited_in_place(in_acme, set_chunker, make_guide):
    make_guide()
    set_chunker(WORDS)
    tenant = in_acme

    def findings():
        with owner_rights():
            return [finding for finding in examine(tenant.schema_name) if "chunks" in finding.message]

    (finding,) = findings()
    assert (finding.level, finding.subject) == (Level.WARNING, "acme")
    assert finding.message.startswith(
        "space 'default', index 'notes': the oldest notes.Note would be cut into other chunks today "
        "(1 stored, 3 wanted)"
    )
    assert finding.fix == "manage.py rebuild_index --schema=acme --index=notes"

    rebuild_index("notes")

    assert findings() == []


def test_the_doctor_is_silent_of_what_is_not_indexed_yet_and_of_what_the_checks_say(
    in_acme, set_chunker, make_guide
):
    Note.objects.create(title="t", body="b")
    with owner_rights():
        before = [finding for finding in examine("acme") if "chunks" in finding.message]

        make_guide()
        set_chunker({"BACKEND": "no.Such"})

        assert before == [finding for finding in examine("acme") if "chunks" in finding.message] == []


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("x", "it must be a dict, not str."),
        ([], "it must be a dict, not list."),
        ({}, "BACKEND must be the dotted path of a chunker, not None."),
        ({"BACKENDS": ""}, "unknown key 'BACKENDS'; allowed are: BACKEND, OPTIONS."),
        ({"BACKEND": "no.Such"}, "BACKEND 'no.Such' cannot be imported: No module named 'no'."),
        ({"BACKEND": "json.JSONDecoder"}, "BACKEND 'json.JSONDecoder' must be a subclass of apps.search."),
        (
            {"BACKEND": "apps.search.chunking.Chunker"},
            "BACKEND 'apps.search.chunking.Chunker' is abstract; name a subclass that writes chunk.",
        ),
        (WORDS | {"OPTIONS": []}, "OPTIONS must be a dict, not list."),
        (
            WORDS | {"OPTIONS": {"size": 3}},
            "unknown option 'size' for SimpleChunker; allowed are: limit, overlap, unit.",
        ),
        (
            WORDS | {"OPTIONS": {"limit": 0}},
            "SimpleChunker: limit must be a whole number of at least 1, not 0.",
        ),
        (
            HEADINGS | {"OPTIONS": {"inner": {"BACKEND": WORDS["BACKEND"], "OPTIONS": {"size": 3}}}},
            "inner: unknown option 'size' for SimpleChunker; allowed are: limit, overlap, unit.",
        ),
        ({"BACKEND": f"{__name__}.Fussy"}, "Fussy requires the option(s) must."),
    ],
)
def test_an_unusable_chunker_is_named_by_a_check(set_chunker, entry, message):
    set_chunker(entry, "other")

    (problem,) = problems()

    assert problem[0] == "search.E007"
    assert problem[1].startswith(f"EMBEDDINGS['other']: CHUNKER: {message}")


def test_a_limit_that_the_embedder_does_not_read_is_named_by_a_check(settings, set_chunker):
    minilm = "apps.search.embedders.minilm.MiniLMEmbedder"
    settings.EMBEDDINGS = {"default": {"BACKEND": minilm, "MODEL": "pgvector.PgVectorEmbedding"}}
    set_chunker(
        HEADINGS
        | {"OPTIONS": {"inner": {"BACKEND": "apps.search.chunking.TokenChunker", "OPTIONS": {"limit": 300}}}}
    )

    assert problems() == [
        (
            "search.E007",
            "EMBEDDINGS['default']: CHUNKER: TokenChunker: limit must be at most 254, which is what the "
            "embedder reads, not 300.",
        )
    ]


@pytest.mark.parametrize("chunker", [None, ParagraphChunker])
def test_a_model_without_a_usable_chunker_is_named_by_a_check(monkeypatch, chunker):
    monkeypatch.setattr(Note, "chunker", chunker)

    found = problems()

    assert {problem_id for problem_id, _ in found} == {"search.E007"}
    assert found[0][1] == (
        "EMBEDDINGS['default']: notes.Note.chunker: it must be an instance of a subclass of "
        f"apps.search.chunking.Chunker, not {chunker!r}."
    )
