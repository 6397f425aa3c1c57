import pytest

from apps.search import get_provider
from apps.search.documents import Document
from apps.search.embedders import EmbeddingError, EmbeddingUnavailableError
from apps.search.indexing.batches import index_batch, make_batches
from apps.search.indexing.set_asides import set_aside
from apps.search.models import IndexRun, ServiceBudget, SetAside
from apps.search.searching.results import search_objects
from apps.search.spaces.live_spaces import get_written_spaces
from apps.search.storage.pgvector.provider import PgVectorProvider
from apps.search_switching.advancing import cut_over
from apps.search_switching.models import SpaceSwitch, SwitchError
from apps.search_switching.steps import cancel_switch, end_switch, roll_back, start_switch
from tenants.context import tenant_context
from tests.models_app.models import Note
from tests.search_switching.work import make, run_tasks, switch_to, titles

pytestmark = pytest.mark.usefixtures("embedder", "in_acme", "as_owner")

State = SpaceSwitch.State


def searched(acme):
    acme.refresh_from_db()
    return acme.space


@pytest.mark.parametrize("target", ["other", "custom"])
def test_a_switch_fills_the_target_and_waits_for_the_operator(in_acme, target):
    for number in range(40):
        make(f"title{number:02}")
    run_tasks()

    switch = switch_to(target)

    assert (switch.state, searched(in_acme)) == (State.READY, "default")
    assert titles(target) == titles("default") != []
    run = switch.runs.get(index_name="notes")
    assert (run.state, run.objects_done, run.total, run.documents) == ("done", 40, 40, 40)


def test_after_the_cut_over_the_target_is_searched(in_acme):
    make("Red apples")
    run_tasks()
    switch = switch_to("other")

    cut_over(switch)

    assert (switch.state, searched(in_acme)) == (State.SWITCHED, "other")
    with tenant_context(in_acme):
        assert search_objects("red", "notes", 5)[0].document.space == "other"


def test_an_automatic_switch_cuts_over_by_itself(in_acme):
    make("Red apples")

    switch = switch_to("other", is_automatic=True)

    assert (switch.state, searched(in_acme)) == (State.SWITCHED, "other")


def test_saves_and_deletions_go_to_both_spaces_until_the_end(in_acme):
    gone, changed = make("gone"), make("before")
    switch = switch_to("other")

    gone.delete()
    Note.objects.filter(pk=changed.pk).update(title="unseen")
    changed.title = "changed"
    changed.save()
    make("new")
    run_tasks()
    assert titles("default") == titles("other") == ["changed", "new"]

    cut_over(switch)
    make("newer")
    run_tasks()
    assert titles("default") == titles("other") == ["changed", "new", "newer"]


def test_rolled_back_the_source_has_what_was_saved_meanwhile(in_acme):
    make("old")
    switch = switch_to("other", is_automatic=True)
    make("new")
    run_tasks()

    roll_back(switch)

    assert (switch.state, searched(in_acme), titles("default")) == (State.READY, "default", ["new", "old"])
    cut_over(switch)
    assert searched(in_acme) == "other"


def test_roll_back_is_refused_until_the_old_space_is_complete(in_acme):
    for title in ("one", "two"):
        make(title)
    run_tasks()
    switch = switch_to("other", is_automatic=True)
    get_provider("notes").delete(get_provider("notes").objects.values_list("document_key", flat=True)[:1])
    PgVectorProvider(index_name="poems", space="other").add([Document("late", "by hand")])

    message = r"'default' is not complete: 1 missing object, 1 missing document\. A worker fills it"
    with pytest.raises(SwitchError, match=message):
        roll_back(switch)
    assert (SpaceSwitch.objects.get().state, searched(in_acme)) == (State.SWITCHED, "other")

    run_tasks()
    roll_back(switch)
    assert (switch.state, searched(in_acme), titles("default")) == (State.READY, "default", ["one", "two"])
    assert PgVectorProvider(index_name="poems").objects.get().content == "by hand"


