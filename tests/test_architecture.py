"""The pictures of docs/architecture.md show the rooms and arrows that the code has."""

import re
from collections import defaultdict

import pytest

from tests.clone.repositories import IS_TEMPLATE
from tests.house import House, is_within
from tests.optional import is_dropped
from tests.test_layers import FIXED_NAMES

PAGE = House().root / "docs" / "architecture.md"
PICTURE = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NODE = re.compile(r'(\w+)\["(?:.*<br>)?([\w./*]+)"\]')
ARROW = re.compile(r"^ *(\w+) --> ([\w &]+)$", re.MULTILINE)

SETTINGS = "project.settings"  # it lists apps and imports none
OBVIOUS = ("management", "migrations", "templatetags")


def list_pictures():
    return PICTURE.findall(PAGE.read_text())


def read_picture(text):
    """Return the rooms of a picture by the short names that its arrows use, and the arrows; both dotted."""
    rooms = {name: label.strip("/").replace("/", ".") for name, label in NODE.findall(text)}
    arrows = {(one, other) for one, others in ARROW.findall(text) for other in others.split(" & ")}
    return rooms, {(rooms[one], rooms[other]) for one, other in arrows}


def find_room(module, rooms):
    return max((room for room in rooms if is_within(module, room)), key=len, default=None)


def find_arrows(house, rooms):
    """Return which rooms import which, without the arrows that others imply (a -> c beside a -> b -> c)."""
    below = defaultdict(set)
    for found in house.imports:
        inside = found.module.removeprefix(f"{house.get_app(found.module)}.").split(".")[0]
        if found.module == SETTINGS or inside in FIXED_NAMES:
            continue
        one, other = find_room(found.module, rooms), find_room(found.target, rooms)
        if one and other and one != other:
            below[one].add(other)

    def list_reached(room, seen):
        for after in below[room] - seen:
            seen.add(after)
            list_reached(after, seen)
        return seen

    implied = {
        (one, far) for one in rooms for near in below[one] for far in list_reached(near, {near}) - {near}
    }
    return {(one, other) for one in rooms for other in below[one]} - implied


def draw(arrows):
    return "\n".join(sorted(f"{one} --> {other}" for one, other in arrows))


@pytest.mark.parametrize("number", range(len(list_pictures())))
def test_a_picture_shows_the_arrows_that_the_imports_make(number):
    house = House()
    rooms, arrows = read_picture(list_pictures()[number])
    kept = {room for room in rooms.values() if any(is_within(module, room) for module in house.paths)}

    shown = {arrow for arrow in arrows if kept.issuperset(arrow)}
    assert draw(shown) == draw(find_arrows(house, kept))


@pytest.mark.skipif(not IS_TEMPLATE, reason="the apps of a clone are its own")
def test_every_room_of_the_pictures_exists_and_every_app_is_in_one():
    house = House()
    rooms = {room for text in list_pictures() for room in read_picture(text)[0].values()}

    gone = {room for room in rooms if not any(is_within(module, room) for module in house.paths)}
    assert {room for room in gone if not is_dropped(room.replace(".", "/"))} == set()
    assert {app for app in house.apps if not any(is_within(app, room) for room in rooms)} == set()


@pytest.mark.skipif(not IS_TEMPLATE, reason="the apps of a clone are its own")
def test_a_folder_that_holds_code_has_a_line():
    house = House()
    page = PAGE.read_text()
    files = [path for path in house.paths.values() if path.name != "__init__.py"]
    folders = {path.parent.relative_to(house.root) for path in files}
    folders = {folder for folder in folders if not {"commands", *OBVIOUS} & set(folder.parts)}

    assert {f for f in folders if not re.search(rf"^ +[\w/]*{f.name}/ ", page, re.MULTILINE)} == set()
