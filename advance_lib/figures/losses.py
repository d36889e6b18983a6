"""The losses as figures that answer: L_E1 over a triangle of scene probabilities, and KL and SQ of one event.

Chapters: Events in different scenes; Preserving what the audio network knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib.figure import Figure

from advance_lib.analysis.events import e1_of_mixtures
from advance_lib.analysis.simplex import descent, simplex
from advance_lib.experiments.cells import ALPHA, BETA
from advance_lib.figures.events import short
from advance_lib.figures.interactive import interactive
from advance_lib.figures.page import BOTH_COLOUR, PAPER_COLOUR, SOUND_COLOUR, picture, sound_file
from advance_lib.transfer import objectives

if TYPE_CHECKING:
    from advance_lib.transfer.knowledge import Knowledge

RATE, STEPS = 0.5, 100  # of the descent that is drawn
CORNERS = np.array([[0.5, 3**0.5 / 2], [0.0, 0.0], [1.0, 0.0]])  # the first scene on top


def triangle(pairs: pd.DataFrame, known: Knowledge, scenes: Sequence[str], three: Sequence[int]) -> HTML:
    """Return the triangle of p(s) over three scenes, in which L_E1, L_E2 and L_E of a clip can be explored.

    Args:
        pairs: the clips to choose from, of these scenes: columns ``id``, ``scene``, ``sound``; the index counts the
            rows of ``known.pre_activations``. The first is shown first.
        known: of the dataset.
        scenes: names of all its scenes.
        three: indices of those that share p(s); the others have none of it.
    """
    names, posteriors = [scenes[k] for k in three], known.posteriors[list(three)]
    clips = [
        {
            "id": pair.id,
            "scene": names.index(pair.scene),
            "heard": _short(known.pre_activations[pair.Index]),
            "sound": sound_file(pair.sound),
        }
        for pair in pairs.itertuples()
    ]
    data = {
        "scenes": names,
        "events": short(known.events),
        "posteriors": [_short(row) for row in posteriors],
        "relevance": [_short(row) for row in known.relevance[list(three)]],
        "clips": clips,
        "faintest": objectives.FAINTEST,
        "alpha": ALPHA,
        "beta": BETA,
        "rate": RATE,
        "steps": STEPS,
    }
    first = pairs.iloc[0]
    still = triangle_still(known.pre_activations[pairs.index[0]], posteriors, names, first["scene"])
    alt = (
        f"A triangle whose corners are the scenes {', '.join(names)}; contours of L_E1 for a clip of {first['scene']}, "
        "their lowest point, and a path of gradient descent from the middle towards it"
    )
    return interactive("triangle", data, picture(still, "triangle", alt))


def triangle_still(heard: np.ndarray, posteriors: np.ndarray, names: Sequence[str], true: str) -> Figure:
    """Draw L_E1 of a clip over p(s) of three scenes, where it is least, and gradient descent from the middle.

    Args:
        heard: f_e(a, N_a(0)), (events,).
        posteriors: p(e|s_k), (3, events).
        names: of the scenes.
        true: the clip's scene.
    """
    import torch

    teacher, table = torch.tensor(heard, dtype=torch.float64)[None], torch.tensor(posteriors, dtype=torch.float64)
    points = simplex(60)
    nats = e1_of_mixtures(points, teacher.numpy(), posteriors)[0]
    path = descent(lambda scenes: objectives.e1(scenes, teacher, table), np.full(3, 1 / 3), RATE, STEPS) @ CORNERS
    figure, axis = plt.subplots(figsize=(5, 4.4), layout="constrained")
    levels = np.linspace(nats.min(), np.quantile(nats, 0.95), 12)
    axis.tricontourf(*(points @ CORNERS).T, nats, levels=levels, cmap="Purples_r", extend="max", alpha=0.7)
    axis.plot(*CORNERS[[0, 1, 2, 0]].T, color=PAPER_COLOUR, linewidth=1)
    axis.plot(*path.T, color=BOTH_COLOUR, linewidth=2)
    axis.plot(*path[0], "o", color=BOTH_COLOUR, markersize=9)
    least = points[nats.argmin()] @ CORNERS
    axis.plot(*least, "x", color="black", markersize=9, markeredgewidth=2)
    axis.annotate(f"least, {nats.min():.2f} nats", least, (8, 8), textcoords="offset points", fontsize=9)
    for corner, name, sure in zip(CORNERS, names, np.eye(3), strict=True):
        above = corner[1] > 0
        value = nats[(points == sure).all(axis=1)][0]
        axis.annotate(
            f"{name}{', the true scene' if name == true else ''}\n{value:.2f} nats", corner,
            (0, 6 if above else -6), textcoords="offset points", ha="center", va="bottom" if above else "top",
            fontsize=9, weight="bold" if name == true else "normal",
        )  # fmt: skip
    axis.set(aspect="equal")
    axis.set_axis_off()
    return figure


def _short(values: np.ndarray) -> list[float]:
    return [float(f"{value:.6g}") for value in values]


def one_event(curves: pd.DataFrame, students: np.ndarray, teacher: float, student: float, temperature: float) -> HTML:
    """Return the divergence at temperature T beside the squared distance, of one event of student and teacher.

    Args:
        curves: of `one_event.at_temperature`, for the still picture.
        students: the pre-activations it was computed for.
        teacher: t, to begin with, as are the next two.
        student: s.
        temperature: T.
    """
    data = {"teacher": teacher, "student": student, "temperature": temperature}
    alt = (
        f"Two panels over the student's pre-activation, for a teacher's of {teacher:g} and T = {temperature:g}: the "
        "squared distance over eight is a parabola, T² times the divergence a flatter valley; their slopes are a line "
        "and a curve that bends away from it"
    )
    return interactive("one_event", data, picture(one_event_still(curves, students, teacher), "one-event", alt))


def one_event_still(curves: pd.DataFrame, students: np.ndarray, teacher: float) -> Figure:
    """Draw what `one_event.at_temperature` returned: the distances, and beside them their slopes."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    styles = {"SQ/8": (PAPER_COLOUR, "--"), "T²C": (SOUND_COLOUR, "-"), "C": (SOUND_COLOUR, ":")}
    for axis, ending, label in zip(axes, ("", " slope"), ("nats", "slope in nats"), strict=True):
        for name, (colour, line) in styles.items():
            axis.plot(students, curves[name + ending], line, color=colour, label=name)
        axis.axvline(teacher, color="black", linewidth=0.8)
        axis.set(xlabel="student's pre-activation", ylabel=label)
    axes[0].set_ylim(0, 8)
    axes[0].legend(frameon=False)
    return figure
