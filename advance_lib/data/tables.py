"""A table that people have edited: whatever a spreadsheet or an editor made of it is read as it was meant.

Chapter: The dataset.
"""

import csv
import io
import re
import warnings
from pathlib import Path

from advance_lib.cache import UserError

SAVE = "save it as 'CSV UTF-8 (comma delimited)'"


def _text(path: Path) -> str:
    data = path.read_bytes()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16")
    if b"\0" in data[:2]:  # UTF-16 without its mark: one half of a heading's first letter is 0
        return data.decode("utf-16-be" if data[:1] == b"\0" else "utf-16-le")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        if b"\0" in data:
            raise ValueError("it holds bytes of 0, as a spreadsheet's own format does") from None
        text = data.decode("cp1252")  # what spreadsheets write where nobody chose
        warnings.warn(f"{path}: not in UTF-8, so read as Windows-1252; if names look wrong, {SAVE}", stacklevel=1)
        return text


def _records(path: Path) -> list[list[str]]:
    """Return the cells of a CSV file with commas, semicolons, tabs or bars, the header first."""
    text = _text(path)
    if hint := re.match(r"\s*sep=(.)[\r\n]+", text):  # of Excel for itself
        text = text[hint.end() :]
    lines = io.StringIO(text, newline="")
    header = re.sub('"[^"]*"', "", next((line for line in lines if line.strip()), ""))
    delimiter = hint[1] if hint else max(",;\t|", key=header.count)
    padded = f"{delimiter} " in header  # only then, since a text may begin with a blank
    lines.seek(0)
    return list(csv.reader(lines, delimiter=delimiter, skipinitialspace=padded, strict=True))


def read_rows(path: Path) -> tuple[list[str], dict[int, dict[str, str]]]:
    """Read a CSV file as it was meant.

    Commas, semicolons, tabs and bars separate cells; capitals and blanks in the first row do not matter; UTF-8 with a
    mark or without, UTF-16 and, with a warning, Windows-1252 are read; empty rows and empty cells at the end of a row
    are passed over.

    Args:
        path: of the table.

    Returns:
        (names of the columns in small letters, cells by column for each row under its number in a spreadsheet); cells
        are as they were written, and `""` where a row ends early.

    Raises:
        UserError: no table, or one with more cells in a row than columns; a missing file is a FileNotFoundError.
    """
    try:
        records = _records(path)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{path}: not a table ({' '.join(str(error).split())}); {SAVE}") from None
    filled = {number: cells for number, cells in enumerate(records, 1) if any(cell.strip() for cell in cells)}
    if not filled:
        raise UserError(f"{path}: not a table (it is empty); {SAVE}, or remove it")
    header = [" ".join(name.lower().split()) for name in filled.pop(next(iter(filled)))]
    while header and not header[-1]:
        header.pop()
    if long := [number for number, cells in filled.items() if any(cell.strip() for cell in cells[len(header) :])]:
        more = f" and {len(long) - 1} other row(s)" if len(long) > 1 else ""
        raise UserError(f"{path}: row {long[0]}{more}: more cells than the first row; put quotes around such a text")
    empty = dict.fromkeys(header, "")
    return header, {number: empty | dict(zip(header, cells, strict=False)) for number, cells in filled.items()}
