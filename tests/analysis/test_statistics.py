import warnings
from dataclasses import astuple

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import confusion_matrix, f1_score

from advance_lib.analysis.statistics import (
    bootstrap_mean,
    bootstrap_over_locations,
    draw_locations,
    holm,
    location_confusions,
    paired_t_over_seeds,
    reliability,
    reliability_error,
    weighted_f,
)

SCENES = 4

# Confidences 0.9, 0.95, 0.6, 0.7 and 0.55; the second and the last are wrong.
SURE = np.array([[0.9, 0.1], [0.05, 0.95], [0.6, 0.4], [0.3, 0.7], [0.55, 0.45]])
REALLY = np.array([0, 0, 0, 1, 1])


def guesses(generator, truth, places, accuracy):
    """Guess the scenes; whole locations are right or wrong, as with a shared recording."""
    right = (generator.random(places.max() + 1) < accuracy)[places]
    return np.where(right, truth, generator.integers(0, SCENES, len(truth)))


def worlds(generator, seeds, locations, accuracies):
    """Return truth, places and, for each accuracy, the guesses of each seed."""
    places = np.repeat(np.arange(locations), generator.integers(1, 4, locations))
    truth = generator.integers(0, SCENES, locations)[places]
    return truth, places, [[guesses(generator, truth, places, a) for _ in range(seeds)] for a in accuracies]


def confusions(truth, places, runs):
    return np.stack([location_confusions(truth, run, places, SCENES) for run in runs])


def sklearn_f(truth, predicted):
    return 100 * f1_score(truth, predicted, average="weighted", zero_division=0)


def test_confusions_of_named_locations():
    truth, predicted = np.array([0, 1, 1, 2, 0]), np.array([0, 1, 2, 2, 3])
    places = np.array(["b", "a", "a", "c", "b"])
    found = location_confusions(truth, predicted, places, SCENES)
    for matrix, place in zip(found, "abc", strict=True):
        mine = places == place
        np.testing.assert_array_equal(matrix, confusion_matrix(truth[mine], predicted[mine], labels=range(SCENES)))


@pytest.mark.parametrize("code", [-1, SCENES])
def test_a_code_out_of_range_is_refused(code):
    with pytest.raises(ValueError, match="scene codes must be 0 to 3"):
        location_confusions([0, 1], [0, code], ["a", "b"], SCENES)


def test_weighted_f_is_sklearns():
    generator = np.random.default_rng(0)
    # Some draws lack scenes in the truth, in the predictions or in both.
    pairs = [generator.choice(SCENES, (2, size)) for size in (1, 2, 3, 5, 40)]
    matrices = np.stack([confusion_matrix(*pair, labels=range(SCENES)) for pair in pairs])
    assert weighted_f(matrices) == pytest.approx([sklearn_f(*pair) for pair in pairs])
    assert weighted_f(matrices.reshape(5, 1, SCENES, SCENES)).shape == (5, 1)
    assert weighted_f(np.zeros((SCENES, SCENES))) == 0


def test_bootstrap_is_sklearn_on_expanded_resamples():
    truth, places, (base, other) = worlds(np.random.default_rng(1), seeds=2, locations=12, accuracies=(0.4, 0.6))
    found = bootstrap_over_locations(
        confusions(truth, places, base), confusions(truth, places, other), resamples=50, seed=3, level=0.9
    )

    def difference(rows):
        old, new = (np.mean([sklearn_f(truth[rows], run[rows]) for run in runs]) for runs in (base, other))
        return new - old

    # Locations expanded to their samples, as often as they were drawn.
    drawn = np.array([difference(np.repeat(np.arange(len(truth)), row[places])) for row in draw_locations(12, 50, 3)])
    p = min(1, 2 * (min((drawn <= 0).sum(), (drawn >= 0).sum()) + 1) / 51)
    assert astuple(found) == pytest.approx((difference(slice(None)), *np.quantile(drawn, [0.05, 0.95]), p))


def test_draws_have_as_many_locations_as_there_are():
    drawn = draw_locations(30, 400, 0)
    assert (drawn.sum(1) == 30).all()
    assert drawn.mean(0) == pytest.approx(np.ones(30), abs=0.25)


def test_equal_approaches_differ_by_nothing():
    truth, places, (runs,) = worlds(np.random.default_rng(2), seeds=5, locations=40, accuracies=(0.5,))
    matrices = confusions(truth, places, runs)
    assert astuple(bootstrap_over_locations(matrices, matrices, 100)) == (0, 0, 0, 1)
    # Nor by the rounding of a sum over seeds in another order.
    assert astuple(bootstrap_over_locations(matrices, matrices[::-1], 100)) == (0, 0, 0, 1)


def test_a_clear_difference_has_the_smallest_p_and_changes_sign_with_the_order():
    truth, places, (base, other) = worlds(np.random.default_rng(3), seeds=2, locations=100, accuracies=(0.2, 0.9))
    matrices = confusions(truth, places, base), confusions(truth, places, other)
    found, reverse = (bootstrap_over_locations(*order, 199) for order in (matrices, matrices[::-1]))
    assert 0 < found.low < found.difference < found.high and found.p == pytest.approx(2 / 200)
    assert astuple(reverse) == pytest.approx((-found.difference, -found.high, -found.low, found.p))


