"""Pictures of costs: filled markers are measured, lines are not.

Chapter: What it costs.
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from advance_bench.model import ADVANCE_PAIRS, DAY, HOUR, SIZES, WEEK, YEAR, Machine
from advance_lib.figures.page import BOTH_COLOUR, IMAGE_COLOUR, PAPER_COLOUR, SOUND_COLOUR

COLOURS = (IMAGE_COLOUR, SOUND_COLOUR, BOTH_COLOUR)
KNOWN = {  # how a number is known: marker, whether it is filled, line
    "measured": ("o", True, "none"),
    "computed": ("none", False, "-"),
    "extrapolated": ("none", False, "--"),
    "assumed": ("none", False, ":"),
}
TICKS = {60: "minute", HOUR: "hour", DAY: "day", WEEK: "week", YEAR: "year", 100 * YEAR: "100 years"}


def _legend_of_knowledge(kinds: Sequence[str]) -> list[Line2D]:
    found = []
    for kind in kinds:
        marker, filled, line = KNOWN[kind]
        inside = PAPER_COLOUR if filled else "white"
        found.append(Line2D([], [], color=PAPER_COLOUR, marker=marker, markerfacecolor=inside, ls=line, label=kind))
    return found


def time_by_pairs(machines: Sequence[Machine], runs: float | None, pairs_of_runs: int) -> Figure:
    """Draw the time of all cells and seeds over the number of pairs.

    Args:
        machines: the first is the one that trained the reference runs.
        runs: measured seconds of all reference runs, or None.
        pairs_of_runs: how many pairs they had.
    """
    figure, axis = plt.subplots(figsize=(5, 4.4), layout="constrained")
    inside, beyond = np.array([1000, ADVANCE_PAIRS]), np.array([ADVANCE_PAIRS, max(SIZES)])
    for machine, colour in zip(machines, COLOURS, strict=True):
        for pairs in (inside, beyond):
            line = KNOWN[machine.how_known(pairs[-1])][2]
            axis.plot(pairs, [machine.paper_seconds(n) for n in pairs], ls=line, color=colour)
        axis.plot([], [], "-", color=colour, linewidth=4, label=machine.name)
    if runs:
        axis.plot(pairs_of_runs, runs, "o", color=COLOURS[0], markersize=8)
    axis.set(xscale="log", yscale="log", xlabel="pairs of the dataset", ylabel="all cells and seeds take")
    axis.set_xticks(SIZES, ["5,075", "50,000", "5 million"])
    axis.set_yticks(list(TICKS), list(TICKS.values()))
    axis.minorticks_off()
    names = axis.get_legend_handles_labels()[0]
    known = ["measured"] * bool(runs) + list(dict.fromkeys(m.how_known(n) for m in machines for n in SIZES))
    figure.legend(handles=[*names, *_legend_of_knowledge(known)], frameon=False, loc="outside lower center", fontsize=8)
    return figure
