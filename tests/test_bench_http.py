import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random

import pytest
from django.test import RequestFactory

from tenants.context import tenant_context
from tests.bench_http.clients import Order, Taken, carry_out, make_query
from tests.bench_http.processes import Memory, count_seconds, find_workers, measure_memory
from tests.bench_http.report import Build, report
from tests.bench_http.targets import compare, judge
from tests.bench_http.urls import read_tenant

PARTS = {"embedding": 5.0, "half by vectors": 2.0, "half by words": 3.0, "hybrid": 8.0}
needs_proc = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="only Linux counts so")


class Site(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.asked.append((self.headers["Host"].partition(":")[0], self.path))
        self.send_response(200 if self.headers["Host"].startswith("good.") else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        return


@pytest.fixture
def site():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def make_order(site, *hosts, **options):
    order = {"path": "/api/search", "parameters": {"mode": "hybrid"}, "count": 3, "seconds": 0.2}
    return Order(port=site.server_address[1], hosts=[*hosts], **(order | options))


def test_clients_count_answers_and_errors(site):
    taken = carry_out(make_order(site, "good.localhost", "bad.localhost"))

    assert len(taken.times) == taken.statuses["200"] > 0
    assert taken.errors == taken.statuses["503"] > 0
    assert taken.rate == pytest.approx(taken.statuses["200"] / taken.seconds)
    assert {host for host, _ in site.asked} == {"good.localhost", "bad.localhost"}


@pytest.mark.parametrize("is_repeated", [True, False])
def test_clients_ask_something_new_unless_told_otherwise(site, is_repeated):
    carry_out(make_order(site, "good.localhost", is_repeated=is_repeated))

    paths = {path for _, path in site.asked}
    assert all(path.startswith("/api/search?mode=hybrid&q=") for path in paths)
    assert (len(paths) == 1) is is_repeated


def test_no_answer_is_an_error():
    order = {"port": 1, "hosts": ["good.localhost"], "path": "/", "parameters": {}}

    taken = carry_out(Order(**order, count=1, seconds=0.01))

    assert (taken.times, taken.errors) == ([], taken.statuses["ConnectionRefusedError"])


def test_queries_hardly_ever_repeat():
    chance = Random(1)

    assert len({make_query(chance) for _ in range(1_000)}) > 950


@needs_proc
def test_workers_are_those_that_a_server_forked():
    script = "import os, sys; os.write(1, b'%d\\n' % os.fork()); sys.stdin.read()"
    command = [sys.executable, "-c", script, "127.0.0.1:54321"]

    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        forked = {int(server.stdout.readline()), int(server.stdout.readline())} - {0}
        found = find_workers(54321)
        memory = measure_memory(found[0])

    assert set(found) == forked
    assert memory.resident > memory.share > memory.own > 0
    assert find_workers(54321) == []


@needs_proc
def test_the_work_of_processors_is_counted():
    script = "sum(range(3_000_000)); print(flush=True); input()"
    command = [sys.executable, "-c", script]

    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        seconds = count_seconds([process.pid])
        process.communicate(b"\n")

    assert seconds > 0
    assert count_seconds([]) == 0


def test_work_is_that_of_one_answer():
    taken = Taken([1.0], {"200": 1}, 1.0, 0.5)
    taken.add(Taken([3.0], {"200": 2, "503": 1}, 1.0, 0.5))

    assert taken == Taken([1.0, 3.0], {"200": 3, "503": 1}, 2.0, 1.0)
    assert taken.work == 250


@pytest.mark.parametrize(("p50", "verdict"), [(15.0, "ok  "), (15.1, "MISS")])
def test_a_page_is_compared_with_its_parts(p50, verdict):
    cells = {("API hybrid", 1): Taken([p50]), ("empty page", 1): Taken([2.0])}

    found = [str(each) for each in judge(cells, PARTS)]

    assert found[0] == "ok    errors: 0.00 (target <= 0)"
    assert found[1].startswith(f"{verdict}  API hybrid, 1 client, p50: 1.2")


def test_two_builds_are_compared():
    ours = {("API hybrid", 16): Taken([1.0], {"200": 30}, 1.0)}, [Memory(300, 100, 50)]
    others = {("API hybrid", 16): Taken([1.0], {"200": 20}, 1.0)}, [Memory(300, 250, 200)]

    found = [str(each) for each in compare(ours, others, 16)]

    assert found == [
        "MISS  API hybrid, 16 clients, requests/s: 1.50x the other build (target >= 2.0x)",
        "ok    memory of a worker (PSS): 0.40x the other build (target <= 0.5x)",
    ]


def test_the_report_tells_whether_all_goals_are_met(capsys):
    good = {
        ("API hybrid", 1): Taken([10.0], {"200": 1}, 1.0),
        ("empty page", 1): Taken([2.0], {"200": 1}, 1.0),
    }
    bad = {("API hybrid", 1): Taken([], {"503": 1}, 1.0)}

    verdicts = [report([Build("this build", 1, cells)], PARTS, "1 tenant") for cells in (good, bad)]

    assert verdicts == [True, False]
    assert "MISS  errors: 1.00 (target <= 0)" in capsys.readouterr().out


def test_the_empty_page_reads_its_own_tenant(acme, globex):
    names = []
    for tenant in (acme, globex):
        with tenant_context(tenant):
            names.append(read_tenant(RequestFactory().get("/empty/")).content.decode())

    assert names == ["Acme", "Globex"]
