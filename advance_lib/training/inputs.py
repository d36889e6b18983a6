"""What the networks see: normalised spectrograms, jittered and normalised photographs (section 5.1).

Chapters: Hearing, Seeing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

STRENGTH = 0.3  # Section 5.1 names the kinds, not their strengths; this was set by eye.
GREY = (0.2989, 0.587, 0.114)  # luma of ITU-R BT.601, as in torchvision


@dataclass(frozen=True)
class Normaliser:
    """Statistics of a training split.

    Attributes:
        band_mean: (F,) mean of each mel band in dB.
        band_std: (F,) its standard deviation.
        colour_mean: (3,) mean of each colour channel, 0 to 1.
        colour_std: (3,) its standard deviation.
    """

    band_mean: Tensor
    band_std: Tensor
    colour_mean: Tensor
    colour_std: Tensor

    @classmethod
    def of(
        cls, images: np.ndarray | None, log_mels: np.ndarray | None, rows: np.ndarray, raw_colours: bool = False
    ) -> "Normaliser":
        """Measure the statistics on some rows; a sense that is not there gets mean 0 and deviation 1.

        Args:
            images: (samples, side, side, 3) uint8, or None.
            log_mels: (samples, T, F) in dB, or None; maps of mn04 are not normalised.
            rows: of the training split.
            raw_colours: leave colours between 0 and 255, as the official code does.
        """
        bands, colours = (np.zeros(64), np.ones(64)), (np.zeros(3), np.ones(3))
        if log_mels is not None and log_mels.ndim == 3:
            bands = _moments(log_mels, rows, 1.0)
        if raw_colours:
            colours = np.zeros(3), np.full(3, 1 / 255)
        elif images is not None:
            colours = _moments(images, rows, 255.0)
        return cls(*(torch.tensor(x, dtype=torch.float32) for x in (*bands, *colours)))

    def to(self, device: torch.device) -> "Normaliser":
        """Return the same statistics on a device."""
        return Normaliser(*(x.to(device) for x in (self.band_mean, self.band_std, self.colour_mean, self.colour_std)))


def _moments(values: np.ndarray, rows: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the last axis, row by row, so that large files stay on disk."""
    count, total, squares = 0, 0.0, 0.0
    for row in rows:
        x = values[row].reshape(-1, values.shape[-1]).astype(np.float64) / scale
        count, total, squares = count + len(x), total + x.sum(0), squares + (x**2).sum(0)
    mean = total / count
    return mean, np.sqrt(np.maximum(squares / count - mean**2, 1e-12))


def drawn_jitter(samples: int, generator: torch.Generator | None = None) -> Tensor:
    """Return what `jittered` needs of chance, (samples, 4) uniform in [0, 1).

    Drawn before an epoch begins, so that a step waits for nothing, and a photograph is changed in the same way
    whatever device or process it is on.

    Args:
        samples: photographs.
        generator: of random numbers on the CPU; None for torch's global one.
    """
    return torch.rand(samples, 4, generator=generator)


def jittered(images: Tensor, draws: Tensor) -> Tensor:
    """Return photographs flipped at random, and brighter or darker, more or less colourful.

    The same as torchvision's ``RandomHorizontalFlip`` and ``ColorJitter(brightness=0.3, saturation=0.3)``, which take
    the two colour changes in random order too, on each photograph by itself.

    Args:
        images: (batch, 3, height, width) uint8.
        draws: (batch, 4) from `drawn_jitter`: flip, brightness, saturation, which of the two comes first.

    Returns:
        (batch, 3, height, width) float32, whole numbers from 0 to 255.
    """
    flip, brightness, saturation, first = (column[:, None, None, None] for column in draws.T)
    x = torch.where(flip < 0.5, images.flip(3), images).float()
    brightness, saturation = (1 + STRENGTH * (2 * u - 1) for u in (brightness, saturation))
    for brightens in (first < 0.5, first >= 0.5):
        factor = torch.where(brightens, brightness, saturation)
        grey = sum(weight * x[:, i : i + 1] for i, weight in enumerate(GREY)).floor()
        x = (factor * x + (1 - factor) * grey.masked_fill(brightens, 0)).clamp(0, 255).floor()
    return x


