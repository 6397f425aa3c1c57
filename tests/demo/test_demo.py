import json
import socket
import threading
import time

import pytest

from project.demo import __main__ as demo
from project.demo.docstrings import write_docstrings
from project.demo.golden import read_golden


def test_the_standard_library_documents_itself(tmp_path):
    count = write_docstrings(tmp_path / "python.jsonl", "python", 900)

    records = [json.loads(line) for line in (tmp_path / "python.jsonl").read_text().splitlines()]
    assert count == len(records) >= 800
    assert len({record["key"] for record in records}) == count
    assert "configparser" in {record["key"] for record in records}
    assert all(record["body"].strip() for record in records)


def test_django_documents_itself(tmp_path):
    count = write_docstrings(tmp_path / "django.jsonl", "django", 900)

    keys = [json.loads(line)["key"] for line in (tmp_path / "django.jsonl").read_text().splitlines()]
    assert count >= 800
    assert all(key.split(".")[0] == "django" for key in keys)


@pytest.mark.parametrize("tenant", ["python", "django"])
def test_golden_queries_have_their_answers_among_the_articles(tmp_path, tenant):
    write_docstrings(tmp_path / "articles.jsonl", tenant, 900)
    keys = [json.loads(line)["key"] for line in (tmp_path / "articles.jsonl").read_text().splitlines()]

    golden = read_golden(tenant, keys)

    assert len(golden) >= 15
    assert {answer["key"] for row in golden for answer in row["answers"]} <= set(keys)
    assert len({row["q"] for row in golden}) == len(golden)


def test_golden_queries_without_an_answer_are_left_out():
    (only,) = read_golden("python", ["optparse"])

    assert only["q"] == "parse command line options"
    assert [answer["key"] for answer in only["answers"]] == ["optparse"]


def test_the_demo_is_not_ready_before_its_web_server_listens(monkeypatch):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        monkeypatch.setattr(demo, "PORT", server.getsockname()[1])
        waiting = threading.Thread(target=demo._await_web_server, args=[[]], daemon=True)

        waiting.start()
        time.sleep(0.3)
        waited = waiting.is_alive()
        server.listen()
        waiting.join(timeout=10)

    assert waited
    assert not waiting.is_alive()


def test_the_demo_refuses_to_start_without_its_spaces(settings):
    settings.EMBEDDINGS = {"main": settings.EMBEDDINGS["default"], "fast": settings.EMBEDDINGS["fast"]}

    with pytest.raises(SystemExit) as exit:
        demo._run([], [])

    assert exit.value.code == "The demo shows the spaces default and fast; EMBEDDINGS has no default."


@pytest.mark.parametrize("value", ["abc", "80000", "0", "-1", "8,0"])
def test_a_port_that_is_none_is_named_with_the_way_out(monkeypatch, value):
    monkeypatch.setenv("PORT", value)

    with pytest.raises(SystemExit) as exit:
        demo.read_number("PORT", 8000, 65_535)

    assert exit.value.code == f"PORT: {value!r} is no number from 1 to 65,535. Try: PORT=8123 make demo"


@pytest.mark.parametrize(("value", "number"), [("", 8000), ("8403", 8403), ("65535", 65_535)])
def test_a_port_is_a_number_or_left_out(monkeypatch, value, number):
    monkeypatch.setenv("PORT", value)

    assert demo.read_number("PORT", 8000, 65_535) == number
