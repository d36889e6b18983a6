"""What a table beside the files says of each pair: ``pairs.csv``, read as it was meant.

Its column ``id`` (and ``scene``, where ids repeat across scenes) says which pair a line is about. ``location``,
``split``, ``latitude`` and ``longitude`` are used by the catalogue, ``events`` where recordings are listened to; other
columns are carried along.

Chapter: The dataset.
"""

import re
import warnings
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import pandas as pd

from advance_lib.cache import UserError
from advance_lib.data.layout import DatasetError, plainly
from advance_lib.data.tables import read_rows

COLUMNS = ("id", "scene", "location", "split", "events", "latitude", "longitude")
ALIASES = {"location": ("place", "site", "loc"), "split": ("subset", "set", "fold", "partition")}


def _bare(name: str) -> str:
    return re.sub(r"^.*[/\\]|\.\w+$", "", name)


def _short(name: str) -> str:
    return name.removesuffix(".0").lstrip("0")


# What an id looks like in a table that was not meant so: what to do, the id as far as it goes, and that of the file.
MISREADINGS: tuple[tuple[str, Callable[[str], str], Callable[[str], str]], ...] = (
    ("the ids seem to be names of files: write them without folder and suffix", _bare, str),
    (
        "leading zeros seem to be lost, as in spreadsheets: write the ids anew, in cells formatted as text",
        _short,
        _short,
    ),
    (
        "the ids seem to be names of files that lost leading zeros: write them anew, without suffix, formatted as text",
        lambda name: _short(_bare(name)),
        _short,
    ),
)


def _some(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:6]) + (", …" if len(names) > 6 else "")


def _lines(table: Path) -> pd.DataFrame:
    """Return the lines of the table as text without blanks around it, column by column; nothing where it is not."""
    try:
        header, rows = read_rows(table)
    except FileNotFoundError:
        return pd.DataFrame()
    except UserError as error:
        raise DatasetError(str(error)) from None
    if "id" not in header:
        raise DatasetError(
            f"{table}: no column 'id' in its first row ({_some(header)}), which must name the columns: id and, where "
            "they are known, scene, location and split; mend it or remove the table"
        )
    if twice := [name for name in COLUMNS if header.count(name) > 1]:
        raise DatasetError(f"{table}: two columns '{twice[0]}'; keep one")
    columns = [name for name in dict.fromkeys(header) if name]
    return pd.DataFrame([[cells[name].strip() for name in columns] for cells in rows.values()], columns=columns)


def _key(lines: pd.DataFrame) -> list[str]:
    return [name for name in ("scene", "id") if name in lines]


def _named(lines: pd.DataFrame, names: pd.DataFrame) -> list[tuple[str, ...] | None]:
    """Return which name each line is about: the same, or the only one that differs in capitals, blanks and the like."""
    key = _key(lines)
    exact = set(names[key].itertuples(index=False, name=None))
    plain: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for name in exact:
        plain.setdefault(tuple(map(plainly, name)), []).append(name)
    lines = lines[key].itertuples(index=False, name=None)
    found = [[line] if line in exact else plain.get(tuple(map(plainly, line)), []) for line in lines]
    return [alike[0] if len(alike) == 1 else None for alike in found]


def _others(lines: pd.DataFrame) -> list[str]:
    return [name for name in lines if name not in COLUMNS]


def other_columns(folder: Path) -> list[str]:
    """Return the columns of ``pairs.csv`` that nothing reads, in their order; none where there is no such table."""
    return _others(_lines(folder / "pairs.csv"))


def _say_columns(lines: pd.DataFrame, table: Path) -> None:
    """Warn of columns that seem to be meant but are not read under their name."""
    others = _others(lines)
    meant = [
        f"'{other}' (call it '{name}' if that is what it says)"
        for name, aliases in ALIASES.items()
        for other in others
        if name not in lines and (other in aliases or get_close_matches(other, [name], cutoff=0.75))
    ]
    if not meant and not {"location", "split", "events"} & set(lines):
        meant = others  # nothing of the table is used
    if meant:
        warnings.warn(
            f"{table}: column(s) not understood: {_some(meant)}; those that are read are {', '.join(COLUMNS)}",
            stacklevel=4,
        )