def test_roll_back_waits_for_what_the_old_service_could_not_embed(in_acme):
    note = make("one")
    run_tasks()
    switch = switch_to("other", is_automatic=True)
    set_aside("notes.note", [str(note.pk)], "default", "away", is_lasting=False)

    with pytest.raises(SwitchError, match="'default' is not complete: 1 waiting object"):
        roll_back(switch)
    run_tasks()

    roll_back(switch)


def test_a_batch_writes_nothing_to_a_space_that_was_given_up_meanwhile(embedder):
    note = make("old")
    run_tasks()
    switch = start_switch("other")
    embedder.before_batch = staticmethod(lambda texts: cancel_switch(switch))
    (batch,) = make_batches(Note, [note.pk])

    changed = index_batch(batch, space="other", only_if_written=True)

    assert (SpaceSwitch.objects.get().state, changed, titles("other")) == (State.CANCELLED, 0, [])


def test_ended_the_source_is_dropped_and_written_no_more(in_acme):
    make("old")
    run_tasks()
    switch = switch_to("other", is_automatic=True)

    end_switch(switch)
    run_tasks()
    make("new")
    run_tasks()

    assert (titles("default"), titles("other")) == ([], ["new", "old"])
    assert get_written_spaces() == ["other"]


def test_cancelled_the_target_is_dropped(in_acme):
    make("old")
    run_tasks()
    switch = switch_to("other")

    cancel_switch(switch)
    run_tasks()

    assert (switch.state, titles("default"), titles("other")) == (State.CANCELLED, ["old"], [])


def test_a_space_that_was_taken_up_again_is_not_dropped(in_acme):
    make("old")
    run_tasks()
    cancel_switch(switch_to("other"))

    switch = switch_to("other")

    assert (switch.state, titles("other")) == (State.READY, ["old"])


def test_a_batch_that_was_being_embedded_writes_nothing_to_a_cancelled_target(embedder):
    make("old")
    run_tasks()
    switch = start_switch("other")

    def cancel(texts):
        embedder.before_batch = staticmethod(lambda texts: None)
        cancel_switch(switch)

    embedder.before_batch = staticmethod(cancel)
    run_tasks()

    assert titles("other") == []
    assert SpaceSwitch.objects.get().state == State.CANCELLED


def test_two_operators_cannot_switch_at_once():
    first = start_switch("other")

    with pytest.raises(SwitchError, match="The switch from default to other is not over"):
        start_switch("custom")
    cancel_switch(first)
    start_switch("custom")


@pytest.mark.parametrize(
    ("target", "message"),
    [("default", "searches the space 'default' already"), ("missing", "there is no such alias")],
)
def test_a_target_that_makes_no_sense_is_refused(target, message):
    with pytest.raises(SwitchError, match=message):
        start_switch(target)


@pytest.mark.parametrize("step", [cut_over, roll_back, end_switch])
def test_a_step_out_of_turn_is_refused(step):
    switch = start_switch("other")

    with pytest.raises(
        SwitchError, match="The switch from default to other is filling; for that, it must be"
    ):
        step(switch)


def test_cut_over_is_refused_while_something_is_missing():
    make("old")
    run_tasks()
    switch = switch_to("other")
    get_provider("notes", space="other").clear()

    with pytest.raises(SwitchError, match=r"not complete: 1 missing object. Try again"):
        cut_over(switch)


def test_documents_written_by_hand_are_carried_over(in_acme):
    PgVectorProvider(index_name="poems").add([Document("a:1", "by hand", {"n": 1}), Document("b", "two")])
    switch = switch_to("other")

    copied = PgVectorProvider(index_name="poems", space="other")
    assert list(copied.objects.order_by("document_key").values_list("content", "metadata")) == [
        ("by hand", {"n": 1}),
        ("two", {}),
    ]
    PgVectorProvider(index_name="poems").add([Document("c", "late")])
    with pytest.raises(SwitchError, match="1 missing document"):
        cut_over(switch)


