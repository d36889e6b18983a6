"""Pictures and tables of the linear probe and of retrieval, in the style of `page`.

Chapter: After the paper.
"""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from advance_lib.analysis.claims import is_certain
from advance_lib.analysis.probes import PARTS
from advance_lib.analysis.retrieval import CHANCE, DIRECTIONS, ORACLE, RECALLS
from advance_lib.experiments.cells import short_name
from advance_lib.figures.page import loss_colour

PANELS = {"seen": "photograph", "heard": "sound", "both": "both"}
FOUND = {"pair": "the pair alone", "siblings": "any pair of its location", "scene": "any pair of its scene"}


def _dots(axis: Axes, rows: pd.DataFrame, value: str, scale: float = 1.0) -> None:
    """Draw one line an approach: its value, filled where it is certainly another than the base's, and its interval."""
    for height, row in enumerate(rows.to_dict("records")):
        colour = loss_colour(row["approach"])
        certain = is_certain(row)
        axis.plot([scale * row["low"], scale * row["high"]], [height, height], color=colour, linewidth=2)
        axis.plot(scale * row[value], height, "o", color=colour, markerfacecolor=colour if certain else "white")
    axis.set_yticks(range(len(rows)), map(short_name, rows["approach"]))
    axis.set_ylim(len(rows) - 0.5, -0.5)


def probe_dots(rows: pd.DataFrame) -> Figure:
    """Draw the probe's F-score on each part of each approach; filled where it certainly differs from before training.

    Args:
        rows: as from `probes.probe_scores`.
    """
    count = rows["approach"].nunique()
    figure, axes = plt.subplots(1, 3, figsize=(9.5, 0.32 * count + 1.3), sharey=True, layout="constrained")
    for axis, part in zip(axes, PARTS, strict=True):
        _dots(axis, rows[rows["part"] == part], "fscore")
        axis.set_title(PANELS[part])
    axes[1].set_xlabel("weighted F-score of a linear probe in %")
    return figure


def alike_dots(rows: pd.DataFrame) -> Figure:
    """Draw how alike photograph and sound are represented; filled where it certainly differs from L_s.

    Args:
        rows: as from `retrieval.alikeness`; a grey bar marks the same with shuffled pairs.
    """
    figure, axis = plt.subplots(figsize=(7, 0.32 * len(rows) + 1.1), layout="constrained")
    _dots(axis, rows, "cka")
    axis.plot(rows["shuffled"], range(len(rows)), "|", color="#777777", markersize=12, markeredgewidth=2)
    axis.set(xlabel="linear CKA of what was seen and what was heard", xlim=(0, None))
    return figure


def retrieval_dots(rows: pd.DataFrame) -> Figure:
    """Draw nDCG@10 of each approach: rows directions, columns what counts as found; the dashed line is chance.

    Args:
        rows: as from `retrieval.retrievals`; filled where an approach certainly differs from L_s.
    """
    count = rows["approach"].nunique() - 2
    figure, axes = plt.subplots(2, 3, figsize=(9.5, 0.6 * count + 2.2), sharey=True, sharex="col", layout="constrained")
    for line, direction in zip(axes, DIRECTIONS, strict=True):
        for axis, (found, title) in zip(line, FOUND.items(), strict=True):
            here = rows[(rows["direction"] == direction) & (rows["relevant"] == found)]
            _dots(axis, here[~here["approach"].isin((CHANCE, ORACLE))], "ndcg@10", 100)
            chance = here.loc[here["approach"] == CHANCE, "ndcg@10"].iloc[0]
            axis.axvline(100 * chance, color="#777777", linestyle="--", linewidth=1.2)
            axis.set_xlim(0, None)
            if direction == DIRECTIONS[0]:
                axis.set_title(title)
        line[0].set_ylabel(direction)
    figure.supxlabel("nDCG@10 in %", fontsize=10)
    return figure


def retrieval_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return retrieval scores in percent: all where the pair alone counts, nDCG@10 and recall@1 where more does.

    Args:
        rows: as from `retrieval.retrievals`.
    """
    rows = rows.assign(approach=rows["approach"].map(short_name))
    of_found = {found: part.set_index(["direction", "approach"]) for found, part in rows.groupby("relevant")}
    pair = of_found["pair"]
    columns = {name.replace("recall", "R"): 100 * pair[name] for name in RECALLS}
    columns |= {"median rank": pair["median rank"], "nDCG@10": 100 * pair["ndcg@10"]}
    columns |= {"with siblings": 100 * of_found["siblings"]["ndcg@10"], "by scene": 100 * of_found["scene"]["ndcg@10"]}
    columns |= {"R@1 by scene": 100 * of_found["scene"]["recall@1"]}
    return pd.DataFrame(columns).loc[pair.index].rename_axis([None, None]).round(1)


def summary_table(kept: Mapping, split: str) -> pd.DataFrame:
    """Return what a probe and retrieval find after each training, in one table; a star marks what is certain.

    A probe's star is a difference from before training, those of CKA and nDCG@10 are differences from L_s.

    Args:
        kept: record of `studies.after`.
        split: whose scores.
    """
    table: dict[str, dict[str, str]] = {}

    def add(rows: pd.DataFrame, column: str, value: str, scale: float, digits: int) -> None:
        for row in rows.to_dict("records"):
            star = "*" * is_certain(row)
            table.setdefault(short_name(row["approach"]), {})[column] = f"{scale * row[value]:.{digits}f}{star}"

    probe = pd.DataFrame(kept["probe"][split])
    for part in PARTS:
        add(probe[probe["part"] == part], f"probe, {PANELS[part]}", "fscore", 1, 1)
    add(pd.DataFrame(kept["alike"][split]), "CKA", "cka", 1, 2)
    found = pd.DataFrame(kept["retrieval"][split]["map"])
    found = found[(found["relevant"] == "siblings") & (found["approach"] != ORACLE)]
    for direction in DIRECTIONS:
        add(found[found["direction"] == direction], f"nDCG@10, {direction}", "ndcg@10", 100, 1)
    return pd.DataFrame.from_dict(table, orient="index").fillna("–")
