"""Any dataset of the library for a PyTorch `DataLoader`, in a training loop of one's own.

Chapter: Use it on your own data.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import Dataset

from advance_lib.data.features import log_mel, resized
from advance_lib.data.media import read_clip, read_image


class Pairs(Dataset):
    """Photographs, sounds and scenes, decoded where they are asked for, in as many workers as you like.

    Args:
        pairs: columns image and sound (paths) and scene, as from `read_catalogue`.
        scenes: names in the order of their codes; by default those of the pairs, in alphabetical order.
        side: of the photographs in pixels.
        heard: from ten seconds of mono samples and their rate in Hz to an array, of the same shape for every clip; by
            default the paper's log-mel spectrogram, (400, 64) in dB.

    An item is (photograph (3, side, side) uint8, sound as heard, code of the scene)::

        from torch.utils.data import DataLoader

        data = prepared(Settings("my-data")).data
        train, test = (Pairs(data.pairs[data.pairs["split"] == name], data.scenes) for name in ("train", "test"))
        for images, sounds, scenes in DataLoader(train, batch_size=32, shuffle=True, num_workers=2):
            loss = cross_entropy(network(images / 255, sounds), scenes)
    """

    def __init__(
        self,
        pairs: pd.DataFrame,
        scenes: Sequence[str] | None = None,
        side: int = 256,
        heard: Callable[[np.ndarray, int], np.ndarray] = log_mel,
    ):
        self.scenes = list(scenes or sorted(set(pairs["scene"])))
        self.side, self.heard = side, heard
        self._rows = [(*row[:2], self.scenes.index(row[2])) for row in pairs[["image", "sound", "scene"]].to_numpy()]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, int]:
        image, sound, code = self._rows[index]
        pixels = torch.from_numpy(resized(read_image(image), self.side).copy()).permute(2, 0, 1)
        return pixels, torch.from_numpy(self.heard(*read_clip(sound))), code
