"""The authors' own split of ADVANCE, from their list of pairs in their order.

The paper's repository keeps the order that a directory listing had on the authors' machine. Their
``data_partition.py`` shuffles each class's locations with the class index as seed, so that order fixes
the split: 3,537 / 475 / 1,063 pairs.

Chapter: What the paper says, what its code does.
"""

import pickle
import re
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
from numpy.lib import format as npy

from advance_lib.cache import UserError, build_folder
from advance_lib.data.catalogue import DatasetError, location_of
from advance_lib.data.fetching import USUAL, Patience, RemoteFile, download
from advance_lib.data.splits import SPLITS

LISTING_URL = (
    "https://raw.githubusercontent.com/DTaoo/Multimodal-Aerial-Scene-Recognition/"
    "b5345f5e1b4b490b2a1ab1317236a9fe81bef761/model/av-geotag.npy"
)
LISTING_SHA256 = "1d8668b7faaf001d1c47f682b69e48837f71ca828566e40a07132fabd001492f"
PAIR = re.compile(r"[^/]+/[^/]+")
HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}

# All that the pickle of an array of plain Python objects names. Protocols 0-2 of Python 3 spell bytes with
# `_codecs.encode`. No numpy scalars: the authors' keys come from `range`.
ADMITTED = frozenset(
    {
        ("numpy.core.multiarray", "_reconstruct"),  # numpy 1
        ("numpy._core.multiarray", "_reconstruct"),  # numpy 2
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("_codecs", "encode"),
    }
)


class _Inert:
    """Stands in for all that is admitted: takes any arguments, keeps its state, does nothing."""

    def __init__(self, *args: object) -> None:
        self.state = None

    def __setstate__(self, state: object) -> None:
        self.state = state


class _Unpickler(pickle.Unpickler):
    """Makes plain Python objects only; calls neither what a file asks for nor numpy."""

    def find_class(self, module: str, name: str) -> type[_Inert]:
        # Not numpy's own functions: a forged dtype could make them take bytes for pointers.
        if (module, name) in ADMITTED:
            return _Inert
        raise pickle.UnpicklingError(f"it asks for '{module}.{name}', which a list of names does not need")


def _read_object(file: BinaryIO) -> object:
    """Return the one object of a 0-d object array in numpy's file format."""
    version = npy.read_magic(file)
    if version not in HEADERS:
        raise ValueError(f"version {version} of numpy's file format is not supported")
    shape, _, dtype = HEADERS[version](file)
    if shape != () or dtype.char != "O":
        raise ValueError(f"it holds an array of {dtype} with shape {shape}, not one object")
    array = _Unpickler(file).load()  # the strings of Python 2 are read as ASCII, which names are
    match getattr(array, "state", None):
        case (_, (), _, _, [content]):  # version, shape, dtype, order, values
            return content
    raise ValueError("its pickle holds no array of one object")


def _check(listing: object) -> None:
    """Raise ValueError for anything but {0: ["scene/id", …], 1: …} without repetition."""
    if not isinstance(listing, dict) or set(listing) != set(range(len(listing))):
        raise ValueError("it holds no dictionary with the keys 0, 1, 2, …")
    seen: set[str] = set()
    for index, names in listing.items():
        if not isinstance(names, list):
            raise ValueError(f"class {index} has a {type(names).__name__}, not a list")
        for name in names:
            if not isinstance(name, str) or not PAIR.fullmatch(name):
                raise ValueError(f"class {index} has {str(name)[:60]!r} where 'scene/id' is expected")
            if (key := _key(name)) in seen:
                raise ValueError(f"it names '{name}' twice")
            seen.add(key)


def read_listing(path: Path | str) -> dict[int, list[str]]:
    """Read the authors' list of pairs without running anything that the file may ask for.

    Args:
        path: ``av-geotag.npy``.

    Returns:
        For each class index, its ``"scene/id"`` in the authors' order.

    Raises:
        UserError: the file cannot be read or holds something else.
    """
    path = Path(path).expanduser()
    try:
        with open(path, "rb") as file:
            listing = _read_object(file)
        _check(listing)
    except Exception as error:  # a broken pickle may raise anything
        raise UserError(
            f"{path}: not the authors' list of pairs ({error}); fetch it again from {LISTING_URL}"
        ) from None
    return dict(sorted(listing.items()))


def fetch_listing(patience: Patience = USUAL) -> Path:
    """Return the authors' list of pairs, downloaded once and checked.

    Args:
        patience: how long to keep asking.

    Raises:
        UserError: it cannot be downloaded, or is not the file that it was.
    """
    return download(
        RemoteFile(LISTING_URL, "av-geotag.npy", f"sha256:{LISTING_SHA256}"), build_folder() / "downloads", patience
    )


def _key(name: str) -> str:
    """Return one spelling: ``"Sports_Land/00414_2"`` and ``"sports land/00414_2"`` are the same pair."""
    scene, _, pair_id = name.rpartition("/")
    return re.sub(r"[\s_-]", "", scene).casefold() + "/" + pair_id


def _assigned(listing: dict[int, list[str]]) -> dict[str, str]:
    """Return the split of every listed pair, made as the authors make it."""
    assigned = {}
    for index, names in listing.items():
        homes = {_key(name): location_of(name.rpartition("/")[2]) for name in names}
        locations = list(dict.fromkeys(homes.values()))
        np.random.RandomState(index).shuffle(locations)  # the stream of numpy.random.seed(index)
        # Floors of floating-point products, as theirs are: 62 of 90 locations are for training, not 63.
        train, validation = int(0.7 * len(locations)), int(0.1 * len(locations))
        shares = np.repeat(SPLITS, [train, validation, len(locations) - train - validation]).tolist()
        split = dict(zip(locations, shares, strict=True))
        assigned |= {key: split[location] for key, location in homes.items()}
    return assigned


def official_split(catalogue: pd.DataFrame, listing: Path | str | None = None) -> pd.Series:
    """Split ADVANCE as its authors did.

    Pairs are matched by scene and id, whatever the case, spaces and underscores of a scene's name. Like the
    authors' code it takes locations from ids, class by class.

    Args:
        catalogue: as from `read_catalogue`.
        listing: the authors' list of pairs; None fetches it.

    Returns:
        One of `SPLITS` for each row of the catalogue.

    Raises:
        DatasetError: the list lacks pairs of the catalogue.
        UserError: the list cannot be fetched or read.
    """
    assigned = _assigned(read_listing(fetch_listing() if listing is None else listing))
    names = catalogue["scene"] + "/" + catalogue["id"]
    keys = names.map(_key)
    split = keys.map(assigned).rename("split")
    if len(unlisted := names[split.isna()]):
        raise DatasetError(
            f"{len(unlisted)} of {len(names)} pairs are not in the authors' list: {', '.join(unlisted[:6])}"
            f"{', …' if len(unlisted) > 6 else ''}; the official split is for ADVANCE itself, "
            "split other datasets by location"
        )
    if absent := len(assigned.keys() - set(keys)):
        warnings.warn(f"{absent} of the {len(assigned)} pairs in the authors' list are not here", stacklevel=2)
    return split
