"""What trained networks hear: their event responses beside those of N_a(0), and how far apart they are.

Chapters: Preserving what N_a knows; One representation, two tasks; Events in different scenes.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from advance_lib.data.dataset import inputs_of
from advance_lib.experiments.runs import Run, opened
from advance_lib.training.inputs import Batch
from advance_lib.training.loop import predictions
from advance_lib.transfer.knowledge import Knowledge, sigmoid
from advance_lib.transfer.objectives import FAINTEST


def event_responses(run: Run, split: str = "test", device: str = "auto") -> np.ndarray:
    """Return f_e of a finished run for the pairs of a split, before the sigmoid.

    A network with an event head on the concatenation answers with that; any other with the classifier of its N_a,
    which L_s alone has never touched.

    Args:
        run: with a sound input, unless its event head is on the concatenation.
        split: of the run's dataset.
        device: ``"cpu"``, ``"cuda"`` or ``"auto"``.

    Returns:
        (pairs, events) float32.
    """
    fabric, network, data, inputs = opened(run, device)
    joint = run.request.recipe.events_on == "Nv+a"

    def read(model: nn.Module, batch: Batch) -> Tensor:
        return model(batch.image, batch.log_mel).events if joint else model.audio(batch.log_mel)

    return predictions(fabric, network, inputs if joint else replace(inputs, images=None), data.rows()[split], read)


def divergence(student: np.ndarray, teacher: np.ndarray) -> np.ndarray:
    """Return Σ_i C(y_i ‖ σ_i(f_e)) of each clip, the summand of equations (3), (5) and (8).

    Args:
        student: f_e, (clips, events) or (events,) for one answer to all clips.
        teacher: f_e(a, N_a(0)), (clips, events).

    Returns:
        (clips,) float64, in nats.
    """
    s, t = np.asarray(student, np.float64), np.asarray(teacher, np.float64)
    return (sigmoid(t) * (t - s) + np.logaddexp(0, s) - np.logaddexp(0, t)).sum(axis=1)


def logit(p: np.ndarray) -> np.ndarray:
    """Return σ⁻¹(p), with p kept as far from 0 and 1 as the objectives keep it."""
    return torch.from_numpy(np.asarray(p, np.float64)).clamp(FAINTEST, 1 - FAINTEST).logit().numpy()


def divergence_from_scenes(teacher: np.ndarray, posteriors: np.ndarray) -> np.ndarray:
    """Return Σ_i C(y_i ‖ p(e_i|s_k)) of each clip and each scene: L_E1 where p(s) is sure of s_k.

    Args:
        teacher: f_e(a, N_a(0)), (clips, events).
        posteriors: p(e|s_k), (scenes, events).

    Returns:
        (clips, scenes), in nats.
    """
    return np.stack([divergence(logit(p), teacher) for p in posteriors], axis=1)


def distances(runs: Sequence[Run], known: Knowledge, split: str = "test", device: str = "auto") -> pd.DataFrame:
    """Return how far each run's event responses are from the teacher's, on average over the clips of a split.

    Args:
        runs: as for `event_responses`, all on one dataset.
        known: f_e(a, N_a(0)) of that dataset.
        split: of the dataset.
        device: ``"cpu"``, ``"cuda"`` or ``"auto"``.

    Returns:
        One row per run: ``cell``, ``seed``, ``nats`` per clip, and ``points``, the mean absolute difference of an
        event's probability in percentage points.
    """
    rows = []
    for run in runs:
        asked = run.request
        data, _ = inputs_of(*asked.data)
        teacher = known.pre_activations[data.rows()[split]]
        student = event_responses(run, split, device)
        points = 100 * np.abs(sigmoid(student) - sigmoid(teacher)).mean()
        rows.append((asked.cell, asked.seed, divergence(student, teacher).mean(), points))
    return pd.DataFrame(rows, columns=["cell", "seed", "nats", "points"])
