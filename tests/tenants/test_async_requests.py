import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context

import pytest
from asgiref.sync import sync_to_async
from django.core.asgi import get_asgi_application
from django.db import connection, connections
from django.http import JsonResponse, StreamingHttpResponse
from django.urls import path

from .tasks import describe_binding

orphans = []


async def stream_binding(request):
    async def body():
        for _ in range(2):
            await asyncio.sleep(0)
            yield ",".join(await sync_to_async(describe_binding)())

    return StreamingHttpResponse(body())


async def leave_orphan(request):
    async def outlive():
        await release.wait()
        return [connection.schema_name, *await asyncio.to_thread(describe_and_close)]

    release = asyncio.Event()
    orphans.append((release, asyncio.create_task(outlive())))
    return JsonResponse({})


urlpatterns = [path("stream/", stream_binding), path("orphan/", leave_orphan)]


def describe_and_close():
    try:
        return describe_binding()
    finally:
        connection.close()


async def ask(host, path):
    """Return the body of an answer as a server for ASGI gets it, with all signals of a request."""
    scope = {"type": "http", "http_version": "1.1", "scheme": "http", "method": "GET", "path": path}
    scope |= {"query_string": b"", "headers": [(b"host", host.encode())]}
    requests, sent = iter([{"type": "http.request", "body": b""}]), []

    async def receive():
        return next(requests, None) or await asyncio.Event().wait()

    async def send(message):
        sent.append(message.get("body", b""))

    await get_asgi_application()(scope, receive, send)
    return b"".join(sent)


async def ask_at_once(questions):
    answers = await asyncio.gather(*(ask(*question) for question in questions))
    left = []
    while orphans:
        release, orphan = orphans.pop()
        release.set()
        left.append(await orphan)
    await sync_to_async(connections.close_all)()
    return answers, sorted(left), connection.schema_name


@pytest.fixture
def serve(db, settings):
    """Ask in a thread of its own: the end of a request closes the sessions of its thread."""
    settings.ROOT_URLCONF = __name__
    with ThreadPoolExecutor(1) as thread:
        yield lambda *questions: thread.submit(Context().run, asyncio.run, ask_at_once(questions)).result(120)


def test_streams_of_two_tenants_are_made_at_once_each_with_its_own_bound(acme, globex, serve):
    questions = [(f"{schema}.localhost", "/stream/") for schema in ("acme", "globex")] * 3

    answers, _, bound_after = serve(*questions)

    assert answers == [b"acme,acme" * 2, b"globex,globex" * 2] * 3
    assert bound_after == "public"


def test_what_outlives_its_request_keeps_its_tenant_and_binds_nobody_else(acme, globex, serve):
    _, left, bound_after = serve(("acme.localhost", "/orphan/"), ("globex.localhost", "/orphan/"))

    assert left == [["acme"] * 3, ["globex"] * 3]
    assert bound_after == "public"
