from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import f1_score

from advance_lib.analysis.baselines import WEIGHTS, late_fusion, linear_probe
from advance_lib.experiments.runs import runs_for
from advance_lib.experiments.settings import Settings


@pytest.fixture
def settings(tiny, quick, monkeypatch):
    monkeypatch.setattr("advance_lib.experiments.runs.cores", lambda: 1)
    return Settings(str(tiny), quick, 1, "cpu")


def test_late_fusion_is_chosen_on_validation(settings):
    seeing, hearing = runs_for(settings, "image/Ls"), runs_for(settings, "sound/Ls")
    named, weights = late_fusion(seeing, hearing)
    image, sound = (runs[0].answers("validation") for runs in (seeing, hearing))

    def score(weight):
        guessed = (weight * image.probabilities + (1 - weight) * sound.probabilities).argmax(axis=1)
        return f1_score(image.truth, guessed, average="weighted", zero_division=0)

    assert score(weights[0]) == max(map(score, WEIGHTS))
    mixed = [weights[0] * seeing[0].answers("test").probabilities, (1 - weights[0]) * hearing[0].answers("test")[1]]
    assert np.array_equal(named[0]["test"], sum(mixed).argmax(axis=1))


def test_a_linear_probe_does_not_look_at_tested_scenes(settings, monkeypatch):
    (run,) = runs_for(settings, "image/Ls")
    before, strength = linear_probe(run)
    shared = run.request.shared
    rows = shared.data.rows()["test"]
    assert len(before["test"]) == len(rows) and set(before["test"]) <= set(range(len(shared.data.scenes)))
    blank = shared.inputs.targets.copy()
    blank[rows] = 0
    monkeypatch.setitem(vars(shared), "inputs", replace(shared.inputs, targets=blank))
    after, again = linear_probe(run)
    assert again == strength and np.array_equal(before["test"], after["test"])
