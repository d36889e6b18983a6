"""Flip, brightness and saturation of whole batches of photographs, on any device (section 5.1).

Each photograph has its own random numbers, drawn before the epoch begins: so a step waits for nothing, and a
photograph is changed in the same way whatever device or process it is on.

Chapter: Seeing.
"""

import torch
from torch import Tensor

STRENGTH = 0.3  # Section 5.1 names the kinds, not their strengths; this was set by eye.
GREY = (0.2989, 0.587, 0.114)  # luma of ITU-R BT.601, as in torchvision


def drawn_jitter(samples: int, generator: torch.Generator | None = None) -> Tensor:
    """Return what `jittered` needs of chance, (samples, 4) uniform in [0, 1).

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
