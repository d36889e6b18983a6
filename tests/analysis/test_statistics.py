import warnings

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import confusion_matrix, f1_score

from advance_lib.analysis.statistics import (
    below,
    draw_locations,
    estimates,
    holm,
    location_confusions,
    over_both,
    reliability,
    reliability_error,
    resampled_f,
    resampled_mean,
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


def test_resampled_scores_are_sklearns_on_expanded_resamples():
    truth, places, (runs,) = worlds(np.random.default_rng(1), seeds=2, locations=12, accuracies=(0.4,))
    found = resampled_f(confusions(truth, places, runs), resamples=50, seed=3)
    # Locations expanded to their samples, as often as they were drawn.
    drawn = [np.repeat(np.arange(len(truth)), row[places]) for row in draw_locations(12, 50, 3)]
    expected = [[sklearn_f(truth[rows], run[rows]) for rows in (slice(None), *drawn)] for run in runs]
    assert found == pytest.approx(np.array(expected))


def test_draws_have_as_many_locations_as_there_are():
    drawn = draw_locations(30, 400, 0)
    assert (drawn.sum(1) == 30).all()
    assert drawn.mean(0) == pytest.approx(np.ones(30), abs=0.25)


def drawn_scores(generator, seeds, locations, by_location, by_seed, resamples=400):
    """Means over locations of a statistic whose truth is zero, as `over_both` takes them."""
    values = by_location * generator.normal(size=(1, locations)) + by_seed * generator.normal(size=(seeds, 1))
    weights = np.concatenate([np.ones((1, locations)), draw_locations(locations, resamples, 0)]) / locations
    return values @ weights.T


def test_nothing_that_never_varies_is_a_difference():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for seeds in (1, 3):
            same, shifted = over_both(np.zeros((seeds, 101)), 40), over_both(np.full((seeds, 101), 5.0), 40)
            assert (same.difference, same.low, same.high, same.p) == (0, 0, 0, 1)
            assert (shifted.difference, shifted.low, shifted.high, shifted.p) == (5, 5, 5, 0)
        lonely = over_both(np.full((3, 101), 5.0), 1)  # one location says nothing of others
    assert lonely.difference == 5 and np.isnan([lonely.p, lonely.low, lonely.high]).all()


def test_without_a_draw_of_locations_it_is_the_t_test_over_seeds():
    scores = np.array([60.2, 61.9, 59.4, 63.0, 60.8]) - 60
    found = over_both(np.repeat(scores[:, None], 20_001, axis=1), 300)
    expected = stats.ttest_1samp(scores, 0)
    assert found.freedom == pytest.approx(4) and found.error == pytest.approx(stats.sem(scores), rel=0.02)
    assert found.p == pytest.approx(expected.pvalue, rel=0.1)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval(0.95)), abs=0.1)


def test_with_one_seed_it_is_the_bootstrap_over_locations():
    resampled = drawn_scores(np.random.default_rng(2), 1, 200, 10.0, 0.0, 4000) + 2
    found = over_both(resampled, 200)
    drawn = resampled[0, 1:]
    assert (found.low, found.high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.1)
    assert found.over_locations == pytest.approx(drawn.std(ddof=1)) and np.isnan(found.over_seeds)
    assert found.freedom == 199


def test_an_interval_covers_the_truth_as_often_as_it_says():
    generator = np.random.default_rng(4)
    for by_location, by_seed in ((12.0, 0.2), (8.0, 1.0), (1.0, 2.0)):
        found = [over_both(drawn_scores(generator, 3, 60, by_location, by_seed), 60) for _ in range(300)]
        covered = np.mean([one.low <= 0 <= one.high for one in found])
        assert 0.91 <= covered <= 0.99 and np.mean([one.p < 0.05 for one in found]) == pytest.approx(1 - covered)


def test_seeds_that_agree_by_luck_are_not_believed():
    generator = np.random.default_rng(5)
    family = [drawn_scores(generator, 3, 60, 1.0, 2.0) for _ in range(9)]
    lucky = np.full((3, 401), 3.0) + drawn_scores(generator, 1, 60, 1.0, 0.0)  # the same in every seed
    alone, among = over_both(lucky, 60), estimates([*family, lucky], 60)[-1]
    assert alone.p < 1e-6 < among.p and among.over_seeds > alone.over_seeds == pytest.approx(0, abs=1e-6)
    usual = np.median([np.var(one[:, 0], ddof=1) / 3 for one in [*family, lucky]]) / (stats.chi2.median(2) / 2)
    assert among.over_seeds == pytest.approx(np.sqrt(usual))
    nothing = estimates([*family, np.zeros((3, 401))], 60)[-1]
    assert (nothing.difference, nothing.low, nothing.high, nothing.p) == (0, 0, 0, 1)


def test_the_detectable_difference_is_found_with_a_power_of_four_fifths():
    found = over_both(drawn_scores(np.random.default_rng(6), 5, 80, 6.0, 1.0), 80)
    t = np.random.default_rng(0).normal(found.detectable / found.error, 1, 200_000)
    t /= np.sqrt(np.random.default_rng(1).chisquare(found.freedom, 200_000) / found.freedom)
    assert (2 * stats.t.sf(abs(t), found.freedom) < 0.05).mean() == pytest.approx(0.8, abs=0.01)


def test_below_a_margin():
    found = over_both(drawn_scores(np.random.default_rng(7), 3, 80, 4.0, 0.5), 80)
    assert below(found, found.difference) == 0.5 and below(found, found.high) == pytest.approx(0.025)
    assert below(found, 99.0) < 1e-6 < 0.999 < below(found, -99.0)
    assert below(over_both(np.zeros((2, 11)), 9), 1.0) == 0 and below(over_both(np.ones((2, 11)), 9), 1.0) == 1


def test_values_that_cannot_be_resampled_are_refused():
    with pytest.raises(ValueError, match=r"\(seeds, 1 \+ resamples\) values are needed"):
        over_both(np.ones((2, 1)), 5)


def test_holm_by_hand():
    # Sorted: 0.005 × 4, 0.01 × 3, 0.03 × 2, then 0.04 × 1, which may not fall below the 0.06 before it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_caps_at_one_and_does_not_count_nan():
    assert holm([0.9, np.nan, 0.02, 0.6]) == pytest.approx([1, np.nan, 0.06, 1], nan_ok=True)
    assert holm([np.nan]) == pytest.approx([np.nan], nan_ok=True)
    assert holm([]).shape == (0,)


def test_means_over_locations_by_hand():
    """Two locations, with means 1 and 4 and two and one samples: drawn again, the mean is 1, 2 or 4."""
    values = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])  # the second seed is one higher
    means, locations = resampled_mean(values, np.array(["a", "a", "b"]), resamples=400)
    assert locations == 2 and means[:, 0] == pytest.approx([2, 3])
    assert set(np.round(means[0], 9)) == {1, 2, 4} and means[1] == pytest.approx(means[0] + 1)


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
