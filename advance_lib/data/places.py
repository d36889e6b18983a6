"""Where a dataset lies, by name; asked before anything heavy is imported.

Chapter: Use it on your own data.
"""

import os
from pathlib import Path

from advance_lib.cache import PACKAGE, UserError, digest

SENSES = ("vision", "sound")


def advance_folder() -> Path:
    """Return where ADVANCE is expected: ``$ADVANCE_DATA``, else ``data/ADVANCE`` in the checkout."""
    return Path(os.environ.get("ADVANCE_DATA") or PACKAGE.parent / "data" / "ADVANCE")


def dataset_folder(dataset: str) -> Path | None:
    """Return the folder of a dataset, which holds ``vision`` and ``sound``; None for the miniature, which is rendered.

    Args:
        dataset: ``"miniature"``, ``"advance"`` or the path of a folder.

    Raises:
        UserError: it is not there.
    """
    if dataset == "miniature":
        return None
    folder = advance_folder() if dataset == "advance" else Path(dataset).expanduser()
    missing = [sense for sense in SENSES if not (folder / sense).is_dir()]
    if not missing:
        return folder
    if dataset == "advance":
        raise UserError(
            f"ADVANCE is not at {folder}: fetch Zenodo record 3828124 with `advance download advance`, or set "
            "ADVANCE_DATA to the folder that holds 'vision' and 'sound'"
        )
    what = f"no folder '{missing[0]}' in it" if folder.is_dir() else "no such folder"
    raise UserError(f"{folder}: {what}; give miniature, advance, or a folder that holds 'vision' and 'sound'")


def require_split(dataset: str, split: str) -> None:
    """Refuse a split by name that a dataset by name cannot have.

    Raises:
        UserError: the miniature has neither the authors' split nor one that somebody gave, nor coordinates.
    """
    if dataset == "miniature" and split.partition("=")[0] in ("official", "given", "grid"):
        raise UserError(f"the miniature has no split '{split}'; choose location or pair")


def dataset_state(dataset: str) -> str:
    """Return a quick key of a folder's files: their names, sizes and dates; contents are checked later."""
    folder = dataset_folder(dataset)
    if folder is None:
        return dataset
    files = [*folder.glob("*.csv"), *(path for path in folder.glob("*/*/*") if path.is_file())]
    return digest(sorted((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files))
