"""A training loop of our own writing that pays what the authors' code pays, to compare with.

It copies their costs, not their text: in each epoch anew, one by one, in the workers of a ``DataLoader``, every
photograph is decoded, resized and jittered by PIL, and every clip read, resampled and transformed by librosa; arrays
travel to the device in double precision; the network computes in float32 with deterministic convolutions, neither
channels-last nor compiled; each step waits for its loss. Where today's packages are faster than those of 2020, the loop
has the benefit: librosa resamples with soxr, and a GPU rounds the factors of float32 convolutions to TF32, as PyTorch
does by default.

Chapter: What it costs.
"""

import time
import warnings
from collections.abc import Callable, Iterator
from itertools import cycle

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from advance_lib.cache import UserError
from advance_lib.data.media import CLIP_SECONDS, ten_seconds
from advance_lib.models.audiovisual import AudiovisualNet
from advance_lib.training.inputs import STRENGTH

WORKERS, BATCH = 8, 64  # official-code: bayes_transfer.py:84,139
JITTER = v2.Compose([v2.RandomHorizontalFlip(), v2.ColorJitter(brightness=STRENGTH, saturation=STRENGTH)])
# The authors' constants are measured on ADVANCE; for the costs any will do.
BAND_MEAN, BAND_STD = np.full(64, -30.0), np.full(64, 15.0)


def librosa_log_mel(path: str) -> np.ndarray:
    """Return the log-mel spectrogram of a recording as librosa computes it, (400, 64) in dB.

    FFT 4096, window 1024, hop 400, 64 Slaney bands to 8 kHz of the magnitude, a floor 80 dB below the maximum
    (official-code: CVS_dataset.py:18,21).
    """
    import librosa

    samples, rate = librosa.load(path, sr=16_000, duration=CLIP_SECONDS)
    mel = librosa.feature.melspectrogram(
        y=ten_seconds(samples, rate), sr=rate, n_fft=4096, win_length=1024, hop_length=400, n_mels=64, fmax=8000,
        power=1.0, pad_mode="constant",
    )  # fmt: skip
    return librosa.power_to_db(mel, top_db=80.0)[:, :400].T


class AsOfficial(Dataset):
    """Pairs made from their files each time they are asked for.

    An item is the photograph (3, side, side), 0 to 255, and the log-mel spectrogram (1, 400, 64), both float64, and the
    scene's index.

    Args:
        catalogue: columns ``image`` and ``sound`` (paths) and ``scene``.
        side: of the photographs in pixels.

    Raises:
        UserError: librosa is missing.
    """

    def __init__(self, catalogue: pd.DataFrame, side: int):
        try:
            import librosa  # noqa: F401 - before the workers start, so that a missing package is one clear message
        except ImportError:
            raise UserError(
                "librosa is missing, and the loop to compare with reads sounds by it; install it with "
                "`pip install librosa`"
            ) from None
        self.images, self.sounds, self.side = list(catalogue["image"]), list(catalogue["sound"]), side
        self.targets, _ = pd.factorize(catalogue["scene"], sort=True)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> tuple[np.ndarray, np.ndarray, int]:
        with Image.open(self.images[row]) as picture:
            small = picture.convert("RGB").resize((self.side, self.side), Image.Resampling.BILINEAR)
        image = np.asarray(JITTER(small), dtype=np.float64).transpose(2, 0, 1)
        log_mel = (librosa_log_mel(self.sounds[row]) - BAND_MEAN) / BAND_STD
        return image, log_mel[None], int(self.targets[row])


def _batches(catalogue: pd.DataFrame, side: int, workers: int, batch_size: int) -> Iterator[list[Tensor]]:
    """Yield batches without end, in an order that is always the same (official-code: bayes_transfer.py:122)."""
    order = np.random.default_rng(0).permutation(len(catalogue))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This DataLoader will create")  # eight workers, however many cores
        return iter(DataLoader(AsOfficial(catalogue, side), batch_size, sampler=cycle(order), num_workers=workers))


def _rate(batches: Iterator, consume: Callable, workers: int, batch_size: int, seconds: float) -> float:
    """Return samples/s of consuming batches.

    Workers end their batches at about the same time, so the unit is one batch of each; the first unit is warm-up.
    """
    unit = max(workers, 1)
    for _ in range(unit):
        consume(next(batches))
    began, samples = time.perf_counter(), 0
    while (passed := time.perf_counter() - began) < seconds or not samples:
        for _ in range(unit):
            consume(next(batches))
        samples += unit * batch_size
    return samples / passed


def input_rate(
    catalogue: pd.DataFrame, side: int, workers: int = WORKERS, batch_size: int = BATCH, seconds: float = 20.0
) -> float:
    """Return how many samples a second the input path alone gives.

    Args:
        catalogue: as from `catalogue.read_catalogue`.
        side: of the photographs in pixels.
        workers: processes that prepare batches; 0 for none but this one.
        batch_size: pairs a batch.
        seconds: how long to measure, after a batch of each worker.
    """
    return _rate(_batches(catalogue, side, workers, batch_size), lambda _: None, workers, batch_size, seconds)


def epoch_rate(
    catalogue: pd.DataFrame,
    side: int,
    network: AudiovisualNet,
    device: torch.device | str,
    workers: int = WORKERS,
    batch_size: int = BATCH,
    seconds: float = 20.0,
) -> float:
    """Return how many samples a second are trained on: input path, forward, backward and step.

    The loss of every step is fetched, as the official code does to print it: the host waits for the device each time.

    Args:
        catalogue: as from `catalogue.read_catalogue`.
        side: of the photographs in pixels.
        network: is moved to the device and trained there.
        device: where to train.
        workers: processes that prepare batches; 0 for none but this one.
        batch_size: pairs a step.
        seconds: how long to measure, after a step for each worker.
    """
    network = network.to(device, memory_format=torch.contiguous_format).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-5, weight_decay=1e-4)
    cross_entropy = nn.CrossEntropyLoss()

    def step(batch: list[Tensor]) -> None:
        image, log_mel, target = (x.to(device) for x in batch)
        loss = cross_entropy(network(image.float(), log_mel.float()).scenes, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()

    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=True):
        return _rate(_batches(catalogue, side, workers, batch_size), step, workers, batch_size, seconds)
