"""The pictures of the chapters on event knowledge, in the style of `page`."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure

from advance_lib.figures.heat import heat_tables
from advance_lib.figures.page import BOTH_COLOUR, IMAGE_COLOUR, PAPER_COLOUR, SMALL, SOUND_COLOUR


def short(events: Sequence[str]) -> list[str]:
    """Return AudioSet's names up to their first comma."""
    return [event.split(",")[0] for event in events]


def loudest(responses: np.ndarray, events: Sequence[str], top: int = 3) -> list[str]:
    """Return the short names of each clip's most probable events, the most probable first, in one text a clip.

    Args:
        responses: y(a), (clips, events).
        events: their names.
        top: how many.
    """
    names = np.array(short(events))
    return [", ".join(names[most]) for most in (-np.asarray(responses)).argsort(axis=1, kind="stable")[:, :top]]


def top_bars(table: pd.DataFrame, label: str, top: int = 6, colour: str = SOUND_COLOUR) -> Figure:
    """Draw the largest entries of each row as bars, one small plot a row.

    Args:
        table: rows become titles, columns are events.
        label: of the common axis.
        top: entries a row.
        colour: of the bars.
    """
    columns = min(3, len(table))
    rows = -(-len(table) // columns)
    size = (3.1 * columns, (0.25 * top + 0.7) * rows + 0.3)
    figure, axes = plt.subplots(rows, columns, figsize=size, sharex=True, squeeze=False, layout="constrained")
    for axis in axes.flat[len(table) :]:
        axis.set_visible(False)
    for axis, (title, row) in zip(axes.flat, table.iterrows(), strict=False):
        largest = row.nlargest(top)
        axis.barh(range(len(largest)), largest, color=colour)
        axis.set_yticks(range(len(largest)), short(largest.index), fontsize=SMALL)
        axis.invert_yaxis()
        axis.set_title(title, fontsize=SMALL)
        axis.grid(False, axis="y")
    figure.supxlabel(label, fontsize=SMALL)
    return figure


def posterior_map(tables: Mapping[str, pd.DataFrame], name: str) -> HTML:
    """Show one or more tables of p(event | scene) side by side in percent, on one scale of colours.

    Args:
        tables: title to table; rows are events, columns scenes, entries 0 to 1, the same rows in each.
        name: of the file of numbers.
    """
    percent = {title: 100 * table.set_axis(short(table.index)) for title, table in tables.items()}
    norm = PowerNorm(0.5, 0, max(float(table.to_numpy().max()) for table in percent.values()))
    return heat_tables(
        percent, name, norm, "{:.0f}".format, corner="event ↓ scene →", least=0.5, whole="{:.1f} %".format
    )


def over_temperature(temperatures: np.ndarray, kl: np.ndarray, limit: float) -> Figure:
    """Draw T²·KL over the temperature T, and its limit.

    Args:
        temperatures: (points,).
        kl: T²·KL at each, in nats.
        limit: an eighth of the squared distance.
    """
    figure, axis = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
    axis.plot(temperatures, kl, color=SOUND_COLOUR, label="$T^2$ × sum of divergences at temperature $T$")
    axis.axhline(limit, color=PAPER_COLOUR, linestyle="--", label="squared distance / 8")
    axis.set(xscale="log", xlabel="temperature $T$", ylabel="nats", ylim=(0, 1.1 * max(kl.max(), limit)))
    axis.legend(frameon=False, loc="lower right")
    return figure


def responses(teacher: np.ndarray, students: Mapping[str, np.ndarray], most: int = 3000) -> Figure:
    """Draw students' event probabilities against the teacher's, one panel a student, one dot a clip and event.

    Args:
        teacher: y, (clips, events).
        students: title to σ(f_e), (clips, events).
        most: dots a panel; more are thinned out evenly.
    """
    count = len(students)
    size = (3.1 * count + 0.3, 3.4)
    figure, axes = plt.subplots(1, count, figsize=size, sharex=True, sharey=True, squeeze=False, layout="constrained")
    chosen = np.linspace(0, teacher.size - 1, min(most, teacher.size)).astype(int)
    for axis, (title, student) in zip(axes.flat, students.items(), strict=True):
        axis.plot([0, 100], [0, 100], color=PAPER_COLOUR, linewidth=1)
        x, y = 100 * teacher.ravel()[chosen], 100 * student.ravel()[chosen]
        axis.plot(x, y, ".", color=SOUND_COLOUR, alpha=0.25, markersize=4, rasterized=True)
        axis.set(title=title, xlim=(0, 100), ylim=(0, 100), aspect="equal")
    axes[0, 0].set_ylabel("student's probability in %")
    figure.supxlabel("teacher's probability in %", fontsize=SMALL)
    return figure


def one_pair(table: pd.DataFrame, top: int = 12) -> Figure:
    """Draw a clip's responses beside the posteriors of two scenes, for the events where any of them is largest.

    Args:
        table: rows are events, three columns: y, p(e | true scene), p(e | rival); entries 0 to 1.
        top: events to show.
    """
    chosen = 100 * table.loc[table.max(axis=1).nlargest(top).index]
    figure, axis = plt.subplots(figsize=(8, 0.33 * len(chosen) + 1.2), layout="constrained")
    where = np.arange(len(chosen))
    for shift, name, colour in zip((-0.27, 0, 0.27), chosen, (SOUND_COLOUR, IMAGE_COLOUR, PAPER_COLOUR), strict=True):
        axis.barh(where + shift, chosen[name], height=0.27, color=colour, label=name)
    axis.set_yticks(where, short(chosen.index))
    axis.invert_yaxis()
    axis.grid(False, axis="y")
    axis.set(xlabel="probability in %")
    axis.legend(frameon=False, loc="lower right")
    return figure


def margins(values: np.ndarray, label: str) -> Figure:
    """Draw a histogram with its zero and its median marked."""
    figure, axis = plt.subplots(figsize=(6.5, 3), layout="constrained")
    axis.hist(values, bins=30, color=BOTH_COLOUR, alpha=0.8)
    axis.axvline(0, color="black", linewidth=1)
    axis.axvline(np.median(values), color=SOUND_COLOUR, linestyle="--", label="median")
    axis.set(xlabel=label, ylabel="pairs")
    axis.legend(frameon=False)
    return figure


def cosine_map(table: pd.DataFrame, name: str) -> HTML:
    """Show cosines between the posteriors of scenes (columns) and the event relevance of scenes (rows).

    Args:
        table: of cosines, scenes in both directions.
        name: of the file of numbers.
    """
    norm = Normalize(float(table.to_numpy().min()), float(table.to_numpy().max()))
    return heat_tables({"": table}, name, norm, "{:.2f}".format, corner="direction of ↓ posterior of →")
