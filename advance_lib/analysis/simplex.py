"""L_E1 over the probabilities of three scenes: where it is least, and where gradient descent leads.

Three probabilities that sum to one are a point of a triangle; whoever is sure of a scene stands at a corner.

Chapter: Events in different scenes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from advance_lib.analysis.events import e1_of_mixtures, logit

STEPS = 20  # of the grid that minima are sought on: probabilities in steps of 5 %


def simplex(steps: int) -> np.ndarray:
    """Return every way to share ``steps`` equal parts among three scenes, (points, 3), rows that sum to one."""
    return np.array([(a, b, steps - a - b) for a in range(steps + 1) for b in range(steps + 1 - a)]) / steps


def true_at_least(
    soft_responses: np.ndarray, targets: np.ndarray, posteriors: np.ndarray, three: Sequence[int]
) -> np.ndarray:
    """Return p(true scene) where a clip's L_E1 is least, for the clips of three scenes.

    Args:
        soft_responses: y, (clips, events).
        targets: (clips,) scene indices.
        posteriors: p(e|s_k), (scenes, events).
        three: indices of scenes; p(s) of all others is zero.

    Returns:
        (clips,) in steps of `STEPS`; not a number for the clips of other scenes.
    """
    grid, found = simplex(STEPS), np.full(len(targets), np.nan)
    rows = np.flatnonzero(np.isin(targets, three))
    least = grid[e1_of_mixtures(grid, logit(soft_responses[rows]), posteriors[list(three)]).argmin(axis=1)]
    found[rows] = least[np.arange(len(rows)), [list(three).index(target) for target in targets[rows]]]
    return found


def telling_scenes(soft_responses: np.ndarray, targets: np.ndarray, posteriors: np.ndarray) -> tuple[int, ...]:
    """Return the three scenes whose clips differ most in where their L_E1 is least.

    It may be least at the true scene, in between, or where that has no probability. The rarest of these three kinds
    of clips has its largest share among the scenes returned.

    Args:
        soft_responses: y, (clips, events).
        targets: (clips,) scene indices.
        posteriors: p(e|s_k), (scenes, events).

    Returns:
        Indices of scenes in rising order; none where fewer than three have clips.
    """

    def rarest(three: tuple[int, ...]) -> float:
        p = true_at_least(soft_responses, targets, posteriors, three)
        p = p[~np.isnan(p)]
        return min((p == 1).mean(), (p == 0).mean(), ((p > 0) & (p < 1)).mean())

    return max(combinations(np.unique(targets).tolist(), 3), key=rarest, default=())


def telling_clips(
    soft_responses: np.ndarray, targets: np.ndarray, posteriors: np.ndarray, three: Sequence[int]
) -> list[int]:
    """Return up to three clips of each scene: where L_E1 is least, the true scene has most, about half, and least.

    Args:
        soft_responses: y, (clips, events).
        targets: (clips,) scene indices.
        posteriors: p(e|s_k), (scenes, events).
        three: indices of scenes.

    Returns:
        Indices of clips, first those where the true scene has about half.
    """
    p = true_at_least(soft_responses, targets, posteriors, three)
    chosen = []
    for scene in three:
        rows = np.flatnonzero(targets == scene)
        chosen += [rows[p[rows].argmax()], rows[np.abs(p[rows] - 0.5).argmin()], rows[p[rows].argmin()]]
    return sorted({int(row) for row in chosen}, key=lambda row: (abs(p[row] - 0.5), row))


def descent(loss: Callable[[Tensor], Tensor], start: np.ndarray, rate: float, steps: int) -> np.ndarray:
    """Return p(s) along gradient descent on the logits of p(s), (steps + 1, scenes).

    Args:
        loss: a function of f_s, (1, scenes), such as `objectives.e1` with all else given.
        start: p(s) to begin with, (scenes,), none of them zero.
        rate: step size.
        steps: how many.
    """
    logits, path = torch.tensor(np.log(start), dtype=torch.float64)[None], []
    for _ in range(steps + 1):
        path.append(logits.softmax(dim=1)[0].numpy())
        logits.requires_grad_()
        (slope,) = torch.autograd.grad(loss(logits), logits)
        logits = (logits - rate * slope).detach()
    return np.stack(path)
