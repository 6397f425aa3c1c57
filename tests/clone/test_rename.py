import json
import tomllib

import pytest

from project.rename import PLACES, RenameError, make_package_name, rename
from tests.clone.repositories import IS_TEMPLATE, PACKAGE, ROOT, commit, copy_project, git, list_files, python

TITLE = (ROOT / "README.md").read_text().splitlines()[0].removeprefix("# ")
MAY_NAME_THE_TEMPLATE = {"CHANGELOG.md", "LICENSE", "docs/upgrading.md"}  # LICENSE: its notice must be kept


@pytest.fixture
def project(tmp_path):
    """A repository of the files that hold the name."""
    return copy_project(tmp_path, [ROOT / place.path for place in PLACES if place.path != ".env"])


def find_name(project, *names):
    """Return the files that name the project, but those that may name the template."""
    found = set()
    for path in list_files(project):
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        if any(name in text for name in names):
            found.add(str(path.relative_to(project)))
    return found - MAY_NAME_THE_TEMPLATE


@pytest.mark.slow
def test_a_renamed_project_works_under_its_new_name(tmp_path):
    project = copy_project(tmp_path)

    printed = python(project, "-m", "project.rename", "Zebra Cloud")

    assert f"README.md: {TITLE} -> Zebra Cloud" in printed
    assert "make-it-yours.md" in printed
    assert "has no name" not in printed
    assert tomllib.loads((project / "pyproject.toml").read_text())["project"]["name"] == "zebra-cloud"
    assert json.loads((project / ".devcontainer" / "devcontainer.json").read_text())["name"] == "Zebra Cloud"
    assert 'SITE_NAME="Zebra Cloud"' in (project / ".env.example").read_text()
    shown = python(project, "-c", "import project.settings as s; print(s.SITE_NAME)")
    assert shown.strip() == "Zebra Cloud"
    commit(project, "Name the project")
    python(project, "manage.py", "check")
    tests = ["-k", "not migrations", "tests/test_settings.py"]
    python(project, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)


@pytest.mark.skipif(not IS_TEMPLATE, reason="a clone names itself where it likes")
def test_the_name_stands_only_where_renaming_finds_it():
    named = {place.path for place in PLACES if not place.is_contact}
    assert find_name(ROOT, TITLE, PACKAGE) == named - {".env"}


def test_a_project_is_renamed_again(project):
    rename(project, "Search")
    commit(project, "Name it")

    lines = rename(project, "Größe & Söhne")

    assert "README.md: Search -> Größe & Söhne" in lines
    assert "pyproject.toml: search -> grosse-sohne" in lines
    commit(project, "Name it again")
    assert not any("Größe ->" in line for line in rename(project, "Größe & Söhne"))
    assert git(project, "status", "--porcelain") == ""


def test_a_clone_names_who_hears_of_vulnerabilities(project):
    kept = rename(project, "Zebra")
    commit(project, "Name it")

    lines = rename(project, "Zebra", contact="security@zebra.example")

    assert not any(line.startswith("SECURITY.md") for line in kept)
    assert any(
        line.startswith("SECURITY.md: ") and line.endswith("-> security@zebra.example") for line in lines
    )
    assert "Write to <security@zebra.example>." in (project / "SECURITY.md").read_text()


@pytest.mark.parametrize("contact", ["zebra", "a b@zebra.example", "<x@zebra.example>", "x@zebra"])
def test_a_contact_that_is_no_address_is_refused(project, contact):
    with pytest.raises(RenameError, match=r"it must be an e-mail address, such as security@acme\.example"):
        rename(project, "Zebra", contact=contact)


def test_a_place_that_was_deleted_is_passed_over(project):
    (project / "README.md").write_text("No heading.\n")
    (project / ".devcontainer" / "devcontainer.json").unlink()
    commit(project, "Leave the name out")

    lines = rename(project, "Zebra")

    assert "README.md: has no name, left as it is" in lines
    assert ".devcontainer/devcontainer.json: there is no such file" in lines
    assert (project / "README.md").read_text() == "No heading.\n"


def test_changes_that_are_not_committed_are_not_mixed_with_the_renaming(project):
    (project / "README.md").write_text("# My text\n")

    with pytest.raises(RenameError, match=r"not committed\. Commit or undo them first:\n M README\.md"):
        rename(project, "Zebra")

    assert git(project, "diff", "--name-only").split() == ["README.md"]


def test_a_folder_without_git_is_refused(tmp_path):
    with pytest.raises(RenameError, match=r"is not a git repository, so there would be no way back"):
        rename(tmp_path, "Zebra")


@pytest.mark.parametrize("title", ["", " ", "x" * 61, 'Say "hi"', "a\\b", "$HOME", "a\nb", "{{ x }}", "<b>"])
def test_a_name_that_a_file_cannot_hold_is_refused(project, title):
    with pytest.raises(RenameError, match=r"^NAME is .*; it must have 1 to 60 characters"):
        rename(project, title, "zebra")

    assert git(project, "status", "--porcelain") == ""


@pytest.mark.parametrize("package", ["Zebra", "zebra_cloud", "-zebra", "zebra--cloud", "zébra"])
def test_a_package_name_that_cannot_work_is_refused(project, package):
    with pytest.raises(RenameError, match=r"^PACKAGE is .*; it must consist of a-z, 0-9 and single hyphens"):
        rename(project, "Zebra", package)


@pytest.mark.parametrize(
    ("title", "package"),
    [("Acme Cloud", "acme-cloud"), ("Café & Co.", "cafe-co"), ("R2D2", "r2d2"), ("東京", "")],
)
def test_a_package_name_is_made_of_letters_digits_and_hyphens(title, package):
    assert make_package_name(title) == package
