"""Data as people hold it, laid out as the library reads it: parquet files, a table of paths, or two folders.

Three sources are understood. Bytes are written as they are: nothing is decoded or encoded anew.

- **Parquet files** in the layout of Hugging Face, one or a folder of them: columns ``image`` and ``audio`` (or
  ``sound``), each ``{bytes, path}`` or bytes alone, and ``scene`` (text) or ``label`` (text, or numbers with names in
  the file's metadata). An id is the column ``id``, else the name of the photograph, else the number of the row. Where
  files are called after ``train``, ``validation`` and ``test`` and there is no column ``split``, their names are the
  split.
- **A CSV file** with columns ``image`` and ``sound`` (or ``audio``), paths relative to it, and ``scene`` (or
  ``label``). An id is the column ``id``, else the name of the photograph.
- **A folder** with ``vision/<scene>/<id>.jpg`` and ``sound/<scene>/<id>.wav``, as the Zenodo record and TorchGeo have
  it.

``location``, ``split``, ``latitude`` (``lat``), ``longitude`` (``lon``) and other columns of text and numbers go to
``pairs.csv``.

Chapter: Use it on your own data.
"""

import os
import re
import shutil
import warnings
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from advance_lib.cache import UserError, remove
from advance_lib.data.given import given_columns
from advance_lib.data.layout import SENSES, DatasetError, read_layout
from advance_lib.data.media import not_read
from advance_lib.data.parquet import ROWS, label_names
from advance_lib.data.tables import read_rows

MEANT = {"image": ("image",), "sound": ("audio", "sound"), "scene": ("scene", "label")}
OF_PAIR = {"id", *(name for names in MEANT.values() for name in names)}
COORDINATES = {"lat": "latitude", "lon": "longitude", "lng": "longitude", "long": "longitude"}
SPLIT_IN_NAME = re.compile(r"(?<![a-z])(train|validation|test)(?![a-z])")
BEGINNINGS = {  # how the bytes of a format begin
    "vision": {
        ".jpg": rb"\xff\xd8\xff", ".png": rb"\x89PNG", ".tif": rb"II[*+]\0|MM\0[*+]", ".webp": rb"RIFF....WEBP",
    },
    "sound": {
        ".wav": rb"(RIFF|RIFX|RF64)....WAVE", ".flac": rb"fLaC", ".ogg": rb"OggS", ".mp3": rb"ID3|\xff[\xe2-\xff]",
    },
}  # fmt: skip


class Row(NamedTuple):
    """A pair as a source has it; None or ``""`` is what it lacks.

    Attributes:
        where: file and row, for messages.
        scene: its label.
        id: its name.
        image: the photograph, its bytes or its path.
        sound: the recording, its bytes or its path.
        given: columns of ``pairs.csv``, as text.
    """

    where: str
    scene: str | None
    id: str
    image: bytes | Path | None
    sound: bytes | Path | None
    given: dict[str, str]


def _columns(there: list[str], source: Path) -> dict[str, str]:
    """Return the name that each of `MEANT` has in a source."""
    found = {meant: next((name for name in names if name in there), None) for meant, names in MEANT.items()}
    for meant, name in found.items():
        if name is None:
            wanted = " or ".join(f"'{name}'" for name in MEANT[meant])
            raise DatasetError(f"{source}: no column {wanted} (there are {', '.join(there)}); rename what holds it")
    return found


def _given(cells: dict[str, object]) -> dict[str, str]:
    """Return the cells of a row that go to ``pairs.csv``, as text."""
    return {
        COORDINATES.get(name, name): "" if cell is None or cell != cell else str(cell)  # NaN is not itself
        for name, cell in cells.items()
        if name and name not in OF_PAIR
    }


