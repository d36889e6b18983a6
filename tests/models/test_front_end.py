import numpy as np
import pytest
import torch

from advance_lib.data.features import FrontEnd, log_mel
from advance_lib.models import efficientat
from advance_lib.models.front_end import KaldiLogMel, LogMel, front_end_of
from advance_lib.models.pretrained import FRONT_END, EarlyMaps, Spectrograms

TOLERANCE = 0.01  # dB


def clips(rate):
    """Noise, a quiet tone below a loud one, a click in silence, and silence."""
    chance, seconds = np.random.default_rng(0), np.arange(10 * rate) / rate
    click = np.zeros(10 * rate)
    click[rate] = 0.9
    tones = 0.9 * np.sin(2 * np.pi * 440 * seconds) + 0.001 * np.sin(2 * np.pi * 5000 * seconds)
    noise = chance.normal(0, 0.1, 10 * rate)
    return [x.astype(np.float32) for x in (noise, tones + 0.01 * noise, click + 0.001 * noise, 0 * noise)]


@pytest.mark.parametrize("front_end", [FrontEnd(), FRONT_END, FrontEnd(hop_length=160, frames=1000, n_mels=40)])
def test_the_layers_hear_what_the_library_hears(front_end):
    layers = front_end_of(Spectrograms(front_end))
    assert isinstance(layers, LogMel) and layers.sample_rate == front_end.sample_rate
    for samples in clips(front_end.sample_rate):
        expected = log_mel(samples, front_end.sample_rate, front_end)
        assert layers(torch.from_numpy(samples)).numpy() == pytest.approx(expected, abs=TOLERANCE)


def test_the_layers_hear_what_mn04_hears():
    layers = front_end_of(EarlyMaps())
    assert isinstance(layers, KaldiLogMel)
    for samples in clips(efficientat.RATE):
        expected = efficientat.log_mel(samples, efficientat.RATE)
        decibels = 10 / np.log(10) * 5  # of one unit: natural logarithms, divided by five
        assert torch.allclose(layers(torch.from_numpy(samples)), expected, rtol=0, atol=TOLERANCE / decibels)
