"""The pictures of the chapters that look inside trained networks, in the style of `page`.

Chapters: Where the networks look, What the sound decides, Scenes in the space of events, When the photograph is bad.
"""

import html
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from PIL import Image as Picture

from advance_lib.analysis.activation import overlay
from advance_lib.analysis.robustness import STRENGTHS, degraded
from advance_lib.analysis.words import number, signed, with_minus
from advance_lib.experiments.cells import short_name
from advance_lib.figures.events import short
from advance_lib.figures.heat import heat_tables
from advance_lib.figures.page import (
    PAPER_COLOUR,
    SENSE_COLOURS,
    image_file,
    loss_colour,
    player,
    scene_styles,
)

OTHERS = "#b8b8b8"  # what is shown for comparison, and not named


def activation_grid(
    pairs: pd.DataFrame, photographs: np.ndarray, maps: Mapping[str, np.ndarray], sure: Mapping[str, np.ndarray]
) -> HTML:
    """Show photographs beside the activation maps of several approaches, with the sound to play (Figs. 1 and 6).

    Args:
        pairs: columns ``scene``, ``id``, ``image``, ``sound``.
        photographs: (pairs, side, side, 3) uint8, as the networks see them.
        maps: cell to (pairs, side, side).
        sure: cell to p(true scene), (pairs,).
    """
    head = "".join(f'<th scope="col">{short_name(cell)}</th>' for cell in maps)
    rows = []
    for index, pair in enumerate(pairs.itertuples()):
        scene = html.escape(pair.scene)
        address = image_file(pair.image, pair.id, 192)
        seen = f'<img src="{address}" alt="Aerial photograph of the scene {scene}">{player(pair.sound)}'
        cells = [f'<th scope="row">{scene}{seen}</th>']
        for cell, found in maps.items():
            image = overlay(photographs[index], found[index]).resize((192, 192), Picture.Resampling.BILINEAR)
            address = image_file(image, f"map-{cell}-{pair.id}")
            p = f"{sure[cell][index]:.0%}"
            alt = f"Where {short_name(cell)} finds evidence for {scene}; probability {p}"
            cells.append(f'<td><img src="{address}" alt="{html.escape(alt)}">{p}</td>')
        rows.append(f"<tr>{''.join(cells)}</tr>")
    table = f'<table class="maps"><thead><tr><th scope="col">photograph, sound</th>{head}</tr></thead>'
    region = '<div class="wide-table" tabindex="0" role="region" aria-label="class activation maps">'
    return HTML(f"{region}{table}<tbody>{''.join(rows)}</tbody></table></div>")


def interval_dots(table: pd.DataFrame, labels: Mapping[str, str], marks: Mapping[str, Mapping[str, float]]) -> Figure:
    """Draw the mean of each cell with its interval, one panel a measure.

    Args:
        table: from `claims.compare_means`, of one or more measures.
        labels: measure to the label of its axis.
        marks: measure to lines to compare with, their label to their value.
    """
    cells = list(dict.fromkeys(table["cell"]))
    size = (9, 0.42 * len(cells) + 1.3)
    figure, axes = plt.subplots(1, len(labels), figsize=size, sharey=True, squeeze=False, layout="constrained")
    names = dict.fromkeys(name for lines in marks.values() for name in lines)
    styles = dict(zip(names, ("--", ":", "-."), strict=False))
    for axis, (measure, label) in zip(axes.flat, labels.items(), strict=True):
        for row, cell in enumerate(cells):
            found = table[(table["cell"] == cell) & (table["measure"] == measure)].iloc[0]
            colour = loss_colour(cell)
            axis.plot([found["mean_low"], found["mean_high"]], [row, row], color=colour, linewidth=2)
            axis.plot(found["mean"], row, "o", color=colour, markersize=7)
            beside = (found["mean_high"], row)
            axis.annotate(_number(found["mean"]), beside, (5, 0), textcoords="offset points", va="center", color=colour)
        for name, value in marks.get(measure, {}).items():
            axis.axvline(value, color=PAPER_COLOUR, linestyle=styles[name], label=name)
        axis.set(xlabel=label, ylim=(len(cells) - 0.4, -0.6))
        axis.margins(x=0.14)
        axis.grid(False, axis="y")
    axes[0, 0].set_yticks(range(len(cells)), [short_name(cell) for cell in cells])
    lines = {label: line for axis in axes.flat for line, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    if lines:
        figure.legend(lines.values(), lines, loc="outside upper right", ncols=len(lines), frameon=False)
    return figure


def readable_means(table: pd.DataFrame, decimals: int = 2) -> pd.DataFrame:
    """Return a table of `claims.compare_means` with the approaches' short names, for a page."""
    shown = table.assign(approach=table["cell"].map(short_name)).set_index(["measure", "approach"])
    least = 10.0**-decimals
    p = shown["p_holm"].map(lambda p: "–" if pd.isna(p) else f"< {least:g}" if p < least else f"{p:.{decimals}f}")
    return shown[["mean", "deviation", "difference", "low", "high"]].round(decimals).assign(**{"p (Holm)": p})


def _number(value: float) -> str:
    return with_minus(f"{value:.2f}" if abs(value) < 1 else f"{value:.1f}")


def embedding_panels(points: Mapping[str, np.ndarray], scenes: Sequence[str]) -> Figure:
    """Draw embeddings side by side, each scene in its colour and marker (Fig. 7).

    Args:
        points: title to (n, 2).
        scenes: (n,) names.
    """
    figure, axes = plt.subplots(1, len(points), figsize=(3.1 * len(points), 4.3), squeeze=False, layout="constrained")
    styles, scenes = scene_styles(sorted(set(scenes))), np.asarray(scenes)
    for axis, (title, places) in zip(axes.flat, points.items(), strict=True):
        for name, (colour, marker) in styles.items():
            mine = places[scenes == name]
            axis.plot(*mine.T, marker, color=colour, markersize=5.5, markeredgewidth=0, alpha=0.85, label=name)
        axis.set(title=title, xticks=[], yticks=[])
        axis.margins(0.05)
        for side in axis.spines.values():
            side.set_visible(True)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False, markerscale=1.5)
    return figure


