import subprocess
import sys

import numpy as np
import pytest
import torch
import torchaudio

from advance_lib.data import resampling
from advance_lib.data.features import log_mel
from advance_lib.data.resampling import resampled
from tests.data import PEAK_MEMORY


def sweep(rate):
    """Ten seconds of a tone that rises from 200 to 3,200 Hz."""
    time = np.arange(10 * rate) / rate
    return 0.5 * np.sin(2 * np.pi * (200 * time + 150 * time**2)).astype(np.float32)


@pytest.mark.parametrize("rate", [11_027, 16_001, 22_051, 44_101, 48_001, 96_001, 192_000])
def test_any_rate_gives_what_a_usual_one_gives(rate):
    inside = slice(5, -5)  # the clip's ends ring
    expected, found = log_mel(sweep(44_100), 44_100)[inside], log_mel(sweep(rate), rate)[inside]
    assert np.abs(found - expected)[expected > -40].max() < 0.1


@pytest.mark.parametrize("rate, new_rate", [(8_000, 16_000), (44_100, 16_000), (44_100, 32_000), (48_000, 16_000)])
def test_the_filter_is_the_same_with_a_table_and_without(monkeypatch, rate, new_rate):
    noise = torch.from_numpy(np.random.default_rng(0).standard_normal(3 * rate))
    tabulated = torchaudio.functional.resample(noise, rate, new_rate)
    assert torch.equal(resampled(noise, rate, new_rate), tabulated)
    monkeypatch.setattr(resampling, "TABLE", 0)
    assert torch.allclose(resampled(noise, rate, new_rate), tabulated, rtol=0, atol=1e-12)


RATES = (
    PEAK_MEMORY
    + """
import numpy as np
from advance_lib.data.features import log_mel
noise = np.random.default_rng(0).standard_normal(3_840_000).astype(np.float32)
for rate in (8_001, 44_101, 383_999, 384_000):
    assert np.isfinite(log_mel(noise[: 10 * rate], rate)).all()
print(peak_memory())
"""
)


def test_no_rate_takes_a_gigabyte():
    run = subprocess.run([sys.executable, "-c", RATES], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 1_000_000  # of which the libraries take half
