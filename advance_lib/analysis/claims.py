"""Each approach against its baseline: differences with intervals, and the paper's claims one by one.

Chapters: Table 1, Table 2, Table 3, The claims.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from advance_lib.analysis.scores import cells_shown
from advance_lib.analysis.statistics import (
    bootstrap_mean,
    bootstrap_over_locations,
    holm,
    location_confusions,
    paired_t_over_seeds,
    reliability_error,
    scene_f,
    weighted_f,
)
from advance_lib.experiments.cells import PAPER_SCORES, PAPER_TRANSFERS
from advance_lib.experiments.runs import Run

# Not a network: the guess that is always the most frequent scene of the split, the most accurate without looking.
CHANCE = "chance"

BOTH = "image+sound/"

# Pairs (baseline, approach) of each of the paper's tables.
COMPARISONS: dict[int, tuple[tuple[str, str], ...]] = {
    1: (("image/Ls", f"{BOTH}Ls"), *((f"{BOTH}Ls", f"{BOTH}{transfer}") for transfer in PAPER_TRANSFERS)),
    2: tuple(
        (f"{sense}/Ls", f"{sense}/{approach}")
        for sense in ("sound", "image")
        for approach in ("Ls†", "SQ|Nv+a", "KL|Nv+a", "E")
    ),
    3: (
        (CHANCE, f"{BOTH}only E1"),
        (f"{BOTH}only E1", f"{BOTH}only E"),
        (CHANCE, f"{BOTH}only KL|Nv+a"),
        (CHANCE, f"{BOTH}only SQ|Nv+a"),
    ),
}

LEVEL = 0.05
MARGIN = 1.0  # percentage points of F-score: what a "does not help" may hide


@dataclass(frozen=True)
class Claim:
    """One thing that the paper says.

    Attributes:
        text: the claim.
        where: in the paper.
        base: what is compared with.
        other: what is claimed about.
        helps: the claim is that ``other`` is better; False: that it is not.
    """

    text: str
    where: str
    base: str
    other: str
    helps: bool = True


CLAIMS = (
    Claim("sound that is simply added does not help", "Table 1", "image/Ls", f"{BOTH}Ls", helps=False),
    *(
        Claim(f"the transfer L_{transfer} helps", "Table 1", f"{BOTH}Ls", f"{BOTH}{transfer}")
        for transfer in PAPER_TRANSFERS
    ),
    *(
        Claim(f"L_E helps more than L_{transfer}", "Table 1", f"{BOTH}{transfer}", f"{BOTH}E")
        for transfer in PAPER_TRANSFERS
        if transfer != "E"
    ),
    *(
        Claim(f"pre-training helps ({sense} alone)", "Table 2", f"{sense}/Ls†", f"{sense}/Ls")
        for sense in ("sound", "image")
    ),
    *(
        Claim(f"L_{transfer} helps {sense} alone", "Table 2", f"{sense}/Ls", f"{sense}/{transfer}")
        for sense in ("sound", "image")
        for transfer in ("SQ|Nv+a", "KL|Nv+a", "E")
    ),
    Claim("L_E1 without scene labels beats chance", "Table 3", CHANCE, f"{BOTH}only E1"),
    Claim("L_E2 adds to L_E1", "Table 3", f"{BOTH}only E1", f"{BOTH}only E"),
    *(
        Claim(f"L_{transfer} without scene labels stays at chance", "Table 3", CHANCE, f"{BOTH}only {transfer}", False)
        for transfer in ("KL|Nv+a", "SQ|Nv+a")
    ),
)


def comparisons(number: int, runs: Sequence[Run]) -> list[tuple[str, str]]:
    """Return what to `compare` for one of the paper's tables: its own pairs, then approaches that the paper lacks.

    An approach of your own is compared with L_s from the same senses or, without scene labels, with chance.

    Args:
        number: of the table.
        runs: pairs of which a side was not run are left out.
    """
    found = dict.fromkeys(run.cell for run in runs)
    own = [cell for cell in cells_shown(number, found) if cell not in PAPER_SCORES]
    bases = [CHANCE if "/only " in cell else f"{cell.split('/')[0]}/Ls" for cell in own]
    pairs = [*COMPARISONS[number], *zip(bases, own, strict=True)]
    return [pair for pair in pairs if {*pair} <= {*found, CHANCE}]


def confusions(runs: Sequence[Run], split: str, guess: bool = False) -> np.ndarray:
    """Return (seeds, locations, K, K) confusions of one cell's runs, in the order of their seeds.

    Args:
        runs: of one cell.
        split: ``"test"`` or ``"exam"``.
        guess: instead of the predictions, always the most frequent scene.
    """
    found = []
    for run in sorted(runs, key=lambda run: run.seed):
        truth, probabilities, locations, _ = run.answers(split)
        predicted = np.full(len(truth), np.bincount(truth).argmax()) if guess else probabilities.argmax(1)
        found.append(location_confusions(truth, predicted, locations, probabilities.shape[1]))
    return np.stack(found)


def difference(base: np.ndarray, other: np.ndarray, resamples: int = 2000) -> dict[str, float]:
    """Return both tests of one difference, from the confusions of both sides; keys as the columns of `compare`."""
    fscores = [weighted_f(found.sum(axis=1)) for found in (base, other)]
    interval, test = bootstrap_over_locations(base, other, resamples), paired_t_over_seeds(*fscores)
    tests = asdict(test) | asdict(interval) | {"p_seeds": test.p, "p_locations": interval.p}
    return {"f_base": fscores[0].mean(), "f_other": fscores[1].mean()} | {k: v for k, v in tests.items() if k != "p"}


def compare(runs: Sequence[Run], pairs: Sequence[tuple[str, str]], split: str, resamples: int = 2000) -> pd.DataFrame:
    """Compare approaches with their baselines, p values corrected for their number (Holm).

    Args:
        runs: of all cells that occur in the pairs, with the same seeds.
        pairs: (baseline, approach).
        split: ``"test"`` or ``"exam"``.
        resamples: of the locations.

    Returns:
        One row a pair, in percentage points: ``base``, ``other``, weighted F-scores ``f_base`` and ``f_other``;
        ``difference``, ``low``, ``high`` and ``p_locations`` from the bootstrap over locations; ``deviation``, ``t``,
        ``p_seeds``, ``effect`` (Cohen's d_z) and ``detectable`` from the paired t-test over seeds; both p also as
        ``…_holm``.
    """
    of_cell: dict[str, list[Run]] = {}
    for run in runs:
        of_cell.setdefault(run.cell, []).append(run)
    counts = {
        cell: confusions(of_cell[pairs[0][1] if cell == CHANCE else cell], split, guess=cell == CHANCE)
        for pair in pairs
        for cell in pair
    }
    rows = [
        {"base": base, "other": other} | difference(counts[base], counts[other], resamples) for base, other in pairs
    ]
    table = pd.DataFrame(rows)
    return table.assign(**{f"{name}_holm": holm(table[name].to_numpy()) for name in ("p_locations", "p_seeds")})


def verdict(claim: Claim, found: pd.Series) -> str:
    """Return ``"supported"``, ``"refuted"`` or ``"undecided"``.

    A difference counts where both kinds of chance speak for it: corrected p over locations and p over seeds below
    0.05. "Does not help" is supported where the interval excludes a gain of a point or more.

    Args:
        claim: what is claimed.
        found: a row of `compare`.
    """
    certain = found["p_locations_holm"] < LEVEL and (found["p_seeds"] < LEVEL or np.isnan(found["p_seeds"]))
    better, worse = certain and found["difference"] > 0, certain and found["difference"] < 0
    if claim.helps:
        return "supported" if better else "refuted" if worse else "undecided"
    return "refuted" if better else "supported" if found["high"] < MARGIN else "undecided"


def judged(runs: Sequence[Run], split: str, resamples: int = 2000) -> pd.DataFrame:
    """Return the paper's claims with what was measured: `compare`'s columns and ``claim``, ``where``, ``verdict``."""
    table = compare(runs, [(claim.base, claim.other) for claim in CLAIMS], split, resamples)
    verdicts = [verdict(claim, row) for claim, (_, row) in zip(CLAIMS, table.iterrows(), strict=True)]
    return table.assign(
        claim=[claim.text for claim in CLAIMS], where=[claim.where for claim in CLAIMS], verdict=verdicts
    )


def compare_means(table: pd.DataFrame, measure: str, base: str, resamples: int = 2000) -> pd.DataFrame:
    """Compare approaches by a value that each sample has of its own.

    Args:
        table: columns ``cell``, ``seed``, ``location``, ``sample`` and the measure; every cell on the same samples.
        measure: name of the value's column.
        base: the cell to compare with.
        resamples: of the locations.

    Returns:
        One row a cell: ``cell``, ``measure``, the ``mean`` over samples and seeds with its interval ``mean_low``,
        ``mean_high`` over locations, the ``deviation`` of the means over the seeds, and the ``difference`` from the
        base, sample by sample, with ``low``, ``high`` and ``p``.
    """
    wide = table.pivot_table(index=["location", "sample"], columns="cell", values=measure, sort=False)
    locations = wide.index.get_level_values("location").to_numpy()
    rows = []
    for cell in wide:
        own = bootstrap_mean(wide[cell].to_numpy(), locations, resamples)
        versus = bootstrap_mean((wide[cell] - wide[base]).to_numpy(), locations, resamples)
        deviation = table[table["cell"] == cell].groupby("seed")[measure].mean().std()
        about = {"mean": own.difference, "mean_low": own.low, "mean_high": own.high, "deviation": deviation}
        rows.append({"cell": cell, "measure": measure} | about | asdict(versus))
    return pd.DataFrame(rows)


def class_gains(runs: Sequence[Run], base: str, other: str, split: str, scenes: Sequence[str]) -> pd.Series:
    """Return the gain in F-score of each scene, mean over seeds, percentage points.

    Args:
        runs: of both cells, with the same seeds.
        base: baseline cell.
        other: approach.
        split: ``"test"`` or ``"exam"``.
        scenes: names of the scenes in the order of their codes.
    """

    def mean(cell: str) -> np.ndarray:
        found = [run.answers(split) for run in runs if run.cell == cell]
        counts = [location_confusions(t, p.argmax(1), places, len(scenes)).sum(axis=0) for t, p, places, _ in found]
        return 100 * np.mean([scene_f(count) for count in counts], axis=0)

    return pd.Series(mean(other) - mean(base), index=list(scenes), name=other)


def reliability_errors(runs: Sequence[Run], split: str) -> pd.Series:
    """Return the expected calibration error of each cell, mean over seeds, percent."""
    found = [(run.cell, reliability_error(*reversed(run.answers(split)[:2]))) for run in runs]
    return pd.DataFrame(found, columns=["cell", "ece"]).groupby("cell", sort=False)["ece"].mean()
