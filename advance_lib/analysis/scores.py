"""From runs to tables: mean ± standard deviation over the seeds, beside what the paper reports.

Chapter: Recognising with one and two senses.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from advance_lib.data.splits import Split
from advance_lib.experiments.cells import L_S_CELLS, PAPER_SCORES, TABLES, Cell, paper_scores
from advance_lib.experiments.runs import Run, finished, requests_of_splits, runs_for
from advance_lib.experiments.settings import Settings
from advance_lib.training.metrics import METRICS

METRIC_NAMES = {"precision": "Precision", "recall": "Recall", "fscore": "F-score"}


def splits_of(runs: Sequence[Run]) -> list[str]:
    """Return the splits that are reported: test, and the exam where there is one."""
    return [split for split in ("test", "exam") if split in runs[0].metrics["scores"]]


def scores(runs: Sequence[Run]) -> pd.DataFrame:
    """Return one row per run and split: cell, seed, split, the weighted scores in percent, and the name of the run."""
    rows = [
        {"cell": run.cell, "seed": run.seed, "split": split, **values, "run": run.folder.name}
        for run in runs
        for split, values in run.metrics["scores"].items()
    ]
    return pd.DataFrame(rows)


def over_seeds(table: pd.DataFrame, split: str) -> pd.DataFrame:
    """Return mean and sample deviation of each cell over its seeds: rows are cells, columns (metric, statistic).

    Args:
        table: as from `scores`, or the ``scores`` of a kept record.
        split: whose scores.
    """
    return table[table["split"] == split].groupby("cell", sort=False)[list(METRICS)].agg(["mean", "std"])


def mean_and_deviation(runs: Sequence[Run], split: str) -> pd.DataFrame:
    """Return mean and sample deviation of each cell: rows are cells, columns (metric, statistic).

    The deviation is over the seeds or, for a preset that tests several epochs of a run as the official code does
    (bayes_transfer.py:212-252), over those epochs, mean over the seeds.
    """
    found = over_seeds(scores(runs), split)
    for cell in found.index:
        mine = [run for run in runs if run.cell == cell]
        if mine[0].request.settings.preset.tested != "best":
            for metric in METRICS:
                found.loc[cell, (metric, "std")] = np.mean([over_epochs(run, split, metric) for run in mine])
    return found


def over_epochs(run: Run, split: str, metric: str = "fscore") -> float:
    """Return the sample deviation of a run's score over the epochs that its preset tests; nan for a single one."""
    tested = [epoch[split][metric] for epoch in run.metrics["by_epoch"]]
    return float(np.std(tested, ddof=1)) if len(tested) > 1 else np.nan


def _plus_minus(mean: float, deviation: float) -> str:
    return f"{mean:.2f}" if pd.isna(deviation) else f"{mean:.2f} ± {deviation:.2f}"


def paper_table(number: int, runs: Sequence[Run], data: str) -> pd.DataFrame:
    """Return a table in the paper's layout, each split of this data above the paper's own figures.

    Args:
        number: of the table.
        runs: of its cells, or of some of them, any number of seeds.
        data: what the runs were trained on, for the row labels.

    Returns:
        As `beside_the_paper`.
    """
    seeds = len({run.seed for run in runs})
    splits = [split for split in ("test", "exam") if any(split in run.metrics["scores"] for run in runs)]
    return beside_the_paper(number, {
        f"{data}, {split}, {seeds} seed{'s' * (seeds != 1)}": mean_and_deviation(runs, split) for split in splits
    })  # fmt: skip


def cells_shown(number: int, cells: Collection[str]) -> list[str]:
    """Return which of some cells one of the paper's tables shows: its own, then those that the paper does not have.

    An approach of your own stands in Table 1 if it takes both senses, in Table 2 if it takes one, and in Table 3 if it
    takes both and no scene labels.

    Args:
        number: of the table.
        cells: names of the cells that were measured.
    """

    def table_of(cell: str) -> int:
        senses, approach = cell.split("/")
        return 2 if "+" not in senses else 3 if approach.startswith("only ") else 1

    of_the_paper = [cell for cell in TABLES[number] if cell in cells]
    return of_the_paper + [cell for cell in cells if cell not in PAPER_SCORES and table_of(cell) == number]


def beside_the_paper(number: int, measured: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return measured scores in the layout of one of the paper's tables, above the paper's own figures.

    Args:
        number: of the table.
        measured: row label to scores as from `mean_and_deviation`.

    Returns:
        Rows (where the figures come from, metric), in Table 2 (…, modality, metric); columns the approaches, in
        Table 1 below their inputs; entries ``mean ± std`` in percent, NaN where a source has no such cell.
    """
    cells = cells_shown(number, list(dict.fromkeys(cell for found in measured.values() for cell in found.index)))
    sources = {source: found.T for source, found in measured.items()}
    sources["the paper, on ADVANCE, 5 runs"] = {cell: paper_scores(cell) for cell in PAPER_SCORES}
    entries = [
        (
            source,
            Cell.named(cell).inputs,
            METRIC_NAMES[metric],
            Cell.named(cell).heading,
            _plus_minus(*found[cell][metric]),
        )
        for source, found in sources.items()
        for cell in cells
        if cell in found
        for metric in METRICS
    ]
    table = pd.DataFrame(entries, columns=["source", "inputs", "metric", "approach", "score"])
    rows, columns = {
        1: (["source", "metric"], ["inputs", "approach"]),
        2: (["source", "inputs", "metric"], ["approach"]),
        3: (["source", "metric"], ["approach"]),
    }[number]
    found = table.pivot_table(index=rows, columns=columns, values="score", aggfunc="first", sort=False)
    found.index.names, found.columns.names = [None] * len(rows), [None] * len(columns)
    return found


def leak_by_splitting(settings: Settings) -> pd.DataFrame:
    """Return the F-score of image + sound under a split by location and under one by pair, mean over seeds.

    Each is tested on its own test pairs and, where there is one, on the exam, which neither has seen.
    """
    rows = {}
    for by in ("location", "pair"):
        table = scores(runs_for(replace(settings, split=Split(by)), "image+sound/Ls"))
        rows[f"split by {by}"] = table[table["split"] != "validation"].groupby("split", sort=False)["fscore"].mean()
    return pd.DataFrame(rows).T


def spread_over_splits(settings: Settings) -> pd.DataFrame:
    """Return the test F-score of each L_s cell on several splits by location, one training seed: rows are splits."""
    runs = finished(requests_of_splits(settings))
    rows = [(f"split {run.request.settings.split.seed}", run.cell, run.fscore("test")) for run in runs]
    table = pd.DataFrame(rows, columns=["split", "cell", "fscore"]).pivot(
        index="split", columns="cell", values="fscore"
    )
    return table[list(L_S_CELLS)]
