import json

import numpy as np
import pytest
import torch

from advance_bench.__main__ import main
from advance_bench.speed import (
    ADVANCE_SPLIT,
    EVENTS,
    MAIN,
    SHORT,
    cell_seconds,
    epoch_rate,
    evaluation_rate,
    input_rate,
    ready,
    step_rate,
)
from advance_lib.data.published import ADVANCE_COUNTS
from advance_lib.experiments.cells import CELLS
from advance_lib.experiments.prepared import prepared
from advance_lib.experiments.profiles import PROFILES
from advance_lib.experiments.settings import Settings
from advance_lib.training.inputs import Inputs


@pytest.fixture
def data(tiny, quick):
    shared = prepared(Settings(str(tiny), quick, device="cpu"))
    return PROFILES[quick], shared.data, shared.inputs


def test_the_command_prints_and_keeps_every_figure(tiny, quick, build, capsys):
    assert main(["--device", "cpu", "--short", "--profile", quick, "--dataset", str(tiny)]) == 0
    told, kept = capsys.readouterr().out, json.loads((build / "bench-cpu.json").read_text())
    assert kept["environment"]["device"].startswith("CPU") and kept["effort"] == "short" and kept["commit"]
    for part in ("training", "machine", "peer", "preparing"):
        for name, value in kept[part].items():
            assert f"{part}: {name}: " in told and (value > 0 or name == "workers of the official style")
    assert kept["training"]["ratio"] == pytest.approx(kept["training"]["epoch"] / kept["training"]["limit"])
    assert kept["peer"]["input, ratio"] == pytest.approx(
        kept["peer"]["input, ours"] / kept["peer"]["input, official style"]
    )
    side = PROFILES[quick].image_side
    assert kept["machine"]["bytes a pair kept"] == side * side * 3 + 400 * 64 * 2 + 8 + 4 * EVENTS


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_can_be_timed(data, cell):
    profile, dataset, inputs = data
    timed = ready(cell, profile, inputs, len(dataset.scenes), "cpu")
    before = {name: x.clone() for name, x in timed.raw.named_parameters()}
    assert step_rate(timed, SHORT, 8) > 0
    assert any(not torch.equal(x, before[name]) for name, x in timed.raw.named_parameters())  # it did train


def test_an_epoch_is_as_long_as_it_is_said_to_be(data, monkeypatch):
    """Where each batch takes a known time, the rates are those of that time."""
    from advance_bench import speed

    profile, dataset, inputs = data
    cell = ready(MAIN, profile, inputs, len(dataset.scenes), "cpu")
    now = [0.0]

    def step(*_):
        now[0] += 0.5
        return torch.zeros(())

    monkeypatch.setattr(speed, "step", step)
    monkeypatch.setattr("advance_lib.training.loop.step", step)
    monkeypatch.setattr(speed, "_waited", lambda _: now[0])
    assert step_rate(cell, SHORT, 8) == pytest.approx(8 / 0.5)
    assert epoch_rate(cell, dataset.rows()["train"], SHORT) == pytest.approx(profile.training.batch_size / 0.5)


def test_recognising_and_feeding_are_as_fast_as_the_clock_says(data, monkeypatch):
    """Where each row takes a known time, the rates are those of that time."""
    from advance_bench import speed

    profile, dataset, inputs = data
    now = [0.0]

    class Clocked(Inputs):
        def batches(self, rows, size, draws=None):
            assert draws is not None  # jitter is part of it
            now[0] += 0.01 * len(rows)
            return iter(())

    def predictions(fabric, model, inputs, rows, read):
        now[0] += 0.25 * len(rows)

    cell = ready(MAIN, profile, inputs, len(dataset.scenes), "cpu")
    monkeypatch.setattr(speed, "predictions", predictions)
    monkeypatch.setattr(speed, "_waited", lambda _: now[0])
    monkeypatch.setattr(speed.time, "perf_counter", lambda: now[0])
    assert evaluation_rate(cell, SHORT) == pytest.approx(4)
    clocked = Clocked(inputs.images, inputs.log_mels, inputs.targets, inputs.normaliser)
    assert input_rate(clocked, np.arange(20), 8, SHORT) == pytest.approx(100)


def test_seconds_of_a_run_by_hand():
    assert sum(ADVANCE_SPLIT.values()) == sum(pairs for pairs, *_ in ADVANCE_COUNTS.values()) == 5075
    assert cell_seconds(1000.0, 5000.0, 10) == pytest.approx(10 * (3.537 + 0.095) + 0.2126)
