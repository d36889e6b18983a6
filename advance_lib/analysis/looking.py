"""What several approaches saw in the same photographs: their maps, where each is highest, and what each predicted.

Chapter: Where the networks look.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from advance_lib.analysis.activation import WITH_OBJECT, activation_maps, mask_of, pointing_game
from advance_lib.experiments.runs import Run


class Look(NamedTuple):
    """One approach before some photographs.

    Attributes:
        maps: of the true scenes, (photographs, side, side).
        highest: row and column of each map's highest point, (photographs, 2).
        on_object: whether it lies on the scene's object, True, False or None where no object is known.
        named: the scenes that were named.
        p_named: their probability, (photographs,).
        p_true: that of the true scenes, (photographs,).
    """

    maps: np.ndarray
    highest: np.ndarray
    on_object: list[bool | None]
    named: list[str]
    p_named: np.ndarray
    p_true: np.ndarray


def masks_of(pairs: pd.DataFrame, side: int) -> list[np.ndarray | None]:
    """Return where each photograph's object is, (side, side) bool, or None where none is known.

    Args:
        pairs: columns ``scene`` and ``image``.
        side: of the photographs in pixels.
    """
    masks = []
    for pair in pairs.itertuples():
        try:
            masks.append(mask_of(pair.image, side) if pair.scene in WITH_OBJECT else None)
        except FileNotFoundError:  # only the miniature's photographs have masks
            masks.append(None)
    return masks


def look(run: Run, rows: np.ndarray, split: str, masks: Sequence[np.ndarray | None]) -> Look:
    """Ask a finished run what it saw in some photographs and what it predicted.

    Args:
        run: with an image input.
        rows: of the dataset's pairs, all in the split.
        split: which has predictions: validation, test or exam.
        masks: of these photographs.
    """
    maps = activation_maps(run, rows)
    places = np.searchsorted(run.request.shared.data.rows()[split], rows)
    truth, probabilities, _, scenes = run.answers(split)
    p, truth = probabilities[places], truth[places]
    highest = np.stack(np.unravel_index(maps.reshape(len(maps), -1).argmax(axis=1), maps.shape[1:]), axis=1)
    return Look(
        maps,
        highest,
        [
            None if mask is None else bool(pointing_game(one[None], mask[None])[0])
            for one, mask in zip(maps, masks, strict=True)
        ],
        [scenes[code] for code in p.argmax(axis=1)],
        p.max(axis=1),
        p[np.arange(len(p)), truth],
    )
