"""Carries out how-tos, read from the pages, in copies of the project: `make test-howtos`.

What is carried out: every command of a shell block, every block that has a title, and a line of the list of
apps. The title is the name of a file, or `manage.py shell`. A file that is there gets the block at its end.
"""

import os
import re
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

from tests.clone.howto import read_blocks, read_commands, read_settings_line
from tests.clone.repositories import copy_project, edit, git
from tests.howtos.installation import Databases, Installation
from tests.howtos.pages import FROM_A_CLONE, PAGES, RUNNING, SHELL, is_left_out

EXAMPLE = '    "apps.articles",\n'


def carry_out(page, here, there=None):
    """Do what a page says in an installation; what it says of another one, there."""
    print(page)
    text = ""
    blocks = read_blocks(page)
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        if block.title == SHELL:
            text += block.text
            if not following or following.title != SHELL:  # what follows at once goes on in the same shell
                printed = here.run(f"python {SHELL}", text)
                here.environment["KEY"] = printed.strip().rpartition("\n")[2]
                text = ""
        elif block.title:
            write(block, here.folder)
        elif block.language == "text":
            edit(here.folder / "project" / "settings.py", EXAMPLE, EXAMPLE + read_settings_line(page))
        elif block.language == "sh":
            run_commands(page, read_commands(block), here, there)
    here.stop()


def run_commands(page, commands, here, there):
    for name in RUNNING.get(page, []):
        if not here.processes:
            here.start(name)
    for command in commands:
        if is_left_out(page, command):
            continue
        if page == FROM_A_CLONE and command.endswith("articles zero"):
            carry_out("new-app.md", here)  # as its part 4 says
        if page == FROM_A_CLONE and command.startswith("git rm"):
            edit(here.folder / "project" / "settings.py", EXAMPLE, "")
        is_there = page == "bundles.md" and "import_tenant" in command and "--subdomain" not in command
        (there if is_there else here).run(command)


def write(block, folder):
    """Write a file, or add to one that is there; with dots in its name, it is a migration to be completed."""
    path = folder / block.title
    if "..." in block.title:
        (path,) = folder.glob(block.title.replace("...", "*"))
        imports, _, operations = block.text.partition("operations = [\n")
        operation = operations.splitlines()[-2].strip()
        before, end, after = path.read_text().rpartition("\n    ]\n")  # of the operations
        text = f"{before}\n        {operation}{end}{after}"
        path.write_text(re.sub(r"^(?=class Migration)", imports, text, flags=re.MULTILINE))
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(f"\n\n{block.text}" if path.stat().st_size else block.text)


def main():
    """Carry the pages out; exit with the first command that fails."""
    name = f"howtos_{os.getpid()}"
    wanted = sys.argv[1:] or [*PAGES, FROM_A_CLONE]
    with tempfile.TemporaryDirectory(prefix="howtos-") as parent, Databases() as databases:
        project = copy_project(Path(parent) / "project")
        if wanted != [FROM_A_CLONE]:
            here = Installation(project, databases.make(name))
            there = Installation(project, databases.make(f"{name}_there"))
            there.run("python manage.py migrate_schemas")
            for page in PAGES:
                if page in wanted or page == PAGES[0]:  # which makes the tenant
                    carry_out(page, here, there)
        if FROM_A_CLONE in wanted:
            own = Path(parent) / "own.git"
            git(Path(parent), "init", "--quiet", "--bare", own)
            clone = Installation(Path(parent), databases.make(f"{name}_clone"))
            clone.words |= {"ADDRESS-OF-THE-TEMPLATE": project, "ADDRESS-OF-YOUR-OWN-REPOSITORY": own}
            carry_out(FROM_A_CLONE, clone)
    print("All of it ended well.")


if __name__ == "__main__":
    main()
