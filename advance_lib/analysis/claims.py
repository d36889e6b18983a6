"""Each approach against its baseline: differences with intervals, and the paper's claims one by one.

Chapters: Table 1, Table 2, Table 3, The claims.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from advance_lib.analysis.scores import cells_shown
from advance_lib.analysis.statistics import (
    LEVEL,
    below,
    estimates,
    holm,
    location_confusions,
    reliability_error,
    resampled_f,
    resampled_mean,
    scene_f,
)
from advance_lib.experiments.cells import PAPER_SCORES, PAPER_TRANSFERS
from advance_lib.experiments.runs import Run

# Not networks: the guess that is always the most frequent scene of the split, the most accurate without looking; and
# the scene whose posterior p(e|s) is nearest to what was heard.
CHANCE, LOOKED_UP = "chance", "nearest posterior"
GUESSED = (CHANCE, LOOKED_UP)

BOTH = "image+sound/"
MARGIN = 1.0  # percentage points of F-score: what "is no better" may hide


@dataclass(frozen=True)
class Claim:
    """One thing that the paper says.

    Attributes:
        text: the claim.
        where: in the paper.
        base: what is compared with.
        other: what is claimed about.
        helps: the claim is that ``other`` is better; False: that it is no better.
    """

    text: str
    where: str
    base: str
    other: str
    helps: bool = True


CLAIMS = (
    Claim("sound that is simply added is no better than none", "Table 1", "image/Ls", f"{BOTH}Ls", helps=False),
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
    Claim("L_E1 alone is better than chance", "Table 3", CHANCE, f"{BOTH}only E1"),
    Claim("L_E2 adds to L_E1", "Table 3", f"{BOTH}only E1", f"{BOTH}only E"),
    *(
        Claim(f"L_{transfer} alone is no better than chance", "Table 3", CHANCE, f"{BOTH}only {transfer}", False)
        for transfer in ("KL|Nv+a", "SQ|Nv+a")
    ),
)


def confusions(runs: Sequence[Run], split: str, guess: np.ndarray | None = None) -> np.ndarray:
    """Return (seeds, locations, K, K) confusions of one cell's runs, in the order of their seeds.

    Args:
        runs: of one cell.
        split: ``"test"`` or ``"exam"``.
        guess: (samples,) codes of scenes, the same for every seed, in place of the predictions.
    """
    found = []
    for run in sorted(runs, key=lambda run: run.seed):
        truth, probabilities, locations, _ = run.answers(split)
        predicted = probabilities.argmax(1) if guess is None else guess
        found.append(location_confusions(truth, predicted, locations, probabilities.shape[1]))
    return np.stack(found)


def compare(
    runs: Sequence[Run],
    pairs: Sequence[tuple[str, str]],
    split: str,
    resamples: int = 2000,
    looked_up: np.ndarray | None = None,
) -> pd.DataFrame:
    """Compare approaches with their baselines, p values corrected for their number (Holm).

    Args:
        runs: of all cells that occur in the pairs, with the same seeds.
        pairs: (baseline, approach).
        split: ``"test"`` or ``"exam"``.
        resamples: of the locations.
        looked_up: (samples,) codes of the scenes whose posterior is nearest, where a pair names `LOOKED_UP`.

    Returns:
        One row a pair, in percentage points: ``base``, ``other``, weighted F-scores ``f_base`` and ``f_other``, the
        columns of `statistics.Estimate`, ``p_margin`` (one-sided, that the other is better by `MARGIN` or more) and
        ``p_holm``.
    """
    rows = _differences(runs, pairs, split, resamples, looked_up)
    return rows.assign(p_holm=holm(rows["p"].to_numpy()))


def _differences(
    runs: Sequence[Run],
    pairs: Sequence[tuple[str, str]],
    split: str,
    resamples: int,
    looked_up: np.ndarray | None = None,
) -> pd.DataFrame:
    of_cell: dict[str, list[Run]] = {}
    for run in runs:
        of_cell.setdefault(run.cell, []).append(run)
    truth = runs[0].answers(split).truth
    guesses = {CHANCE: np.full(len(truth), np.bincount(truth).argmax()), LOOKED_UP: looked_up}
    counts = {
        cell: confusions(of_cell[pair[1] if cell in GUESSED else cell], split, guesses.get(cell))
        for pair in pairs
        for cell in pair
    }
    resampled = {cell: resampled_f(found, resamples) for cell, found in counts.items()}
    locations = next(iter(counts.values())).shape[1]
    found = estimates([resampled[other] - resampled[base] for base, other in pairs], locations)
    rows = [
        {"base": base, "other": other, "f_base": resampled[base][:, 0].mean(), "f_other": resampled[other][:, 0].mean()}
        | asdict(estimate)
        | {"p_margin": below(estimate, MARGIN)}
        for (base, other), estimate in zip(pairs, found, strict=True)
    ]
    return pd.DataFrame(rows)


def is_certain(found: Mapping) -> bool:
    """Return whether a difference stands after correction for all questions; one without a p does not.

    Args:
        found: a row of `compare` or of `judged`.
    """
    return bool(pd.notna(found["p_holm"]) and found["p_holm"] < LEVEL)


def verdict(claim: Claim, found: pd.Series) -> str:
    """Return ``"supported"``, ``"refuted"`` or ``"undecided"``.

    A difference is certain where its corrected p is below 0.05. "Is no better" is supported where a gain of a point or
    more is excluded, its p corrected likewise.

    Args:
        claim: what is claimed.
        found: a row of `judged`.
    """
    certain = is_certain(found)
    better, worse = certain and found["difference"] > 0, certain and found["difference"] < 0
    if claim.helps:
        return "supported" if better else "refuted" if worse else "undecided"
    return "refuted" if better else "supported" if found["p_margin_holm"] < LEVEL else "undecided"


def judged(runs: Sequence[Run], split: str, resamples: int = 2000) -> pd.DataFrame:
    """Return the paper's claims with what was measured, all of them one family of questions.

    Claims about cells without runs are left out, and others are not asked: an approach of one's own is none of these.

    Args:
        runs: of the paper's cells, with the same seeds.
        split: ``"test"`` or ``"exam"``.
        resamples: of the locations.

    Returns:
        `compare`'s columns, the p values and those of the margin corrected together, and ``claim``, ``where``,
        ``verdict``.
    """
    there = {run.cell for run in runs} | {CHANCE}
    claims = [claim for claim in CLAIMS if {claim.base, claim.other} <= there]
    if not claims:
        return pd.DataFrame()
    table = _differences(runs, [(claim.base, claim.other) for claim in claims], split, resamples)
    table.loc[[claim.helps for claim in claims], "p_margin"] = np.nan  # not asked
    corrected = np.split(holm(table[["p", "p_margin"]].to_numpy().T.ravel()), 2)
    table = table.assign(p_holm=corrected[0], p_margin_holm=corrected[1])
    verdicts = [verdict(claim, row) for claim, (_, row) in zip(claims, table.iterrows(), strict=True)]
    about = {"claim": [claim.text for claim in claims], "where": [claim.where for claim in claims]}
    return table.assign(**about, verdict=verdicts)


def of_table(number: int, runs: Sequence[Run], split: str, resamples: int = 2000) -> pd.DataFrame:
    """Return the comparisons of one of the paper's tables: its claims, then approaches that the paper lacks.

    The claims are corrected as one family with those of the other tables, so that a difference has one verdict
    everywhere. Approaches of your own are compared with L_s from the same senses or, without scene labels, with chance;
    they are a family of their own.

    Args:
        number: of the table.
        runs: of all cells that were run, not only the table's.
        split: ``"test"`` or ``"exam"``.
        resamples: of the locations.

    Returns:
        `judged`'s columns; what makes a claim is missing where an approach is your own.
    """
    claims = judged(runs, split, resamples)
    found = [claims[claims["where"] == f"Table {number}"]] if len(claims) else []
    cells = dict.fromkeys(run.cell for run in runs)
    own = [cell for cell in cells_shown(number, cells) if cell not in PAPER_SCORES]
    bases = [CHANCE if "/only " in cell else f"{cell.split('/')[0]}/Ls" for cell in own]
    pairs = [pair for pair in zip(bases, own, strict=True) if {*pair} <= {*cells, CHANCE}]
    if pairs:
        found.append(compare(runs, pairs, split, resamples))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def compare_means(table: pd.DataFrame, measures: Sequence[str], base: str, resamples: int = 2000) -> pd.DataFrame:
    """Compare approaches by values that each sample has of its own.

    Args:
        table: columns ``cell``, ``seed``, ``location``, ``sample`` and the measures; every cell on the same samples.
        measures: names of the values' columns.
        base: the cell to compare with.
        resamples: of the locations.

    Returns:
        One row a measure and cell: ``cell``, ``measure``, the ``mean`` over samples and seeds with its interval
        ``mean_low``, ``mean_high``, the ``deviation`` of the means over the seeds, and the ``difference`` from the
        base, sample by sample, with `statistics.Estimate`'s columns and ``p_holm`` over all rows but the base's.
    """
    rows = []
    for measure in measures:
        wide = table.pivot_table(index=["location", "sample"], columns=["cell", "seed"], values=measure, sort=False)
        locations, means = wide.index.get_level_values("location").to_numpy(), {}
        for cell in dict.fromkeys(wide.columns.get_level_values("cell")):
            means[cell], count = resampled_mean(wide[cell].sort_index(axis=1).to_numpy(), locations, resamples)
        own_ones = estimates(list(means.values()), count)
        differences = estimates([found - means[base] for found in means.values()], count)
        for (cell, found), own, versus in zip(means.items(), own_ones, differences, strict=True):
            deviation = found[:, 0].std(ddof=1) if len(found) > 1 else np.nan
            about = {"mean": own.difference, "mean_low": own.low, "mean_high": own.high, "deviation": deviation}
            rows.append({"cell": cell, "measure": measure} | about | asdict(versus))
    compared = pd.DataFrame(rows)
    asked = compared["p"].where(compared["cell"] != base)
    return compared.assign(p_holm=holm(asked.to_numpy()))


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
