"""Which epoch of each run was selected, and whether the schedule would have allowed a later one.

Chapters: Table 1; Status.
"""

from collections.abc import Sequence

import pandas as pd

from advance_lib.experiments.runs import Run
from advance_lib.experiments.settings import split_in_words


def each_once(runs: Sequence[Run]) -> list[Run]:
    """Return runs without repetitions, each as it was first asked for."""
    found = {}
    for run in runs:
        found.setdefault(run.folder, run)
    return list(found.values())


def supervised(runs: Sequence[Run]) -> list[Run]:
    """Return the runs whose loss has L_s in it, each once."""
    return [run for run in each_once(runs) if run.request.cell.supervised]


def selected_epochs(runs: Sequence[Run]) -> pd.DataFrame:
    """Return one row per cell and split of the supervised runs, its runs in the order of their seeds.

    Columns: the seeds, the selected epoch of each, counted from 1, how many epochs each was trained, and how many the
    schedule allows.

    Args:
        runs: finished ones.
    """
    rows = [
        {
            "cell": run.cell,
            "split": split_in_words(run.request.settings.split),
            "seeds": run.seed,
            "selected epochs": run.metrics["epoch"] + 1,
            "epochs trained": len(run.metrics["history"]),
            "allowed": _allowed(run),
        }
        for run in sorted(supervised(runs), key=lambda run: run.seed)
    ]
    table = pd.DataFrame(rows)

    def listed(values: pd.Series) -> str:
        return ", ".join(map(str, values))

    kinds = {"seeds": listed, "selected epochs": listed, "epochs trained": listed, "allowed": "first"}
    return table.groupby(["cell", "split"], sort=False).agg(kinds)


def last_epochs_told(runs: Sequence[Run]) -> str:
    """Return a sentence: how many supervised runs select the last epoch that their schedule allows."""
    found = supervised(runs)
    last = sum(run.metrics["epoch"] + 1 == _allowed(run) for run in found)
    return f"{last} of {len(found)} supervised runs select{'s its' if last == 1 else ' their'} last allowed epoch."


def _allowed(run: Run) -> int:
    return run.config["recipe"]["schedule"]["epochs"]
