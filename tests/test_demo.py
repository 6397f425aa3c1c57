import json

from project.demo.docstrings import write_docstrings


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
