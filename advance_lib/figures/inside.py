"""The pictures of the chapters that look inside trained networks, in the style of `page`.

Chapters: Where the networks look, What the sound decides, Scenes in the space of events, When the photograph is bad.
"""

import html
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from PIL import Image as Picture

from advance_lib.analysis.activation import overlay
from advance_lib.analysis.robustness import STRENGTHS, degraded
from advance_lib.experiments.cells import Cell
from advance_lib.figures.events import short
from advance_lib.figures.page import (
    PAPER_COLOUR,
    SENSE_COLOURS,
    heatmap,
    image_file,
    loss_colour,
    player,
    scene_styles,
)

# Behind a number, so that a line does not run through it.
CARD = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5}


def approach(cell: str) -> str:
    """Return a short name for a cell that sees: its senses for L_s alone, else its transfer."""
    return Cell.named(cell).short


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
    head = "".join(f'<th scope="col">{approach(cell)}</th>' for cell in maps)
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
            alt = f"Where {approach(cell)} finds evidence for {scene}; probability {p}"
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
    for axis, (measure, label) in zip(axes.flat, labels.items(), strict=True):
        for row, cell in enumerate(cells):
            found = table[(table["cell"] == cell) & (table["measure"] == measure)].iloc[0]
            colour = loss_colour(cell)
            axis.plot([found["mean_low"], found["mean_high"]], [row, row], color=colour, linewidth=2)
            axis.plot(found["mean"], row, "o", color=colour, markersize=7)
            axis.text(
                found["mean"], row - 0.2, _number(found["mean"]), color=colour, ha="center", fontsize=8, bbox=CARD
            )
        for line, (name, value) in zip(("--", ":", "-."), marks.get(measure, {}).items(), strict=False):
            axis.axvline(value, color=PAPER_COLOUR, linestyle=line, label=name)
        axis.set(xlabel=label, ylim=(len(cells) - 0.4, -0.6))
        axis.margins(x=0.12)
        axis.grid(False, axis="y")
    axes[0, 0].set_yticks(range(len(cells)), [approach(cell) for cell in cells])
    lines = {label: line for axis in axes.flat for line, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    if lines:
        figure.legend(lines.values(), lines, loc="outside upper right", ncols=len(lines), frameon=False, fontsize=8)
    return figure


def readable_means(table: pd.DataFrame, decimals: int = 2) -> pd.DataFrame:
    """Return a table of `claims.compare_means` with the approaches' short names, for a page."""
    shown = table.assign(approach=table["cell"].map(approach)).set_index(["measure", "approach"])
    least = 10.0**-decimals
    p = shown["p_holm"].map(lambda p: "–" if pd.isna(p) else f"< {least:g}" if p < least else f"{p:.{decimals}f}")
    return shown[["mean", "deviation", "difference", "low", "high"]].round(decimals).assign(**{"p (Holm)": p})


def _number(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 1 else f"{value:.1f}"


def embedding_panels(points: Mapping[str, np.ndarray], scenes: Sequence[str]) -> Figure:
    """Draw embeddings side by side, each scene in its colour and marker, with its name at its median (Fig. 7).

    Args:
        points: title to (n, 2).
        scenes: (n,) names.
    """
    figure, axes = plt.subplots(1, len(points), figsize=(3.1 * len(points), 4.0), squeeze=False, layout="constrained")
    names = sorted(set(scenes))
    for axis, (title, places) in zip(axes.flat, points.items(), strict=True):
        _scatter(axis, places, np.asarray(scenes), names)
        axis.set_title(title, fontsize=10)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False, fontsize=9)
    return figure


def _scatter(axis: Axes, places: np.ndarray, scenes: np.ndarray, names: Sequence[str]) -> None:
    medians = {}
    for name, (colour, marker) in scene_styles(names).items():
        mine = places[scenes == name]
        axis.plot(*mine.T, marker, color=colour, markersize=4.5, markeredgewidth=0, alpha=0.85, label=name)
        medians[name] = np.median(mine, axis=0)
    # Names that would lie over one another are moved apart, up where there is room and else down.
    names = sorted(medians, key=lambda name: medians[name][1])
    steps = 0.06 * np.ptp(places[:, 1]) * np.arange(len(names))
    heights = np.maximum.accumulate([medians[name][1] for name in names] - steps) + steps
    heights = np.minimum(heights, places[:, 1].max() - steps[::-1])
    for name, height in zip(names, heights, strict=True):
        colour = scene_styles(names)[name][0]
        text = axis.text(medians[name][0], height, name, fontsize=8.5, ha="center", color=colour)
        text.set_path_effects([withStroke(linewidth=2.2, foreground="white")])
    axis.set(xticks=[], yticks=[])
    axis.margins(0.07)
    for side in axis.spines.values():
        side.set_visible(True)


def event_scene_map(table: pd.DataFrame) -> Figure | HTML:
    """Draw what each event adds to each scene, as a map.

    Args:
        table: rows are events, columns scenes, entries logits.

    Returns:
        The figure; a sentence where there is no event, as the clips are too few.
    """
    if table.empty:
        return HTML("<p>Too few clips: no event is heard in enough of them, and not heard in enough others.</p>")
    figure, axis = plt.subplots(figsize=(8.5, 0.27 * len(table) + 1.7), layout="constrained")
    most = float(np.abs(table.to_numpy()).max())
    heatmap(
        table.set_axis(short(table.index)), axis, cmap="RdBu", vmin=-most, vmax=most, annot=True, fmt=".1f",
        annot_kws={"size": 7}, cbar_kws={"label": "added to the scene's logit"}, xticklabels=True, yticklabels=True,
    )  # fmt: skip
    axis.set(xlabel="", ylabel="")
    axis.tick_params(labelsize=8)
    return figure


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
    return (
        f"The strongest: {'; '.join(strongest)}. Does the network use events as the world offers them? For each event "
        "we rank the scenes by what the network adds and by how much more frequent the event is there (its posterior "
        f"in the training split). The two orders agree with a Spearman correlation of **{agreement.median():.2f}** in "
        f"the median over {len(table)} events; for {(agreement > 0).mean():.0%} of them it is positive."
    )


def parts_dots(table: pd.DataFrame) -> Figure:
    """Draw how well the seen part, the heard part and both do, on the training pairs and on the test pairs.

    Args:
        table: from `contributions.scores_of_parts`, several splits in one.

    Returns:
        The figure: mean over the seeds with its deviation.
    """
    import seaborn

    long = table.melt(["cell", "seed", "split"], var_name="part", value_name="F-score in %")
    long["approach"] = long["cell"].map(approach)
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
        cards.append(
            f'<figure class="pair"><img src="{address}" alt="Aerial photograph of the scene {scene}">'
            f"<figcaption><b>{scene}</b><br>without sound: {html.escape(pair.base)}<br>with sound: "
            f"{html.escape(pair.other)} ({100 * pair.gain:+.0f} points)<br><small>heard: {heard}</small></figcaption>"
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
    """Draw F-scores over the strength of each degradation, and below them the differences from the base.

    Args:
        table: from `robustness.robustness`.
        base: the cell that only sees.
    """
    cells = list(dict.fromkeys(table["cell"]))
    figure, axes = plt.subplots(
        2, len(STRENGTHS), figsize=(9.3, 5.6), sharex=True, sharey="row", height_ratios=(1.3, 1), layout="constrained"
    )
    for column, kind in zip(axes.T, STRENGTHS, strict=True):
        for cell in cells:
            mine = table[(table["cell"] == cell) & table["kind"].isin(["none", kind])].sort_values("level")
            style = {"color": loss_colour(cell), "linewidth": 2.4 if cell.endswith("/Ls") else 1.3}
            column[0].plot(mine["level"], mine["fscore"], label=approach(cell), **style)
            if cell != base:
                column[1].plot(mine["level"], mine["difference"], **style)
            if cell.endswith("/Ls"):
                where, low, high = (0, "f_low", "f_high") if cell == base else (1, "low", "high")
                column[where].fill_between(mine["level"], mine[low], mine[high], color=style["color"], alpha=0.15)
        column[0].set_title(kind, fontsize=10)
        column[1].axhline(0, color="black", linewidth=1)
        column[1].set_xticks(range(6))
    axes[0, 0].set(ylabel="weighted F-score in %", ylim=(0, None))
    axes[1, 0].set(ylabel="difference, points")
    figure.supxlabel("strength (0: the photograph as it is)", fontsize=10)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False)
    return figure
