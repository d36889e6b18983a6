"""Finished runs, tested on the pairs of another folder: nothing is trained or chosen there.

Chapter: Use it on your own data.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from advance_lib.cache import UserError
from advance_lib.data.features import image_array
from advance_lib.experiments.runs import Answers, Run
from advance_lib.training.metrics import weighted_scores


def answers_elsewhere(run: Run, pairs: pd.DataFrame) -> Answers:
    """Return a finished run's probabilities for pairs that it was not trained for.

    Args:
        run: finished.
        pairs: as from `read_catalogue`; every one is tested, whatever its split.

    Raises:
        UserError: the pairs have a scene that the run does not know.
    """
    from advance_lib.experiments.one_run import load_checkpoint
    from advance_lib.training.fabric import start
    from advance_lib.training.inputs import Inputs
    from advance_lib.transfer.recogniser import scene_probabilities, without_sense

    network, normaliser, config = load_checkpoint(run.checkpoint)
    scenes = config["scenes"]
    if unknown := sorted(set(pairs["scene"]) - set(scenes)):
        raise UserError(f"scene '{unknown[0]}' is none that the runs were trained for: {', '.join(scenes)}")
    settings, recipe = run.request.settings, run.request.recipe
    truth = pairs["scene"].map(scenes.index).to_numpy(np.int64)
    sounds = settings.sources.hearing(settings.preset).arrays(pairs)
    inputs = Inputs(image_array(pairs, config["image_side"]), sounds, truth, normaliser)
    fabric = start(settings.device, "32-true")
    seen = without_sense(recipe.senses, inputs)
    probabilities = scene_probabilities(recipe, fabric, network.to(fabric.device), seen, np.arange(len(pairs)))
    return Answers(truth, probabilities, pairs["location"].to_numpy(), scenes)


def scores_elsewhere(runs: Sequence[Run], pairs: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return one row a run: cell, seed, split (here a name), and the weighted scores on all pairs in percent.

    Args:
        runs: finished.
        pairs: as from `read_catalogue`; their scenes are among those of the runs.
        name: of the pairs.

    Raises:
        UserError: as for `answers_elsewhere`.
    """
    rows = []
    for run in runs:
        truth, probabilities, *_ = answers_elsewhere(run, pairs)
        found = weighted_scores(truth, probabilities.argmax(axis=1))
        rows.append({"cell": run.cell, "seed": run.seed, "split": name, **found})
    return pd.DataFrame(rows)
