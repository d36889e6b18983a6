"""Is one approach better than another, and does a network know how sure it may be?

Two tests ask about two kinds of chance. Both approaches were trained with the same seeds and tested on the same
samples. `bootstrap_over_locations` keeps the trained networks and draws other test locations; `paired_t_over_seeds`
keeps the test samples and asks what other seeds would have given. Samples at one location share a recording, so they
are not independent: locations are drawn, never samples. `reliability` sets confidence beside accuracy.

Chapters: Table 1, The claims, Where the networks look.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

# Beyond these decimals of a point a difference is rounding error, which must not decide a tie.
DECIMALS = 9


@dataclass(frozen=True)
class Interval:
    """A mean or a difference with its bootstrap interval, in percentage points or its own unit, and two-sided p."""

    difference: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class PairedTest:
    """A paired t-test over seeds; what the seeds leave undefined is nan.

    Args:
        difference: mean difference of the weighted F-scores, percentage points.
        deviation: standard deviation of the differences over seeds, percentage points.
        t: the statistic, with seeds - 1 degrees of freedom.
        p: two-sided.
        effect: Cohen's d_z, difference / deviation.
        detectable: smallest true difference that as many seeds would find with the power asked for, percentage points.
    """

    difference: float
    deviation: float
    t: float
    p: float
    effect: float
    detectable: float


def location_confusions(truth: np.ndarray, predicted: np.ndarray, locations: np.ndarray, scenes: int) -> np.ndarray:
    """Return one confusion matrix per location.

    Args:
        truth: (samples,) codes of the true scenes, 0 to scenes - 1.
        predicted: (samples,) codes of the predicted scenes.
        locations: (samples,) names or numbers of the locations.
        scenes: K, how many scenes there are.

    Returns:
        (locations, K, K) counts, true scenes in rows, in the sorted order of the locations.

    Raises:
        ValueError: a code is outside 0 to scenes - 1, or the lengths differ.
    """
    codes = np.stack([truth, predicted])
    if ((codes < 0) | (codes >= scenes)).any():
        raise ValueError(f"scene codes must be 0 to {scenes - 1}; found {codes.min()} to {codes.max()}")
    names, places = np.unique(np.asarray(locations), return_inverse=True)
    shape = (len(names), scenes, scenes)
    return np.bincount(np.ravel_multi_index((places, *codes), shape), minlength=np.prod(shape)).reshape(shape)


def weighted_f(confusions: np.ndarray) -> np.ndarray:
    """Return the weighted F-score of each confusion matrix.

    Args:
        confusions: (..., K, K) counts, true scenes in rows.

    Returns:
        (...) percent, as `weighted_scores` gives it; 0 for a matrix without samples.
    """
    return _weighted(*_margins(confusions))


def scene_f(confusions: np.ndarray) -> np.ndarray:
    """Return the F-score of each scene.

    Args:
        confusions: (..., K, K) counts, true scenes in rows.

    Returns:
        (..., K) from 0 to 1; 0 for a scene that is neither there nor predicted.
    """
    return _f(*_margins(confusions))


def _margins(confusions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return all that F-scores need of confusions: how often each scene was hit, there, and predicted, (..., K)."""
    return np.diagonal(confusions, axis1=-2, axis2=-1), confusions.sum(-1), confusions.sum(-2)


