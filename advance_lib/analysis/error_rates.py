"""How often a rule of decision is wrong, and how often it finds what is there, on simulated scores.

Chapter: The claims.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from advance_lib.analysis.statistics import LEVEL, draw_locations, estimates, holm


@dataclass(frozen=True)
class Experiment:
    """A family of approaches that are trained with several seeds and tested at several locations, all on one baseline.

    Attributes:
        questions: approaches that are compared with the baseline.
        seeds: of the trainings.
        locations: of the test.
        by_location: deviation of an approach's difference from place to place, in points at one location.
        by_seed: deviation of an approach's difference from training to training, in points.
        by_both: deviation of what is left, at one location of one training, in points.
        uneven: a quarter of the approaches vary as many times as much over the seeds.
        gain: true difference of the first half of the approaches, in points; the others have none.
    """

    questions: int = 22
    seeds: int = 5
    locations: int = 300
    by_location: float = 25.0
    by_seed: float = 1.5
    by_both: float = 20.0
    uneven: float = 1.0
    gain: float = 0.0


# From seeds that hardly matter to seeds that matter as much as the places; three seeds as in the book, five as kept.
EXPERIMENTS = {
    f"{seeds} seeds, {by_seed} points apart, {'even' if uneven == 1 else 'uneven'}, gain {gain}": Experiment(
        seeds=seeds, by_seed=by_seed, uneven=uneven, gain=gain
    )
    for seeds in (3, 5)
    for by_seed, uneven in ((0.5, 1.0), (1.5, 1.0), (3.0, 1.0), (0.5, 3.0), (1.5, 3.0))
    for gain in (0.0, 6.0)
}


def simulated(experiment: Experiment, generator: np.random.Generator) -> np.ndarray:
    """Return (questions, seeds, locations) differences from a common baseline, in points."""
    e = experiment
    shape = (e.questions + 1, e.seeds, e.locations)
    factors = np.where(np.arange(shape[0]) % 4 == 1, e.uneven, 1.0)  # not the baseline, which comes first
    each = (
        generator.normal(0, e.by_location / np.sqrt(2), (shape[0], 1, shape[2]))
        + generator.normal(0, e.by_seed / np.sqrt(2), (*shape[:2], 1)) * factors[:, None, None]
        + generator.normal(0, e.by_both / np.sqrt(2), shape)
    )
    gains = np.where(np.arange(e.questions) < e.questions // 2, e.gain, 0.0)
    return each[1:] - each[0] + gains[:, None, None]


def found_by(differences: np.ndarray, resamples: int = 2000) -> dict[str, np.ndarray]:
    """Return which differences each rule calls certain, (questions,) booleans.

    Args:
        differences: (questions, seeds, locations).
        resamples: of the locations.

    Returns:
        ``"locations and seeds together"``, the rule of `claims.verdict`; ``"both, one by one"``, Holm over locations
        and an uncorrected t-test over seeds, which was the rule before; and each kind of chance alone, ``"locations
        alone"`` with Holm and ``"seeds alone"`` without.
    """
    from scipy import stats

    locations = differences.shape[2]
    weights = np.concatenate([np.ones((1, locations)), draw_locations(locations, resamples, 0)]) / locations
    resampled = differences @ weights.T
    together = holm(np.array([found.p for found in estimates(list(resampled), locations)]))
    mean = resampled[:, :, 1:].mean(axis=1)
    wrong = np.minimum((mean <= 0).sum(axis=1), (mean >= 0).sum(axis=1))
    by_location = holm(np.minimum(1, 2 * (wrong + 1) / (resamples + 1)))
    by_seed = stats.ttest_1samp(resampled[:, :, 0], 0, axis=1).pvalue
    return {
        "locations and seeds together": together < LEVEL,
        "both, one by one": (by_location < LEVEL) & (by_seed < LEVEL),
        "locations alone": by_location < LEVEL,
        "seeds alone": by_seed < LEVEL,
    }


def error_rates(experiments: Mapping[str, Experiment], repetitions: int = 250, seed: int = 0) -> pd.DataFrame:
    """Return how often rules are wrong and how often they are right.

    Args:
        experiments: by name.
        repetitions: of each.
        seed: of the simulation.

    Returns:
        One row an ``experiment`` and ``rule``: its ``seeds``, ``by_seed``, ``uneven`` and ``gain``;
        ``family``, the share of repetitions with a false verdict about an approach without a difference, and
        ``power``, the share of the true differences that were found (nan where there are none).
    """
    rows = []
    for name, experiment in experiments.items():
        generator = np.random.default_rng(seed)
        there = (np.arange(experiment.questions) < experiment.questions // 2) & (experiment.gain != 0)
        told = [found_by(simulated(experiment, generator)) for _ in range(repetitions)]
        for rule in told[0]:
            certain = np.stack([one[rule] for one in told])
            power = certain[:, there].mean() if there.any() else np.nan
            about = {"experiment": name, "seeds": experiment.seeds, "by_seed": experiment.by_seed}
            about |= {"uneven": experiment.uneven, "gain": experiment.gain, "rule": rule}
            rows.append(about | {"family": certain[:, ~there].any(axis=1).mean(), "power": power})
    return pd.DataFrame(rows)
