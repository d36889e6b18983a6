"""Is one approach better than another, and does a network know how sure it may be?

A difference may be chance in two ways: other test locations would have been easier or harder, and training again would
have given other networks. `estimates` lets both vary at once and gives one interval and one p. Both approaches were
trained with the same seeds and tested on the same samples. Samples at one location share a recording, so they are not
independent: locations are drawn, never samples. `reliability` sets confidence beside accuracy.

Chapters: Table 1, The claims, Where the networks look.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

# Beyond these decimals of a point a difference is rounding error, which must not decide a tie.
DECIMALS = 9
LEVEL = 0.05  # of every verdict, after correction, and of every interval
FAMILY = 4  # so many differences tell each other how much seeds vary


@dataclass(frozen=True)
class Estimate:
    """A mean or a difference with what chance leaves open, in percentage points or its own unit.

    Attributes:
        difference: what was measured, the mean over the seeds.
        low: lower end of the interval.
        high: its upper end.
        p: two-sided, that nothing is there; nan where chance cannot be told, as with a single location.
        over_locations: standard error from the draw of the locations.
        over_seeds: standard error from the draw of the seeds; nan with one seed.
        error: standard error of both together.
        freedom: degrees of freedom of its t distribution.
        detectable: smallest true difference that would be found in four of five experiments, one question asked.
    """

    difference: float
    low: float
    high: float
    p: float
    over_locations: float
    over_seeds: float
    error: float
    freedom: float
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


def estimates(resampled: Sequence[np.ndarray], locations: int) -> list[Estimate]:
    """Return a family of statistics, each with its interval over locations and seeds together.

    Two or three seeds can agree by luck, and a difference would look certain. So none is taken to vary less over the
    seeds than the family does in the median (corrected for the skewness of few seeds). And since the family says how
    much seeds vary, a variance is known better than from its own seeds alone: the median counts as many degrees of
    freedom as a quarter of the family has, for baselines are shared, and a larger variance of its own 2S of them.
    The study ``rules`` shows that the rule keeps its level.

    Args:
        resampled: of each, as `over_both` takes it, all with the same seeds.
        locations: how many there are.
    """
    from scipy import stats

    seeds, floor = len(resampled[0]), 0.0
    differing = [one[:, 0] for one in resampled if np.any(one)]
    if seeds > 1 and differing:
        usual = stats.chi2.median(seeds - 1) / (seeds - 1)  # median of the estimate of a variance that is 1
        floor = float(np.median(np.var(differing, axis=1, ddof=1)) / seeds / usual)
    freedom = ((seeds - 1) * len(differing) / 4, 2 * seeds) if len(differing) >= FAMILY else (seeds - 1, seeds - 1)
    return [over_both(one, locations, floor if np.any(one) else 0.0, freedom) for one in resampled]


def over_both(
    resampled: np.ndarray,
    locations: int,
    floor: float = 0.0,
    freedom_over_seeds: tuple[float, float] | None = None,
    level: float = LEVEL,
) -> Estimate:
    """Return a statistic with its interval over locations and seeds together.

    Every resample of the locations also draws the seeds anew, with replacement. Few seeds would vary too little among
    themselves, by (S − 1) / S in variance, so their part is widened by as much; and since the spread of a few seeds is
    itself uncertain, interval and p come from Student's t, with Welch and Satterthwaite's degrees of freedom.
    With one seed only the locations vary, and the estimate says nothing about other trainings.

    Args:
        resampled: (S, 1 + resamples) the statistic of each seed, first as measured, then on resampled locations, which
            are the same ones for all seeds; as from `resampled_f`, or a difference of two of these.
        locations: how many there are.
        floor: the least variance of the mean over seeds to reckon with.
        freedom_over_seeds: degrees of freedom of the floor, and of a larger variance; None for S − 1.
        level: 1 less what the interval should cover.

    Raises:
        ValueError: there are no seeds, or fewer than two resamples.
    """
    from scipy import stats

    values = np.round(np.asarray(resampled, float), DECIMALS)
    if values.ndim != 2 or values.shape[0] < 1 or values.shape[1] < 3:
        raise ValueError(f"(seeds, 1 + resamples) values are needed, two resamples or more, not {values.shape}")
    seeds, draws = len(values), values.shape[1] - 1
    measured, drawn = values[:, 0].mean(), values[:, 1:]
    each = drawn.mean(axis=0)
    by_location, own = each.var(ddof=1), values[:, 0].var(ddof=1) / seeds if seeds > 1 else 0.0
    by_seed = max(own, floor) if seeds > 1 else np.nan
    shares = np.random.default_rng(0).multinomial(seeds, np.full(seeds, 1 / seeds), draws).T / seeds
    widened = np.sqrt(seeds / max(seeds - 1, 1))
    drawn_both = each + widened * ((drawn * shares).sum(axis=0) - each)
    error = np.sqrt(drawn_both.var(ddof=1) + np.nan_to_num(by_seed) - own)
    if locations < 2 or error == 0:  # one place says nothing of others; what never varies is what it is
        edge, p = (np.nan, np.nan) if locations < 2 else (measured, float(measured == 0))
        return Estimate(float(measured), edge, edge, p, np.sqrt(by_location), np.sqrt(by_seed), 0.0, np.nan, np.nan)
    parts = [(by_location, locations - 1)]
    if seeds > 1:
        of_floor, of_own = freedom_over_seeds or (seeds - 1, seeds - 1)
        parts.append((by_seed, of_floor if own < floor else of_own))
    freedom = sum(part for part, _ in parts) ** 2 / sum(part**2 / df for part, df in parts)
    half = stats.t.isf(level / 2, freedom) * error
    return Estimate(
        difference=float(measured),
        low=float(measured - half),
        high=float(measured + half),
        p=float(2 * stats.t.sf(abs(measured) / error, freedom)),
        over_locations=float(np.sqrt(by_location)),
        over_seeds=float(np.sqrt(by_seed)),
        error=float(error),
        freedom=float(freedom),
        detectable=float(_noncentrality(freedom, level) * error),
    )


def below(found: Estimate, margin: float) -> float:
    """Return the one-sided p of a difference at or above a margin; small where it is surely smaller."""
    from scipy import stats

    if not found.error:
        return np.nan if np.isnan(found.p) else float(found.difference >= margin)
    return float(stats.t.cdf((found.difference - margin) / found.error, found.freedom))


def resampled_mean(
    values: np.ndarray, locations: np.ndarray, resamples: int = 2000, seed: int = 0
) -> tuple[np.ndarray, int]:
    """Return means of one value a sample, as measured and on resampled locations, and how many locations there are.

    Args:
        values: (samples, S), one column a seed.
        locations: (samples,) names or numbers.
        resamples: how many sets of locations are drawn.
        seed: of the draws.

    Returns:
        (S, 1 + resamples) means, as `estimates` takes them, and the number of locations.
    """
    names, places = np.unique(np.asarray(locations), return_inverse=True)
    sums = np.stack([np.bincount(places, column) for column in np.asarray(values, float).T], axis=1)
    counts = np.bincount(places)
    weights = np.concatenate([np.ones((1, len(names))), draw_locations(len(names), resamples, seed)])
    return ((weights @ sums) / (weights @ counts)[:, None]).T, len(names)


def _noncentrality(freedom: float, level: float, power: float = 0.8) -> float:
    """Return the true t at which a two-sided t-test with these degrees of freedom has the power."""
    from scipy import optimize, stats

    # t² is a non-central F with (1, freedom) degrees of freedom: both tails in one call, and where
    # scipy.stats.nct returns nan far from its centre, scipy.stats.ncf does not.
    critical = stats.t.isf(level / 2, freedom)
    return optimize.brentq(
        lambda t: stats.ncf.sf(critical**2, 1, freedom, t**2) - power, 0, 10 * max(critical, 1), xtol=1e-9
    )


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
