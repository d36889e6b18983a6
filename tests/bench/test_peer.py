import sys

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from PIL import Image
from torch import nn

from advance_bench import peer
from advance_bench.peer import BAND_MEAN, BAND_STD, AsOfficial, epoch_rate, input_rate, librosa_log_mel
from advance_bench.preparing import bare_mel, preparing_rates
from advance_lib.cache import UserError
from advance_lib.data.catalogue import read_catalogue
from advance_lib.data.features import log_mel
from advance_lib.data.media import read_clip
from advance_lib.models.audiovisual import BACKBONES, AudiovisualNet
from advance_lib.transfer.presets import CODE, PAPER


@pytest.fixture(params=[(16_000, 1, 10.0), (22_050, 1, 10.0), (44_100, 2, 12.0), (48_000, 2, 3.0)], ids=str)
def clip(request, tmp_path):
    """A recording of some rate, channels and seconds: a chirp up to 6 kHz and noise."""
    rate, channels, seconds = request.param
    generator = np.random.default_rng(0)
    time = np.arange(int(seconds * rate)) / rate
    chirp = 0.4 * np.sin(2 * np.pi * (200 + 2900 * time / seconds) * time)
    samples = chirp[:, None] + 0.02 * generator.standard_normal((len(time), channels))
    soundfile.write(tmp_path / "clip.wav", samples, rate)
    return str(tmp_path / "clip.wav")


def test_its_spectrogram_is_ours_but_for_the_resampler(clip):
    ours, theirs = log_mel(*read_clip(clip), CODE.front_end), librosa_log_mel(clip)
    assert theirs.shape == ours.shape == (400, 64)
    apart = np.abs(ours - theirs)
    if soundfile.info(clip).samplerate == 16_000:
        assert apart.max() < 0.01  # dB
    # The resamplers' edges differ near 8 kHz, and the seams of repeated clips.
    assert np.quantile(apart[:, :56], 0.95) < 0.05


@pytest.mark.parametrize("front_end", [PAPER.front_end, CODE.front_end], ids=str)
def test_the_bare_chain_computes_what_the_library_does(clip, front_end):
    ours = log_mel(*read_clip(clip), front_end)
    bare = 10 * bare_mel(clip, front_end).double().log10().numpy()
    loud = ours > ours.max() - 60
    assert loud.mean() > 0.5 and np.abs(ours - bare)[loud].max() < 0.01  # dB


def test_an_item_is_made_of_its_files(tiny):
    catalogue = read_catalogue(tiny)
    row = catalogue.index[catalogue["scene"] == "ice"][0]
    torch.manual_seed(0)
    image, bands, target = AsOfficial(catalogue, 16)[row]
    assert image.shape == (3, 16, 16) and image.dtype == np.float64
    assert bands.shape == (1, 400, 64) and bands.dtype == np.float64
    assert target == 1  # desert, ice, wood
    heard = bands[0] * BAND_STD + BAND_MEAN
    assert np.abs(heard - librosa_log_mel(catalogue.loc[row, "sound"])).max() < 1e-9
    photograph = np.asarray(Image.open(catalogue.loc[row, "image"]).resize((16, 16))).mean()
    assert 0.7 * photograph - 1 <= image.mean() <= 1.3 * photograph + 1  # brightness is jittered by 30 %


def test_photographs_are_jittered_anew(tiny):
    pairs = AsOfficial(read_catalogue(tiny), 16)
    assert len({pairs[0][0].tobytes() for _ in range(8)}) > 4


@pytest.mark.parametrize("workers", [0, 2])
def test_the_input_path_gives_samples(tiny, workers):
    rate = input_rate(read_catalogue(tiny), 16, workers, batch_size=4, seconds=0.1)
    assert 1 < rate < 10_000


def test_the_rate_counts_what_is_consumed(monkeypatch):
    clock, consumed = [0.0], []
    monkeypatch.setattr(peer.time, "perf_counter", lambda: clock[0])

    def consume(batch):
        consumed.append(batch)
        clock[0] += 0.5

    rate = peer._rate(iter(range(100)), consume, workers=2, batch_size=8, seconds=3.0)
    assert len(consumed) == 2 + 6 and rate == pytest.approx(8 / 0.5)  # two batches to warm up


def test_the_loop_trains(tiny, monkeypatch):
    network = AudiovisualNet(BACKBONES["narrow visual"](1), BACKBONES["narrow audio"](1), 3, 32)
    network.to(memory_format=torch.channels_last).eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    losses, real = [], nn.CrossEntropyLoss.forward
    monkeypatch.setattr(nn.CrossEntropyLoss, "forward", lambda *args: losses.append(real(*args)) or losses[-1])
    flags = (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark)
    assert epoch_rate(read_catalogue(tiny), 32, network, "cpu", workers=0, batch_size=8, seconds=0.5) > 0
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    unused = {"visual.fc.weight", "visual.fc.bias", "audio.fc.weight", "audio.fc.bias"}
    assert changed >= {name for name, _ in network.named_parameters()} - unused
    assert len(losses) >= 2 and network.training
    assert network.visual.layer1[0].conv1.weight.is_contiguous()
    assert (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark) == flags


def test_a_missing_librosa_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "librosa", None)
    with pytest.raises(UserError, match="pip install librosa"):
        AsOfficial(pd.DataFrame(columns=["image", "sound", "scene"]), 16)


def test_preparing_is_measured_for_each_file(tiny):
    threads = torch.get_num_threads()
    found = preparing_rates(read_catalogue(tiny), 16, PAPER.front_end, 3)
    assert 1e-4 < found.clip_floor < 1 and 1e-5 < found.photograph_floor < 1
    assert found.clip_ratio == found.clip_floor / found.clip
    assert 0.02 < found.clip_ratio < 2 and 0.02 < found.photograph_ratio < 2  # 1 at most, but for chance
    assert torch.get_num_threads() == threads