def _parquet_rows(files: list[Path], source: Path) -> Iterator[Row]:
    splits = [SPLIT_IN_NAME.search(file.relative_to(source).as_posix().lower()) for file in files]
    told = all(splits) and len({found[1] for found in splits}) > 1
    numbers = count(1)  # of rows without a name, in all files
    for file, split in zip(files, splits, strict=True):
        number = 0
        try:
            # Read in pieces, however large a row group is.
            with pq.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False) as opened:
                columns, read = _columns(opened.schema_arrow.names, file), _scalars(opened.schema_arrow)
                scene_of = _scenes(opened.schema_arrow, columns["scene"], file)
                for batch in opened.iter_batches(ROWS, columns=read):
                    for cells in batch.to_pylist():
                        number += 1
                        (image, name), (sound, other) = (_media(cells[columns[part]]) for part in ("image", "sound"))
                        if (named := cells.get("id")) in (None, ""):
                            named = Path(name or other).stem or f"row-{next(numbers):06d}"
                        given = ({"split": split[1]} if told else {}) | _given(cells)
                        yield Row(f"{file}, row {number}", scene_of(cells), str(named), image, sound, given)
        except (pa.ArrowException, OSError) as error:
            where = f"{file}: cannot be read" + (f" after row {number}" if number else "")
            raise DatasetError(f"{where} ({' '.join(str(error).split())}); fetch it again") from None


def _scalars(schema: pa.Schema) -> list[str]:
    """Return the columns that are read: photograph, sound and scene, and all text and numbers."""
    bytes_or_more = (pa.types.is_nested, pa.types.is_binary, pa.types.is_large_binary)
    return [f.name for f in schema if f.name in OF_PAIR or not any(of(f.type) for of in bytes_or_more)]


def _scenes(schema: pa.Schema, column: str, file: Path) -> Callable[[dict], str | None]:
    """Return a function from a row to its scene."""
    if pa.types.is_integer(schema.field(column).type):
        if (names := label_names(schema, column)) is None:
            raise DatasetError(
                f"{file}: column '{column}' has numbers and nothing says what they stand for; add a column 'scene' "
                "with the names"
            )
        return lambda cells: dict(enumerate(names)).get(cells[column])
    return lambda cells: None if cells[column] is None else str(cells[column])


def _media(cell: dict | bytes | None) -> tuple[bytes | None, str]:
    if isinstance(cell, dict):
        return cell.get("bytes"), cell.get("path") or ""
    return cell, ""


def _table_rows(table: Path) -> Iterator[Row]:
    header, rows = read_rows(table)
    columns = _columns(header, table)
    for number, cells in rows.items():
        cells = {name: cell.strip() for name, cell in cells.items()}
        image, sound = (table.parent / name if (name := cells[columns[part]]) else None for part in ("image", "sound"))
        pair_id = cells.get("id") or (image.stem if image else "")
        yield Row(f"{table}, row {number}", cells[columns["scene"]], pair_id, image, sound, _given(cells))


def _folder_rows(folder: Path, skip_broken: bool) -> Iterator[Row]:
    pairs, names, problems = read_layout(folder)
    _say(folder, problems, skip_broken)
    given = given_columns(folder, pairs, names).fillna("")
    for pair, cells in zip(pairs.itertuples(), given.to_dict("records"), strict=True):
        yield Row(str(pair.path_image), pair.scene, pair.id, pair.path_image, pair.path_sound, cells)


def _rows(source: Path, skip_broken: bool) -> Iterator[Row]:
    if all((source / sense).is_dir() for sense in SENSES):
        return _folder_rows(source, skip_broken)
    if source.is_file() and source.suffix.lower() in (".csv", ".tsv", ".txt"):
        return _table_rows(source)
    if files := [source] if source.is_file() else sorted(source.rglob("*.parquet")):
        return _parquet_rows(files, source)
    raise UserError(
        f"{source}: {'nothing to import in it' if source.exists() else 'no such file or folder'}; give parquet files, "
        "a CSV file of paths, or a folder that holds 'vision' and 'sound'"
    )


def _suffix(content: bytes | Path, sense: str) -> str | None:
    """Return the suffix of a file that the library reads; None for any other."""
    if isinstance(content, Path):
        return suffix if (suffix := content.suffix.lower()) in SENSES[sense] else None
    forms = BEGINNINGS[sense].items()
    return next((suffix for suffix, form in forms if re.match(form, content, re.DOTALL)), None)


