"""The files of a dataset folder: which belong together, which have no partner, which are left aside and why.

Chapter: The dataset.
"""

import os
import unicodedata
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd

from advance_lib.cache import UserError
from advance_lib.data.media import IMAGE_SUFFIXES, SOUND_SUFFIXES, not_read

SENSES = {"vision": IMAGE_SUFFIXES, "sound": SOUND_SUFFIXES}
ASIDE = {  # why a file is left aside, and what to do
    "suffix": (
        "have another suffix than those that are read",
        f"convert pictures to {', '.join(IMAGE_SUFFIXES)} and sounds to {', '.join(SOUND_SUFFIXES)}, as with "
        "`ffmpeg -i OLD NEW`",
    ),
    "depth": ("do not lie directly in the folder of a scene", "move them to vision/<scene>/ and sound/<scene>/"),
    "hidden": ("are hidden", "rename them without a leading dot if they are meant"),
}
LITTER = ("thumbs.db", "desktop.ini")  # never said, like hidden files that are no picture or sound
FORMS: dict[str, Callable[[str], str]] = {  # what people do not see when two names differ
    "Unicode form": lambda name: unicodedata.normalize("NFC", name),
    "capitals": str.casefold,
    "blanks": lambda name: " ".join(name.split()),
}


class DatasetError(UserError):
    """A dataset folder that cannot be used as it is; the message lists every offender."""


def plainly(name: str, but: str = "") -> str:
    """Return a name in one Unicode form, without capitals and needless blanks; ``but`` leaves out one of `FORMS`."""
    for form in (*FORMS, *FORMS):  # twice, since small letters have several Unicode forms as well
        if form != but:
            name = FORMS[form](name)
    return name


def _shown(name: str | Path) -> str:
    """Return a name as it can be printed; Python keeps bytes that are no UTF-8 as halves of characters."""
    return str(name).encode(errors="backslashreplace").decode()


def _walk(root: Path) -> Iterator[Path]:
    """Yield all files below a folder; links are followed to the folder of a scene, not further down."""
    for path in sorted([*root.glob("*"), *root.glob("*/*")]):
        if not os.path.isdir(path):  # unlike Path.is_dir, never an error
            yield path
        elif path.parent != root:
            yield from (Path(place, name) for place, _, names in os.walk(path) for name in sorted(names))


def _why_aside(path: Path, root: Path) -> str:
    """Return a key of `ASIDE`, or ``""`` for a file that is read."""
    parts = path.relative_to(root).parts
    if any(part.startswith(".") for part in parts):
        return "hidden"
    if path.suffix.lower() not in SENSES[root.name]:
        return "suffix"
    return "" if len(parts) == 2 else "depth"


def _files(folder: Path, sense: str) -> pd.DataFrame:
    """Return the files of a sense: columns scene, id, path, and aside: a key of `ASIDE`, or ``""``."""
    root = folder / sense
    if not root.is_dir():
        raise DatasetError(
            f"{folder}: no folder '{sense}'; a dataset is vision/<scene>/<id>.jpg and sound/<scene>/<id>.wav"
        )
    rows = []
    for path in _walk(root):
        aside = _why_aside(path, root)
        if path.name.lower() in LITTER or (aside == "hidden" and path.suffix.lower() not in SENSES[sense]):
            continue
        if not aside and _shown(path) != str(path):
            raise DatasetError(f"{str(path)!r}: this name is no UTF-8; rename the file or its folder")
        scene = _shown(path.relative_to(root).parts[0]) if path.parent != root else ""
        rows.append((scene, _shown(path.stem), path, aside))
    return pd.DataFrame(rows, columns=["scene", "id", "path", "aside"])


def _lost_scenes(files: pd.DataFrame, others: pd.DataFrame) -> set[str]:
    """Return the scenes of a sense that have files, all of which are left aside.

    A folder is meant as a scene if the other sense has it too, or if it holds what would be read elsewhere.
    """
    files = files[~files["path"].map(lambda path: path.name.startswith("._")).astype(bool)]  # of macOS for itself
    both = set(others["scene"])
    return {
        scene
        for scene, why in files.groupby("scene")["aside"].agg(set).items()
        if scene and not scene.startswith(".") and "" not in why and (why != {"suffix"} or scene in both)
    }