def test_handwritten_documents_with_long_keys_are_set_aside_each_by_itself(embedder):
    long = "k" * 300
    keys = [f"{long}{number}" for number in range(3)]
    texts = ["fine", "poison one", "poison two"]
    PgVectorProvider(index_name="poems").add(map(Document, keys, texts))

    def refuse(texts):
        if any("poison" in text for text in texts):
            raise EmbeddingUnavailableError("status 500", None, 500)

    embedder.before_batch = staticmethod(refuse)
    switch = switch_to("other")

    assert (switch.state, switch.reason) == (State.READY, "")
    assert PgVectorProvider(index_name="poems", space="other").objects.get().document_key == keys[0]
    assert list(SetAside.objects.values_list("object_pk", flat=True)) == keys[1:]


def test_one_poisoned_object_is_set_aside_and_stops_nothing(embedder):
    for number in range(5):
        make(f"title{number}", "poison" if number == 3 else "body")

    def refuse(texts):
        if any("poison" in text for text in texts):
            raise EmbeddingError("refused")

    embedder.before_batch = staticmethod(refuse)
    run_tasks()
    switch = switch_to("other")

    assert (switch.state, titles("other")) == (State.READY, ["title0", "title1", "title2", "title4"])
    reasons = SetAside.objects.values_list("space", "reason", "is_lasting")
    assert sorted(reasons) == [("default", "refused", True), ("other", "refused", True)]
    Note.objects.get(title="title3").delete()
    run_tasks()
    assert not SetAside.objects.exists()


def test_a_poisoned_change_leaves_no_stale_text(embedder):
    note = make("title", "old secret")
    run_tasks()

    def refuse(texts):
        if any("poison" in text for text in texts):
            raise EmbeddingError("refused")

    embedder.before_batch = staticmethod(refuse)
    note.body = "poison"
    note.save()
    run_tasks()

    assert titles("default") == []


def test_a_target_that_does_not_answer_keeps_nobody_from_the_source(embedder, settings):
    settings.EMBEDDINGS["other"]["OPTIONS"]["document_prefix"] = "other: "
    make("old")
    switch = switch_to("other")

    def go_away(texts):
        if texts[0].startswith("other: "):
            raise EmbeddingUnavailableError("away", retry_after=7)

    embedder.before_batch = staticmethod(go_away)
    make("new")
    run_tasks(count=1)
    assert (titles("default"), titles("other")) == (["new", "old"], ["old"])
    assert SetAside.objects.values_list("space", "reason", "is_lasting").get() == ("other", "away", False)
    with pytest.raises(SwitchError, match="1 waiting object"):
        cut_over(switch)

    embedder.before_batch = staticmethod(lambda texts: None)
    ServiceBudget.objects.update(held_until=None)
    run_tasks()
    assert titles("other") == ["new", "old"]
    cut_over(switch)


def test_another_tenant_learns_nothing_of_a_switch(globex):
    make("ours")
    switch_to("other", is_automatic=True)

    with tenant_context(globex):
        assert not SpaceSwitch.objects.exists()
        assert not IndexRun.objects.exists()
        assert get_written_spaces() == ["default"]
        assert titles("other") == []


def test_what_is_done_about_a_switch_is_recorded(deeds):
    started = deeds(lambda: start_switch("other"))
    cancelled = deeds(lambda: cancel_switch(SpaceSwitch.objects.get()))

    about = [line.partition(" what=")[2] for line in (*started, *cancelled)]
    assert [line for line in about if "notes/" in line or not line.startswith("index ")] == [
        "index whose=acme on=notes/other",
        '"start switch" whose=acme on="default to other: filling"',
        '"change switch" whose=acme on="default to other: cancelled"',
    ]