def _say_lines(lines: pd.DataFrame, named: list[tuple[str, ...] | None], names: pd.DataFrame, table: Path) -> None:
    """Warn of lines that fit no pair; refuse the table where none fits, or where ids seem to be written otherwise."""
    key, ids = _key(lines), set(names["id"])
    unfit = lines.loc[np.array([name is None for name in named], bool)]
    if unfit.empty:
        return
    said = f"{table}: {len(unfit)} of {len(lines)} lines fit no pair, such as {_called(unfit, key)}"
    unknown = unfit.loc[~unfit["id"].isin(ids), "id"]
    for remedy, as_meant, of_file in MISREADINGS:
        files = set(map(of_file, ids))
        if 2 * sum(as_meant(name) in files for name in unknown) > len(unfit):
            raise DatasetError(f"{said}; a pair is {_called(names.head(1), key)}: {remedy}")
    if len(unknown) == 0:
        said += f"; their ids do, but in other scenes (there are {_some(sorted(set(names['scene'])))})"
    if len(unfit) == len(lines):
        raise DatasetError(
            f"{said}; a pair is {_called(names.head(1), key)}: mend {' and '.join(key)}, or remove the table"
        )
    warnings.warn(f"{said}; mend or remove them", stacklevel=4)


def given_columns(folder: Path, pairs: pd.DataFrame, names: pd.DataFrame | None = None) -> pd.DataFrame:
    """Read what ``pairs.csv`` says of each pair.

    Args:
        folder: of the dataset.
        pairs: with columns scene and id.
        names: scene and id of all files, also of those that are in no pair; where they are handed over, what the
            table says in vain is warned of: lines that fit no pair, pairs without a line, columns not understood.

    Returns:
        The table's columns except id and scene, a row for each pair with the index of the pairs; text, NaN where the
        table says nothing. No columns where there is no table.

    Raises:
        DatasetError: no table, none with a column id, two lines for a pair; with names, no line that fits, or ids
            that a spreadsheet has changed.
    """
    table = folder / "pairs.csv"
    lines = _lines(table)
    if lines.columns.empty:
        return pd.DataFrame(index=pairs.index)
    key, named = _key(lines), _named(lines, pairs if names is None else names)
    if names is not None:
        _say_columns(lines, table)
        _say_lines(lines, named, names, table)
    meant = pd.DataFrame([name for name in named if name], columns=key, dtype=object)
    fitting = lines.loc[np.array([name is not None for name in named], bool)].reset_index(drop=True).assign(**meant)
    if (double := fitting.duplicated(key)).any():
        hint = "" if "scene" in key else ", with a column scene where ids repeat across scenes"
        name = fitting.loc[double, "id"].iloc[0]
        raise DatasetError(f"{table}: id {name} occurs twice; keep one line per pair{hint}")
    joined = pairs[key].astype(object).merge(fitting, how="left", on=key, indicator="which")
    joined = joined.set_index(pairs.index)
    without = pairs[joined["which"] == "left_only"]
    if names is not None and len(without):
        warnings.warn(
            f"{table}: {len(without)} of {len(pairs)} pairs have no line, such as {_called(without, key)}; add one, or "
            "their ids alone say where they are",
            stacklevel=3,
        )
    columns = joined.drop(columns=[*key, "which"])
    return columns.where(columns != "")


def _called(rows: pd.DataFrame, key: list[str]) -> str:
    """Return the first names of a table, by scene and id or by id."""
    return _some([repr("/".join(names)) for names in rows[key].itertuples(index=False, name=None)])