def _described(aside: pd.DataFrame, folder: Path) -> str:
    """Return how many files are left aside for one reason, with an example and a remedy."""
    why, remedy = ASIDE[aside["aside"].iloc[0]]
    suffixes = Counter(_shown(path.suffix.lower()) or "no suffix" for path in aside["path"]).most_common(4)
    kinds = ", ".join(f"{count} {suffix}" for suffix, count in suffixes)
    example = _shown(aside["path"].iloc[0].relative_to(folder))
    if aside["aside"].iloc[0] == "suffix":
        remedy = not_read(aside["path"].map(lambda path: path.suffix.lower()).mode().iloc[0])
    return f"{len(aside)} file(s) {why} ({kinds}; such as {example}): {remedy}"


def _without_partner(pairs: pd.DataFrame, lost: dict[str, set[str]]) -> list[str]:
    """Return what to say of the files without a partner; those that differ in form only are said together."""
    alike: dict[tuple[str, str], tuple[list[Path], list[Path]]] = {}
    for row in pairs[pairs["sides"] != "both"].itertuples():
        side, missing = (0, "sound") if row.sides == "left_only" else (1, "vision")
        if row.scene not in lost[missing]:
            names = alike.setdefault((plainly(row.scene), plainly(row.id)), ([], []))
            names[side].append((row.path_image, row.path_sound)[side])
    problems, twins = [], []
    for images, sounds in alike.values():
        if len(images) == len(sounds) == 1:
            twins += zip(images, sounds, strict=True)
            continue
        problems += [f"{path}: has no sound of the same id; add it or remove the file" for path in images]
        problems += [f"{path}: has no image of the same id; add it or remove the file" for path in sounds]
    if twins:
        names = [[(path.parent.name, path.stem) for path in twin] for twin in twins]
        forms = [
            form
            for form in FORMS
            if any(plainly(a, form) != plainly(b, form) for twin in names for a, b in zip(*twin, strict=True))
        ]
        image, sound = twins[0]
        problems.append(
            f"{len(twins)} pair(s) have names that differ in {' and '.join(forms) or 'form'} only, such as "
            f"{str(image)!r} and {str(sound)!r}; rename one side like the other"
            + (" (convmv --nfc renames to one Unicode form)" if "Unicode form" in forms else "")
        )
    return problems


def read_layout(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """List the files of a dataset folder and pair them by scene and id, never by the order of a listing.

    Warns of files that are left aside, in one line for each reason.

    Args:
        folder: holds ``vision`` and ``sound``.

    Returns:
        (the pairs: columns scene, id, path_image, path_sound; the names of all files that are read, paired or not:
        columns scene, id; what is wrong: every unpaired or duplicated file, and scenes that lose all their files).

    Raises:
        DatasetError: no such folders, or a name that is no UTF-8.
    """
    found = {sense: _files(folder, sense) for sense in SENSES}
    lost = {
        "vision": _lost_scenes(found["vision"], found["sound"]),
        "sound": _lost_scenes(found["sound"], found["vision"]),
    }
    sides, problems, aside = {}, [], []
    for sense, files in found.items():
        for scene in sorted(lost[sense]):
            some = files[files["scene"] == scene].groupby("aside")
            reasons = "; ".join(_described(group, folder) for _, group in some)
            problems.append(f"{sense}/{scene}: the scene loses all its files: {reasons}")
        aside.append(files[(files["aside"] != "") & ~files["scene"].isin(lost[sense])])
        files = files[files["aside"] == ""].drop(columns="aside")
        for (scene, pair_id), group in files.groupby(["scene", "id"]):
            if len(group) > 1:
                names = ", ".join(path.name for path in group["path"])
                problems.append(f"{sense}/{scene}/{pair_id}: several files ({names}); keep one")
        sides[sense] = files.drop_duplicates(["scene", "id"], keep=False)
    for _, group in pd.concat(aside).groupby("aside"):
        warnings.warn(f"{folder}: left aside: {_described(group, folder)}", stacklevel=3)
    names = pd.concat([files.loc[files["aside"] == "", ["scene", "id"]] for files in found.values()]).drop_duplicates()
    pairs = sides["vision"].merge(
        sides["sound"], on=["scene", "id"], how="outer", suffixes=("_image", "_sound"), indicator="sides"
    )
    problems += _without_partner(pairs, lost)
    return pairs[pairs["sides"] == "both"].drop(columns="sides"), names, problems
