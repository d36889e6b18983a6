"""Training, validation and test: 70 / 10 / 20 %, and never a location in two (section 5.1); or the authors' own.

Siblings share a recording and overlap in the picture, so a split by pair would let a network recognise
the place instead of the scene.

Chapter: The dataset.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from advance_lib.cache import UserError
from advance_lib.data.catalogue import DatasetError, read_catalogue
from advance_lib.data.grid import COORDINATES, DEGREES, NO_COORDINATES, degrees_in, grid_cells
from advance_lib.data.tables import read_rows

SPLITS = ("train", "validation", "test")
EXAM = "exam"  # the fourth word of the column: pairs that nothing is trained, selected or tuned on
NOT_GIVEN = "no split is given: write one into pairs.csv beside 'vision' and 'sound', columns id, split"


def _shares(count: int) -> np.ndarray:
    """Return the split of each of a scene's shuffled locations; every split gets at least one."""
    validation = max(1, round(0.1 * count))
    train = min(round(0.7 * count), count - validation - 1)
    return np.repeat(SPLITS, [train, validation, count - train - validation])


def split_by_location(catalogue: pd.DataFrame, seed: int = 0) -> pd.Series:
    """Split 70/10/20 by location, scene by scene.

    Args:
        catalogue: as from `read_catalogue`.
        seed: which of the many such splits.

    Returns:
        One of `SPLITS` for each row of the catalogue.

    Raises:
        DatasetError: a scene has fewer than three locations.
    """
    # A location with pairs of two scenes counts for the scene that most of them have.
    homes = catalogue.groupby("location")["scene"].agg(lambda scenes: scenes.mode().iloc[0])
    generator = np.random.default_rng(seed)
    assigned = {}
    for scene, locations in homes.groupby(homes):
        if len(locations) < 3:
            raise DatasetError(
                f"scene '{scene}' has {len(locations)} location(s); three are needed for training, "
                "validation and test: add pairs or remove the scene's folders"
            )
        assigned |= dict(zip(generator.permutation(sorted(locations.index)), _shares(len(locations)), strict=True))
    return catalogue["location"].map(assigned).rename("split")


def split_by_grid(catalogue: pd.DataFrame, degrees: float = DEGREES, seed: int = 0) -> pd.Series:
    """Split 70/10/20 by cells of a grid: what lies in a cell is in one split, whichever scenes it has.

    A cell may hold several scenes, so the shares are those of each scene's cells as nearly as that allows: the scene
    with the fewest cells chooses first, and a cell goes where the scene lacks the largest share (Sechidis et al., "On
    the Stratification of Multi-Label Data", 2011).

    Args:
        catalogue: as from `read_catalogue`, with columns latitude and longitude.
        degrees: side of a cell.
        seed: which of the many such splits.

    Returns:
        One of `SPLITS` for each row of the catalogue.

    Raises:
        DatasetError: pairs without coordinates, or a scene in fewer than three cells.
    """
    cell = grid_cells(catalogue, degrees)
    generator, assigned = np.random.default_rng(seed), {}
    inside = cell.groupby(catalogue["scene"]).unique()
    for scene in inside.map(len).sort_values(kind="stable").index:
        own = generator.permutation(sorted(inside[scene]))
        if len(own) < 3:
            raise DatasetError(
                f"scene '{scene}' lies in {len(own)} cell(s) of {degrees:g} degrees; three are needed for training, "
                f"validation and test: take smaller cells, such as --split grid={degrees / 10:g}, or --split location"
            )
        wanted = pd.Series(_shares(len(own))).value_counts()[list(SPLITS)]
        lacking = wanted.sub(pd.Series([assigned.get(name) for name in own]).value_counts(), fill_value=0)[list(SPLITS)]
        for name in own:
            if name not in assigned:
                assigned[name] = (lacking / wanted).idxmax()
                lacking[assigned[name]] -= 1
    return cell.map(assigned).rename("split")


def split_by_pair(catalogue: pd.DataFrame, seed: int = 0) -> pd.Series:
    """Split 70/10/20 by pair, ignoring locations: the mistake that the book measures."""
    order = np.random.default_rng(seed).permutation(len(catalogue))
    names = np.repeat(SPLITS, np.diff([0, int(0.7 * len(order)), int(0.8 * len(order)), len(order)]))
    return pd.Series(names, index=catalogue.index[order], name="split").reindex(catalogue.index)


def shared_locations(catalogue: pd.DataFrame, split: pd.Series) -> float:
    """Return the share of test pairs whose location also has a training pair (0 for an honest split)."""
    training = set(catalogue.loc[split == "train", "location"])
    return float(catalogue.loc[split == "test", "location"].isin(training).mean())


def _spelt(pairs: pd.DataFrame) -> pd.Series:
    """Return one spelling of each pair: ``"Sports_Land/00414_2"`` and ``"sports land/00414_2"`` are the same one."""
    return pairs["scene"].str.replace(r"[\s_-]", "", regex=True).str.casefold() + "/" + pairs["id"]


