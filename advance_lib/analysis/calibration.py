"""How hard the miniature is, how long and in which arithmetic to train: measured on other worlds, before the tables.

Chapters: The miniature; What it costs.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from advance_lib.analysis.records import as_rows, record
from advance_lib.analysis.scores import splits_of
from advance_lib.cache import UserError
from advance_lib.experiments.cells import L_S_CELLS, paper_scores
from advance_lib.experiments.prepared import world_of
from advance_lib.experiments.profiles import PROFILES
from advance_lib.experiments.runs import Run, in_groups, requests_for
from advance_lib.experiments.settings import Settings
from advance_lib.miniature.world import World, render_world
from advance_lib.training.devices import effective_precision

# Worlds that nothing but the miniature's difficulty and its training were chosen on; the book's own is not among them.
WORLDS = (101, 102, 103)
RATES_AND_EPOCHS = ((1e-3, 16), (2e-3, 16), (2e-3, 24))
LAST_EPOCHS = 6


def _variant(settings: Settings, training: dict, pretraining: dict | None = None) -> Settings:
    """Return a setting whose profile trains otherwise; the profile is registered under a name of its own."""
    usual = settings.sizes
    changed = {
        part: replace(getattr(usual, part), **(changes or {}))
        for part, changes in (("training", training), ("pretraining", pretraining))
    }
    profile = replace(usual, name=f"{usual.name} with {training}", **changed)
    PROFILES[profile.name] = profile
    return replace(settings, profile=profile.name)


def _of_worlds(settings: Settings, worlds: Sequence[int]) -> dict[int, Settings]:
    """Return a setting on other worlds, by their seeds."""
    if settings.dataset != "miniature":
        raise UserError(f"{settings.dataset}: only the miniature has other worlds")
    drawn = {seed: replace(world_of(settings.sizes), seed=seed) for seed in worlds}
    return {seed: replace(settings, dataset=str(render_world(world))) for seed, world in drawn.items()}


def schedules(settings: Settings, worlds: Sequence[int] = WORLDS) -> dict:
    """Train the L_s approaches of other worlds with several learning rates and limits of epochs.

    Args:
        settings: of the miniature.
        worlds: their seeds; the book's own is not among them, and no test split is looked at.

    Raises:
        UserError: the dataset is not the miniature.
    """
    groups = {
        (world, rate, epochs, cell): requests_for(_variant(setting, {"learning_rate": rate, "epochs": epochs}), cell)
        for world, setting in _of_worlds(settings, worlds).items()
        for rate, epochs in RATES_AND_EPOCHS
        for cell in L_S_CELLS
    }
    finished_runs = in_groups(groups)
    rows = [
        {
            "world": world,
            "learning_rate": rate,
            "epochs": epochs,
            "cell": cell,
            "seed": run.seed,
            "selected": run.metrics["epoch"] + 1,
            "validation": [round(epoch["validation"], 2) for epoch in run.metrics["history"]],
        }
        for (world, rate, epochs, cell), runs in finished_runs.items()
        for run in runs
    ]
    every = [run for runs in finished_runs.values() for run in runs]
    return record("Validation F-score after each epoch, on other worlds", settings, every, rows=rows)


def schedule_table(kept: dict) -> pd.DataFrame:
    """Return what `schedules` found, by learning rate, limit of epochs and approach.

    Returns:
        Columns ``score``, the mean validation F-score of the last `LAST_EPOCHS` epochs, ``selected`` and ``trained``,
        epochs, and ``at the limit``, the share of runs that select the last epoch they may.
    """
    rows = [
        {name: row[name] for name in ("learning_rate", "epochs", "cell", "selected")}
        | {"score": np.mean(row["validation"][-LAST_EPOCHS:]), "trained": len(row["validation"])}
        | {"at the limit": float(row["selected"] == row["epochs"])}
        for row in kept["rows"]
    ]
    means = pd.DataFrame(rows).groupby(["learning_rate", "epochs", "cell"]).mean()
    return means[["score", "selected", "trained", "at the limit"]]


def arithmetics(settings: Settings) -> dict:
    """Train the L_s approaches in float32 and in bfloat16, pre-training included, and return the scores of each seed.

    Raises:
        UserError: this processor has no bfloat16 of its own, so there is nothing to compare.
    """
    if effective_precision(settings.device, "bf16-mixed") == "32-true":
        raise UserError("this processor has no bfloat16 of its own, so there is nothing to compare")
    ways = [{"precision": precision} for precision in ("32-true", "bf16-mixed")]
    groups = {
        (way["precision"], cell): requests_for(_variant(settings, way, way), cell) for cell in L_S_CELLS for way in ways
    }
    finished_runs = in_groups(groups)
    rows = [
        {"precision": precision, "cell": cell, "seed": run.seed, "seconds": round(run.metrics["seconds"], 1)}
        | {"epoch": run.metrics["epoch"], "epochs": len(run.metrics["history"])}
        | {split: round(run.fscore(split), 2) for split in ("validation", *splits_of(runs))}
        for (precision, cell), runs in finished_runs.items()
        for run in runs
    ]
    every = [run for runs in finished_runs.values() for run in runs]
    return record("The same runs in float32 and in bfloat16", settings, every, rows=rows)


def arithmetic_table(kept: dict, split: str) -> pd.DataFrame:
    """Return what `arithmetics` found, one row an approach.

    Args:
        kept: the record.
        split: whose F-scores, in percent.

    Returns:
        Columns ``float32`` and ``bfloat16``, means over the seeds, ``±`` of each seed's deviation in float32,
        ``difference`` in points, its ``p`` by a paired t test, and ``times as fast``, seconds an epoch.
    """
    from scipy import stats

    rows, table = pd.DataFrame(kept["rows"]), {}
    for cell, found in rows.groupby("cell", sort=False):
        exact, coarse = (found[found["precision"] == name].set_index("seed") for name in ("32-true", "bf16-mixed"))
        seconds = [(way["seconds"] / way["epochs"]).median() for way in (exact, coarse)]
        table[cell] = {
            "float32": exact[split].mean(),
            "±": exact[split].std(),
            "bfloat16": coarse[split].mean(),
            "difference": (coarse[split] - exact[split]).mean(),
            "p": stats.ttest_rel(exact[split], coarse[split]).pvalue,
            "times as fast": seconds[0] / seconds[1],
        }
    return pd.DataFrame(table).T


def _at_the_end(run: Run) -> float:
    """Mean validation score of a run's last epochs: the selected epoch's own would flatter it."""
    return float(np.mean([epoch["validation"] for epoch in run.metrics["history"][-LAST_EPOCHS:]]))


def difficulty(
    settings: Settings,
    worlds: Sequence[int] = WORLDS,
    difficulties: Sequence[float] = (),
    odds: Sequence[float] = (),
) -> dict:
    """Measure the unimodal rows of other miniature worlds, on validation splits: how hard the miniature is.

    The paper's image-only and sound-only rows on ADVANCE are 72.85 and 28.99 weighted F-score. The difficulty of the
    photographs and the factor g of the sounds were chosen so that the miniature's two rows come near them. No
    multimodal row and no test split is looked at here.

    Args:
        settings: of the miniature.
        worlds: their seeds; the book's own is not among them.
        difficulties: of the photographs, to try in place of the chosen one.
        odds: factors g, to try in place of the chosen one.

    Raises:
        UserError: the dataset is not the miniature.
    """
    if settings.dataset != "miniature":
        raise UserError(f"{settings.dataset}: only the miniature's difficulty can be set")
    own = [replace(world_of(settings.sizes), seed=seed) for seed in worlds]
    # The sounds do not depend on the photographs' side, so small ones will do.
    tries = [(replace(world, difficulty=d), "image") for world in own for d in difficulties]
    tries += [(replace(world, g=g, side=32), "sound") for world in own for g in odds]
    tries = tries or [(world, sense) for world in own for sense in ("image", "sound")]
    finished_runs = in_groups(
        {
            (world, sense): requests_for(replace(settings, dataset=str(render_world(world))), f"{sense}/Ls")
            for world, sense in tries
        }
    )
    rows = [
        (world.seed, world.difficulty, world.g, sense, _at_the_end(run))
        for (world, sense), runs in finished_runs.items()
        for run in runs
    ]
    table = pd.DataFrame(rows, columns=["world", "difficulty", "g", "sense", "fscore"])
    means = table.pivot_table(index=["world", "difficulty", "g"], columns="sense", values="fscore")
    every = [run for runs in finished_runs.values() for run in runs]
    chosen = {"difficulty": World.difficulty, "g": World.g}
    return record("Unimodal rows of other worlds", settings, every, rows=as_rows(means.reset_index()), **chosen)


def difficulty_table(kept: dict) -> pd.DataFrame:
    """Return what `difficulty` found: one row a world, their mean, and the paper's values on ADVANCE."""
    table = pd.DataFrame(kept["rows"]).set_index("world")[["difficulty", "g", "image", "sound"]]
    paper = {sense: paper_scores(f"{sense}/Ls")["fscore"][0] for sense in ("image", "sound")}
    below = [table.mean().to_frame("mean").T, pd.DataFrame(paper, index=["the paper, on ADVANCE"])]
    return pd.concat([table, *below]).rename_axis("world")
