"""Ours, not the paper's: what two senses give without training them together.

A transfer is worth its teacher only if it gives more than these; `remedies` has those that are trained together.

Chapter: The claims.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from advance_lib.experiments.runs import Run
from advance_lib.training.metrics import weighted_scores

REMEDIES = ("image+sound/unimodal", "image+sound/only dropout")
WEIGHTS = tuple(np.linspace(0, 1, 21))  # of the photograph
STRENGTHS = (0.001, 0.01, 0.1, 1.0)  # C of the logistic regression: the larger, the less it is held back


def late_fusion(seeing: Sequence[Run], hearing: Sequence[Run]) -> tuple[dict[int, dict[str, np.ndarray]], dict]:
    """Name scenes by w p(image) + (1 − w) p(sound), seed by seed; w is chosen on validation.

    Args:
        seeing: runs of the photograph alone.
        hearing: runs of the sound alone, with the same seeds.

    Returns:
        Seed to split to (pairs,) codes of scenes, and seed to w.
    """
    named, weights = {}, {}
    heard = {run.seed: run for run in hearing}
    for run in seeing:
        splits = [split for split in ("validation", "test", "exam") if split in run.metrics["scores"]]
        both = {split: (run.answers(split), heard[run.seed].answers(split)) for split in splits}

        def fused(split: str, weight: float, both: dict = both) -> np.ndarray:
            image, sound = (found.probabilities for found in both[split])
            return (weight * image + (1 - weight) * sound).argmax(axis=1)

        truth = both["validation"][0].truth
        scores = [weighted_scores(truth, fused("validation", weight))["fscore"] for weight in WEIGHTS]
        weights[run.seed] = float(WEIGHTS[int(np.argmax(scores))])
        named[run.seed] = {split: fused(split, weights[run.seed]) for split in splits[1:]}
    return named, weights


def linear_probe(run: Run) -> tuple[dict[str, np.ndarray], float]:
    """Name scenes by a logistic regression on N_v(0) and N_a(0), frozen; its C is chosen on validation.

    Args:
        run: says which dataset and which pre-trained networks; its own network is not used.

    Returns:
        Split to (pairs,) codes of scenes, and C.
    """
    shared = run.request.shared
    return probe(np.concatenate(frozen(run), axis=1), shared.inputs.targets, shared.data.rows())


def probe(
    features: np.ndarray, targets: np.ndarray, rows: dict[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], float]:
    """Name scenes by a logistic regression on frozen features; its C is chosen on validation.

    Args:
        features: (pairs, features).
        targets: (pairs,) codes of scenes.
        rows: of each split; what is neither training nor validation is named.

    Returns:
        Split to (pairs of the split,) codes of scenes, and C.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    scores, fitted = [], []
    for strength in STRENGTHS:
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000))
        probe.fit(features[rows["train"]], targets[rows["train"]])
        guessed = probe.predict(features[rows["validation"]])
        scores.append(weighted_scores(targets[rows["validation"]], guessed)["fscore"])
        fitted.append(probe)
    best = int(np.argmax(scores))
    named = {split: fitted[best].predict(features[rows[split]]) for split in rows if split in ("test", "exam")}
    return named, STRENGTHS[best]


def frozen(run: Run, rows: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return N_v(0) and N_a(0) of some pairs, (pairs, visual features) and (pairs, audio features).

    Args:
        run: says which dataset and which pre-trained networks; its own network is not used.
        rows: of the pairs; None for all.
    """
    import torch

    from advance_lib.training.fabric import start
    from advance_lib.training.loop import predictions

    shared = run.request.shared
    fabric = start(run.request.settings.device, "32-true")
    visual, audio = (one.open().to(fabric.device) for one in (shared.visual, shared.audio))

    def read(_: object, batch) -> torch.Tensor:
        return torch.cat([visual.represent(batch.image), audio.represent(batch.log_mel)], dim=1)

    rows = np.arange(len(shared.inputs.targets)) if rows is None else rows
    found = predictions(fabric, visual, shared.inputs, rows, read)
    return found[:, : visual.features], found[:, visual.features :]