class Batch(NamedTuple):
    """A batch on its way to the network.

    Attributes:
        image: (batch, 3, side, side) float32, or None.
        log_mel: (batch, 1, T, F) float32, or (batch, channels, frequency, time) maps, or None.
        target: (batch,) scene indices, or (batch, events) for pre-training on events.
        events: f_e(a, N_a(0)), (batch, events) pre-activations of the teacher, or None.
    """

    image: Tensor | None
    log_mel: Tensor | None
    target: Tensor
    events: Tensor | None = None


@dataclass(frozen=True)
class Inputs:
    """Arrays of a dataset and how they become batches.

    Attributes:
        images: (samples, side, side, 3) uint8, or None: the network then gets no image.
        log_mels: (samples, T, F) raw dB, or (samples, channels, frequency, time) for a network whose first blocks
            stay as they are, or None: the network then gets no sound.
        targets: (samples,) scene indices or (samples, events) presences.
        normaliser: statistics of the training split.
        events: (samples, events) pre-activations of the teacher, or None.
    """

    images: np.ndarray | None
    log_mels: np.ndarray | None
    targets: np.ndarray
    normaliser: Normaliser
    events: np.ndarray | None = None

    def gathered(self, rows: np.ndarray) -> Batch:
        """Return some rows as they are stored: photographs uint8 in channels-last order, sounds float16."""
        taken = (None if x is None else torch.from_numpy(x[rows]) for x in self.arrays)
        return Batch(*taken)

    @property
    def arrays(self) -> tuple[np.ndarray | None, ...]:
        """The arrays in the order of `Batch`."""
        return self.images, self.log_mels, self.targets, self.events

    def batches(self, rows: np.ndarray, size: int, draws: Tensor | None = None) -> Iterator[Batch]:
        """Yield rows in batches, ready for the network.

        Args:
            rows: (n,) indices, in the order in which they are wanted.
            size: of a batch; the last may be smaller.
            draws: (n, 4) from `drawn_jitter`, or None to leave the photographs as they are.
        """
        for first in range(0, len(rows), size):
            chosen = slice(first, first + size)
            yield prepared(self.gathered(rows[chosen]), self.normaliser, None if draws is None else draws[chosen])

    def batch(self, rows: np.ndarray, augment: bool) -> Batch:
        """Return some rows, ready for the network.

        Args:
            rows: (batch,) indices.
            augment: flip and jitter the photographs. Draws from torch's global random numbers.
        """
        return next(self.batches(rows, len(rows), drawn_jitter(len(rows)) if augment else None))


def prepared(stored: Batch, normaliser: Normaliser, draws: Tensor | None = None) -> Batch:
    """Return a batch as the network wants it, on the device where it lies.

    Args:
        stored: rows as they are stored: photographs (batch, side, side, 3) uint8, spectrograms (batch, T, F) in dB.
        normaliser: statistics of the training split, on the same device.
        draws: (batch, 4) from `drawn_jitter`, or None to leave the photographs as they are.
    """
    image, log_mel = stored.image, stored.log_mel
    if image is not None:
        image = image.permute(0, 3, 1, 2)  # what was stored is now channels-last, the faster order for convolutions
        image = image if draws is None else jittered(image, draws)
        mean, std = (x[:, None, None] for x in (normaliser.colour_mean, normaliser.colour_std))
        image = ((image / 255 - mean) / std).contiguous(memory_format=torch.channels_last)
    if log_mel is not None:
        log_mel = log_mel.float()
        if log_mel.ndim == 3:
            log_mel = ((log_mel - normaliser.band_mean) / normaliser.band_std)[:, None]
    return Batch(image, log_mel, stored.target, stored.events)
