import numpy as np
import pytest

from advance_lib.training.metrics import weighted_scores


def test_by_hand():
    truth = np.array(["sea", "sea", "sea", "wood"])
    found = weighted_scores(truth, np.array(["sea", "sea", "wood", "wood"]))
    precision = (3 * 1.0 + 1 * 0.5) / 4
    recall = (3 * 2 / 3 + 1 * 1.0) / 4
    fscore = (3 * 2 * (2 / 3) / (1 + 2 / 3) + 2 * 0.5 / 1.5) / 4
    assert found == pytest.approx({"precision": 100 * precision, "recall": 100 * recall, "fscore": 100 * fscore})


def test_weighted_recall_is_accuracy():
    generator = np.random.default_rng(0)
    truth, guess = generator.integers(0, 13, 500), generator.integers(0, 13, 500)
    assert weighted_scores(truth, guess)["recall"] == pytest.approx(100 * (truth == guess).mean())


def test_a_scene_never_predicted_counts_as_zero():
    truth, guess = np.array([0] * 3 + [1]), np.zeros(4, int)
    assert weighted_scores(truth, guess)["precision"] == pytest.approx(100 * 0.75 * 0.75)
