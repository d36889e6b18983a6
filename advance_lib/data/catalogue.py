"""The catalogue: every pair of a dataset folder in ADVANCE's layout, checked file by file.

A dataset is two folders, ``vision/<scene>/<id>.jpg`` and ``sound/<scene>/<id>.wav``. The scenes are the
folders that are there, so a user's own classes work. An id is a location's number, with ``_1``, ``_2``, …
for the siblings of that location (section 3). A ``pairs.csv`` beside the two folders, with a column ``id`` (and
``scene``, where ids repeat across scenes), overrides that reading of names with a column ``location``, and has
room for a split of one's own, a column ``split`` of train, validation, test and exam, and for coordinates in degrees,
columns ``latitude`` and ``longitude``. However a spreadsheet wrote that table, it is read as it was meant, and what
fits nothing is said.

Chapter: The dataset.
"""

import re
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from advance_lib.cache import build_folder, code_digest, cores, digest, file_digest, written_whole
from advance_lib.data.given import given_columns
from advance_lib.data.layout import DatasetError, read_layout
from advance_lib.data.media import IMAGE_SUFFIXES, MediaError, MediaWarning, read_clip, read_image

COLUMNS = ["id", "scene", "location", "image", "sound", "image_sha256", "sound_sha256"]
GIVEN = ["split", "latitude", "longitude"]  # columns of pairs.csv, as they are written there
SIBLING = re.compile(r"(\d+)_\d{1,2}")


def location_of(pair_id: str) -> str:
    """Return the location of a pair: ``"00414_2"`` and ``"00414"`` lie at ``"00414"``."""
    match = SIBLING.fullmatch(pair_id)
    return match.group(1) if match else pair_id


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
    """Decode every file once and remember it: index path, columns size, mtime, sha256, problem, warning."""
    # The rules of reading are part of the verdict, so their code is part of the name.
    name = digest(str(folder.resolve()), code_digest("advance_lib.data.media"))
    memory_file = build_folder() / "checked" / f"{name}.parquet"
    stats = [(str(path), *_size_and_date(path)) for path in paths]
    now = pd.DataFrame(stats, columns=["path", "size", "mtime"])
    if memory_file.exists():
        known = now.merge(pd.read_parquet(memory_file), how="left", on=["path", "size", "mtime"])
    else:
        known = now.assign(sha256=None, problem=None, warning=None)
    known = known.set_index("path").astype({"sha256": object, "problem": object, "warning": object})
    new = known.index[known["problem"].isna()]
    step = 512  # remember what was decoded so far, should this be interrupted
    bar = iter(tqdm(new, f"checking {folder.name}", leave=False) if len(new) else ())
    for start in range(0, len(new), step):
        some = new[start : start + step]
        with warnings.catch_warnings(record=True) as caught, ThreadPoolExecutor(cores()) as pool:
            warnings.simplefilter("always", MediaWarning)
            for path, found in zip(some, pool.map(_check, map(Path, some)), strict=True):
                known.loc[path, ["sha256", "problem"]] = found
                next(bar, None)
        said = [str(one.message) for one in caught if issubclass(one.category, MediaWarning)]
        known.loc[some, "warning"] = ["; ".join(text for text in said if text.startswith(f"{path}:")) for path in some]
        with written_whole(memory_file) as partial:
            known[known["problem"] == ""].reset_index().to_parquet(partial)  # what failed is tried again
    next(bar, None)  # let the bar end
    for text in filter(None, known["warning"]):
        warnings.warn(text, MediaWarning, stacklevel=3)
    return known


def read_catalogue(folder: Path | str, skip_broken: bool = False) -> pd.DataFrame:
    """Read and check a dataset folder.

    Pairs are matched by scene and id, never by the order of a listing. Every file is decoded once, and
    what was found is remembered until the file changes. Warns of files that are left aside and of what ``pairs.csv``
    says in vain.

    Args:
        folder: holds ``vision`` and ``sound``.
        skip_broken: drop unusable pairs with a warning instead of refusing the dataset.

    Returns:
        One row per pair, ordered by scene and id: columns `COLUMNS`, and those of `GIVEN` that ``pairs.csv`` has;
        paths are absolute.

    Raises:
        DatasetError: names every unpaired, duplicated or unusable file.
    """
    folder = Path(folder).expanduser().absolute()
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder; give the folder that holds 'vision' and 'sound'")
    pairs, names, problems = read_layout(folder)
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
    given = given_columns(folder, pairs, names)
    if "location" in given:
        pairs["location"] = given["location"].fillna(pairs["location"])
    for column in set(GIVEN) & set(given):
        pairs[column] = given[column]
    catalogue = pairs[[column for column in (*COLUMNS, *GIVEN) if column in pairs]]
    if len(repeated := repeated_contents(catalogue)):
        warnings.warn(
            f"{folder}: {len(repeated)} pairs share a photograph or a clip with another location, so training and "
            f"test may share it: {', '.join(repeated['id'].head(6))}{', …' if len(repeated) > 6 else ''}",
            stacklevel=2,
        )
    return catalogue


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


def what_is_too_small(catalogue: pd.DataFrame) -> list[str]:
    """Return what the test pairs of a dataset are too few for, a sentence each; nothing where they suffice.

    Args:
        catalogue: as from `read_catalogue`, with a column ``split``.
    """
    test = catalogue[catalogue["split"] == "test"]
    places = test.groupby("scene")["location"].nunique()
    said = []
    if len(test) < 10:
        said.append(
            f"{len(test)} test pairs: ten are needed to say which events speak for which scenes (five that have an "
            "event, five that have not)"
        )
    if (count := test["location"].nunique()) < 10:
        said.append(f"{count} test locations: intervals over fewer than ten are rough, and few differences are certain")
    if lone := list(places.index[places == 1]):
        said.append(
            f"one test location in {', '.join(lone)}: how alike the places of a scene are, and its F-score, rest on a "
            "single place"
        )
    return said