def _f(hits: np.ndarray, support: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    return 2 * hits / np.maximum(support + predicted, 1)


def _weighted(hits: np.ndarray, support: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    return 100 * (support * _f(hits, support, predicted)).sum(-1) / np.maximum(support.sum(-1), 1)


def draw_locations(locations: int, resamples: int, seed: int) -> np.ndarray:
    """Return (resamples, locations) numbers of times that each location is drawn, with replacement."""
    return np.random.default_rng(seed).multinomial(locations, np.full(locations, 1 / locations), resamples)


def resampled_f(confusions: np.ndarray, resamples: int = 2000, seed: int = 0) -> np.ndarray:
    """Return weighted F-scores on the test locations as they are, and on resampled ones.

    Args:
        confusions: (..., locations, K, K), as from `location_confusions`.
        resamples: how many sets of locations are drawn.
        seed: of the draws.

    Returns:
        (..., 1 + resamples) percent, the measured one first.
    """
    counts = np.asarray(confusions, float)
    *several, locations, scenes, _ = counts.shape
    weights = np.concatenate([np.ones((1, locations)), draw_locations(locations, resamples, seed)])
    # One set of confusions at a time, and no more of each than its margins: all of it would need K times the numbers.
    found = [
        _weighted(*np.split(weights @ np.concatenate(_margins(one), axis=1), 3, axis=1))
        for one in counts.reshape(-1, locations, scenes, scenes)
    ]
    return np.reshape(found, (*several, 1 + resamples))


def bootstrap_over_locations(
    base: np.ndarray, other: np.ndarray, resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> Interval:
    """Compare two approaches on resampled test locations, the same ones for both and for all seeds.

    Args:
        base: (seeds, locations, K, K) confusions, each seed's as from `location_confusions`.
        other: the same of the other approach, with the same seeds and locations.
        resamples: how many sets of locations are drawn.
        seed: of the draws.
        level: what the percentile interval should cover.

    Returns:
        F(other) - F(base), each the mean over seeds. p doubles the smaller share of the resamples whose difference
        has the wrong sign or is zero, the measured set counted among them, so it is never zero.

    Raises:
        ValueError: the shapes differ, or there are no seeds or no locations.
    """
    base, other = np.asarray(base, float), np.asarray(other, float)
    if base.shape != other.shape or base.ndim != 4 or not base.size:
        raise ValueError(f"two equal shapes (seeds, locations, K, K) are needed, not {base.shape} and {other.shape}")
    here, there = (resampled_f(confusions, resamples, seed).mean(axis=0) for confusions in (other, base))
    return interval(here - there, level)


def bootstrap_mean(
    values: np.ndarray, locations: np.ndarray, resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> Interval:
    """Return the mean of one value a sample, with its interval over resampled locations.

    Args:
        values: (samples,); each the mean over the seeds, or a difference between two approaches.
        locations: (samples,) names or numbers.
        resamples: how many sets of locations are drawn.
        seed: of the draws.
        level: what the percentile interval should cover.
    """
    names, places = np.unique(np.asarray(locations), return_inverse=True)
    sums, counts = np.bincount(places, values), np.bincount(places)
    weights = np.concatenate([np.ones((1, len(names))), draw_locations(len(names), resamples, seed)])
    return interval((weights @ sums) / (weights @ counts), level)


def interval(values: np.ndarray, level: float = 0.95) -> Interval:
    """Return the interval of a statistic from its measured value, which comes first, and its resampled ones."""
    difference, *drawn = np.round(values, DECIMALS)
    drawn = np.array(drawn)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    wrong = min((drawn <= 0).sum(), (drawn >= 0).sum())
    return Interval(float(difference), float(low), float(high), min(1.0, float(2 * (wrong + 1) / (len(drawn) + 1))))


def _noncentrality(seeds: int, level: float, power: float) -> float:
    """Return the true t at which a two-sided t-test with this many seeds has the power."""
    from scipy import optimize, stats

    # t² is a non-central F with (1, seeds - 1) degrees of freedom: both tails in one call, and where
    # scipy.stats.nct returns nan far from its centre, scipy.stats.ncf does not.
    critical = stats.t.isf(level / 2, seeds - 1)
    return optimize.brentq(
        lambda t: stats.ncf.sf(critical**2, 1, seeds - 1, t**2) - power, 0, 10 * max(critical, 1), xtol=1e-9
    )


def paired_t_over_seeds(base: np.ndarray, other: np.ndarray, level: float = 0.05, power: float = 0.8) -> PairedTest:
    """Compare two approaches seed by seed.

    Args:
        base: (seeds,) weighted F-scores, percent.
        other: the same of the other approach, with the same seeds.
        level: significance at which `detectable` is to be found.
        power: probability of finding it, more than the level.

    Returns:
        The test of other - base. With one seed, or the same difference for every seed, only the difference (and, if
        it is zero, p = 1) is defined.

    Raises:
        ValueError: the lengths differ, there are no seeds, or the power is out of reach.
    """
    from scipy import stats

    base, other = np.asarray(base, float), np.asarray(other, float)
    if base.shape != other.shape or base.ndim != 1 or not base.size:
        raise ValueError(f"two equal shapes (seeds,) are needed, not {base.shape} and {other.shape}")
    differences = np.round(other - base, DECIMALS)
    seeds, difference = len(differences), float(differences.mean())
    if np.ptp(differences) == 0:
        deviation = 0.0 if seeds > 1 else np.nan
        return PairedTest(difference, deviation, np.nan, np.nan if difference else 1.0, np.nan, np.nan)
    deviation = float(differences.std(ddof=1))
    t, p = stats.ttest_1samp(differences, 0)
    detectable = _noncentrality(seeds, level, power) * deviation / np.sqrt(seeds)
    return PairedTest(difference, deviation, float(t), float(p), difference / deviation, float(detectable))


def holm(p: np.ndarray) -> np.ndarray:
    """Adjust p values for having asked several questions (Holm-Bonferroni).

    Args:
        p: (questions,) p values; nan marks a question that could not be asked and is not counted.

    Returns:
        (questions,) adjusted p values, at most 1, in the same order; nan stays nan.
    """
    adjusted = np.array(p, float)
    order = np.argsort(adjusted)[: np.isfinite(adjusted).sum()]  # nan sorts last
    steps = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps * adjusted[order]), 1)
    return adjusted


def reliability(probabilities: np.ndarray, truth: np.ndarray, bins: int = 10) -> pd.DataFrame:
    """Compare the probability of the predicted scene with how often it is the true one.

    Args:
        probabilities: (samples, K) probabilities of the scenes.
        truth: (samples,) codes of the true scenes.
        bins: how many bins of equal width, each with its upper edge.

    Returns:
        One row for each bin with samples: mean ``confidence``, ``accuracy`` and ``share`` of all samples, each
        from 0 to 1, under the bin's number (index ``bin``, from 0).
    """
    probabilities = np.asarray(probabilities)
    confidence = probabilities.max(1)
    frame = pd.DataFrame({"confidence": confidence, "accuracy": probabilities.argmax(1) == np.asarray(truth)})
    inner = np.linspace(0, 1, bins + 1)[1:-1]
    groups = frame.astype(float).groupby(pd.Series(np.digitize(confidence, inner, right=True), name="bin"))
    return groups.mean().assign(share=groups.size() / len(frame))


def reliability_error(probabilities: np.ndarray, truth: np.ndarray, bins: int = 10) -> float:
    """Return the expected calibration error in percent (Guo et al., ICML 2017).

    It is the mean distance of confidence from accuracy over the bins of `reliability`, by their share.
    """
    table = reliability(probabilities, truth, bins)
    return 100 * float((table["share"] * (table["confidence"] - table["accuracy"]).abs()).sum())
