"""EfficientAT, a network that was trained on AudioSet's recordings and names 527 sound events.

MobileNetV3-Large (Howard et al., ICCV 2019) of any width, on log-mel spectrograms: F. Schmid, K. Koutini and
G. Widmer, "Efficient Large-Scale Audio Tagging via Transformer-to-CNN Knowledge Distillation", ICASSP 2023
(arXiv:2211.04772). Width 0.4 is their ``mn04_as``: 983,599 parameters in 4 MB, mean average precision 0.432 on
AudioSet. The parameters have the names that the authors' files give them, so these load as they are.

Weights: https://github.com/fschmid56/EfficientAT, release v0.0.1, ``mn04_as_mAP_432.pt``, MIT licence, Copyright
(c) 2022 Florian Schmid; sha256 899a8c6217063f6941793102a2780b3dd788ab11fce468d9cf5f0577c453321c.

Chapter: The knowledge of sounds.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torchaudio.compliance.kaldi import get_mel_banks

from advance_lib.data.resampling import resampled
from advance_lib.models.weights import REMEDY, filled, read_dictionary

RATE = 32_000  # Hz
MELS, N_FFT, WINDOW, HOP = 128, 1024, 800, 320  # bands, and samples at that rate
HIGHEST = 15_000.0  # Hz
CUT = 11  # features before it are the early part, from it on the late one


class Block(NamedTuple):
    """One row of MobileNetV3-Large's table, at width 1.

    Attributes:
        kernel: side of the depthwise convolution.
        expanded: channels inside.
        channels: channels that leave it.
        squeezed: whether squeeze-and-excitation weighs the expanded channels.
        activation: after the first two convolutions.
        stride: of the depthwise convolution.
    """

    kernel: int
    expanded: int
    channels: int
    squeezed: bool
    activation: type[nn.Module]
    stride: int


BLOCKS = (
    Block(3, 16, 16, False, nn.ReLU, 1),
    Block(3, 64, 24, False, nn.ReLU, 2),
    Block(3, 72, 24, False, nn.ReLU, 1),
    Block(5, 72, 40, True, nn.ReLU, 2),
    Block(5, 120, 40, True, nn.ReLU, 1),
    Block(5, 120, 40, True, nn.ReLU, 1),
    Block(3, 240, 80, False, nn.Hardswish, 2),
    Block(3, 200, 80, False, nn.Hardswish, 1),
    Block(3, 184, 80, False, nn.Hardswish, 1),
    Block(3, 184, 80, False, nn.Hardswish, 1),
    Block(3, 480, 112, True, nn.Hardswish, 1),
    Block(3, 672, 112, True, nn.Hardswish, 1),
    Block(5, 672, 160, True, nn.Hardswish, 2),
    Block(5, 960, 160, True, nn.Hardswish, 1),
    Block(5, 960, 160, True, nn.Hardswish, 1),
)


def rounded(channels: float) -> int:
    """Return the multiple of 8 nearest to a number of channels, at least 8 and at most a tenth below it."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest


def _convolution(
    inputs: int,
    outputs: int,
    activation: type[nn.Module] = nn.Identity,
    kernel: int = 1,
    stride: int = 1,
    groups: int = 1,
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01),
        activation(),
    )