def event_scene_map(table: pd.DataFrame, name: str) -> HTML:
    """Show what each event adds to each scene, blue for the scene and red against it.

    Args:
        table: rows are events, columns scenes, entries logits.
        name: of the file of numbers.

    Returns:
        The map, in which a tenth of the largest number and more can be read; a sentence where there is no event, as
        the clips are too few.
    """
    if table.empty:
        return HTML("<p>Too few clips: no event is heard in enough of them, and not heard in enough others.</p>")
    most = float(np.abs(table.to_numpy()).max())
    return heat_tables(
        {"": table.set_axis(short(table.index))}, name, Normalize(-most, most),
        signed, "RdBu", "event ↓ scene →", most / 10,
    )  # fmt: skip


def event_scene_words(table: pd.DataFrame, posteriors: pd.DataFrame) -> str:
    """Say which events add most to which scenes, and whether that agrees with how often they occur there.

    Args:
        table: as for `event_scene_map`, the strongest event first.
        posteriors: p(e|s), the same scenes as columns, and at least these events as rows.

    Returns:
        Markdown; the two orders of the scenes are compared with Spearman's correlation.
    """
    if table.empty:
        return "Which events carry which scenes is not known here, and so nothing is compared."
    strongest = [
        f"{short([event])[0]} → {added.idxmax()} ({added.max():+.1f})" for event, added in table.head(4).iterrows()
    ]
    lift = posteriors.sub(posteriors.mean(axis=1), axis=0).loc[table.index]
    agreement = table.corrwith(lift, axis=1, method="spearman")
    positive = int((agreement > 0).sum())
    share = f"all {number(len(table))}" if positive == len(table) else f"{number(positive) if positive else 'none'}"
    return (
        f"The strongest effects are {'; '.join(strongest)}.\n\n"
        "Does the network use events as they occur in the data? For each event "
        "we rank the scenes by what the network adds and by how much more frequent the event is there (its posterior "
        f"in the training split). The two orders agree with a Spearman correlation of **{agreement.median():.2f}** in "
        f"the median over {len(table)} events; for {share} of them it is positive."
    )


def parts_dots(table: pd.DataFrame) -> Figure:
    """Draw how well the seen part, the heard part and both do, on the training pairs and on the test pairs.

    Args:
        table: from `senses.scores_of_parts`, several splits in one.

    Returns:
        The figure: mean over the seeds with its deviation.
    """
    import seaborn

    long = table.melt(["cell", "seed", "split"], var_name="part", value_name="F-score in %")
    long["approach"] = long["cell"].map(short_name)
    splits = list(dict.fromkeys(long["split"]))
    size = (8.6, 0.62 * long["approach"].nunique() + 1.5)
    figure, axes = plt.subplots(1, len(splits), figsize=size, sharex=True, sharey=True, layout="constrained")
    colours = dict(zip(("seen", "heard", "both"), SENSE_COLOURS.values(), strict=True))
    for axis, split in zip(axes, splits, strict=True):
        seaborn.pointplot(
            long[long["split"] == split], y="approach", x="F-score in %", hue="part", palette=colours, ax=axis,
            markers=["o", "s", "D"], linestyles="none", dodge=0.4, errorbar="sd", markersize=6,
        )  # fmt: skip
        axis.set(title=split, ylabel="", xlim=(0, 102))
        axis.get_legend().remove()
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return figure


