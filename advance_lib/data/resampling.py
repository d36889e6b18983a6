"""A recording at another sampling rate: torchaudio's filter, in bounded memory for any pair of rates.

Chapter: Hearing.
"""

from functools import lru_cache
from math import ceil, gcd

import torch
import torchaudio

TABLE = 1 << 21  # numbers that a resampler's table may hold; usual rates need a twentieth of that
UNFOLDED = 1 << 24  # numbers that torchaudio may spread a clip to; 96 kHz need three quarters of that
CHUNK = 1 << 18  # weights that are evaluated at once
ZEROS, ROLLOFF = 6, 0.99  # torchaudio's filter: zero crossings on either side, and its cutoff in units of Nyquist's


@lru_cache(maxsize=16)  # a table of the largest size takes 16 MB
def _resampler(rate: int, new_rate: int, dtype: torch.dtype) -> torchaudio.transforms.Resample:
    return torchaudio.transforms.Resample(rate, new_rate, dtype=dtype)


def resampled(samples: torch.Tensor, rate: int, new_rate: int) -> torch.Tensor:
    """Return a recording at another sampling rate, by torchaudio's filter.

    Torchaudio tabulates the filter for all positions of new samples between old ones, which grows as the product of
    rates without common divisor, and copies the clip once for each old sample that a new one depends on. Where that is
    too much, as for 44,101 or 384,000 Hz, the filter is evaluated where it is needed.

    Args:
        samples: (samples,), of any type of floating-point numbers.
        rate: theirs, in Hz.
        new_rate: that of the result, in Hz.

    Returns:
        (⌈samples · new_rate / rate⌉,), of the same type.
    """
    old, new = rate // gcd(rate, new_rate), new_rate // gcd(rate, new_rate)
    cutoff = ROLLOFF * min(old, new)
    reach = ceil(ZEROS * old / cutoff)  # old samples on either side
    support = old + 2 * reach
    if new * support <= TABLE and len(samples) // old * support <= UNFOLDED:
        return _resampler(rate, new_rate, samples.dtype)(samples)
    padded = torch.nn.functional.pad(samples.double(), (reach, reach + 1))
    result = torch.empty(ceil(new * len(samples) / old), dtype=torch.float64)
    taps = torch.arange(-reach, reach + 1)
    for places in torch.arange(len(result)).split(CHUNK // len(taps)):
        before = places * old // new  # the old sample at or before each new one
        distance = taps - (places * old % new).double()[:, None] / new  # in old samples
        phase = (distance * (cutoff / old)).clamp(-ZEROS, ZEROS)
        weight = torch.sinc(phase) * torch.cos(phase * (torch.pi / ZEROS / 2)) ** 2 * (cutoff / old)
        result[places] = (padded[before[:, None] + (taps + reach)] * weight).sum(dim=1)
    return result.to(samples.dtype)
