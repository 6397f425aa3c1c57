"""How an app adds to the house: in modules with fixed names, found as Django finds `admin.py`.

An extension point is declared once, where its modules are used, and loaded with `load()`:

    POINT = ExtensionPoint("doctor", find_fault)

Every installed app may have a module of that name. A system check (tenants.E011) names each app whose module
does not keep the form. Leaving an app out of INSTALLED_APPS leaves out all that it adds. Django's own apps
are passed over: their modules of such names (django.contrib.messages.api) are for something else.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from django.apps import AppConfig, apps
from django.utils.module_loading import module_has_submodule

_points: "list[ExtensionPoint]" = []


@dataclass(frozen=True)
class ExtensionPoint:
    """A module name under which apps add something.

    `find_fault` takes such a module and returns what is wrong with it, in words that follow the module's
    dotted path, such as "must set CHECKS, a list of functions"; "" when it keeps the form.
    """

    name: str
    find_fault: Callable[[ModuleType], str]

    def __post_init__(self) -> None:
        """Let the system check know of it."""
        _points.append(self)

    def load(self) -> list[tuple[AppConfig, Any]]:
        """Import the module of every installed app that has one; in the order of INSTALLED_APPS.

        Raises whatever an app's module raises while it is imported.
        """
        return [
            (config, import_module(f"{config.name}.{self.name}"))
            for config in apps.get_app_configs()
            if not config.name.startswith("django.") and module_has_submodule(config.module, self.name)
        ]

    def find_faults(self) -> Iterator[tuple[AppConfig, str]]:
        """Yield each app whose module does not keep the form, with the reason as a sentence."""
        for config, module in self.load():
            if fault := self.find_fault(module):
                yield config, f"{module.__name__} {fault}."


def list_points() -> list[ExtensionPoint]:
    """Return the extension points that were declared so far."""
    return list(_points)


def list_attribute(attribute: str, wanted: str, is_fit: Callable[[Any], bool]) -> Callable[[ModuleType], str]:
    """Return a `find_fault` for modules that must set `attribute` to a list of fit values."""

    def find_fault(module: ModuleType) -> str:
        values = getattr(module, attribute, None)
        is_list = isinstance(values, list | tuple) and all(map(is_fit, values))
        return "" if is_list else f"must set {attribute}, a list of {wanted}"

    return find_fault
