import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import LightningEnvironment
from safetensors.torch import load_file

from advance_lib.data.catalogue import read_catalogue
from advance_lib.experiments.prepared import Prepared
from advance_lib.experiments.profiles import PROFILES
from advance_lib.experiments.settings import Settings
from advance_lib.training import devices
from advance_lib.training import loop as training
from advance_lib.training.fabric import compile_blocks, start
from advance_lib.training.inputs import Inputs, Normaliser
from advance_lib.training.loop import STATE, best_epoch, fit, predictions
from advance_lib.training.metrics import weighted_scores
from advance_lib.training.schedule import Schedule
from advance_lib.transfer import recogniser
from advance_lib.transfer.presets import PAPER
from advance_lib.transfer.recogniser import Given, Recipe, build, objective, train_recogniser, without_sense

PROFILES["small"] = replace(PROFILES["smoke"], name="small", image_side=32)
SCHEDULE = Schedule(epochs=3, batch_size=8, learning_rate=1e-3)


def scenes(model, batch):
    return model(batch.image, batch.log_mel).scenes.softmax(dim=1)


def train(tiny, folder, seed=0, senses="image+sound", schedule=SCHEDULE, preset=PAPER):
    folder.mkdir(parents=True, exist_ok=True)
    shared = Prepared(Settings(str(tiny), "small", device="cpu"))
    dataset, inputs = shared.data, shared.inputs
    recipe = Recipe(senses, "narrow visual", "narrow audio", schedule, pretrained=False, preset=preset)
    model, fabric, history = train_recogniser(
        recipe, Given(inputs, dataset.rows(), len(dataset.scenes), device="cpu"), seed, folder
    )
    seen = without_sense(senses, inputs)
    return predictions(fabric, model, seen, dataset.rows()["test"], scenes), history, dataset


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(tiny, tmp_path, monkeypatch, precision):
    monkeypatch.setattr(devices, "native_bfloat16", lambda: True)  # slow without it, and as repeatable
    schedule = replace(SCHEDULE, precision=precision)
    first, history, _ = train(tiny, tmp_path / "a", schedule=schedule)
    again, history_again, _ = train(tiny, tmp_path / "b", schedule=schedule)
    other, *_ = train(tiny, tmp_path / "c", seed=1, schedule=schedule)
    assert np.array_equal(first, again) and history == history_again
    assert not np.array_equal(first, other)


def test_a_network_trained_in_bfloat16_is_tested_in_float32(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "native_bfloat16", lambda: True)
    shared = Prepared(Settings(str(tiny), "small", device="cpu"))
    rows = shared.data.rows()["test"]
    recipe = Recipe("image", "narrow visual", "narrow audio", SCHEDULE, pretrained=False)
    model = build(recipe, 3, 32, None, None).eval()
    seen = without_sense("image", shared.inputs)
    exact, tested = (predictions(start("cpu", p), model, seen, rows, scenes) for p in ("32-true", "bf16-mixed"))
    assert np.array_equal(exact, tested)
    wrapped = start("cpu", "bf16-mixed").setup(model)  # as in training
    assert not np.array_equal(exact, predictions(start("cpu", "bf16-mixed"), wrapped, seen, rows, scenes))


def test_it_learns_colours_and_tones(tiny, tmp_path):
    probabilities, history, dataset = train(tiny, tmp_path, schedule=replace(SCHEDULE, epochs=6))
    truth = dataset.catalogue["scene"].map(dataset.scenes.index).to_numpy()[dataset.rows()["test"]]
    assert history[-1]["loss"] < history[0]["loss"] / 2
    assert (probabilities.argmax(1) == truth).mean() > 0.8
    assert np.allclose(probabilities.sum(1), 1, atol=1e-5)


@pytest.mark.parametrize("senses", ["image", "sound"])
def test_a_unimodal_network_ignores_the_other_sense(tiny, tmp_path, senses):
    probabilities, *_ = train(tiny, tmp_path / senses, senses=senses, schedule=replace(SCHEDULE, epochs=1))
    assert probabilities.std(axis=0).max() > 0  # it answers to its own sense
    inputs = Prepared(Settings(str(tiny), "small", device="cpu")).inputs
    assert (without_sense(senses, inputs).images is None) == (senses == "sound")


