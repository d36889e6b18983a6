from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, xlog1py, xlogy

from advance_lib.analysis.mixing import mixer, mixture, rescue_and_misleading, softmax, sounds_like, typical_first
from advance_lib.analysis.robustness import STRENGTHS
from advance_lib.experiments.runs import finished, requests_for
from advance_lib.experiments.settings import Settings

CELLS = ("image/Ls", "image+sound/Ls")


@pytest.fixture
def mixed(tiny, quick):
    runs = finished(requests_for(Settings(str(tiny), quick, seeds=1, device="cpu"), *CELLS), jobs=1)
    return runs, mixer(runs, "test", CELLS[1], ("ice", "wood"), count=6)


def test_a_pair_mixed_with_itself_is_what_its_run_says(mixed):
    runs, desk = mixed
    assert desk.cells == list(CELLS) and len(desk.pairs) == 6 and set(desk.pairs["scene"]) == set(desk.scenes)
    for run in runs:
        table = run.predictions.set_index("id")
        for place, pair in enumerate(desk.pairs["id"]):
            own = table.loc[pair, [f"p({scene})" for scene in desk.scenes]].to_numpy(float)
            assert mixture(desk, run.cell, place, place).scenes == pytest.approx(own, abs=1e-5)


def test_a_deaf_network_says_the_same_with_every_recording_and_haze_changes_what_is_seen(mixed):
    _, desk = mixed
    first, other = (mixture(desk, "image/Ls", 0, recording).scenes for recording in (0, 5))
    assert first == pytest.approx(other, abs=1e-6)
    assert desk.seen.shape[1] == 1 + len(STRENGTHS["haze"])
    assert np.ptp(desk.seen, axis=1).max() > 0


def test_a_mixture_by_hand(mixed):
    """The formulas of section 4 in NumPy, with the heard part at one and a half."""
    _, desk = mixed
    double = {name: getattr(desk, name).astype(float) for name in ("seen", "heard", "bias", "posteriors", "relevance")}
    desk = replace(desk, pairs=desk.pairs.assign(scene=desk.scenes[2]), **double)
    found = mixture(desk, CELLS[1], 1, 4, volume=1.5, level=2)
    logits = desk.seen[1, 2, 1] + 1.5 * desk.heard[1, 4] + desk.bias[1]
    p = np.exp(logits) / np.exp(logits).sum()
    events, y = p @ desk.posteriors, expit(desk.teacher[4].astype(float))
    e1 = (xlogy(y, y / events) + xlog1py(1 - y, (events - y) / (1 - events))).sum()
    d = desk.relevance[2]
    e2 = 1 - events @ d / np.linalg.norm(events) / np.linalg.norm(d)
    assert found.scenes == pytest.approx(p) and found.events == pytest.approx(events)
    assert (found.scene_loss, found.e1, found.e2) == pytest.approx((-np.log(p[2]), e1, e2), rel=1e-5)
    assert (found.from_scenes, found.from_direction) == pytest.approx((0.1 * e1, 0.0001 * e2), rel=1e-5)


def test_examples_are_found_by_a_rule():
    truth = np.array([0, 0, 1, 1])
    alone = np.array([[0.4, 0.6], [0.2, 0.8], [0.1, 0.9], [0.3, 0.7]])  # wrong, wrong, right, right
    both = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.8, 0.2]])  # right by 50 points, by 40, right, wrong
    assert rescue_and_misleading(truth, alone, both) == {"A rescue": (0, 0), "A misleading sound": (3, 3)}
    assert rescue_and_misleading(truth, both, both) == {}


def test_a_photograph_that_sounds_like_another_scene():
    truth, bias = np.array([0, 0, 1, 1]), np.zeros(2)
    seen = np.array([[3.0, 0], [1, 0], [0, 1], [0, 1]])
    heard = np.array([[1.0, 0], [1, 0], [0, 2], [0, 4]])
    assert sounds_like(truth, seen, heard, bias, 0, 1) == (1, 3)  # the faintest look, the loudest sound
    assert sounds_like(truth, seen, 0 * heard, bias, 0, 1) is None
    assert sounds_like(truth, seen, heard, bias, 0, 2) is None  # there is no such recording


def test_each_scene_comes_once_before_any_comes_twice_and_the_middle_first():
    scenes = ["ice"] * 3 + ["wood"] * 4
    sure = np.array([0.9, 0.5, 0.1, 0.8, 0.6, 0.4, 0.2])
    order = typical_first(sure, scenes)
    assert list(order[:2]) == [1, 4] and sorted(scenes[index] for index in order[2:4]) == ["ice", "wood"]
    assert sorted(order) == list(range(7))


def test_probabilities_of_large_logits():
    assert softmax(np.array([[1000.0, 1000, -1000]])) == pytest.approx(np.array([[0.5, 0.5, 0]]))
