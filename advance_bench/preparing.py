"""How fast files become arrays, beside the fastest that reading, resampling, transforming and decoding allow.

Chapter: What it costs.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
import soundfile
import torch
import torchaudio
from PIL import Image
from torch import Tensor

from advance_bench.limits import threads
from advance_lib.data.features import FrontEnd, log_mel, resized
from advance_lib.data.media import read_clip, read_image, ten_seconds

ROUNDS = 5


@dataclass(frozen=True)
class Preparing:
    """Seconds of one core for a pair.

    Attributes:
        clip: from a recording to its log-mel spectrogram, as the library does it.
        clip_floor: the same as `bare_mel` does it.
        photograph: from a photograph to its small copy, as the library does it.
        photograph_floor: decoding and resizing alone.
    """

    clip: float
    clip_floor: float
    photograph: float
    photograph_floor: float

    @property
    def clip_ratio(self) -> float:
        """Share of the floor in what the library takes; 1 is the best."""
        return self.clip_floor / self.clip

    @property
    def photograph_ratio(self) -> float:
        """Share of the floor in what the library takes; 1 is the best."""
        return self.photograph_floor / self.photograph


@cache
def _tools(front_end: FrontEnd, rate: int) -> tuple[torch.nn.Module, Tensor, Tensor]:
    """Return resampler, window and mel bank, all in single precision."""
    bank = torchaudio.functional.melscale_fbanks(
        front_end.n_fft // 2 + 1, 0.0, front_end.sample_rate / 2, front_end.n_mels, front_end.sample_rate,
        norm="slaney", mel_scale="slaney",
    )  # fmt: skip
    resampler = torchaudio.transforms.Resample(rate, front_end.sample_rate)
    return resampler, torch.hann_window(front_end.win_length), bank


def bare_mel(path: str, front_end: FrontEnd) -> Tensor:
    """Return the mel bands of a recording, (T, F), by nothing but reading, resampling, one batch of FFTs and a product.

    Single precision, no check of the file, no logarithm. The resampling is the library's own filter: of the ways tried
    (torchaudio, SciPy's polyphase filter of the same length, soxr) none is the fastest at all usual rates, and this
    one, a convolution, was at most about a third slower than the best.

    Args:
        path: recording.
        front_end: window, hop and bands.
    """
    samples, rate = soundfile.read(path, dtype="float32")
    samples = ten_seconds(samples if samples.ndim == 1 else samples.mean(axis=1), rate)
    resampler, window, bank = _tools(front_end, rate)
    half = front_end.win_length // 2
    frames = torch.nn.functional.pad(resampler(torch.from_numpy(samples)), (half, half))
    frames = frames.unfold(0, front_end.win_length, front_end.hop_length)[: front_end.frames]
    magnitude = torch.fft.rfft(frames * window, front_end.n_fft).abs()
    return (magnitude if front_end.power == 1 else magnitude.pow_(front_end.power)) @ bank


def _bare_photograph(path: str, side: int) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("RGB").resize((side, side), Image.Resampling.BILINEAR)


def _seconds(ways: list[Callable[[str], object]], paths: list[str]) -> list[float]:
    """Return the mean seconds a file of each way; the ways take turns, so that a busy moment hits all of them."""
    durations = np.empty((1 + ROUNDS, len(ways), len(paths)))
    for column, path in enumerate(paths):
        for turn in range(1 + ROUNDS):
            for row, way in enumerate(ways):
                began = time.perf_counter()
                way(path)
                durations[turn, row, column] = time.perf_counter() - began
    return np.median(durations[1:], axis=0).mean(axis=1).tolist()  # the first turn fetches the file from the disk


def preparing_rates(catalogue: pd.DataFrame, side: int, front_end: FrontEnd, pairs: int) -> Preparing:
    """Return what one core needs to prepare a pair, and what it needs at least.

    Args:
        catalogue: as from `catalogue.read_catalogue`.
        side: of the small photographs in pixels.
        front_end: of the spectrograms.
        pairs: how many, spread evenly over the catalogue.
    """
    chosen = catalogue.iloc[np.linspace(0, len(catalogue) - 1, min(pairs, len(catalogue))).astype(int)]
    with threads(1), torch.inference_mode():
        clip = [lambda path: log_mel(*read_clip(path), front_end), lambda path: bare_mel(path, front_end)]
        photograph = [lambda path: resized(read_image(path), side), lambda path: _bare_photograph(path, side)]
        return Preparing(*_seconds(clip, list(chosen["sound"])), *_seconds(photograph, list(chosen["image"])))