@pytest.mark.parametrize("augmented", ["train", "all"])
def test_a_resumed_training_equals_an_uninterrupted_one(tiny, tmp_path, monkeypatch, augmented):
    preset = replace(PAPER, augmented=augmented)
    whole, history, _ = train(tiny, tmp_path / "whole", preset=preset)
    calls = iter(range(3))

    def stopped_in_the_third_epoch(truth, guessed):
        if next(calls) == 2:
            raise KeyboardInterrupt
        return weighted_scores(truth, guessed)

    monkeypatch.setattr(training, "SAVING_SHARE", np.inf)
    with monkeypatch.context() as context, pytest.raises(KeyboardInterrupt):
        context.setattr(recogniser, "weighted_scores", stopped_in_the_third_epoch)
        train(tiny, tmp_path / "parts", preset=preset)
    assert len(torch.load(tmp_path / "parts" / STATE, weights_only=True)["history"]) == 2
    resumed, history_resumed, _ = train(tiny, tmp_path / "parts", preset=preset)
    assert np.array_equal(whole, resumed) and history == history_resumed


def test_the_tested_weights_are_those_of_the_best_epoch(tiny, tmp_path):
    _, history, _ = train(tiny, tmp_path)
    saved = load_file(tmp_path / "best.safetensors")
    best = max(history, key=lambda past: past["validation"])["epoch"]
    shorter, *_ = train(tiny, tmp_path / "short", schedule=replace(SCHEDULE, epochs=best + 1))
    same = load_file(tmp_path / "short" / "best.safetensors")
    assert all(torch.equal(saved[name], same[name]) for name in saved) and len(shorter)


def test_cosine_schedule_falls_to_zero():
    schedule = Schedule(1, 1, 2.0, decay="cosine")
    rates = [schedule.learning_rate_of(share) for share in (0, 0.5, 1)]
    assert rates == pytest.approx([2.0, 1.0, 0.0])
    assert Schedule(1, 1, 2.0).learning_rate_of(0.9) == 2.0


ROOT = Path(__file__).parents[2]
COMMAND = """
import sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.training.test_loop import train, SCHEDULE
found, history, _ = train(Path({tiny!r}), Path({folder!r}), schedule=replace(SCHEDULE, epochs=6))
import numpy; numpy.save({result!r}, found)
"""


@pytest.mark.slow
def test_kill_minus_nine_in_the_middle_of_training_loses_nothing(tiny, tmp_path):
    def start(name):
        values = {"root": str(ROOT), "tiny": str(tiny), "folder": str(tmp_path / name)}
        code = COMMAND.format(**values, result=str(tmp_path / f"{name}.npy"))
        return subprocess.Popen([sys.executable, "-c", code], env=os.environ | {"OMP_NUM_THREADS": "1"})

    read_catalogue(tiny)
    assert start("whole").wait() == 0
    killed = start("killed")
    state = tmp_path / "killed" / STATE
    while not state.exists():
        assert killed.poll() is None
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    done = len(torch.load(state, weights_only=True)["history"])
    assert 1 <= done < 6 and not (tmp_path / "killed.npy").exists()
    assert start("killed").wait() == 0
    assert np.array_equal(np.load(tmp_path / "whole.npy"), np.load(tmp_path / "killed.npy"))


def scored(tmp_path, scores, schedule, fabric=None):
    """Train a linear layer whose validation scores are given."""
    images, told = np.zeros((4, 4, 4, 3), np.uint8), iter(scores)
    inputs = Inputs(images, None, np.zeros(4, np.int64), Normaliser.of(images, None, np.arange(4)))
    return fit(
        fabric or start("cpu", "32-true"), torch.nn.Linear(4, 2), inputs, np.arange(4),
        lambda model, batch: model(batch.image + 1).square().mean(), lambda _: next(told), schedule, 0, tmp_path, "",
    )  # fmt: skip


def test_patience_ends_a_training_that_no_longer_improves(tmp_path):
    scores = [1.0, 5.0, 4.0, 4.0, 6.0, 5.0, 6.0, 5.0, 9.0, 9.0]
    schedule = Schedule(10, 4, 1e-3, patience=3)
    history = scored(tmp_path / "patient", scores, schedule)
    assert [past["validation"] for past in history] == scores[:8] and best_epoch(history) == 4
    assert len(scored(tmp_path / "endless", scores, replace(schedule, patience=None))) == 10
    again = scored(tmp_path / "patient", [], schedule)  # resumed: nothing is left to do
    assert again == history


