"""The two presets differ in exactly the listed fields, and each field acts where it should.

Fields that act on knowledge are tested in test_knowledge, those on the inputs and on the training here.
"""

import inspect
import re
from dataclasses import asdict, fields, replace

import librosa
import numpy as np
import pytest
import torch

from advance_lib.cache import UserError
from advance_lib.data.features import log_mel
from advance_lib.experiments.runs import requests_for
from advance_lib.experiments.settings import Settings
from advance_lib.training.fabric import start
from advance_lib.training.inputs import Inputs, Normaliser
from advance_lib.training.loop import fit
from advance_lib.training.schedule import Schedule
from advance_lib.transfer import presets
from advance_lib.transfer.presets import CODE, PAPER, choices, differences, get_preset

FIELDS = {
    "event_reduction", "sq_reduction", "sq_target", "relevance", "posteriors", "n_fft", "spectrum", "top_db",
    "augmented", "image_scale", "order", "event_head", "tested", "learning_rate",
}  # fmt: skip


def recipe_of(cell, profile, preset):
    return requests_for(Settings(profile=profile, preset=preset), cell)[0].recipe


def test_the_presets_differ_in_every_field_and_there_are_no_others():
    assert {f.name for f in fields(PAPER)} == FIELDS
    assert {name for name in FIELDS if asdict(PAPER)[name] != asdict(CODE)[name]} == FIELDS
    assert set(differences(CODE)) == FIELDS and differences(PAPER) == {}


def test_nothing_else_of_a_recipe_differs():
    paper, code = (recipe_of("image+sound/E", "mini", preset) for preset in (PAPER, CODE))
    assert replace(code, preset=PAPER, schedule=paper.schedule, new_event_head=False) == paper
    same = replace(code.schedule, decay=paper.schedule.decay, reshuffle=True, keep_after=0)
    assert same == paper.schedule


def test_each_field_cites_the_paper_and_a_line_of_the_code():
    source = inspect.getsource(presets.Preset)
    for name in FIELDS:
        text = re.search(rf'    {name}: .*?\n    """(.*?)"""', source, re.S).group(1)
        assert re.search(r"section \d", text) and re.search(r"\w+\.py:\d+", text), name


def test_fields_are_switched_one_by_one():
    assert get_preset("paper", ["relevance=pca"]) == replace(PAPER, relevance="pca")
    assert get_preset("code", ["n_fft=1024"]) == replace(CODE, n_fft=1024)
    for name, changes in (("paper", ["relevance=ica"]), ("paper", ["relevant=pca"]), ("author", [])):
        with pytest.raises(UserError, match="choose one of"):
            get_preset(name, changes)
    with pytest.raises(UserError, match="order"):
        replace(PAPER, order="random")
    assert all(len(values) == 2 for values in choices().values())


@pytest.fixture(scope="module")
def clip():
    generator = np.random.default_rng(0)
    time = np.arange(160_000) / 16_000
    tone = np.sin(2 * np.pi * 700 * time) * np.exp(-time)
    return (tone + 1e-3 * generator.standard_normal(160_000)).astype(np.float32)


@pytest.mark.parametrize(
    "preset",
    [PAPER, *(replace(PAPER, **{name: choices()[name][1]}) for name in ("n_fft", "spectrum", "top_db")), CODE],
)
def test_front_ends_against_librosa(clip, preset):
    power = 2.0 if preset.spectrum == "power" else 1.0
    stft = librosa.stft(
        clip.astype(np.float64), n_fft=preset.n_fft, win_length=1024, hop_length=400, pad_mode="constant"
    )
    bank = librosa.filters.mel(sr=16_000, n_fft=preset.n_fft, n_mels=64, fmax=8000)
    bands = np.maximum(bank.astype(np.float64) @ np.abs(stft) ** power, 1e-10)
    wanted = 10 * np.log10(bands)
    if preset.top_db == "80":
        wanted = np.maximum(wanted, wanted.max() - 80)
    found = log_mel(clip, 16_000, preset.front_end)
    assert np.abs(found - wanted[:, :400].T).max() < 2e-3


def test_colours_are_standardised_or_raw():
    images = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
    for raw in (False, True):
        normaliser = Normaliser.of(images, None, np.arange(6), raw_colours=raw)
        image = Inputs(images, None, np.zeros(6, np.int64), normaliser).batch(np.arange(6), augment=False).image
        if raw:
            assert np.allclose(image.permute(0, 2, 3, 1).numpy(), images, atol=1e-3)
        else:
            assert abs(float(image.mean())) < 1e-3 and float(image.std()) == pytest.approx(1, abs=0.01)


class Spy(Inputs):
    """Inputs that remember which rows were asked for in training."""

    orders: list = []  # noqa: RUF012 - one test, one list

    def batches(self, rows, size, draws=None):
        if draws is not None:
            self.orders.append(rows.tolist())
        return super().batches(rows, size, draws)


@pytest.mark.parametrize("order", ["reshuffled", "fixed"])
def test_training_samples_are_reshuffled_or_not(order, tmp_path):
    images = np.zeros((8, 4, 4, 3), np.uint8)
    inputs = Spy(images, None, np.zeros(8, np.int64), Normaliser.of(images, None, np.arange(8)))
    Spy.orders = []
    schedule = recipe_of("image/Ls", "smoke", replace(PAPER, order=order)).schedule
    model = torch.nn.Linear(4, 2)

    def loss(model, batch):
        return model(batch.image).square().mean()

    fit(start("cpu", "32-true"), model, inputs, np.arange(8), loss, lambda _: 0.0, schedule, 0, tmp_path, "spied")
    epochs = Spy.orders
    assert len(epochs) == 2 and all(sorted(rows) == list(range(8)) for rows in epochs)
    assert (epochs[0] == epochs[1]) == (order == "fixed")


def test_learning_rate_is_constant_or_falls_in_three_steps():
    shares = (0.0, 0.29, 0.31, 0.61, 0.91)
    for value, wanted in (("constant", [1] * 5), ("stepped", [1, 1, 0.1, 0.01, 0.001])):
        schedule = recipe_of("image/Ls", "paper", replace(PAPER, learning_rate=value)).schedule
        found = [schedule.learning_rate_of(share) / schedule.learning_rate for share in shares]
        assert found == pytest.approx(wanted)


def test_weights_after_the_best_epoch_are_kept_where_the_preset_wants_them(tmp_path):
    """A validation score that peaks at the third of ten epochs: five epochs after it are kept, no more."""
    images = np.zeros((4, 4, 4, 3), np.uint8)
    inputs = Inputs(images, None, np.zeros(4, np.int64), Normaliser.of(images, None, np.arange(4)))
    for keep, wanted in ((0, 0), (5, 5)):
        scores = iter([1.0, 2.0, 9.0, 3.0, 3.0, 8.0, 3.0, 3.0, 3.0, 3.0])
        folder = tmp_path / str(keep)
        schedule = Schedule(10, 4, 1e-3, keep_after=keep)
        history = fit(
            start("cpu", "32-true"), torch.nn.Linear(4, 2), inputs, np.arange(4),
            lambda model, batch: model(batch.image + 1).square().mean(), lambda _, s=scores: next(s),
            schedule, 0, folder, "kept",
        )  # fmt: skip
        assert len(history) == 10
        assert len(list(folder.glob("best+*.safetensors"))) == wanted and (folder / "best.safetensors").exists()
