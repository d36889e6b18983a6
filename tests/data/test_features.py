import errno
import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import librosa
import numpy as np
import pytest
import soundfile
import torch

from advance_lib.cache import UserError
from advance_lib.data import features
from advance_lib.data.catalogue import read_catalogue
from advance_lib.data.features import FrontEnd, image_array, log_mel, log_mel_array, resized


@pytest.fixture(scope="module")
def samples():
    """Ten seconds with loud and very quiet parts, 60 dB apart."""
    generator = np.random.default_rng(0)
    time = np.arange(160_000) / 16_000
    chirp = 0.5 * np.sin(2 * np.pi * (200 + 300 * time) * time) * (time < 7)
    return (chirp + 1e-4 * generator.standard_normal(160_000)).astype(np.float32)


def reference(samples, power, n_fft, top_db):
    mel = librosa.feature.melspectrogram(
        y=samples.astype(np.float64), sr=16_000, n_fft=n_fft, win_length=1024, hop_length=400, n_mels=64, fmax=8000,
        power=power, pad_mode="constant", dtype=np.float64,
    )  # fmt: skip
    return librosa.power_to_db(mel, top_db=top_db)[:, :400].T


@pytest.mark.parametrize(
    "front_end", [FrontEnd(), FrontEnd(power=1.0), FrontEnd(n_fft=4096, power=1.0, top_db=80.0)], ids=str
)
def test_log_mel_equals_librosa(samples, front_end):
    expected = reference(samples, front_end.power, front_end.n_fft, front_end.top_db)
    found = log_mel(samples, 16_000, front_end)
    assert found.shape == (400, 64) and found.dtype == np.float32
    assert np.abs(found - expected).max() < 1e-3  # dB


def test_a_tone_lies_in_its_band():
    tone = np.sin(2 * np.pi * 1000 * np.arange(220_500) / 22_050).astype(np.float32)
    band = log_mel(tone, 22_050).mean(0).argmax()
    centres = librosa.mel_frequencies(66, fmin=0, fmax=8000)[1:-1]
    assert abs(centres[band] - 1000) < 60


def test_resampling_keeps_what_is_below_eight_kilohertz():
    time = np.arange(480_000) / 48_000
    tone = 0.5 * np.sin(2 * np.pi * 3000 * time).astype(np.float32)
    direct = 0.5 * np.sin(2 * np.pi * 3000 * np.arange(160_000) / 16_000).astype(np.float32)
    inside = slice(5, -5)  # the clip's ends ring
    expected, found = log_mel(direct, 16_000)[inside], log_mel(tone, 48_000)[inside]
    assert np.abs(found - expected)[expected > -40].max() < 0.1


def test_arrays_follow_the_catalogue(tiny):
    table = read_catalogue(tiny)
    bands, images = log_mel_array(table), image_array(table, 16)
    assert bands.shape == (42, 400, 64) and bands.dtype == np.float16
    assert images.shape == (42, 16, 16, 3) and images.dtype == np.uint8
    row = table.index[table["id"] == "02003_1"][0]
    samples, rate = soundfile.read(table.loc[row, "sound"], dtype="float32")
    assert np.abs(bands[row] - log_mel(np.tile(samples, 5), rate)).max() < 0.05  # half precision
    assert images[table["scene"] == "wood"].mean() < images[table["scene"] == "ice"].mean()


def test_arrays_are_computed_once(tiny, monkeypatch):
    table = read_catalogue(tiny)
    first = log_mel_array(table)
    monkeypatch.setattr(features, "log_mel", lambda *_: pytest.fail("computed again"))
    assert np.array_equal(first, log_mel_array(table))


def test_an_interrupted_computation_goes_on(tiny, monkeypatch):
    table = read_catalogue(tiny)
    whole = image_array(table, 12)
    calls = []

    def failing(image, side):
        calls.append(side)
        if len(calls) > 10:
            raise KeyboardInterrupt
        return resized(image, side)

    monkeypatch.setattr(features, "resized", failing)
    monkeypatch.setattr(features, "cores", lambda: 1)
    monkeypatch.setattr(features, "code_digest", lambda _: "another code, so that it is computed again")
    with pytest.raises(KeyboardInterrupt):
        image_array(table, 12)
    monkeypatch.setattr(features, "resized", lambda image, side: calls.append(side) or resized(image, side))
    calls.clear()
    assert np.array_equal(image_array(table, 12), whole)
    assert len(calls) < len(table)


def test_threads_that_meet_new_rates_at_once_agree_with_one_thread():
    """After an interruption, or with files of several rates, threads build their transforms at the same moment."""
    noise = np.random.default_rng(0).standard_normal(20_000).astype(np.float32)
    rates = [8_000 + 10 * number for number in range(12)] * 2
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda rate: log_mel(noise, rate), rates))
    assert torch.get_default_dtype() == torch.float32
    for rate, found in zip(rates, together, strict=True):
        assert np.array_equal(found, log_mel(noise, rate))


def failing(number):
    def call(*_):
        raise OSError(number, os.strerror(number))

    return call


def test_a_disk_that_is_too_small_is_refused_with_what_is_missing(tiny, build, monkeypatch):
    table = read_catalogue(tiny)
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 150_000))
    with pytest.raises(UserError, match=r"2\.2 MB are needed and 0\.1 MB are free: 2\.0 MB are missing; make room"):
        log_mel_array(table)
    monkeypatch.undo()
    monkeypatch.setenv("ADVANCE_BUILD", str(build))
    assert log_mel_array(table).shape == (42, 400, 64)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system takes no space in advance")
def test_space_is_taken_before_the_first_row_is_written(tiny, build, monkeypatch):
    table = read_catalogue(tiny)
    monkeypatch.setattr("os.posix_fallocate", failing(errno.EDQUOT))
    with pytest.raises(UserError, match="a quota is reached; make room"):
        image_array(table, 16)
    assert not list(build.rglob("values.npy"))
    monkeypatch.setattr("os.posix_fallocate", failing(errno.EOPNOTSUPP))  # a file system that cannot do it
    assert image_array(table, 16).shape == (42, 16, 16, 3)
