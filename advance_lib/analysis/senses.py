"""What was seen and what was heard: the scene head is linear, so its output is a sum of the two.

Chapters: What the sound decides, When the photograph is bad.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from advance_lib.experiments.runs import Run
from advance_lib.training.metrics import weighted_scores

if TYPE_CHECKING:
    from torch import Tensor

    from advance_lib.models.audiovisual import AudiovisualNet
    from advance_lib.training.inputs import Batch


def parts(network: AudiovisualNet, batch: Batch) -> Tensor:
    """Return both parts of a network's scene outputs, (batch, 2, scenes): seen, then heard."""
    import torch

    outputs = network(batch.image, batch.log_mel)
    return torch.stack([outputs.seen, outputs.heard], dim=1)


def contributions(run: Run, split: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Split f_s(x, N_v+a) of a finished run into what comes from the photograph and what comes from the sound.

    f_s = W_v N_v(v) + W_a N_a(a) + b, with the head's weights W = (W_v, W_a) and bias b (section 4.1).

    Args:
        run: finished.
        split: of its dataset.

    Returns:
        (pairs, scenes) seen, (pairs, scenes) heard, (scenes,) bias; their sum is f_s before softmax.
    """
    from advance_lib.training.loop import predictions

    fabric, network, data, inputs = run.open()
    seen, heard = predictions(fabric, network, inputs, data.rows()[split], parts).transpose(1, 0, 2)
    return seen, heard, network.scene_head.bias.detach().cpu().numpy()


def scores_of_parts(runs: Sequence[Run], split: str) -> pd.DataFrame:
    """Return how well each part of the scene outputs does by itself, the other part kept at its mean.

    A part that is right on the training pairs alone has memorised them.

    Args:
        runs: of one dataset, with both senses.
        split: of that dataset, which may be the training split.

    Returns:
        One row per run: ``cell``, ``seed``, ``split``, and the weighted F-scores in percent of what was ``seen``,
        of what was ``heard`` and of ``both``.
    """
    rows = []
    for run in runs:
        shared = run.request.shared
        truth = shared.inputs.targets[shared.data.rows()[split]]
        seen, heard, bias = contributions(run, split)
        alone = {"seen": seen + heard.mean(0), "heard": heard + seen.mean(0), "both": seen + heard}
        found = {name: weighted_scores(truth, (part + bias).argmax(1))["fscore"] for name, part in alone.items()}
        rows.append({"cell": run.cell, "seed": run.seed, "split": split, **found})
    return pd.DataFrame(rows)


def carried(heard: np.ndarray, responses: np.ndarray, clips: int = 5) -> np.ndarray:
    """Return what hearing an event adds to each scene: the mean of its heard part with the event less that without.

    The heard part is centred over the scenes first, since the softmax sees differences only.

    Args:
        heard: (pairs, scenes), from `contributions`.
        responses: y(a), (pairs, events); an event counts as heard above one half.
        clips: an event that is heard, or not heard, in fewer clips is left out.

    Returns:
        (events, scenes) in logits; nan for the events left out.
    """
    centred = heard - heard.mean(axis=1, keepdims=True)
    present = responses > 0.5
    rows = [
        centred[here].mean(0) - centred[~here].mean(0)
        if clips <= here.sum() <= len(here) - clips
        else np.full(heard.shape[1], np.nan)
        for here in present.T
    ]
    return np.stack(rows)


def decisions(runs: Sequence[Run], base: str, other: str, split: str) -> pd.DataFrame:
    """Compare the decisions of two approaches pair by pair, each by the mean of its runs' probabilities.

    Args:
        runs: of both cells, with the same seeds.
        base: such as ``"image/Ls"``.
        other: such as ``"image+sound/SQ|Na"``.
        split: of the dataset.

    Returns:
        One row per pair: ``id``, ``scene``, ``location``, ``base`` and ``other`` (the scenes that were named), ``gain``
        (what the other gives the true scene more, in probability), and ``outcome``: ``"rescued"`` (base wrong, other
        right), ``"misled"`` (base right, other wrong), ``"both right"`` or ``"both wrong"``.
    """
    first = next(run for run in runs if run.cell == base).predictions
    table = first.loc[first["split"] == split, ["id", "scene", "location"]].reset_index(drop=True)
    scenes = [name[2:-1] for name in first.filter(like="p(")]
    mean = {
        cell: np.mean([run.answers(split)[1] for run in runs if run.cell == cell], axis=0) for cell in (base, other)
    }
    truth = pd.Categorical(table["scene"], scenes).codes
    named = {cell: p.argmax(1) for cell, p in mean.items()}
    outcomes = np.array([["both wrong", "rescued"], ["misled", "both right"]])
    return table.assign(
        base=np.array(scenes)[named[base]],
        other=np.array(scenes)[named[other]],
        gain=(mean[other] - mean[base])[np.arange(len(truth)), truth],
        outcome=outcomes[(named[base] == truth).astype(int), (named[other] == truth).astype(int)],
    )
