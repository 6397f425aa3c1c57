import tomllib

import pytest

from tests.clone.howto import read_removed_paths, read_settings_line, write_files
from tests.clone.repositories import IS_TEMPLATE, commit, copy_project, edit, git, python

pytestmark = pytest.mark.skipif(not IS_TEMPLATE, reason="this is a clone already")

NEXT = "9.8.0"  # the version of the template that the clone merges


@pytest.fixture
def template(tmp_path):
    template = copy_project(tmp_path / "template")
    git(template, "tag", "v0")
    return template


@pytest.fixture
def clone(template, tmp_path):
    """A project of its own: renamed, with an app more and without the example."""
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "--no-tags", "--origin=template", template, clone)
    python(clone, "-m", "project.rename", "Zebra Cloud")
    commit(clone, "Name the project")
    write_files("new-app.md", clone)
    edit(clone / "project" / "settings.py", '    "apps.articles",\n', read_settings_line("new-app.md"))
    edit(
        clone / "pyproject.toml",
        "    # What your own product needs",
        '    "holidays>=0.50",\n\n    # What your own product needs',
    )
    with (clone / ".env.example").open("a") as example:
        example.write("\n# Our own\n#RECIPES_OF_THE_DAY=3\n")
    git(clone, "rm", "-r", "--quiet", *read_removed_paths("make-it-yours.md"))
    commit(clone, "Cook")
    return clone


def release(template):
    """Change what a version of the template changes: code, templates, settings, docs, its number."""
    version = tomllib.loads((template / "pyproject.toml").read_text())["project"]["version"]
    edit(template / "pyproject.toml", f'\nversion = "{version}"', f'\nversion = "{NEXT}"')
    edit(template / "pyproject.toml", f'tag = "v{version}"', f'tag = "v{NEXT}"')
    edit(template / "pyproject.toml", '    "zxcvbn>=', '    "zstandard>=1",\n    "zxcvbn>=')
    edit(template / "CHANGELOG.md", "## [Unreleased]\n", f"## [Unreleased]\n\n## [{NEXT}] - 2030-01-01\n")
    lock = template / "requirements" / "base.txt"
    lock.write_text(lock.read_text().replace("django==", "django==6.1.99 # was "))
    settings = template / "project" / "settings.py"
    edit(settings, '    "apps.search_switching",\n', '    "apps.search_switching",\n    "apps.usage",\n')
    edit(settings, "USE_TZ = True\n", 'USE_TZ = True\nX_FRAME_OPTIONS = "SAMEORIGIN"\n')
    for path in (
        "tenants/context.py",
        "apps/search/indexed.py",
        "apps/search/api.py",
        "docs/architecture.md",
        "README.md",
        "docker-compose.yml",
        "mkdocs.yml",
        "Makefile",
    ):
        with (template / path).open("a") as file:
            file.write("\n# One line more\n")
    base = template / "project" / "templates" / "base.html"
    base.write_text(base.read_text().replace("</body>", "<!-- one line more -->\n</body>"))
    commit(template, "Do more")
    git(template, "tag", f"v{NEXT}")


def test_a_clone_merges_a_later_version_without_a_conflict(template, clone):
    release(template)

    git(clone, "fetch", "--quiet", "--no-tags", "template", "+refs/tags/*:refs/tags/template/*")
    git(clone, "merge", "--quiet", "--no-edit", f"template/v{NEXT}")

    project = tomllib.loads((clone / "pyproject.toml").read_text())
    assert (project["project"]["name"], project["project"]["version"]) == ("zebra-cloud", NEXT)
    assert {"holidays>=0.50", "zstandard>=1"} <= set(project["project"]["dependencies"])
    assert project["tool"]["template"]["tag"] == f"v{NEXT}"
    settings = (clone / "project" / "settings.py").read_text()
    assert '"apps.usage",' in settings
    assert '"apps.recipes",' in settings
    assert '"apps.articles",' not in settings
    assert '"Zebra Cloud"' in settings
    assert not (clone / "apps" / "articles").exists()
    assert (clone / "README.md").read_text().startswith("# Zebra Cloud\n")
    assert "# One line more" in (clone / "tenants" / "context.py").read_text()
    assert git(clone, "status", "--porcelain") == ""


def test_a_change_of_the_example_that_a_clone_dropped_is_settled_by_removing_it(template, clone):
    edit(template / "apps" / "articles" / "apps.py", "class ArticlesConfig", "class  ArticlesConfig")
    commit(template, "Change the example")

    git(clone, "fetch", "--quiet", "template")
    with pytest.raises(AssertionError, match=r"CONFLICT \(modify/delete\): apps/articles/apps.py"):
        git(clone, "merge", "--quiet", "--no-edit", "template/main")

    git(clone, "rm", "--quiet", "-r", "apps/articles")
    git(clone, "commit", "--quiet", "--no-edit")
    assert not (clone / "apps" / "articles").exists()