@cache
def _authors() -> pd.DataFrame:
    """Return the authors' table: index as from `_spelt`, columns ``split`` and ``in_posteriors``."""
    table = pd.read_csv(Path(__file__).with_name("official_split.csv"), dtype={"id": str})
    return table.set_index(_spelt(table))


def official_split(catalogue: pd.DataFrame) -> pd.Series:
    """Split ADVANCE as its authors did: 3,537 / 475 / 1,063 pairs.

    Source: ``official_split.csv``, made of DTaoo/Multimodal-Aerial-Scene-Recognition at b5345f5 (MIT), whose
    ``data_splitter_by_id`` (data/data_partition.py) shuffles the locations of each class, in the order of
    model/av-geotag.npy, with the number of the class as seed. Pairs are matched by scene and id, whatever the case,
    spaces and underscores of a scene's name.

    Args:
        catalogue: as from `read_catalogue`.

    Returns:
        One of `SPLITS` for each row of the catalogue.

    Raises:
        DatasetError: pairs that are not ADVANCE's.
    """
    keys = _spelt(catalogue)
    split = keys.map(_authors()["split"]).rename("split")
    if len(unknown := catalogue[split.isna()]):
        examples = " and ".join((unknown["scene"] + "/" + unknown["id"])[:2])
        raise DatasetError(
            f"{len(unknown)} of {len(catalogue)} pairs are not among ADVANCE's, such as {examples}; only ADVANCE has "
            "an official split: choose --split location"
        )
    if absent := len(_authors().index.difference(keys)):
        warnings.warn(f"{absent} of the {len(_authors()):,} pairs of ADVANCE are not here", stacklevel=2)
    return split


def posterior_rows(pairs: pd.DataFrame, posteriors: str) -> np.ndarray:
    """Return the rows that p(e|s_k) and event relevance are measured on.

    The official code takes 70 % of a class's *samples*, shuffled with the seed with which the split shuffles the
    class's *locations* (``cate_data_sample``, data/data_partition.py:104; model/scene_to_event_prior.py:67). Where
    every location has one sample the two shuffles are one, so these are the training samples; else they have nothing to
    do with each other, and test samples take part.

    Args:
        pairs: as `Dataset.pairs`: columns scene, id, location and split; an exam is never measured on.
        posteriors: ``"train"`` for the training split; ``"leaky"`` for the official code's: of ADVANCE the authors'
            own 3,548 samples (column ``in_posteriors`` of ``official_split.csv``, 448 of them in their test split), of
            other pairs those of the rule above: a scene's training pairs where each of its locations has one pair, else
            70 % of its pairs at random.

    Returns:
        (rows,) in rising order.
    """
    if posteriors == "train":
        return np.flatnonzero(pairs["split"] == "train")
    own = pairs.reset_index(drop=True)[lambda table: table["split"].isin(SPLITS).to_numpy()]
    theirs = _spelt(own).map(_authors()["in_posteriors"])  # 0, 1, or nothing where a pair is not theirs
    if theirs.notna().all():
        return own.index[theirs == 1].to_numpy()
    generator, found = np.random.default_rng(0), []
    for _, scene in own.groupby("scene"):
        drawn = generator.permutation(scene.index)[: int(0.7 * len(scene))]
        found.append(scene.index[scene["split"] == "train"] if scene["location"].is_unique else drawn)
    return np.sort(np.concatenate(found))


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (", …" if len(names) > 6 else "")


