import sys

import pytest

from project import installing

LOCK = "one==1 \\\n    --hash=sha256:0\ntwo[extra]==2 \\\n    --hash=sha256:0\n"


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install two packages with a pip that says these lines and ends with this status."""

    def run(*lines, status=0):
        (tmp_path / "lock.txt").write_text(LOCK)
        python = tmp_path / "python"
        python.write_text(f"#!/bin/sh\nprintf '%s\\n' {' '.join(map(repr, lines))}\nexit {status}\n")
        python.chmod(0o755)
        monkeypatch.setattr(sys, "argv", ["installing", str(python), str(tmp_path / "lock.txt")])
        installing.main()

    return run


def test_a_log_is_told_how_far_it_is_and_nothing_of_what_pip_says(install, capsys):
    install("WARNING: a warning", "Collecting one==1", "Installing collected packages: one, two")

    assert capsys.readouterr().out == "  unpacking them\n  done\n"


def test_a_terminal_sees_each_package(install, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)

    install("Collecting one==1", "Ignoring two: markers 'os' do not match")

    assert "\r  1 of 2 packages" in (out := capsys.readouterr().out)
    assert "\r  2 of 2 packages" in out


def test_what_pip_says_is_shown_where_it_fails(install):
    with pytest.raises(SystemExit, match=r"(?s)THE HASHES DIFFER.*pip could not install .*lock\.txt"):
        install("Collecting one==1", "ERROR: THE HASHES DIFFER", status=1)
