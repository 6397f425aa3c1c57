import json
import subprocess

import pytest

from tests import scan
from tests.clone.repositories import git

QUERY = 'cursor.execute(f"SELECT a FROM {table}")'
REASON = "The comment gives no reason."


@pytest.fixture
def judge(tmp_path):
    """Return what is unjudged in a line of code."""

    def judge(line):
        (tmp_path / "code.py").write_text(f"{line}\n")
        return scan.find_unjudged_code([tmp_path])

    return judge


@pytest.mark.parametrize("judgement", ["", "  # noqa: S105 - another rule", "  # nosec"])
def test_a_finding_of_bandit_without_a_judgement(judge, judgement):
    (fault,) = judge(QUERY + judgement)

    assert "code.py:1: B608 Possible SQL injection" in fault
    assert REASON not in fault


@pytest.mark.parametrize("judgement", ["noqa: S608", "nosec B608", "noqa: S608 -", "nosec B608:"])
def test_a_judgement_without_a_reason(judge, judgement):
    (fault,) = judge(f"{QUERY}  # {judgement}")

    assert fault.endswith(REASON)


@pytest.mark.parametrize(
    "judgement", ["noqa: S608 - it is quoted", "nosec B608: it is quoted", "noqa: E501, S608 - x y"]
)
def test_a_judgement_with_a_reason(judge, judgement):
    assert judge(f"{QUERY}  # {judgement}") == []


def test_code_that_bandit_cannot_read_is_a_finding(judge):
    (fault,) = judge("def (")

    assert "syntax error" in fault


@pytest.fixture
def baseline(monkeypatch, tmp_path):
    monkeypatch.setattr(scan, "ROOT", tmp_path)
    monkeypatch.setattr(scan, "MEMORY", tmp_path / "var" / "scanned.json")
    monkeypatch.setattr(scan, "BASELINE", tmp_path / ".secrets.baseline")
    (tmp_path / ".gitignore").write_text("var/\n")
    git(tmp_path, "init", "--quiet")
    return tmp_path / ".secrets.baseline"


def test_a_secret_is_found_until_it_is_judged_wherever_it_moves(baseline, tmp_path):
    key = "AKIA" + "IOSFODNN7" + "ZEBRAXY"
    (tmp_path / "settings.py").write_text(f'KEY = "{key}"\n')

    faults = scan.find_unjudged_secrets(scan.find_secrets())
    scan.write_baseline(scan.find_secrets())
    (tmp_path / "settings.py").write_text(f'\n\nKEY = "{key}"\n')
    judged = scan.find_unjudged_secrets(scan.find_secrets())
    (tmp_path / "settings.py").write_text(f'KEY = "{key[:-1]}W"\n')
    changed = scan.find_unjudged_secrets(scan.find_secrets())

    assert faults == ["settings.py:1: AWS Access Key. If it is none: python -m tests.scan --accept"]
    assert judged == []
    assert len(changed) == 1
    assert key not in baseline.read_text()


def test_made_up_passwords_are_for_tests(baseline, tmp_path):
    (tmp_path / "tests").mkdir()
    for name in ("tests/conftest.py", "code.py"):
        (tmp_path / name).write_text('PASSWORD = "correct horse ' + '7 battery"\n')

    assert list(scan.find_secrets()) == ["code.py"]


def test_one_reason_is_enough_for_a_password(baseline, tmp_path):
    password = 'PASSWORD = "correct horse ' + '7 battery"'
    (tmp_path / "judged.py").write_text(f"{password}  # noqa: S105 - a file\n")
    (tmp_path / "bare.py").write_text(f"{password}  # noqa: S105\n")

    assert list(scan.find_secrets()) == ["bare.py"]


def test_vulnerabilities_that_are_known(monkeypatch):
    answer = {
        "dependencies": [
            {"name": "django", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}]},
            {"name": "numpy", "version": "2.0", "vulns": []},
        ]
    }
    done = subprocess.CompletedProcess([], 1, json.dumps(answer), "")
    monkeypatch.setattr(subprocess, "run", lambda *arguments, **options: done)

    assert scan.find_vulnerabilities() == (["django 1.0: PYSEC-1, mended in ['1.1']"], "")


def test_vulnerabilities_that_cannot_be_looked_up(monkeypatch):
    done = subprocess.CompletedProcess([], 1, "", "Traceback\nConnectionError: no route to osv.dev\n")
    monkeypatch.setattr(subprocess, "run", lambda *arguments, **options: done)

    assert scan.find_vulnerabilities() == ([], "ConnectionError: no route to osv.dev")