def test_coverage_needs_locations():
    generator, trials = np.random.default_rng(4), 100
    covered = {"locations": 0, "samples": 0}
    for trial in range(trials):
        truth = np.repeat(generator.integers(0, SCENES, 50), 8)
        places = np.repeat(np.arange(50), 8)
        runs = [guesses(generator, truth, places, 0.5)], [guesses(generator, truth, places, 0.5)]
        for unit, labels in (("locations", places), ("samples", np.arange(len(truth)))):
            found = bootstrap_over_locations(*(confusions(truth, labels, run) for run in runs), 200, seed=trial)
            covered[unit] += found.low <= 0 <= found.high
    # In 1500 trials: 0.93 and 0.60; percentile intervals are a little short for so few locations.
    assert 0.86 <= covered["locations"] / trials <= 0.99
    assert covered["samples"] / trials < 0.75


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="equal shapes"):
        bootstrap_over_locations(np.ones((2, 5, 3, 3)), np.ones((2, 6, 3, 3)))
    with pytest.raises(ValueError, match="equal shapes"):
        paired_t_over_seeds([1, 2], [1, 2, 3])


def test_paired_t_is_scipys():
    base, other = np.array([60.2, 61.9, 59.4, 63.0, 60.8]), np.array([62.5, 61.7, 61.9, 64.1, 63.3])
    found, expected = paired_t_over_seeds(base, other), stats.ttest_rel(other, base)
    assert (found.t, found.p) == pytest.approx((expected.statistic, expected.pvalue))
    assert found.difference == pytest.approx((2.3 - 0.2 + 2.5 + 1.1 + 2.5) / 5)
    assert found.effect == pytest.approx(found.t / np.sqrt(5))
    assert found.deviation == pytest.approx(found.difference / found.effect)


@pytest.mark.parametrize(("seeds", "level", "power"), [(2, 0.05, 0.8), (5, 0.05, 0.8), (5, 0.01, 0.5), (30, 0.05, 0.9)])
def test_the_detectable_difference_is_found_with_the_power(seeds, level, power):
    generator = np.random.default_rng(seeds)
    found = paired_t_over_seeds(np.zeros(seeds), generator.normal(0, 2, seeds), level, power)
    trials = generator.normal(found.detectable, found.deviation, (20_000, seeds))
    assert (stats.ttest_1samp(trials, 0, axis=1).pvalue < level).mean() == pytest.approx(power, abs=0.015)


def test_what_seeds_cannot_tell_is_nan_without_warnings():
    nan = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one = paired_t_over_seeds([60.0], [62.0])
        constant = paired_t_over_seeds([60.1, 61.2, 59.3], [60.4, 61.5, 59.6])
        same = paired_t_over_seeds([60.1, 61.2], [60.1, 61.2])
    assert astuple(one) == pytest.approx((2, nan, nan, nan, nan, nan), nan_ok=True)
    assert astuple(constant) == pytest.approx((0.3, 0, nan, nan, nan, nan), nan_ok=True)
    assert astuple(same) == pytest.approx((0, 0, nan, 1, nan, nan), nan_ok=True)


def test_holm_by_hand():
    # Sorted: 0.005 × 4, 0.01 × 3, 0.03 × 2, then 0.04 × 1, which may not fall below the 0.06 before it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_caps_at_one_and_does_not_count_nan():
    assert holm([0.9, np.nan, 0.02, 0.6]) == pytest.approx([1, np.nan, 0.06, 1], nan_ok=True)
    assert holm([np.nan]) == pytest.approx([np.nan], nan_ok=True)
    assert holm([]).shape == (0,)


def test_a_mean_over_locations_by_hand():
    """Two locations, with means 1 and 4 and two and one samples: drawn again, the mean is 1, 2 or 4."""
    found = bootstrap_mean(np.array([0.0, 2.0, 4.0]), np.array(["a", "a", "b"]), resamples=4000)
    assert found.difference == pytest.approx(2) and (found.low, found.high) == (1, 4)


def test_an_interval_of_a_mean_covers_the_truth_as_often_as_it_says():
    generator, hits = np.random.default_rng(0), 0
    for _ in range(200):
        places = np.repeat(np.arange(40), 3)
        values = np.repeat(generator.normal(size=40), 3) + 0.3 * generator.normal(size=120)  # samples share their place
        found = bootstrap_mean(values, places, resamples=300)
        hits += found.low <= 0 <= found.high
    assert 0.88 <= hits / 200 <= 0.99


def test_reliability_by_hand():
    table = reliability(SURE, REALLY)
    assert table.index.tolist() == [5, 6, 8, 9] and list(table) == ["confidence", "accuracy", "share"]
    assert table["confidence"].to_numpy() == pytest.approx([0.575, 0.7, 0.9, 0.95])
    assert table["accuracy"].to_numpy() == pytest.approx([0.5, 1, 1, 0])
    assert table["share"].to_numpy() == pytest.approx([0.4, 0.2, 0.2, 0.2])
    error = 0.4 * 0.075 + 0.2 * 0.3 + 0.2 * 0.1 + 0.2 * 0.95
    assert reliability_error(SURE, REALLY) == pytest.approx(100 * error)


def test_one_bin_compares_the_means():
    error = reliability_error(SURE, REALLY, bins=1)
    assert error == pytest.approx(100 * abs((0.9 + 0.95 + 0.6 + 0.7 + 0.55) / 5 - 3 / 5))


@pytest.mark.parametrize(("right", "expected"), [(True, 0), (False, 100)])
def test_certain_and_right_or_wrong(right, expected):
    assert reliability_error(np.eye(3), np.arange(3) if right else np.roll(np.arange(3), 1)) == expected


def test_labels_drawn_from_the_probabilities_are_calibrated():
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.full(4, 0.5), 50_000)
    truth = (generator.random((50_000, 1)) > probabilities.cumsum(1)).sum(1)
    table = reliability(probabilities, truth)
    assert table["share"].sum() == pytest.approx(1)
    assert reliability_error(probabilities, truth) < 1
    # Sharpening the same probabilities makes the network over-confident.
    sharp = probabilities**3 / (probabilities**3).sum(1, keepdims=True)
    assert reliability_error(sharp, truth) > 5
