"""Limits that hold over threads, event loops and processes, which count in transactions of their own."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import pytest
from django.conf import settings as project_settings
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test import RequestFactory

from apps.accounts.access.limited_requests import ApiThrottle
from apps.accounts.access.rate_limits import count
from apps.accounts.models import TryCount
from tenants.context import tenant_context
from tests.workers import PATIENCE, get_test_database_url

LIMIT = 10
# Asks for the sign-in without a password, which is counted, and takes no time to check.
ASK = """
import sys
from concurrent.futures import ThreadPoolExecutor

import django

django.setup()

from django.test import Client


def ask(number):
    host = ("acme.localhost", "globex.localhost")[number % 2]
    response = Client().post("/accounts/login/", {"username": "a@b.example"}, headers={"host": host})
    return f"{host}:{response.status_code}"


print("ready", flush=True)
sys.stdin.read()
with ThreadPoolExecutor(4) as pool:
    print(*pool.map(ask, range(40)))
"""


@pytest.fixture(autouse=True)
def _nothing_stays(acme, globex, committed):
    def delete_counts():
        for tenant in (acme, globex):
            with tenant_context(tenant):
                TryCount.objects.all().delete()

    yield
    committed(delete_counts)


def test_processes_together_do_not_exceed_the_limit_of_a_tenant(acme, globex):
    environment = os.environ | {
        "DATABASE_URL": get_test_database_url(),
        "RATE_LIMIT_SIGN_IN": f"{LIMIT}/300d",
        "RATE_LIMIT_SIGN_IN_ACCOUNT": "",
    }
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", ASK]
    processes = [
        subprocess.Popen(command, cwd=project_settings.BASE_DIR, env=environment, **pipes) for _ in range(2)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.close()

    answers = Counter(" ".join(process.stdout.read() for process in processes).split())
    for process in processes:
        process.wait(PATIENCE)

    assert answers == {
        f"{tenant}.localhost:{status}": number
        for tenant in ("acme", "globex")
        for status, number in ((200, LIMIT), (429, 40 - LIMIT))
    }


def test_threads_together_do_not_exceed_the_limit(acme, settings):
    settings.RATE_LIMITS = {"sign_in": f"{LIMIT}/300d"}

    def try_often(_):
        with tenant_context(acme):
            waits = [count("sign_in", "me")[0] for _ in range(10)]
        connection.close()
        return waits

    with ThreadPoolExecutor(8) as pool:
        waits = list(chain.from_iterable(pool.map(try_often, range(8))))

    assert sum(wait == 0 for wait in waits) == LIMIT


def test_an_operation_that_is_a_coroutine_is_counted_too(acme, settings):
    settings.RATE_LIMITS = {"api_anonymous": "2/300d"}
    throttle, request = ApiThrottle(), RequestFactory().get("/")
    request.user = AnonymousUser()

    async def call():
        return throttle.allow_request(request)

    with tenant_context(acme):
        allowed = [asyncio.run(call()) for _ in range(3)]

    assert allowed == [True, True, False]
