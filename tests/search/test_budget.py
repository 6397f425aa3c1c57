from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from apps.search.embedders import EmbeddingUnavailableError, get_embedder
from apps.search.indexing.tasks import continue_run, index_by_keys, start_run
from apps.search.models import CachedVector, IndexRun, ServiceBudget
from apps.search.spaces.budget import spend
from apps.search.spaces.embedding_cache import embed_documents
from tenants.context import tenant_context
from tests.models_app.models import Note

pytestmark = pytest.mark.usefixtures("embedder", "in_acme", "as_owner")


@pytest.fixture
def limit(settings):
    def set_options(**options):
        settings.EMBEDDINGS["default"] |= {"OPTIONS": {"batch_size": 2}, "LIMITS": options}

    return set_options


def embed(*texts):
    return embed_documents("default", get_embedder("default"), list(texts))


def end_minute():
    ServiceBudget.objects.update(minute=timezone.now() - timedelta(seconds=61))


def test_requests_beyond_the_limit_wait_for_the_next_minute(limit, embedder):
    limit(requests_per_minute=2)

    with pytest.raises(EmbeddingUnavailableError, match="limit of 2 requests a minute of the space"):
        embed("a", "b", "c", "d", "e")
    end_minute()
    vectors = embed("a", "b", "c", "d", "e")

    assert (embedder.embedded, len(vectors)) == (["a", "b", "c", "d", "e"], 5)


def test_tokens_beyond_the_limit_wait_and_say_how_long(limit):
    limit(tokens_per_minute=10)
    embed("x" * 24)

    with pytest.raises(EmbeddingUnavailableError, match="10 tokens a minute") as caught:
        embed("y" * 24)

    assert 0 < caught.value.retry_after <= 60


def test_a_request_above_the_limit_passes_by_itself(limit, embedder):
    limit(tokens_per_minute=10)

    embed("x" * 4_000)

    assert len(embedder.embedded) == 1


def test_when_the_service_says_wait_no_worker_asks_it(embedder):
    def refuse(texts):
        raise EmbeddingUnavailableError("too many requests", retry_after=30)

    embedder.before_batch = staticmethod(refuse)
    with pytest.raises(EmbeddingUnavailableError):
        embed("a")
    embedder.before_batch = staticmethod(lambda texts: None)

    with pytest.raises(EmbeddingUnavailableError, match="too many requests") as caught:
        embed("b")
    assert 0 < caught.value.retry_after <= 30

    ServiceBudget.objects.update(held_until=timezone.now())
    embed("b")
    assert embedder.embedded == ["b"]


def test_a_run_waits_as_long_as_the_limit_says_and_repeats_nothing(limit, embedder, in_acme):
    limit(requests_per_minute=1)
    Note.objects.bulk_create(Note(title=f"title{number}", body="body") for number in range(3))
    run = start_run("notes", "default")
    DBTaskResult.objects.all().delete()

    run_slice(run, in_acme)
    run.refresh_from_db()
    assert "limit of 1 requests a minute" in run.reason
    waiting = DBTaskResult.objects.get()
    assert waiting.run_after == run.resumes_at > timezone.now()
    end_minute()
    run_slice(run, in_acme)

    run.refresh_from_db()
    assert (run.state, run.objects_done, run.reason) == (IndexRun.State.DONE, 3, "")
    assert len(embedder.embedded) == 3


def run_slice(run, tenant):
    DBTaskResult.objects.filter(run_after=None).delete()
    continue_run.func(run.pk)


def test_another_tenant_has_a_budget_of_its_own(limit, globex):
    limit(requests_per_minute=1)
    embed("a")

    with tenant_context(globex):
        embed("a")
        assert ServiceBudget.objects.get().requests == 1


def test_nothing_is_counted_where_there_is_no_limit():
    spend("default", ["a"])

    assert not ServiceBudget.objects.exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [("requests_per_minute", 0), ("tokens_per_minute", "many"), ("price_per_million_tokens", -1)],
)
def test_a_bad_limit_is_refused(limit, option, value):
    limit(**{option: value})

    with pytest.raises(ImproperlyConfigured, match=rf"EMBEDDINGS\['default'\]: {option}"):
        spend("default", ["a"])


def fail_always(embedder):
    """Let the service fail; return the texts that it was asked for."""
    asked = []

    def fail(texts):
        asked.append(texts)
        raise EmbeddingUnavailableError("no answer within 30 s")

    embedder.before_batch = staticmethod(fail)
    return asked


def fail_times(number):
    for _ in range(number):
        with pytest.raises(EmbeddingUnavailableError):
            embed("a")


def end_pause():
    ServiceBudget.objects.update(held_until=timezone.now())


def get_pause():
    return (ServiceBudget.objects.get().held_until - timezone.now()).total_seconds()


def test_a_service_that_fails_again_and_again_is_left_alone_longer_and_longer(embedder):
    asked = fail_always(embedder)

    fail_times(2)
    assert ServiceBudget.objects.get().held_until is None
    fail_times(5)
    assert len(asked) == 3
    first = get_pause()
    end_pause()
    fail_times(2)

    assert len(asked) == 4
    assert get_pause() > 1.5 * first > 0
    with pytest.raises(EmbeddingUnavailableError, match="no answer within 30 s") as caught:
        embed("b")
    assert 0 < caught.value.retry_after <= get_pause() + 1


def test_after_the_pause_one_request_finds_out_for_all(embedder):
    def ask_meanwhile(texts):
        if texts == ["first"]:
            with pytest.raises(EmbeddingUnavailableError):
                embed("second")

    fail_always(embedder)
    fail_times(3)
    end_pause()
    embedder.before_batch = staticmethod(ask_meanwhile)

    embed("first")
    embed("third")

    assert embedder.embedded == ["first", "third"]
    assert ServiceBudget.objects.get().failures == 0


def test_a_service_with_limits_is_left_alone_too(limit, embedder):
    limit(requests_per_minute=100)
    asked = fail_always(embedder)

    fail_times(5)

    assert len(asked) == 3


def test_failures_that_are_not_in_a_row_make_no_pause(embedder):
    for _ in range(4):
        fail_always(embedder)
        fail_times(2)
        embedder.before_batch = staticmethod(lambda texts: None)
        embed("a")
        embedder.reset()
        CachedVector.objects.all().delete()

    assert ServiceBudget.objects.get().held_until is None


def test_another_tenants_service_is_asked_as_ever(embedder, globex):
    fail_always(embedder)
    fail_times(3)
    embedder.reset()

    with tenant_context(globex):
        embed("a")


def test_a_task_that_meets_a_service_in_pause_is_put_off_without_asking(embedder, in_acme):
    asked = fail_always(embedder)
    fail_times(3)
    note = Note.objects.create(title="a", body="b")
    DBTaskResult.objects.all().delete()

    index_by_keys.func("notes.note", [note.pk])

    assert len(asked) == 3
    put_off = DBTaskResult.objects.get()
    assert put_off.run_after >= ServiceBudget.objects.get().held_until - timedelta(seconds=1)
    assert put_off.args_kwargs["args"] == ["notes.note", [note.pk], "default", 2]