def _fault(row: Row, taken: set[tuple[str, str]]) -> str:
    """Return what is wrong with a row and how to mend it; ``""`` where it can be used."""
    if not row.scene:
        return "no scene; name it or remove the row"
    for what, name in (("scene", row.scene), ("id", row.id)):
        if not name or name.startswith(".") or re.search(r"[/\\]", name) or not name.isprintable():
            return f"{what} {name!r} cannot be the name of a file; give it another"
    if (row.scene, row.id) in taken:
        return f"'{row.scene}/{row.id}' was there before; give each pair of a scene an id of its own, in a column id"
    for sense, content in (("vision", row.image), ("sound", row.sound)):
        what = "photograph" if sense == "vision" else "sound"
        if not content:
            return f"no {what}; add it or remove the row"
        if isinstance(content, Path) and not content.is_file():
            return f"{content}: no such file; paths are relative to the table"
        if _suffix(content, sense) is None:
            remedy = not_read(content.suffix.lower()) if isinstance(content, Path) else "convert it to one"
            return f"the {what} has no format that is read ({', '.join(SENSES[sense])}); {remedy}"
    return ""


def _say(source: Path, problems: list[str], skip_broken: bool) -> None:
    """Refuse a source with problems, or warn of them where they may be left out."""
    if not problems:
        return
    listing = "\n  " + "\n  ".join(problems)
    if not skip_broken:
        raise DatasetError(
            f"{source}: {len(problems)} problem(s); mend them, or leave those pairs out with --skip-broken:{listing}"
        )
    warnings.warn(f"{source}: left out {len(problems)} problem(s):{listing}", stacklevel=3)


def import_dataset(source: Path, folder: Path, skip_broken: bool = False) -> int:
    """Lay a dataset out as ``vision/<scene>/<id>``, ``sound/<scene>/<id>`` and ``pairs.csv``.

    It is written beside its place, to a folder that ends in ``.partial``, and moved there when it is whole. Files are
    not decoded: `read_catalogue` does that, and checks them.

    Args:
        source: a parquet file, a folder of such files, a CSV file, or a folder that holds ``vision`` and ``sound``.
        folder: to make.
        skip_broken: leave broken rows out, with a warning.

    Returns:
        The number of pairs.

    Raises:
        UserError: no source, or a folder that is there already.
        DatasetError: columns that are missing, or broken rows; each is named with its remedy.
    """
    if folder.exists():
        raise UserError(f"{folder}: is there already; give another name, or remove it")
    rows, partial = _rows(source, skip_broken), folder.with_name(f"{folder.name}.partial")
    remove([partial])  # of an import that was cut off
    lines, taken, problems = [], set(), []
    try:
        for row in tqdm(rows, f"importing {source.name}", leave=False):
            if fault := _fault(row, taken):
                problems.append(f"{row.where}: {fault}")
                continue
            taken.add((row.scene, row.id))
            lines.append({"scene": row.scene, "id": row.id, **row.given})
            for sense, content in (("vision", row.image), ("sound", row.sound)):
                target = partial / sense / row.scene / f"{row.id}{_suffix(content, sense)}"
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(content, target) if isinstance(content, Path) else target.write_bytes(content)
        _say(source, problems, skip_broken)
        if not lines:
            raise DatasetError(f"{source}: no usable row; expected a photograph, a sound and a scene in each")
        _write_pairs(partial / "pairs.csv", lines)
        os.replace(partial, folder)
    finally:
        remove([partial])
    return len(lines)


def _write_pairs(path: Path, lines: list[dict[str, str]]) -> None:
    """Write ``pairs.csv`` with the columns in which something stands."""
    columns = list(dict.fromkeys(name for line in lines for name, cell in line.items() if cell))
    pd.DataFrame(lines, columns=columns).fillna("").to_csv(path, index=False)
