"""Give the project its own name: `make rename NAME="Acme Cloud"`. Needs nothing but Python and git.

The Python packages keep their names (project, tenants, apps), so that later versions of the template merge.
"""

import argparse
import re
import subprocess
import sys
import unicodedata
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REFUSED = re.compile(r'["\\$`{}<>]|[^ -~\u00a0-\uffff]')  # each would end a quoted text in one of the files
NEXT = """
Next:
  1. Look at it: git diff. Then: make test
  2. Commit it: git commit --all --message "Name the project {title}"
  3. SECURITY.md: CONTACT is the address for reports; read what else it promises in your name.
  4. docs/search.png still shows the former name: take a picture of your own site.
  5. LICENSE: leave the template's notice, as it asks for; add a line of your own.
  6. Go on with docs/how-to/make-it-yours.md.
"""


@dataclass(frozen=True)
class Place:
    """One place that holds the name: the group `name` of `pattern` in the file `path`."""

    path: str
    pattern: str
    is_package: bool = False
    is_contact: bool = False


# A test makes sure that the name stands nowhere else.
PLACES = (
    Place("pyproject.toml", r'^name = "(?P<name>[^"]*)"', is_package=True),
    Place("docker-compose.yml", r"\$\{APP_IMAGE:-(?P<name>[^}]*)\}", is_package=True),
    Place("project/settings.py", r'env\("SITE_NAME", default="(?P<name>[^"]*)"\)'),
    Place(".env.example", r'^SITE_NAME="(?P<name>[^"]*)"'),
    Place(".env", r'^SITE_NAME="(?P<name>[^"]*)"'),
    Place(".devcontainer/devcontainer.json", r'^  "name": "(?P<name>[^"]*)"'),
    Place("mkdocs.yml", r'^site_name: "(?P<name>[^"]*)"'),
    Place("README.md", r"\A# (?P<name>.*)$"),
    Place("SECURITY.md", r"^Write to <(?P<name>[^>]*)>", is_contact=True),
)


class RenameError(Exception):
    """The project cannot be renamed; the message says why and what to do."""


def make_package_name(title: str) -> str:
    """Return the title as the name of a Python distribution and of a container image: `acme-cloud`."""
    ascii_only = unicodedata.normalize("NFKD", title.casefold()).encode("ascii", "ignore").decode()
    return "-".join(re.findall(r"[a-z0-9]+", ascii_only))


def rename(root: Path, title: str, package: str = "", contact: str = "") -> list[str]:
    """Write the name into every place below `root`; return one line for each place. Raises RenameError.

    `contact` is where people report vulnerabilities. Without one, the address that is there stays.
    """
    title = title.strip()
    package = package or make_package_name(title)
    if not title or len(title) > 60 or REFUSED.search(title):
        raise RenameError(
            f'NAME is {title!r}; it must have 1 to 60 characters, none of them " \\ $ ` {{ }} < >. '
            'Try: make rename NAME="Acme Cloud"'
        )
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", package):
        raise RenameError(
            f"PACKAGE is {package!r}; it must consist of a-z, 0-9 and single hyphens between them. "
            f'Try: make rename NAME="{title}" PACKAGE=acme-cloud'
        )
    if contact and not re.fullmatch(r"[^@<>\s]+@[^@<>\s]+\.[^@<>\s]+", contact):
        raise RenameError(
            f"CONTACT is {contact!r}; it must be an e-mail address, such as security@acme.example."
        )
    _require_clean_tree(root)
    places = [place for place in PLACES if contact or not place.is_contact]
    names = [contact if place.is_contact else package if place.is_package else title for place in places]
    return [_write(root, place, name) for place, name in zip(places, names, strict=True)]


def _require_clean_tree(root: Path) -> None:
    try:
        command = ["git", "-C", str(root), "status", "--porcelain", "--untracked-files=no"]
        status = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 - git, with the folder of this checkout
    except (OSError, subprocess.CalledProcessError) as error:
        raise RenameError(
            f"{root} is not a git repository, so there would be no way back. Run `git init` and commit first."
        ) from error
    if status:
        raise RenameError(f"There are changes that are not committed. Commit or undo them first:\n{status}")


def _write(root: Path, place: Place, name: str) -> str:
    path = root / place.path
    if not path.exists():
        return f"{place.path}: there is no such file"
    text = path.read_text(encoding="utf-8")
    found = re.search(place.pattern, text, re.MULTILINE)
    if found is None:
        return f"{place.path}: has no name, left as it is"
    if found["name"] == name:
        return f"{place.path}: is {name} already"
    path.write_text(text[: found.start("name")] + name + text[found.end("name") :], encoding="utf-8")
    return f"{place.path}: {found['name']} -> {name}"


def main() -> None:
    """Rename the project in this folder, and say what to do next."""
    parser = argparse.ArgumentParser(prog="make rename", description=__doc__)
    parser.add_argument("title", help="the name that people read, such as 'Acme Cloud'")
    parser.add_argument("--package", default="", help="name of package and image; default: from the title")
    parser.add_argument("--contact", default="", help="the e-mail address for reports of vulnerabilities")
    arguments = parser.parse_args()
    try:
        lines = rename(ROOT, arguments.title, arguments.package, arguments.contact)
    except RenameError as error:
        sys.exit(str(error))
    print(*lines, NEXT.format(title=arguments.title.strip()), sep="\n")


if __name__ == "__main__":
    main()
