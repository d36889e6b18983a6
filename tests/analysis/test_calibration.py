import numpy as np
import pytest

from advance_lib.analysis.calibration import expected_calibration_error, reliability

# Confidences 0.9, 0.95, 0.6, 0.7 and 0.55; the second and the last are wrong.
PROBABILITIES = np.array([[0.9, 0.1], [0.05, 0.95], [0.6, 0.4], [0.3, 0.7], [0.55, 0.45]])
TRUTH = np.array([0, 0, 0, 1, 1])


def test_by_hand():
    table = reliability(PROBABILITIES, TRUTH)
    assert table.index.tolist() == [5, 6, 8, 9] and list(table) == ["confidence", "accuracy", "share"]
    assert table["confidence"].to_numpy() == pytest.approx([0.575, 0.7, 0.9, 0.95])
    assert table["accuracy"].to_numpy() == pytest.approx([0.5, 1, 1, 0])
    assert table["share"].to_numpy() == pytest.approx([0.4, 0.2, 0.2, 0.2])
    error = 0.4 * 0.075 + 0.2 * 0.3 + 0.2 * 0.1 + 0.2 * 0.95
    assert expected_calibration_error(PROBABILITIES, TRUTH) == pytest.approx(100 * error)


def test_one_bin_compares_the_means():
    error = expected_calibration_error(PROBABILITIES, TRUTH, bins=1)
    assert error == pytest.approx(100 * abs((0.9 + 0.95 + 0.6 + 0.7 + 0.55) / 5 - 3 / 5))


@pytest.mark.parametrize(("right", "expected"), [(True, 0), (False, 100)])
def test_certain_and_right_or_wrong(right, expected):
    assert expected_calibration_error(np.eye(3), np.arange(3) if right else np.roll(np.arange(3), 1)) == expected


def test_labels_drawn_from_the_probabilities_are_calibrated():
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.full(4, 0.5), 50_000)
    truth = (generator.random((50_000, 1)) > probabilities.cumsum(1)).sum(1)
    table = reliability(probabilities, truth)
    assert table["share"].sum() == pytest.approx(1)
    assert expected_calibration_error(probabilities, truth) < 1
    # Sharpening the same probabilities makes the network over-confident.
    sharp = probabilities**3 / (probabilities**3).sum(1, keepdims=True)
    assert expected_calibration_error(sharp, truth) > 5
