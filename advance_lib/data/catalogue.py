"""The catalogue: every pair of a dataset folder in ADVANCE's layout, checked file by file.

A dataset is two folders, ``vision/<scene>/<id>.jpg`` and ``sound/<scene>/<id>.wav``. The scenes are the
folders that are there, so a user's own classes work. An id is a location's number, with ``_1``, ``_2``, …
for the siblings of that location (section 3). A ``pairs.csv`` beside the two folders, with a column ``id`` (and
``scene``, where ids repeat across scenes), overrides that reading of names with a column ``location``, and has
room for a split of one's own: a column ``split`` of train, validation and test.

Chapter: The dataset.
"""

import re
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from advance_lib.cache import UserError, build_folder, code_digest, cores, digest, file_digest, written_whole
from advance_lib.data.media import IMAGE_SUFFIXES, SOUND_SUFFIXES, MediaError, read_clip, read_image

COLUMNS = ["id", "scene", "location", "image", "sound", "image_sha256", "sound_sha256"]
SIBLING = re.compile(r"(\d+)_\d{1,2}")
SENSES = {"vision": IMAGE_SUFFIXES, "sound": SOUND_SUFFIXES}


class DatasetError(UserError):
    """A dataset folder that cannot be used as it is; the message lists every offender."""


def location_of(pair_id: str) -> str:
    """Return the location of a pair: ``"00414_2"`` and ``"00414"`` lie at ``"00414"``."""
    match = SIBLING.fullmatch(pair_id)
    return match.group(1) if match else pair_id


def _is_text(name: str) -> bool:
    """Return whether a name of a file is UTF-8; Python keeps other bytes as halves of characters."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def _files(folder: Path, sense: str) -> pd.DataFrame:
    root = folder / sense
    if not root.is_dir():
        raise DatasetError(
            f"{folder}: no folder '{sense}'; a dataset is vision/<scene>/<id>.jpg and sound/<scene>/<id>.wav"
        )
    rows = [
        (path.parent.name, path.stem, path)
        for path in sorted(root.glob("*/*"))
        if path.suffix.lower() in SENSES[sense] and not path.name.startswith(".")
    ]
    if unreadable := [str(path) for *_, path in rows if not _is_text(str(path))]:
        raise DatasetError(f"{unreadable[0]!r}: this name is no UTF-8; rename the file or its folder")
    return pd.DataFrame(rows, columns=["scene", "id", "path"])


def _check(path: Path) -> tuple[str, str]:
    """Return (sha256, problem or "") of one file, after decoding it whole."""
    try:
        (read_image if path.suffix.lower() in IMAGE_SUFFIXES else read_clip)(path)
    except MediaError as error:
        return "", str(error)
    except OSError as error:
        return "", f"{path}: cannot be read ({error.strerror}); mend its permissions or remove the pair"
    return file_digest(path), ""


def _size_and_date(path: Path) -> tuple[int, int]:
    """Return a file's size and date; of a link that leads nowhere, two impossible ones, for reading it to complain."""
    try:
        return (stat := path.stat()).st_size, stat.st_mtime_ns
    except OSError:
        return -1, -1


def _checked(folder: Path, paths: list[Path]) -> pd.DataFrame:
    """Decode every file once and remember it: index path, columns size, mtime, sha256, problem."""
    # The rules of reading are part of the verdict, so their code is part of the name.
    name = digest(str(folder.resolve()), code_digest("advance_lib.data.media"))
    memory_file = build_folder() / "checked" / f"{name}.parquet"
    stats = [(str(path), *_size_and_date(path)) for path in paths]
    now = pd.DataFrame(stats, columns=["path", "size", "mtime"])
    if memory_file.exists():
        known = now.merge(pd.read_parquet(memory_file), how="left", on=["path", "size", "mtime"])
    else:
        known = now.assign(sha256=None, problem=None)
    known = known.set_index("path").astype({"sha256": object, "problem": object})
    new = known.index[known["problem"].isna()]
    step = 512  # remember what was decoded so far, should this be interrupted
    bar = iter(tqdm(new, f"checking {folder.name}", leave=False) if len(new) else ())
    with ThreadPoolExecutor(cores()) as pool:
        for start in range(0, len(new), step):
            some = new[start : start + step]
            for path, found in zip(some, pool.map(_check, map(Path, some)), strict=True):
                known.loc[path, ["sha256", "problem"]] = found
                next(bar, None)
            with written_whole(memory_file) as partial:
                known[known["problem"] == ""].reset_index().to_parquet(partial)  # what failed is tried again
    next(bar, None)  # let the bar end
    return known


