"""A room imports only from rooms above it."""

import ast

import pytest

from advance_lib.cache import PACKAGE

# `miniature`, `construct`, `models` and `training` do not know each other: they stand on one floor.
FLOORS = [
    {"cache"},
    {"data"},
    {"miniature", "construct", "models", "training"},
    {"transfer"},
    {"experiments"},
    {"analysis"},
    {"figures"},
    {"cli"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
# The engine is written for one network's outputs and its blocks, and the rendered world for published numbers.
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def rooms_imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [name.name for name in node.names] if isinstance(node, ast.Import) else []
        if names == ["advance_lib"]:
            names = [f"advance_lib.{name.name}" for name in node.names if name.name != "__version__"]
        yield from (name.split(".")[1] for name in names if name.startswith("advance_lib."))


def test_every_entry_has_a_floor():
    entries = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if not path.name.startswith("_")}
    assert entries == set(FLOOR)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_room_imports_from_floors_below_it(path):
    room = room_of(path)
    assert all(other == room or FLOOR[other] < FLOOR[room] for other in rooms_imported(path))
