"""A dataset by name, ready to train on: the rendered miniature, ADVANCE, or any folder in its layout.

Chapter: The dataset.
"""

import warnings
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from advance_lib.cache import UserError, digest
from advance_lib.data.catalogue import DatasetError, catalogue_digest, read_catalogue
from advance_lib.data.features import image_array
from advance_lib.data.official_split import official_split
from advance_lib.data.splits import SPLITS, split_by_location, split_by_pair
from advance_lib.experiments.profiles import Profile
from advance_lib.experiments.sources import RENDERED, Sources
from advance_lib.graph import advance_folder
from advance_lib.miniature.world import World, render_world
from advance_lib.training.inputs import Inputs, Normaliser
from advance_lib.transfer.presets import PAPER, Preset


def _first(names: pd.Series | pd.Index) -> str:
    return ", ".join(names[:6]) + (", …" if len(names) > 6 else "")


def given_split(catalogue: pd.DataFrame) -> pd.Series:
    """Return the split that the column ``split`` of ``pairs.csv`` gives each pair, in capitals or not.

    Warns where a location has pairs in several splits.

    Args:
        catalogue: as from `read_catalogue`.

    Raises:
        DatasetError: there is no such column, or pairs have another word than train, validation and test, or none.
    """
    if "split" not in catalogue:
        raise DatasetError("no split is given: write one into pairs.csv beside 'vision' and 'sound', columns id, split")
    split = catalogue["split"].fillna("").str.strip().str.lower()
    names = catalogue["scene"] + "/" + catalogue["id"] + " (" + split.replace("", "nothing") + ")"
    if len(wrong := names[~split.isin(SPLITS)]):
        raise DatasetError(
            f"pairs.csv: the split of {len(wrong)} of {len(names)} pairs is none of {', '.join(SPLITS)}: "
            f"{_first(wrong)}; mend the column, or choose --split location"
        )
    splits_of_places = split.groupby(catalogue["location"]).nunique()
    if len(torn := splits_of_places.index[splits_of_places > 1]):
        warnings.warn(
            f"pairs.csv: {len(torn)} location(s) have pairs in several splits, so training and test may share "
            f"places: {_first(torn)}; a split by location keeps them apart",
            stacklevel=2,
        )
    return split


@dataclass(frozen=True)
class Split:
    """Which split: the tables use the default one; the spread over splits is reported apart.

    Attributes:
        by: ``"location"``, ``"given"`` for the column ``split`` of ``pairs.csv``, ``"own"`` for that column where
            there is one and else by location, ``"official"`` for the authors' own split of ADVANCE, or ``"pair"``
            for the mistake that the book measures.
        seed: which of the many such splits; there is one given and one official split.
        listing: path of the authors' ``av-geotag.npy``; None fetches it.
    """

    by: str = "own"
    seed: int = 0
    listing: str | None = None

    def is_given(self, catalogue: pd.DataFrame) -> bool:
        """Return whether the split is the column ``split`` of ``pairs.csv``."""
        return self.by == "given" or (self.by == "own" and "split" in catalogue)

    def of(self, catalogue: pd.DataFrame) -> pd.Series:
        """Return the split of each pair of a catalogue."""
        if self.by == "official":
            return official_split(catalogue, self.listing)
        if self.is_given(catalogue):
            return given_split(catalogue)
        return (split_by_pair if self.by == "pair" else split_by_location)(catalogue, self.seed)


THE_SPLIT = Split()


def split_named(name: str) -> Split:
    """Return a split by name: one of `Split`'s words, or the path of the authors' listing.

    Raises:
        UserError: neither one of these names nor a file.
    """
    if name in ("own", "location", "given", "official", "pair"):
        return Split(name)
    if not Path(name).is_file():
        raise UserError(
            f"no split '{name}'; choose own, location, given, official, pair, or the path of the authors' av-geotag.npy"
        )
    return Split("official", listing=str(Path(name).absolute()))


@dataclass(frozen=True)
class Dataset:
    """Pairs, their split, and what is known about where they come from.

    Attributes:
        name: as it was asked for.
        title: for captions, so that no figure hides which data it shows.
        folder: holds ``vision`` and ``sound``.
        catalogue: one row per pair, with a column ``split``.
        exam: pairs at other locations of the same world, split ``"exam"``; empty where there are none.
    """

    name: str
    title: str
    folder: Path
    catalogue: pd.DataFrame
    exam: pd.DataFrame = field(repr=False)

    @property
    def scenes(self) -> list[str]:
        """Scene names in alphabetical order; the index of a name is its target."""
        return sorted(set(self.catalogue["scene"]))

    @property
    def pairs(self) -> pd.DataFrame:
        """All pairs, those of the exam last."""
        return pd.concat([self.catalogue, self.exam], ignore_index=True)

    def rows(self) -> dict[str, np.ndarray]:
        """Return the rows of `pairs` in each split."""
        split = self.pairs["split"].to_numpy()
        return {name: np.flatnonzero(split == name) for name in (*SPLITS, "exam") if (split == name).any()}

    def key(self) -> str:
        """Return the hash of the pairs, their files' contents and the split."""
        return digest(catalogue_digest(self.pairs), list(self.pairs["split"]))


