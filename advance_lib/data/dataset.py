"""Pairs, their split, and what is known about where they come from.

Chapter: The dataset.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from advance_lib.cache import digest
from advance_lib.data.catalogue import catalogue_digest
from advance_lib.data.splits import EXAM, SPLITS


@dataclass(frozen=True)
class Dataset:
    """Pairs, their split, and what is known about where they come from.

    Attributes:
        name: as it was asked for.
        title: for captions, so that no figure hides which data it shows.
        folder: holds ``vision`` and ``sound``.
        catalogue: one row per pair, with a column ``split``.
        exam: pairs at other locations, split ``"exam"``; empty where there are none.
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
        return {name: np.flatnonzero(split == name) for name in (*SPLITS, EXAM) if (split == name).any()}

    def key(self) -> str:
        """Return the hash of the pairs, their files' contents and the split."""
        return digest(catalogue_digest(self.pairs), list(self.pairs["split"]))
