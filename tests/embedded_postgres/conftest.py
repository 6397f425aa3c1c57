import shutil
import tempfile
from pathlib import Path

import pytest

from project import embedded_postgres


def reset(top):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMBEDDED_POSTGRES_DIR", str(top))
        embedded_postgres.reset()


@pytest.fixture(scope="session")
def folder():
    # Not tmp_path: run by root, the server is somebody else's, who must be able to enter the folder.
    path = Path(tempfile.mkdtemp(prefix="pg-test-")).resolve()
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def use(monkeypatch):
    used = []

    def choose(top):
        used.append(top)
        monkeypatch.setenv("EMBEDDED_POSTGRES_DIR", str(top))
        return top

    yield choose
    for top in used:
        reset(top)


@pytest.fixture(scope="session")
def shared_top(folder):
    yield folder / "shared"
    reset(folder / "shared")


@pytest.fixture
def top(shared_top, monkeypatch):
    monkeypatch.setenv("EMBEDDED_POSTGRES_DIR", str(shared_top))
    embedded_postgres.start()
    return shared_top
