"""The files between the steps: JSON, and CSV whose rows are dataclasses of text, numbers and lists of words.

Chapter: Building a dataset.
"""

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

from advance_lib.cache import UserError, written_whole


@dataclass(frozen=True)
class Place:
    """Where a recording was made that has a clip (``clips.csv``) or a photograph (``photographs.csv``).

    Attributes:
        id: number of the recording.
        latitude: in degrees.
        longitude: in degrees.
    """

    id: int
    latitude: float
    longitude: float


@dataclass(frozen=True)
class Label:
    """What the rules suggest for a place (``labels.csv``).

    Attributes:
        id: number of the recording.
        suggestion: a scene, or ``""``.
        reason: the tags that led to it.
        review: ``"tie"``, ``"no match"`` or ``""``.
    """

    id: int
    suggestion: str
    reason: str
    review: str


@dataclass(frozen=True)
class LeftOut:
    """A place or pair that is not used (``left_out.csv``).

    Attributes:
        step: that left it out.
        id: number of the recording, or id of the sibling.
        reason: why.
    """

    step: str
    id: str
    reason: str


def _cell(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(value)
    return " ".join(value.split()) if isinstance(value, str) else repr(value)  # a title of two lines stays one row


def write_table(path: Path, kind: type, rows: Iterable[object]) -> None:
    """Write rows of one dataclass as CSV, whole or not at all; white space in texts becomes single blanks."""
    names = [field.name for field in fields(kind)]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(getattr(row, name)) for name in names] for row in rows)
    with written_whole(path) as partial:
        partial.write_bytes(text.getvalue().encode())


def _value(kind: type, cell: str) -> object:
    return kind(cell) if kind in (str, int, float) else tuple(cell.split())


def read_table(path: Path, kind: type) -> list:
    """Read the rows that `write_table` wrote.

    Args:
        path: of the table.
        kind: the dataclass of its rows, with fields of type str, int, float or tuple of words.

    Raises:
        UserError: no such table, or not one of such rows.
    """
    types = {field.name: field.type for field in fields(kind)}
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return [
                kind(**{name: _value(type_, cells[name]) for name, type_ in types.items()})
                for cells in csv.DictReader(file)
            ]
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run the steps before this one first") from None
    except (KeyError, ValueError, TypeError, AttributeError, csv.Error) as error:
        raise UserError(f"{path}: not the table that its step writes ({error!r}); let the step run again") from None


def read_json(path: Path) -> object:
    """Read what `cache.write_json` wrote.

    Raises:
        UserError: no such file, or a damaged one.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run the steps before this one first") from None
    except ValueError:
        raise UserError(f"{path}: damaged; remove it, and it is made again") from None