class SqueezeExcitation(nn.Module):
    """Weighs channels by what all of them are on average over frequency and time."""

    def __init__(self, channels: int):
        super().__init__()
        squeezed = rounded(channels // 4)
        layers = {"fc1": nn.Linear(channels, squeezed), "fc2": nn.Linear(squeezed, channels)}
        self.conc_se_layers = nn.ModuleList([nn.ModuleDict(layers)])  # the files' name for it

    def forward(self, x: Tensor) -> Tensor:
        """Return the weighted map, (batch, channels, frequency, time)."""
        fc1, fc2 = self.conc_se_layers[0].values()
        return x * fc2(fc1(x.mean(dim=(2, 3))).relu()).sigmoid()[..., None, None]


class InvertedResidual(nn.Module):
    """Expands the channels, convolves each by itself, and projects them; adds its input where shapes allow it.

    Args:
        inputs: channels that enter.
        row: of the table.
        width: factor on the row's channels.
    """

    def __init__(self, inputs: int, row: Block, width: float):
        super().__init__()
        expanded, self.channels = rounded(row.expanded * width), rounded(row.channels * width)
        self.residual = row.stride == 1 and inputs == self.channels
        layers = [
            _convolution(expanded, expanded, row.activation, row.kernel, row.stride, groups=expanded),
            _convolution(expanded, self.channels),
        ]
        if row.squeezed:
            layers.insert(1, SqueezeExcitation(expanded))
        if expanded != inputs:
            layers.insert(0, _convolution(inputs, expanded, row.activation))
        self.block = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Return the next map, (batch, channels, frequency, time)."""
        return x + self.block(x) if self.residual else self.block(x)


class EfficientAT(nn.Module):
    """MobileNetV3-Large with one input channel and an output for each sound event.

    Args:
        width: factor on the channels; 0.4 for ``mn04``, 1 for the standard network.
        events: outputs.
    """

    def __init__(self, width: float = 0.4, events: int = 527):
        super().__init__()
        self.width = width
        channels = rounded(16 * width)
        layers = [_convolution(1, channels, nn.Hardswish, kernel=3, stride=2)]
        for row in BLOCKS:
            layers.append(InvertedResidual(channels, row, width))
            channels = layers[-1].channels
        self.features = nn.Sequential(*layers, _convolution(channels, 6 * channels, nn.Hardswish))
        hidden = rounded(1280 * width)
        self.classifier = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(6 * channels, hidden),
            nn.Hardswish(),
            nn.Dropout(0.2),
            nn.Linear(hidden, events),
        )

    def early(self, log_mel: Tensor) -> Tensor:
        """Return the map at the cut, which can be kept where only the late part is trained.

        Args:
            log_mel: (batch, 1, 128, frames), as from `log_mel`.

        Returns:
            (batch, 32, 8, 63) for ten seconds at width 0.4.
        """
        return self.features[:CUT](log_mel)

    def late(self, early: Tensor) -> tuple[Tensor, Tensor]:
        """Return what `forward` returns, from the map at the cut."""
        embedding = self.classifier[:2](self.features[CUT:](early))
        return self.classifier[2:](embedding), embedding

    def forward(self, log_mel: Tensor) -> tuple[Tensor, Tensor]:
        """Return event logits and the embedding.

        Args:
            log_mel: (batch, 1, 128, frames), as from `log_mel`.

        Returns:
            ((batch, events) before the sigmoid, (batch, 384 at width 0.4): the mean of the last map over
            frequency and time, before the classifier's two layers).
        """
        return self.late(self.early(log_mel))


class FineTuned(nn.Module):
    """EfficientAT as the library's audio network N_a: a representation N_a(a), and a linear classifier `fc` of it.

    The blocks before the cut stay as they are, so the maps behind them can be computed once for every clip; the
    others, the first layer of the classifier and `fc` are trained. There is no dropout.

    Args:
        events: outputs of `fc`.
        width: factor on the channels.
    """

    sound_shape = (32, 8, 63)  # of a map, for ten seconds at width 0.4

    def __init__(self, events: int = 527, width: float = 0.4):
        super().__init__()
        network = EfficientAT(width, events)
        self.early = network.features[:CUT].requires_grad_(False)
        self.late = network.features[CUT:]
        self.hidden = network.classifier[2]
        self.fc = network.classifier[5]

    @classmethod
    def of(cls, network: EfficientAT) -> "FineTuned":
        """Return the same network in this form, its classifier included."""
        hidden, fc = network.classifier[2], network.classifier[5]
        parts = {"early": network.features[:CUT], "late": network.features[CUT:], "hidden": hidden, "fc": fc}
        tuned = cls(fc.out_features, network.width)
        tuned.load_state_dict({f"{p}.{k}": v for p, part in parts.items() for k, v in part.state_dict().items()})
        return tuned

    @property
    def features(self) -> int:
        """Length of the representation N_a(a)."""
        return self.fc.in_features

    def represent(self, x: Tensor) -> Tensor:
        """Return the representation N_a(a), (batch, 512 at width 0.4).

        Args:
            x: (batch, 32, 8, 63) maps at the cut, or (batch, 1, 128, frames) spectrograms as from `log_mel`.
        """
        if x.shape[1] == 1:
            x = self.early(x)
        return nn.functional.hardswish(self.hidden(self.late(x).mean(dim=(2, 3))))

    def forward(self, x: Tensor) -> Tensor:
        """Return the event outputs before the sigmoid, (batch, events)."""
        return self.fc(self.represent(x))


@cache
def _mel_bands() -> Tensor:
    """Return Kaldi's triangles, (128, 513); the last frequency has weight 0."""
    bands, _ = get_mel_banks(MELS, N_FFT, RATE, 0.0, HIGHEST, 100.0, -500.0, 1.0)
    return nn.functional.pad(bands, (0, 1))


def log_mel(samples: np.ndarray, rate: int) -> Tensor:
    """Return the spectrogram that the network was trained on.

    Args:
        samples: (samples,) float32 in [-1, 1], mono.
        rate: sampling rate in Hz.

    Returns:
        (1, 128, frames) float32, natural logarithm, shifted and scaled; 1,000 frames for ten seconds.
    """
    signal = resampled(torch.as_tensor(samples, dtype=torch.float32), rate, RATE)
    signal = signal[1:] - 0.97 * signal[:-1]  # pre-emphasis
    window = torch.hann_window(WINDOW, periodic=False)
    spectrum = torch.stft(signal, N_FFT, HOP, WINDOW, window, center=True, pad_mode="reflect", return_complex=True)
    energies = _mel_bands() @ spectrum.abs().square()
    return (((energies + 1e-5).log() + 4.5) / 5)[None]


def load(path: Path | str, width: float = 0.4) -> EfficientAT:
    """Return a network with the weights of a file, for evaluation.

    Args:
        path: a state dict of the authors, such as ``mn04_as_mAP_432.pt``.
        width: of the network in the file.

    Raises:
        UserError: as for `weights.read_dictionary` and `weights.filled`.
    """
    path, remedy = Path(path).expanduser(), REMEDY.format("mn04")
    return filled(EfficientAT(width), read_dictionary(path, remedy), path, remedy)