def world_of(profile: Profile, exam: bool = False) -> World:
    """Return the miniature world of a profile, or its exam."""
    return World(pairs=profile.pairs, side=profile.render_side, exam=exam)


def _advance_folder() -> Path:
    folder = advance_folder()
    if not (folder / "vision").is_dir():
        raise UserError(
            f"ADVANCE is not at {folder}: fetch Zenodo record 3828124 with `advance download advance`, or set "
            "ADVANCE_DATA to the folder that holds 'vision' and 'sound'"
        )
    return folder


def _check_split(catalogue: pd.DataFrame, folder: Path, given: bool) -> None:
    remedy = (
        "mend the column split of pairs.csv"
        if given
        else "if other scenes use the same numbers for other places, give locations in pairs.csv (columns scene, id, "
        "location)"
    )
    counts = catalogue.groupby(["scene", "split"]).size().unstack(fill_value=0).reindex(columns=SPLITS, fill_value=0)
    for scene, row in counts.iterrows():
        if not row.all():
            raise UserError(f"{folder}: scene '{scene}' has no {row.index[row == 0][0]} pairs; {remedy}")


def _read(name: str, profile: Profile, skip_broken: bool) -> tuple[str, Path, pd.DataFrame, pd.DataFrame | None]:
    """Return title, folder and pairs of a dataset, and the pairs of its exam or None; nothing is split yet."""
    if name == "miniature":
        folder, title = render_world(world_of(profile)), f"the miniature ({profile.name})"
        exam = read_catalogue(render_world(world_of(profile, exam=True))).assign(split="exam")
    else:
        folder = _advance_folder() if name == "advance" else Path(name).expanduser()
        title = "ADVANCE" if name == "advance" else folder.name
        exam = None
    return title, folder, read_catalogue(folder, skip_broken), exam


@cache
def open_dataset(name: str, profile: Profile, split: Split = THE_SPLIT, skip_broken: bool = False) -> Dataset:
    """Open a dataset, rendering the miniature first where that is asked for.

    Args:
        name: ``"miniature"``, ``"advance"``, or the path of a folder in ADVANCE's layout.
        profile: size of the miniature.
        split: which split.
        skip_broken: leave unusable pairs out instead of refusing the dataset.

    Raises:
        UserError: the dataset is not there or cannot be used; the message says what to do.
    """
    title, folder, catalogue, exam = _read(name, profile, skip_broken)
    given = split.is_given(catalogue)
    catalogue = catalogue.assign(split=split.of(catalogue))
    if split.by != "pair":
        _check_split(catalogue, folder, given)
    if given:
        title += ", split as given"
    return Dataset(name, title, folder, catalogue, catalogue.iloc[:0] if exam is None else exam)


@cache
def _arrays(
    name: str, profile: Profile, skip_broken: bool, preset: Preset, sources: Sources
) -> tuple[np.ndarray, np.ndarray]:
    parts = [part for part in _read(name, profile, skip_broken)[2:] if part is not None]
    images = [image_array(part, profile.image_side) for part in parts]
    sounds = [sources.ears(preset).arrays(part) for part in parts]
    if len(parts) == 1:
        return images[0], sounds[0]
    return np.concatenate(images), np.concatenate(sounds)


@cache
def inputs_of(
    name: str,
    profile: Profile,
    split: Split = THE_SPLIT,
    skip_broken: bool = False,
    preset: Preset = PAPER,
    sources: Sources = RENDERED,
) -> tuple[Dataset, Inputs]:
    """Return a dataset and its arrays, normalised with the statistics of its training split.

    Args:
        name: as for `open_dataset`, like the next three.
        profile: side of the photographs.
        split: which split.
        skip_broken: leave unusable pairs out.
        preset: front end and scale of the colours.
        sources: the networks that the arrays are for; its ``audio`` and ``visual`` say what these expect.
    """
    dataset = open_dataset(name, profile, split, skip_broken)
    images, log_mels = _arrays(name, profile, skip_broken, preset, sources)
    scenes = {scene: index for index, scene in enumerate(dataset.scenes)}
    targets = dataset.pairs["scene"].map(scenes).to_numpy(np.int64)
    normaliser = Normaliser.of(images, log_mels, dataset.rows()["train"], sources.raw_colours(preset))
    return dataset, Inputs(images, log_mels, targets, normaliser)