@pytest.mark.parametrize(
    ("reshuffle", "samples", "sizes"),
    [(True, 10, [4, 4]), (False, 10, [4, 4, 2]), (False, 9, [4, 4]), (False, 8, [4, 4]), (False, 3, [3])],
)
def test_a_fixed_order_leaves_no_sample_out_but_a_single_one(tmp_path, reshuffle, samples, sizes):
    images, seen = np.arange(1, samples + 1, dtype=np.uint8)[:, None, None, None].repeat(3, 3), []
    inputs = Inputs(images, None, np.arange(samples), Normaliser.of(images, None, np.arange(samples)))

    def loss(model, batch):
        seen.append(batch.target.tolist())
        return model(batch.image).sum() * 0 + batch.target.float().mean()

    history = fit(
        start("cpu", "32-true"), torch.nn.Linear(1, 1), inputs, np.arange(samples), loss, lambda _: 0.0,
        Schedule(3, 4, 1e-3, reshuffle=reshuffle), 0, tmp_path, "",
    )  # fmt: skip
    epochs = [seen[i : i + len(sizes)] for i in range(0, len(seen), len(sizes))]
    assert len(epochs) == 3 and all([len(batch) for batch in epoch] == sizes for epoch in epochs)
    for epoch, told in zip(epochs, history, strict=True):
        trained = [target for batch in epoch for target in batch]
        assert len(set(trained)) == sum(sizes) and told["loss"] == pytest.approx(np.mean(trained))
    assert (epochs[0] == epochs[1]) != reshuffle


def test_the_state_is_written_less_often_where_that_would_take_long(tmp_path, monkeypatch):
    saved, fabric = [], start("cpu", "32-true")
    save = fabric.save

    def slow(path, state):
        saved.append(len(state["history"]))
        save(path, state)
        time.sleep(0.2)

    monkeypatch.setattr(fabric, "save", slow)
    scored(tmp_path, range(50), Schedule(50, 4, 1e-3), fabric)  # 50 epochs of milliseconds
    assert saved[0] == 1 and saved[-1] == 50 and len(saved) < 5


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on a CPU")
def test_bfloat16_and_compiled_blocks_train_as_float32_does(tiny, tmp_path):
    """A GPU's arithmetic, on the CPU: the first losses within 1 %, and scenes recognised as well in the end."""
    shared = Prepared(Settings(str(tiny), "small", device="cpu"))
    dataset, inputs = shared.data, shared.inputs
    rows, recipe = dataset.rows(), Recipe("image+sound", "narrow visual", "narrow audio", SCHEDULE, pretrained=False)
    losses, right = {}, {}
    for precision in ("32-true", "bf16-mixed"):
        for seed in (0, 1):
            fabric = Fabric(accelerator="cpu", devices=1, precision=precision, plugins=LightningEnvironment())
            torch.manual_seed(seed)
            model, kept = build(recipe, 3, 32, None, None), []
            if precision == "bf16-mixed":
                compile_blocks(model)

            def loss(model, batch, kept=kept):
                value = objective(recipe, None)(model(batch.image, batch.log_mel), batch)
                kept.append(float(value.detach()))
                return value

            folder, schedule = tmp_path / f"{precision}-{seed}", replace(SCHEDULE, epochs=6)
            fit(fabric, model, inputs, rows["train"], loss, lambda _: 0.0, schedule, seed, folder, "")
            model.load_state_dict(training_state(folder))
            found = predictions(fabric, model.eval(), inputs, rows["test"], scenes).argmax(1)
            losses[precision, seed] = kept[0]
            right[precision, seed] = (found == inputs.targets[rows["test"]]).mean()
    for seed in (0, 1):
        assert losses["bf16-mixed", seed] == pytest.approx(losses["32-true", seed], rel=0.01)
        assert losses["bf16-mixed", seed] != losses["32-true", seed]  # it is another arithmetic
    means = {precision: np.mean([right[precision, seed] for seed in (0, 1)]) for precision in ("32-true", "bf16-mixed")}
    assert means["bf16-mixed"] > 0.8 and means["32-true"] > 0.8


def training_state(folder):
    """The weights after the last epoch."""
    return torch.load(folder / STATE, weights_only=True)["model"]
