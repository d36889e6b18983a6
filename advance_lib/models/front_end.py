"""The front ends as layers: a recording goes in as samples, and the graph of an exported network begins there.

A short-time Fourier transform is a convolution with windowed sines and cosines, one filter a frequency. That leaves
operations that every runtime knows, and agrees with `features.log_mel` and `efficientat.log_mel`, which remain the
definitions.

Chapter: Try it.
"""

import math

import torch
import torchaudio
from torch import Tensor, nn
from torchaudio.compliance.kaldi import get_mel_banks

from advance_lib.data.features import FrontEnd
from advance_lib.models import efficientat
from advance_lib.models.pretrained import EarlyMaps, Hearing

FLOOR = 1e-10  # of the mel bands before the logarithm, torchaudio's


class MelBands(nn.Module):
    """The energies of mel bands, frame by frame.

    Args:
        window: (samples,) of a frame.
        n_fft: length of the Fourier transform in samples.
        hop_length: samples from frame to frame.
        mel: (n_fft // 2 + 1, bands) weights of the frequencies.
        power: 2 for a power spectrum, 1 for a magnitude spectrum.
        pad_mode: how the recording goes on before its beginning and after its end.
    """

    def __init__(self, window: Tensor, n_fft: int, hop_length: int, mel: Tensor, power: float, pad_mode: str):
        super().__init__()
        self.half, self.hop_length, self.power, self.pad_mode = len(window) // 2, hop_length, power, pad_mode
        turns = torch.arange(n_fft // 2 + 1)[:, None] * torch.arange(len(window)) % n_fft
        angles = 2 * math.pi / n_fft * turns.double()
        filters = torch.cat([window.double() * angles.cos(), window.double() * angles.sin()])
        self.register_buffer("filters", filters.float()[:, None])
        self.register_buffer("mel", mel.float())

    def forward(self, samples: Tensor) -> Tensor:
        """Return the bands of a recording, (frames, bands).

        Args:
            samples: (samples,) float32, mono.
        """
        padded = nn.functional.pad(samples[None, None], (self.half, self.half), self.pad_mode)
        real, imaginary = nn.functional.conv1d(padded, self.filters, stride=self.hop_length)[0].T.chunk(2, dim=1)
        energies = real * real + imaginary * imaginary
        return (energies if self.power == 2 else energies.sqrt()) @ self.mel


class LogMel(nn.Module):
    """`features.log_mel` of a recording that has the front end's own sampling rate.

    Args:
        front_end: window, hop, bands and scale.
    """

    def __init__(self, front_end: FrontEnd):
        super().__init__()
        self.sample_rate, self.frames, self.top_db = front_end.sample_rate, front_end.frames, front_end.top_db
        window, n_fft = torch.hann_window(front_end.win_length, dtype=torch.float64), front_end.n_fft
        mel = torchaudio.functional.melscale_fbanks(
            n_fft // 2 + 1, 0.0, self.sample_rate / 2, front_end.n_mels, self.sample_rate, "slaney", "slaney"
        )
        self.bands = MelBands(window, n_fft, front_end.hop_length, mel, front_end.power, "constant")

    def forward(self, samples: Tensor) -> Tensor:
        """Return the spectrogram in dB, (T, F), not normalised.

        Args:
            samples: (samples,) float32, mono.
        """
        decibels = 10 * self.bands(samples).clamp(min=FLOOR).log10()
        if self.top_db is not None:
            decibels = torch.maximum(decibels, decibels.max() - self.top_db)
        return decibels[: self.frames]


class KaldiLogMel(nn.Module):
    """`efficientat.log_mel` of a recording at 32 kHz."""

    sample_rate = efficientat.RATE

    def __init__(self):
        super().__init__()
        mel, _ = get_mel_banks(
            efficientat.MELS, efficientat.N_FFT, self.sample_rate, 0.0, efficientat.HIGHEST, 100.0, -500.0, 1.0
        )
        mel = nn.functional.pad(mel, (0, 1)).T  # the last frequency has weight 0
        window = torch.hann_window(efficientat.WINDOW, periodic=False, dtype=torch.float64)
        self.bands = MelBands(window, efficientat.N_FFT, efficientat.HOP, mel, 2.0, "reflect")

    def forward(self, samples: Tensor) -> Tensor:
        """Return the spectrogram, (1, 128, frames), shifted and scaled.

        Args:
            samples: (samples,) float32, mono.
        """
        energies = self.bands(samples[1:] - 0.97 * samples[:-1])
        return (((energies + 1e-5).log() + 4.5) / 5).T[None]


def front_end_of(hearing: Hearing) -> LogMel | KaldiLogMel:
    """Return as layers how an audio network hears."""
    return KaldiLogMel() if isinstance(hearing, EarlyMaps) else LogMel(hearing.front_end)
