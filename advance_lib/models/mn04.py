"""EfficientAT's mn04 as N_a(0): the maps behind its first blocks are kept, what follows them can be fine-tuned.

Chapter: Real photographs, real recordings.
"""

from dataclasses import dataclass
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
from advance_lib.models.pretrained import Pretrained, kept
from advance_lib.models.weights import weights_file

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


@dataclass(frozen=True)
class EarlyMaps:
    """How mn04 hears: a dataset is kept as the maps behind its first blocks, which are never trained."""

    def array(self, pairs: pd.DataFrame) -> np.ndarray:
        """Return the maps of clips, computed where they are missing.

        Args:
            pairs: columns ``sound`` (path) and ``sound_sha256``.

        Returns:
            (pairs, 32, 8, 63) float16, memory-mapped.

        Raises:
            UserError: mn04's weights were not fetched.
        """
        weights = weights_file("mn04")
        network = cache(lambda: load(weights))  # not at all where the maps are there

        def row(path: Path) -> np.ndarray:
            with torch.inference_mode():
                return network().early(log_mel(*read_clip(path))[None])[0].half().numpy()

        settings = {"weights": file_digest(weights), "code": code_digest("advance_lib.models.efficientat")}
        return computed_rows("mn04 maps", list(pairs["sound"]), list(pairs["sound_sha256"]), settings, row)

    def of(self, samples: np.ndarray, rate: int) -> np.ndarray:
        """Return a clip as the whole network takes it, its log-mel spectrogram (1, bands, frames)."""
        return log_mel(samples, rate).numpy()