def decision_gallery(pairs: pd.DataFrame, side: int = 190) -> HTML:
    """Show pairs with what was decided about them without and with the sound.

    Args:
        pairs: columns ``scene``, ``id``, ``image``, ``sound``, ``base``, ``other``, ``gain`` and ``heard`` (a text).
        side: of the pictures in pixels.
    """
    cards = []
    for pair in pairs.itertuples():
        scene, heard = html.escape(pair.scene), html.escape(pair.heard)
        address = image_file(pair.image, pair.id, 2 * side)
        gain = signed(100 * pair.gain, 0)
        cards.append(
            f'<figure class="pair"><img src="{address}" alt="Aerial photograph of the scene {scene}">'
            f"<figcaption><b>{scene}</b><br>without sound: {html.escape(pair.base)}<br>with sound: "
            f"{html.escape(pair.other)} ({gain} points)<br><small>heard: {heard}</small></figcaption>"
            f"{player(pair.sound)}</figure>"
        )
    return HTML(f'<div class="pairs">{"".join(cards) or "<p>No pair.</p>"}</div>')


def degraded_sheet(photograph: np.ndarray, side: int = 112) -> Picture.Image:
    """Return one photograph under every kind (rows) and strength (columns, 0 to 5) of `robustness.STRENGTHS`.

    Args:
        photograph: (side, side, 3) uint8.
        side: of each picture on the sheet in pixels.
    """
    rows = [
        np.concatenate([degraded(photograph[None], kind, level)[0] for level in range(6)], axis=1) for kind in STRENGTHS
    ]
    return Picture.fromarray(np.concatenate(rows)).resize((6 * side, len(rows) * side), Picture.Resampling.BILINEAR)


def robustness_curves(table: pd.DataFrame, base: str = "image/Ls") -> Figure:
    """Draw F-scores over the strength of each degradation, and the differences from the base over all of them.

    The base, both senses with L_s alone, and the transfer that is best on all conditions together have their colours
    and names; the other approaches are grey.

    Args:
        table: from `robustness.robustness`.
        base: the cell that only sees; its 95 % interval is drawn as a band.
    """
    overall = table[table["kind"] == "all"].set_index("cell")
    transfers = [cell for cell in overall.index if not cell.endswith("/Ls")]
    best = overall.loc[transfers, "fscore"].astype(float).idxmax() if transfers else base
    coloured = {cell: loss_colour(cell) for cell in overall.index if cell in (best, base) or cell.endswith("/Ls")}
    order = sorted(overall.index, key=list(coloured).__contains__)  # what has a colour is drawn last
    figure, axes = plt.subplots(3, 2, figsize=(9, 9), layout="constrained")
    *panels, together = axes.flat
    highest = 1.02 * max(table["fscore"].max(), table.loc[table["cell"] == base, "f_high"].max())
    for axis, kind in zip(panels, STRENGTHS, strict=True):
        ends = {}
        for cell in order:
            mine = table[(table["cell"] == cell) & table["kind"].isin(["none", kind])].sort_values("level")
            colour = coloured.get(cell, OTHERS)
            axis.plot(mine["level"], mine["fscore"], color=colour, linewidth=2.4 if cell in coloured else 1.2)
            if cell in coloured:
                ends[cell] = mine["fscore"].iloc[-1]
            if cell == base:
                axis.fill_between(mine["level"], mine["f_low"], mine["f_high"], color=colour, alpha=0.15, linewidth=0)
        for cell, height in _apart(ends, 0.1 * highest).items():
            leader = {"arrowstyle": "-", "color": coloured[cell], "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0}
            name, end = short_name(cell), (5, ends[cell])
            axis.annotate(name, end, (5.25, height), color=coloured[cell], va="center", arrowprops=leader)
        axis.set(title=kind, xticks=range(6), xlim=(0, 5), ylim=(0, highest))
        axis.grid(alpha=0.4)
    for axis in axes[:, 0]:
        axis.set_ylabel("weighted F-score in %")
    axes[2, 0].set_xlabel("strength (0: the photograph as it is)")
    for row, cell in enumerate(cell for cell in overall.index if cell != base):
        found, colour = overall.loc[cell], coloured.get(cell, PAPER_COLOUR)
        together.plot([found["low"], found["high"]], [row, row], color=colour, linewidth=2)
        together.plot(found["difference"], row, "o", color=colour, markersize=7)
    together.axvline(0, color="black", linewidth=1)
    together.set_yticks(range(len(overall) - 1), [short_name(cell) for cell in overall.index if cell != base])
    together.set(title="all conditions", xlabel=f"difference from {short_name(base)}, points")
    together.set_ylim(len(overall) - 1.4, -0.6)
    together.grid(False, axis="y")
    return figure


def _apart(heights: Mapping[str, float], least: float) -> dict[str, float]:
    """Return the heights of labels, from below: no two too near to each other, and in the mean where they belong."""
    moved: dict[str, float] = {}
    for name, height in sorted(heights.items(), key=lambda item: item[1]):
        moved[name] = max(height, *(lower + least for lower in moved.values())) if moved else height
    above = float(np.mean([height - heights[name] for name, height in moved.items()]))
    return {name: height - above for name, height in moved.items()}
