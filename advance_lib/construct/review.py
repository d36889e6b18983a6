"""What people say about the suggested labels: one table that any spreadsheet can open (section 3).

The paper's labels "have manually been corrected and verified by participants". Here a row is a place. An empty cell
in the column ``scene`` leaves the suggestion as it is, the name of a scene confirms or corrects it, and ``none`` leaves
the place out of the dataset. Rows may be sorted at will; the column ``note`` is free.

Chapter: Building a dataset.
"""

import csv
import io
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from advance_lib.cache import UserError, written_whole
from advance_lib.data.published import SCENES
from advance_lib.data.tables import read_rows

LEAVE_OUT = "none"


@dataclass(frozen=True)
class Row:
    """One place to review; every field is text.

    Attributes:
        id: of the recording.
        suggestion: the scene that the rules suggest, or ``""``.
        reason: the tags that led to it.
        review: ``"tie"`` or ``"no match"`` where the rules suggest none.
        scene: what people say: a scene, `LEAVE_OUT`, or ``""`` for nothing yet.
        note: of people to people.
        name: title of the recording.
        url: its page.
    """

    id: str
    suggestion: str
    reason: str
    review: str
    scene: str = ""
    note: str = ""
    name: str = ""
    url: str = ""

    @property
    def label(self) -> str:
        """The scene that the place gets, or ``""`` where it gets none."""
        return "" if self.scene == LEAVE_OUT else self.scene or self.suggestion


COLUMNS = tuple(field.name for field in fields(Row))


def write_review(path: Path, rows: Iterable[Row]) -> None:
    """Write the table, whole or not at all."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([COLUMNS, *map(astuple, rows)])
    with written_whole(path) as partial:
        partial.write_bytes(text.getvalue().encode("utf-8-sig"))  # the mark tells Excel that this is UTF-8


def _plain(scene: str) -> str:
    return " ".join(scene.replace("_", " ").lower().split())


def read_review(
    path: Path, suggestions: Mapping[str, str] | None = None, scenes: Collection[str] = SCENES
) -> list[Row]:
    """Read the table that people have edited.

    Args:
        path: as `write_review` wrote it, or as a spreadsheet saved it.
        suggestions: of the places that it must have, no more and no less, by id; None for whatever it has.
        scenes: the names that the column ``scene`` may hold, besides `LEAVE_OUT`.

    Returns:
        Its rows in its order.

    Raises:
        UserError: no such table, or the rows that cannot be used, with what they may say.
    """
    try:
        header, records = read_rows(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; the step review writes it") from None
    if missing := [name for name in ("id", "suggestion", "scene") if name not in header]:
        raise UserError(f"{path}: no column '{missing[0]}'; its first row must be {','.join(COLUMNS)}")
    rows, problems = [], []
    for number, cells in records.items():
        row = {name: cells.get(name, "") for name in COLUMNS}
        row |= {"id": row["id"].strip(), "scene": _plain(row["scene"])}
        if row["scene"] not in ("", LEAVE_OUT, *scenes):
            problems.append(
                f"row {number} (id {row['id']}): unknown scene '{cells['scene']}'; known are {', '.join(scenes)}, "
                f"and {LEAVE_OUT} to leave the place out"
            )
        if suggestions is not None and row["suggestion"] != suggestions.get(row["id"], row["suggestion"]):
            problems.append(
                f"row {number} (id {row['id']}): '{row['suggestion']}' was not suggested; corrections go into the "
                "column scene, and the step review renews suggestions"
            )
        rows.append(Row(**row))
    found = Counter(row.id for row in rows)
    problems += [f"id {name} has {count} rows; keep one" for name, count in found.items() if count > 1]
    if suggestions is not None:
        problems += [
            f"no row for id {name}; put it back, with {LEAVE_OUT} as scene to leave the place out, or let the step "
            "review add it"
            for name in suggestions
            if name not in found
        ]
        problems += [f"id {name} is none of the places; remove its row" for name in found if name not in suggestions]
    if problems:
        raise UserError(f"{path}: {len(problems)} problem(s):\n  " + "\n  ".join(problems))
    return rows


def merged(new: Iterable[Row], earlier: Iterable[Row]) -> list[Row]:
    """Return new rows with what people said in earlier ones; the places without a suggestion come first."""
    said = {row.id: (row.scene, row.note) for row in earlier}
    rows = []
    for row in new:
        scene, note = said.get(row.id, ("", ""))
        # A spreadsheet would compute a title that starts like a formula.
        name = "'" + row.name if row.name.startswith(("=", "+", "-", "@")) else row.name
        rows.append(Row(row.id, row.suggestion, row.reason, row.review, scene, note, name, row.url))
    return sorted(rows, key=lambda row: (row.suggestion != "", int(row.id)))
