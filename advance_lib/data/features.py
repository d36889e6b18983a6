"""From files to arrays, once: raw log-mel spectrograms and resized photographs (section 5.1).

The arrays are memory-mapped files keyed by the content of the source files, the front end and this
code. Normalisation is left to `inputs`, because its statistics belong to a training split. PyTorch is loaded where rows
are computed, not where they are found.

Chapters: Hearing, Seeing.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from advance_lib.cache import code_digest, cores, digest, entry, space_for, written_whole
from advance_lib.data.media import read_clip, read_image

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class FrontEnd:
    """How a clip becomes a log-mel spectrogram; the defaults are the paper's (section 5.1).

    Attributes:
        sample_rate: Hz that clips are resampled to.
        n_fft: length of the Fourier transform in samples.
        win_length: length of the Hann window in samples.
        hop_length: samples from frame to frame.
        n_mels: mel bands F, from 0 Hz to half the sampling rate, Slaney's scale and area normalisation.
        frames: time steps T that are kept.
        power: 2 for the mel of a power spectrum, 1 for that of a magnitude spectrum.
        top_db: floor in dB below the clip's maximum; None for no floor but that of 1e-10.
    """

    sample_rate: int = 16_000
    n_fft: int = 1024
    win_length: int = 1024
    hop_length: int = 400
    n_mels: int = 64
    frames: int = 400
    power: float = 2.0
    top_db: float | None = None


PAPER_FRONT_END = FrontEnd()


_BUILDING = Lock()  # the default type, which building changes for a moment, is that of all threads


def _transform(front_end: FrontEnd) -> nn.Sequential:
    with _BUILDING:
        return _built(front_end)


@cache
def _built(front_end: FrontEnd) -> nn.Sequential:
    import torch
    import torchaudio

    # In double precision: bins 60 dB below the loudest would otherwise be off by hundredths of a dB.
    single = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        return torch.nn.Sequential(
            torchaudio.transforms.MelSpectrogram(
                front_end.sample_rate,
                n_fft=front_end.n_fft,
                win_length=front_end.win_length,
                hop_length=front_end.hop_length,
                f_max=front_end.sample_rate / 2,
                n_mels=front_end.n_mels,
                power=front_end.power,
                mel_scale="slaney",
                norm="slaney",
                pad_mode="constant",
            ),
            torchaudio.transforms.AmplitudeToDB("power", top_db=front_end.top_db),
        )
    finally:
        torch.set_default_dtype(single)


def log_mel(samples: np.ndarray, rate: int, front_end: FrontEnd = PAPER_FRONT_END) -> np.ndarray:
    """Return the raw log-mel spectrogram of a clip (section 5.1).

    Args:
        samples: (samples,) float32, mono.
        rate: sampling rate in Hz.
        front_end: window, hop, bands and scale.

    Returns:
        (T, F) float32 in dB, T = 400 frames of 25 ms and F = 64 mel bands.
    """
    import torch

    from advance_lib.data.resampling import resampled

    with torch.inference_mode():
        signal = resampled(torch.from_numpy(samples.astype(np.float64)), rate, front_end.sample_rate)
        bands = _transform(front_end)(signal)
    return bands[:, : front_end.frames].T.contiguous().float().numpy()


def resized(image: np.ndarray, side: int) -> np.ndarray:
    """Return a photograph resized to (side, side, 3) uint8 (section 5.1: "all resized into 256×256")."""
    if image.shape[:2] == (side, side):
        return image
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR))


def computed_rows(
    kind: str, paths: list[str], hashes: list[str], settings: dict, row: Callable[[Path], np.ndarray]
) -> np.ndarray:
    """Return one array row per file, computed in parallel where missing; an interruption loses no row.

    Args:
        kind: begins the name of the array in the cache.
        paths: files.
        hashes: of their contents.
        settings: everything else that the rows depend on, but for this module's code.
        row: of one file; called in threads.

    Returns:
        (files, …), memory-mapped.

    Raises:
        UserError: the disk has no room for the array.
    """

    def make(folder: Path) -> None:
        import torch

        values_file, done_file = folder / "values.npy", folder / "done.npy"
        if not done_file.exists():
            first = row(Path(paths[0]))
            with space_for(values_file, len(paths) * first.nbytes):
                np.lib.format.open_memmap(values_file, "w+", first.dtype, (len(paths), *first.shape))
            with written_whole(done_file) as partial, open(partial, "wb") as file:
                np.save(file, np.zeros(len(paths), bool))
        values, done = np.load(values_file, mmap_mode="r+"), np.load(done_file, mmap_mode="r+")

        def fill(index: int) -> None:
            values[index] = row(Path(paths[index]))
            done[index] = True  # only after the row: a row marked done is whole

        waiting = np.flatnonzero(~done)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # the rows are the parallel part
        try:
            with ThreadPoolExecutor(cores()) as pool:
                for _ in tqdm(pool.map(fill, waiting), f"{kind} of {len(paths)} files", len(waiting), leave=False):
                    pass
        finally:
            torch.set_num_threads(threads)
        values.flush()

    key = digest(kind, settings, hashes, code_digest("advance_lib.data.features"))
    return np.load(entry("features", f"{kind}-{key}", make) / "values.npy", mmap_mode="r")


def log_mel_array(catalogue: pd.DataFrame, front_end: FrontEnd = PAPER_FRONT_END) -> np.ndarray:
    """Return the raw log-mel spectrograms of a catalogue's clips.

    Args:
        catalogue: columns ``sound`` (path) and ``sound_sha256``.
        front_end: window, hop, bands and scale.

    Returns:
        (pairs, T, F) float16 in dB, memory-mapped.
    """

    def row(path: Path) -> np.ndarray:
        return log_mel(*read_clip(path), front_end).astype(np.float16)

    return computed_rows("log_mel", list(catalogue["sound"]), list(catalogue["sound_sha256"]), asdict(front_end), row)


def image_array(catalogue: pd.DataFrame, side: int) -> np.ndarray:
    """Return the photographs of a catalogue, resized.

    Args:
        catalogue: columns ``image`` (path) and ``image_sha256``.
        side: pixels.

    Returns:
        (pairs, side, side, 3) uint8, memory-mapped.
    """

    def row(path: Path) -> np.ndarray:
        return resized(read_image(path), side)

    return computed_rows("images", list(catalogue["image"]), list(catalogue["image_sha256"]), {"side": side}, row)
