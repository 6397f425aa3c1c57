import pytest
from django.core.management import CommandError, call_command

from apps.search.embedders import EmbeddingError
from apps.search_switching.models import SpaceSwitch
from tests.search_switching.work import make, run_tasks, titles

pytestmark = pytest.mark.usefixtures("embedder", "in_acme", "as_owner")


def switch_space(capsys, *arguments):
    call_command("switch_space", *arguments, "--schema=acme")
    return capsys.readouterr().out


def test_a_switch_from_start_to_end(capsys):
    make("old")
    run_tasks()

    started = switch_space(capsys, "start", "--to=other")
    run_tasks()
    watched = switch_space(capsys, "watch")
    cut = switch_space(capsys, "cut-over")
    back = switch_space(capsys, "roll-back")
    switch_space(capsys, "cut-over")
    ended = switch_space(capsys, "end")

    assert "default to other: filling\n" in started
    assert "\n  notes: running, 0 %" in started
    assert "default to other: ready\n" in watched
    assert "\n  notes: done, 100 %" in watched
    assert "* other: 1 documents" in cut
    assert "* default: 1 documents" in back
    assert "* other: 1 documents" in ended
    assert ended.endswith("No switch is under way.\n")
    run_tasks()
    assert (titles("default"), titles("other")) == ([], ["old"])


def test_paused_nothing_is_filled_until_it_goes_on(capsys):
    make("old")
    run_tasks()
    switch_space(capsys, "start", "--to=other")

    paused = switch_space(capsys, "pause")
    run_tasks()
    assert ("notes: paused, 0 %" in paused, titles("other")) == (True, [])

    switch_space(capsys, "resume")
    run_tasks()
    assert (SpaceSwitch.objects.get().state, titles("other")) == ("ready", ["old"])


def test_an_estimate_counts_and_names_the_cost(capsys, settings):
    settings.EMBEDDINGS["other"]["LIMITS"] = {"price_per_million_tokens": 20_000}
    make("t" * 200, "b" * 198)
    run_tasks()

    said = switch_space(capsys, "estimate", "--to=other").splitlines()

    assert said[0] == "1 objects, 1 documents, about 100 tokens"
    assert said[1].startswith("about 0 s with one worker")
    assert said[2] == "cost about 2.00"
    assert not SpaceSwitch.objects.exists()


def test_an_estimate_says_why_the_target_cannot_be_used(capsys, embedder):
    make("old")
    run_tasks()

    def fail(texts):
        raise EmbeddingError("away")

    embedder.before_batch = staticmethod(fail)

    with pytest.raises(CommandError, match="away"):
        switch_space(capsys, "estimate", "--to=other")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["start"], "start needs --to, the alias of a space"),
        (["start", "--to=missing"], "there is no such alias"),
        (["cut-over"], "No switch is under way. Begin one with: switch_space start --to ALIAS"),
    ],
)
def test_what_is_missing_is_said(capsys, arguments, message):
    with pytest.raises(CommandError, match=message):
        switch_space(capsys, *arguments)
