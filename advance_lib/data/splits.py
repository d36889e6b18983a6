"""Training, validation and test: 70 / 10 / 20 %, and never a location in two of them (section 5.1).

Siblings share a recording and overlap in the picture, so a split by pair would let a network recognise
the place instead of the scene.

Chapter: The dataset.
"""

import numpy as np
import pandas as pd

from advance_lib.data.catalogue import DatasetError

SPLITS = ("train", "validation", "test")


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


def split_by_pair(catalogue: pd.DataFrame, seed: int = 0) -> pd.Series:
    """Split 70/10/20 by pair, ignoring locations: the mistake that the book measures."""
    order = np.random.default_rng(seed).permutation(len(catalogue))
    names = np.repeat(SPLITS, np.diff([0, int(0.7 * len(order)), int(0.8 * len(order)), len(order)]))
    return pd.Series(names, index=catalogue.index[order], name="split").reindex(catalogue.index)


def shared_locations(catalogue: pd.DataFrame, split: pd.Series) -> float:
    """Return the share of test pairs whose location also has a training pair (0 for an honest split)."""
    training = set(catalogue.loc[split == "train", "location"])
    return float(catalogue.loc[split == "test", "location"].isin(training).mean())
