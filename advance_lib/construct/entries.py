"""One entry of a server's list: its fields, each of the type that it should have; what is odd is said by name.

Chapter: Building a dataset.
"""

import json
import sys
from typing import TypeVar

LONGEST = 10_000  # letters of a text; far longer ones would not fit a table's cell
NAMES = {str: "a text", int: "a whole number", float: "a number", dict: "an object", list: "a list"}
T = TypeVar("T", str, int, float, dict, list)


class OddEntry(ValueError):
    """An entry that cannot be used; the message says why, in the same words at every run."""


def shown(value: object) -> str:
    """Return a value of a server's answer in one short line."""
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def typed(value: object, kind: type[T], name: str) -> T:
    """Return a value that has the right type.

    Args:
        value: of a server's answer.
        kind: ``str``, ``int``, ``float``, ``dict`` or ``list``, as in JSON: a whole number is a ``float`` as well, what
            is not finite is none; a text can be written as UTF-8, and is not endless.
        name: of the value, for the message.

    Raises:
        OddEntry: it has another type.
    """
    fits = isinstance(value, (int, float) if kind is float else kind) and not isinstance(value, bool)
    if fits and kind in (int, float):
        fits = abs(value) <= (sys.float_info.max if kind is float else sys.maxsize)
    if fits and kind is str:
        fits = len(value) <= LONGEST and not any("\ud800" <= letter <= "\udfff" for letter in value)
    if not fits:
        raise OddEntry(f"{name} is {shown(value)}, not {NAMES[kind]}")
    return value


def field(entry: object, name: str, kind: type[T]) -> T:
    """Return a field of an entry; arguments and errors as those of `typed`."""
    if name not in typed(entry, dict, "the entry"):
        raise OddEntry(f"it has no {name}")
    return typed(entry[name], kind, name)


def on_earth(latitude: float, longitude: float) -> tuple[float, float]:
    """Return latitude and longitude, in degrees, as they are; raise OddEntry for what is nowhere on the Earth."""
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        raise OddEntry(f"latitude {latitude:g}, longitude {longitude:g} is nowhere on the Earth")
    return latitude, longitude