def given_split(catalogue: pd.DataFrame) -> pd.Series:
    """Return the split that the column ``split`` of ``pairs.csv`` gives each pair, in capitals or not.

    Warns where a location has pairs in several splits.

    Args:
        catalogue: as from `read_catalogue`.

    Raises:
        DatasetError: there is no such column, or pairs have another word than train, validation and test (those of
            the exam are apart already, see `without_exam`), or none.
    """
    if "split" not in catalogue:
        raise DatasetError(NOT_GIVEN)
    split = catalogue["split"].fillna("").str.strip().str.lower()
    names = catalogue["scene"] + "/" + catalogue["id"] + " (" + split.replace("", "nothing") + ")"
    if len(wrong := names[~split.isin(SPLITS)]):
        raise DatasetError(
            f"pairs.csv: the split of {len(wrong)} of {len(names)} pairs is none of {', '.join((*SPLITS, EXAM))}: "
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


def without_exam(catalogue: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Take the pairs out that the column ``split`` of ``pairs.csv`` calls ``exam``, whatever the split of the rest.

    Warns where the exam shares locations with the rest.

    Args:
        catalogue: as from `read_catalogue`.

    Returns:
        The other pairs, and the exam's with the split ``"exam"``; either may be empty.

    Raises:
        DatasetError: the exam has a scene that nothing else has.
    """
    if "split" not in catalogue:
        return catalogue, catalogue.iloc[:0]
    apart = catalogue["split"].fillna("").str.strip().str.lower() == EXAM
    rest, exam = catalogue[~apart].reset_index(drop=True), catalogue[apart].reset_index(drop=True)
    if unknown := sorted(set(exam["scene"]) - set(rest["scene"])):
        raise DatasetError(
            f"pairs.csv: scene '{unknown[0]}' occurs in the exam alone; give it pairs to train on, or leave it out"
        )
    if shared := sorted(set(exam["location"]) & set(rest["location"])):
        said = f"pairs.csv: {len(shared)} location(s) of the exam are in other splits, too: {_first(shared)}"
        warnings.warn(said, stacklevel=2)
    return rest, exam.assign(split=EXAM)


def only_to_test(folder: Path, skip_broken: bool = False) -> pd.DataFrame | None:
    """Return the pairs of a folder whose ``pairs.csv`` has none to train or choose with; None for any other folder.

    Args:
        folder: of the dataset.
        skip_broken: as for `read_catalogue`.
    """
    if not (table := folder / "pairs.csv").is_file():
        return None
    words = {cells.get("split", "").strip().lower() for cells in read_rows(table)[1].values()}
    return read_catalogue(folder, skip_broken) if words and words <= {"test", EXAM} else None


@dataclass(frozen=True)
class Split:
    """Which split: the tables use the default one; the spread over splits is reported apart.

    Attributes:
        by: ``"location"``, ``"given"`` for the column ``split`` of ``pairs.csv``, ``"own"`` for that column where
            there is one and else by location, ``"official"`` for the authors' own split of ADVANCE, ``"pair"`` for
            the mistake that the book measures, or ``"grid"`` for whole cells of 0.1 degrees (``"grid=0.5"`` for
            those of half a degree).
        seed: which of the many such splits; there is one given and one official split.
    """

    by: str = "own"
    seed: int = 0

    def is_given(self, catalogue: pd.DataFrame) -> bool:
        """Return whether the split is the column ``split`` of ``pairs.csv``."""
        return self.by == "given" or (self.by == "own" and "split" in catalogue)

    def of(self, catalogue: pd.DataFrame) -> pd.Series:
        """Return the split of each pair of a catalogue."""
        if self.by == "official":
            return official_split(catalogue)
        if self.is_given(catalogue):
            return given_split(catalogue)
        if degrees := degrees_in(self.by):
            return split_by_grid(catalogue, degrees, self.seed)
        return (split_by_pair if self.by == "pair" else split_by_location)(catalogue, self.seed)

    def require(self, folder: Path | None) -> None:
        """Refuse a split that a folder's names tell cannot be had, before any file is opened.

        Args:
            folder: holds ``vision`` and ``sound``; None for the miniature, see `places.require_split`.

        Raises:
            DatasetError: there is no such split.
        """
        needed = ["split"] if self.by == "given" else COORDINATES if degrees_in(self.by) else []
        if folder is None or not (needed or self.by == "official"):
            return
        if self.by == "official":
            names = [(path.parent.name, path.stem) for path in sorted((folder / "vision").glob("[!.]*/[!.]*"))]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of absent pairs, said when the files are read
                official_split(pd.DataFrame(names, columns=["scene", "id"], dtype=str))
        elif not (table := folder / "pairs.csv").is_file() or not set(needed) <= set(read_rows(table)[0]):
            raise DatasetError(NOT_GIVEN if self.by == "given" else NO_COORDINATES)

    def applied(self, catalogue: pd.DataFrame, folder: Path) -> pd.DataFrame:
        """Return a catalogue with the column ``split``.

        Raises:
            DatasetError: the split cannot be made, or leaves a scene without pairs for training, validation or test.
        """
        split = catalogue.assign(split=self.of(catalogue))
        remedy = (
            "mend the column split of pairs.csv"
            if self.is_given(catalogue)
            else "take smaller cells, or choose --split location"
            if degrees_in(self.by)
            else "if other scenes use the same numbers for other places, give locations in pairs.csv (columns scene, "
            "id, location)"
        )
        counts = split.groupby(["scene", "split"]).size().unstack(fill_value=0).reindex(columns=SPLITS, fill_value=0)
        for scene, row in counts.iterrows():
            if self.by != "pair" and not row.all():
                raise DatasetError(f"{folder}: scene '{scene}' has no {row.index[row == 0][0]} pairs; {remedy}")
        return split


THE_SPLIT = Split()


def split_named(name: str) -> Split:
    """Return a split by name: one of `Split`'s words.

    Raises:
        UserError: there is none of this name.
    """
    names = ("own", "location", "given", "official", "pair", "grid")
    if name not in names and not degrees_in(name):
        raise UserError(f"no split '{name}'; choose {', '.join(names)}")
    return Split(name)
