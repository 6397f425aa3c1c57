"""Reads the house: its modules and what each of them imports, for the tests of layers and of pictures."""

import ast
import re
from collections import defaultdict
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

from django.conf import settings

TOPS = ("project", "tenants", "apps")
DOTTED = re.compile(rf"({'|'.join(TOPS)})(\.\w+)+")


class Import(NamedTuple):
    """One module names another, at the top, inside a function, or in a string such as import_string's."""

    module: str
    line: int
    target: str
    is_string: bool


class House:
    """The modules below some folders. `imports` holds what they import of each other and of the tests."""

    def __init__(self, root=settings.BASE_DIR, tops=TOPS):
        self.root = Path(root)
        self.paths = {
            self._get_name(path): path for top in tops for path in sorted((self.root / top).rglob("*.py"))
        }

    @cached_property
    def apps(self):
        """The folders that hold an apps.py."""
        return {module.rpartition(".")[0] for module in self.paths if module.endswith(".apps")}

    @cached_property
    def imports(self):
        return [found for module in self.paths for found in self._read_imports(module)]

    def get_app(self, module):
        """Return the app that holds a module, the innermost; "project" is one for our purpose."""
        return max(
            (app for app in self.apps if is_within(module, app)), key=len, default=module.split(".")[0]
        )

    def find_circles(self, imports):
        """Return circles of modules, and of the rooms of each folder; each is a list of names."""
        imports = [found for found in imports if found.target in self.paths]
        circles = [find_circle((found.module, found.target) for found in imports)]
        for folder in sorted({module.rpartition(".")[0] for module in self.paths}):
            arrows = [(get_room(found.module, folder), get_room(found.target, folder)) for found in imports]
            circles.append(find_circle(arrow for arrow in arrows if all(arrow)))
        return [circle for circle in circles if circle]

    def _get_name(self, path):
        parts = path.relative_to(self.root).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def _read_imports(self, module):
        path = self.paths[module]
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        for node in walk_code(ast.parse(path.read_text())):
            for target in self._get_targets(node, package):
                if target.split(".")[0] in (*TOPS, "tests"):
                    yield Import(module, node.lineno, target, isinstance(node, ast.Constant))

    def _get_targets(self, node, package):
        """Return what a node names: `from a import b` is the module a.b when there is one, otherwise a."""
        if isinstance(node, ast.Import):
            return [alias.name for alias in node.names]
        if isinstance(node, ast.Constant):
            is_other = DOTTED.fullmatch(str(node.value)) and not is_within(node.value, self.get_app(package))
            return [node.value] if is_other else []
        above = package.rsplit(".", node.level - 1)[0] if node.level else ""
        base = ".".join(part for part in (above, node.module) if part)
        return [name if (name := f"{base}.{alias.name}") in self.paths else base for alias in node.names]


def walk_code(node):
    """Yield the imports and constants that run, inside functions, too; not those for the type checker."""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.Constant):
        yield node
    is_for_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    for child in node.orelse if is_for_types else ast.iter_child_nodes(node):
        yield from walk_code(child)


def is_within(module, room):
    return module == room or module.startswith(f"{room}.")


def get_room(module, folder):
    """Return which of a folder's files or folders holds a module; "" for the folder itself and outside."""
    if not folder:
        return module.split(".")[0]
    return module.removeprefix(f"{folder}.").split(".")[0] if module.startswith(f"{folder}.") else ""


def find_circle(arrows):
    """Return the names along a circle, or None."""
    graph = defaultdict(set)
    for one, other in arrows:
        if one != other:
            graph[one].add(other)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return None
