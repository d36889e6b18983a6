"""EfficientAT's mn04 as N_a(0): the maps behind its first blocks are kept, what follows them can be fine-tuned.

Chapter: Real photographs, real recordings.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from advance_lib.cache import code_digest, digest, file_digest
from advance_lib.data.features import computed_rows
from advance_lib.data.media import read_clip
from advance_lib.models.audioset import event_names
from advance_lib.models.efficientat import FineTuned, load, log_mel
from advance_lib.models.pretrained import kept
from advance_lib.transfer.pretraining import Pretrained

MEAN_AVERAGE_PRECISION = 43.2  # on AudioSet's evaluation set, as its authors measured it


@cache
def mn04_audio(weights: Path) -> Pretrained:
    """Return mn04 as N_a(0), with AudioSet's 527 events.

    Args:
        weights: ``mn04_as_mAP_432.pt``.

    Raises:
        UserError: no such file, or not that network.
    """
    key = digest("mn04", file_digest(weights), code_digest("advance_lib.models.efficientat"))
    return kept(lambda: FineTuned.of(load(weights)).state_dict(), event_names(), key, MEAN_AVERAGE_PRECISION)


def early_maps(pairs: pd.DataFrame, weights: Path) -> np.ndarray:
    """Return the maps of clips behind mn04's first blocks, computed where they are missing.

    Args:
        pairs: columns ``sound`` (path) and ``sound_sha256``.
        weights: ``mn04_as_mAP_432.pt``.

    Returns:
        (pairs, 32, 8, 63) float16, memory-mapped.
    """
    network = cache(lambda: load(weights))  # not at all where the maps are there

    def row(path: Path) -> np.ndarray:
        with torch.inference_mode():
            return network().early(log_mel(*read_clip(path))[None])[0].half().numpy()

    settings = {"weights": file_digest(weights), "code": code_digest("advance_lib.models.efficientat")}
    return computed_rows("mn04 maps", list(pairs["sound"]), list(pairs["sound_sha256"]), settings, row)
