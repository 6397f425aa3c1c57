"""What a benchmark is compared with, installed in an environment of its own: the project knows none of it."""

import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class PeerEnvironment:
    """A virtual environment below `var/` with some packages."""

    name: str
    packages: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Where it is."""
        return ROOT / "var" / self.name

    @property
    def python(self) -> Path:
        """Its Python."""
        return self.folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")

    @property
    def is_installed(self) -> bool:
        """Whether `install` succeeded once with these packages."""
        complete = self._complete
        return complete.exists() and complete.read_text() == "\n".join(self.packages)

    def install(self) -> str:
        """Install the packages unless they are there; return pip's last message where that fails, else ""."""
        if self.is_installed:
            return ""
        print(
            f"Installing {', '.join(self.packages[:2])} into {self.folder.relative_to(ROOT)} ...", flush=True
        )
        venv.create(self.folder, with_pip=True, clear=True)
        pip = [str(self.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        done = subprocess.run([*pip, *self.packages], capture_output=True, text=True, check=False)
        if done.returncode:
            return (done.stderr.strip().splitlines() or ["no message"])[-1]
        self._complete.write_text("\n".join(self.packages))
        return ""

    def run(self, module: str, order: str) -> subprocess.CompletedProcess[str]:
        """Run a module of the tests there with a text to read; what it prints is kept, errors are shown."""
        command = [str(self.python), "-m", module]
        return subprocess.run(command, cwd=ROOT, input=order, stdout=subprocess.PIPE, text=True, check=False)

    @property
    def _complete(self) -> Path:
        return self.folder / "installed"  # what is installed, written last