def read_catalogue(folder: Path | str, skip_broken: bool = False) -> pd.DataFrame:
    """Read and check a dataset folder.

    Pairs are matched by scene and id, never by the order of a listing. Every file is decoded once, and
    what was found is remembered until the file changes.

    Args:
        folder: holds ``vision`` and ``sound``.
        skip_broken: drop unusable pairs with a warning instead of refusing the dataset.

    Returns:
        One row per pair, ordered by scene and id: columns `COLUMNS`, and ``split`` where ``pairs.csv`` has one;
        paths are absolute.

    Raises:
        DatasetError: names every unpaired, duplicated or unusable file.
    """
    folder = Path(folder).expanduser().absolute()
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder; give the folder that holds 'vision' and 'sound'")
    sides = {sense: _files(folder, sense) for sense in SENSES}
    problems: list[str] = []
    for sense, files in sides.items():
        for (scene, pair_id), group in files.groupby(["scene", "id"]):
            if len(group) > 1:
                names = ", ".join(path.name for path in group["path"])
                problems.append(f"{sense}/{scene}/{pair_id}: several files ({names}); keep one")
        sides[sense] = files.drop_duplicates(["scene", "id"], keep=False)
    pairs = sides["vision"].merge(
        sides["sound"], on=["scene", "id"], how="outer", suffixes=("_image", "_sound"), indicator="sides"
    )
    for row in pairs[pairs["sides"] != "both"].itertuples():
        there, missing = ("image", "sound") if row.sides == "left_only" else ("sound", "image")
        path = getattr(row, f"path_{there}")
        problems.append(f"{path}: has no {missing} of the same id; add it or remove the file")
    pairs = pairs[pairs["sides"] == "both"]
    checked = _checked(folder, [*pairs["path_image"], *pairs["path_sound"]])
    problems += [problem for problem in checked["problem"] if problem]
    if problems and not skip_broken:
        raise DatasetError(
            f"{folder}: {len(problems)} problem(s); mend them, or leave those pairs out with --skip-broken:\n  "
            + "\n  ".join(problems)
        )
    pairs = pairs.assign(
        image=pairs["path_image"].map(str),
        sound=pairs["path_sound"].map(str),
        location=pairs["id"].map(location_of),
    )
    for column in ("image", "sound"):
        pairs[f"{column}_sha256"] = checked["sha256"].reindex(pairs[column]).to_numpy()
        pairs = pairs[pairs[f"{column}_sha256"].fillna("") != ""]
    if problems:
        listing = "\n  ".join(problems)
        warnings.warn(f"{folder}: left out {len(problems)} problem(s):\n  {listing}", stacklevel=2)
    if pairs.empty:
        raise DatasetError(f"{folder}: no usable pair; expected vision/<scene>/<id>.jpg and sound/<scene>/<id>.wav")
    pairs = pairs.sort_values(["scene", "id"], ignore_index=True)
    pairs = _with_given_columns(pairs, folder / "pairs.csv")
    catalogue = pairs[[column for column in (*COLUMNS, "split") if column in pairs]]
    if len(repeated := repeated_contents(catalogue)):
        warnings.warn(
            f"{folder}: {len(repeated)} pairs share a photograph or a clip with another location, so training and "
            f"test may share it: {', '.join(repeated['id'].head(6))}{', …' if len(repeated) > 6 else ''}",
            stacklevel=2,
        )
    return catalogue


def _with_given_columns(pairs: pd.DataFrame, table: Path) -> pd.DataFrame:
    """Return the pairs with the locations and the split of ``pairs.csv``, where it has them."""
    if not table.exists():
        return pairs
    try:  # only what is empty is missing: a place may be called NA; a comma at every line's end shifts nothing
        given = pd.read_csv(table, dtype=str, keep_default_na=False, na_values=[""], index_col=False)
    except (OSError, ValueError) as error:
        problem = " ".join(str(error).split())
        raise DatasetError(f"{table}: no table in UTF-8 with commas ({problem}); mend it or remove it") from None
    columns = [column for column in ("location", "split") if column in given]
    if "id" not in given or not columns:
        return pairs
    key = [column for column in ("scene", "id") if column in given]
    if given.duplicated(key).any():
        double = given.loc[given.duplicated(key), "id"].iloc[0]
        raise DatasetError(f"{table}: id {double} occurs twice; keep one line per pair")
    given = pairs[key].merge(given[[*key, *columns]], how="left", on=key)
    if "location" in given:
        given["location"] = given["location"].fillna(pairs["location"])
    return pairs.assign(**given[columns])


def repeated_contents(catalogue: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs whose photograph or clip occurs, byte for byte, at another location as well.

    A split by location cannot keep such pairs apart.
    """
    places = [catalogue.groupby(column)["location"].transform("nunique") for column in ("image_sha256", "sound_sha256")]
    return catalogue[(places[0] > 1) | (places[1] > 1)]


def catalogue_digest(catalogue: pd.DataFrame) -> str:
    """Return the data's hash: what the pairs are and what their files contain, wherever they lie."""
    return digest(catalogue[["id", "scene", "location", "image_sha256", "sound_sha256"]].to_numpy().tolist())


def siblings_per_location(catalogue: pd.DataFrame) -> pd.DataFrame:
    """Return pairs, locations and pairs per location of each scene (compare Fig. 3)."""
    table = catalogue.groupby("scene").agg(pairs=("id", "size"), locations=("location", "nunique"))
    return table.assign(pairs_per_location=table["pairs"] / table["locations"])
