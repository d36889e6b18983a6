"""Tables and pictures of the claims and of the reference runs, in the style of `page`.

Chapters: The claims; What the paper says, what its code does; Choosing α and β.
"""

import ast
import inspect
import itertools
import textwrap
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from advance_lib.analysis.claims import is_certain
from advance_lib.analysis.records import origin, reference
from advance_lib.analysis.studies import ALPHAS_WITH_BETAS
from advance_lib.analysis.words import signed
from advance_lib.cache import UserError
from advance_lib.experiments.cells import ALPHA, BETA, Cell, short_name
from advance_lib.figures.page import BOTH_COLOUR, PAPER_COLOUR, SMALL, Shown, heatmap, loss_colour, table_page
from advance_lib.transfer.presets import Preset, choices

# Verdict: symbol, marker, whether the marker is filled. Symbol and word tell it without colours, too.
VERDICTS = {
    "supported": ("✓", "o", True),
    "refuted": ("✗", "x", True),
    "undecided": ("○", "o", False),
}


def kept(name: str) -> dict | None:
    """Return a reference record by name, or None where it has not been computed."""
    try:
        return reference(name)
    except UserError:
        return None


def provenance(name: str) -> str:
    """Return the sentence that says where a reference record comes from, or that there is none yet."""
    found = kept(name)
    return origin(found) if found else f"The reference runs “{name}” have not been computed yet."


def field_notes() -> pd.DataFrame:
    """Return the preset's fields as a table: paper's choice, code's choice, and the text under the field."""
    body = ast.parse(inspect.getsource(Preset)).body[0].body
    texts = {
        field.target.id: " ".join(text.value.value.split())
        for field, text in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr)
    }
    rows = {name: [*map(str, values), texts[name].replace("`", "")] for name, values in choices().items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["paper", "code", "what it is, and where"])


def verdict_table(sources: Mapping[str, pd.DataFrame], name: str, runs: Sequence = ()) -> Shown:
    """Show one row a claim and one column a source: verdict, difference and interval in points.

    Args:
        sources: heading to claims as from `claims.judged`; the first has them all.
        name: of the table to download, and the anchor.
        runs: finished runs that this build's column rests on.
    """
    table = next(iter(sources.values()))[["where", "claim"]]
    for source, found in sources.items():
        texts = {}
        for row in found.itertuples():
            difference, low, high = map(signed, (row.difference, row.low, row.high))
            texts[row.claim] = f"{VERDICTS[row.verdict][0]} {row.verdict}, {difference}, ({low} to {high})"
        table = table.assign(**{source: [texts.get(claim, "–") for claim in table["claim"]]})
    table = table.set_index(["where", "claim"])
    looks = {symbol: verdict for verdict, (symbol, *_) in VERDICTS.items()} | {"–": ""}
    coloured = table.map(lambda text: f'<div class="{looks[text[0]]}">{text.replace(", ", "<br>")}</div>')
    page = coloured.to_html(border=0, escape=False, index_names=False)
    return table_page(page, table, name, runs)


def with_interval(row: pd.Series | dict) -> str:
    """Return a difference with its interval, such as ``+2.4 (+0.7 to +4.3)``, and a star where it is certain."""
    difference, low, high = (signed(row[name]) for name in ("difference", "low", "high"))
    return f"{difference} ({low} to {high})" + " *" * is_certain(row)


def readings_table(readings: Mapping[str, Mapping[str, Sequence[Mapping]]], split: str) -> pd.DataFrame:
    """Return each transfer's difference from L_s under several readings of α; a star marks what is certain.

    Args:
        readings: of the record of `studies.alpha_beta`.
        split: whose scores.
    """
    columns = {
        way: {
            short_name(row["other"]): f"{with_interval(row)}, α = {row['alpha']:g}"
            if "chosen" in way
            else with_interval(row)
            for row in found[split]
        }
        for way, found in readings.items()
    }
    return pd.DataFrame(columns).fillna("–")


def baseline_table(rows: Sequence[Mapping]) -> pd.DataFrame:
    """Return each approach's F-score and its differences from the photograph alone and from L_s with both senses.

    Args:
        rows: of one split, from the record of `studies.baselines`.
    """
    table: dict[str, dict[str, object]] = {}
    for row in rows:
        entry = table.setdefault(short_name(row["other"]), {"F-score": f"{row['f_other']:.1f}"})
        entry["against image alone" if row["base"] == "image/Ls" else "against image + sound, L_s"] = with_interval(row)
    return pd.DataFrame.from_dict(table, orient="index").fillna("–")


def claim_intervals(sources: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw the difference behind every claim with its interval: columns sources, rows the tables.

    The arguments are those of `verdict_table`; the marker tells the verdict.
    """
    first = next(iter(sources.values()))
    groups = first.groupby("where", sort=False).indices
    figure, axes = plt.subplots(
        len(groups), len(sources), figsize=(2.9 + 1.65 * len(sources), 0.3 * sum(map(len, groups.values())) + 2.4),
        sharex="row", sharey="row", squeeze=False, height_ratios=[len(rows) + 1 for rows in groups.values()],
        layout="constrained",
    )  # fmt: skip
    for line, (where, rows) in zip(axes, groups.items(), strict=True):
        for axis, found in zip(line, sources.values(), strict=True):
            claims = list(first.iloc[rows]["claim"])
            for row in found[found["claim"].isin(claims)].itertuples():
                height = claims.index(row.claim)
                colour, (_, marker, filled) = loss_colour(row.other), VERDICTS[row.verdict]
                axis.plot([row.low, row.high], [height, height], color=colour, linewidth=2)
                axis.plot(row.difference, height, marker, color=colour, markerfacecolor=colour if filled else "white")
            axis.axvline(0, color="black", linewidth=0.8)
            axis.set_yticks(range(len(rows)), claims, fontsize=SMALL)
            axis.set_ylim(len(rows) - 0.4, -0.6)
            axis.tick_params(axis="x", labelsize=SMALL)
        line[0].set_ylabel(where, fontsize=SMALL)
    for axis, source in zip(axes[0], sources, strict=True):
        axis.set_title(textwrap.fill(source, 21), fontsize=SMALL)
    for verdict, (_, marker, filled) in VERDICTS.items():
        axes[0, 0].plot([], [], marker, color="black", markerfacecolor="black" if filled else "white", label=verdict)
    figure.legend(frameon=False, loc="outside upper center", ncols=3)
    figure.align_ylabels()
    figure.supxlabel("difference of the weighted F-scores in points", fontsize=SMALL)
    return figure


def error_rates(rows: pd.DataFrame) -> Figure:
    """Draw how often each rule is wrong somewhere in a family, and what share of true differences it finds.

    Args:
        rows: of the record of `studies.rules`; those in which some approaches vary more than others are not drawn.
    """
    figure, axes = plt.subplots(2, 2, figsize=(9, 5.4), sharex="col", sharey="row", layout="constrained")
    looks = (("#0072b2", "o"), ("#d55e00", "s"), ("#767676", "^"), ("#cc79a7", "v"))
    styles = dict(zip(dict.fromkeys(rows["rule"]), looks, strict=True))
    even = rows[rows["uneven"] == 1]
    for column, (seeds, found) in zip(axes.T, even.groupby("seeds"), strict=True):
        for rule, (colour, marker) in styles.items():
            mine = found[found["rule"] == rule]
            nothing, something = mine[mine["gain"] == 0], mine[mine["gain"] != 0]
            column[0].plot(nothing["by_seed"], 100 * nothing["family"], marker=marker, color=colour, label=rule)
            column[1].plot(something["by_seed"], 100 * something["power"], marker=marker, color=colour)
        column[0].axhline(5, color="black", linewidth=0.8, linestyle="--")
        column[0].set_title(f"{seeds} seeds")
        column[1].set_xlabel("deviation over seeds in points")
    axes[0, 0].set(ylabel="families with a\nfalse verdict in %", ylim=(-3, 103))
    axes[1, 0].set(ylabel="true differences\nfound in %", ylim=(-3, 103))
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(), frameon=False, loc="outside upper center", ncols=4, fontsize=SMALL
    )
    return figure


def schedule_curves(rows: pd.DataFrame) -> Figure:
    """Draw validation scores after each epoch, one panel an approach, one colour a schedule.

    Args:
        rows: of the record of `studies.schedules`. Thin lines are single worlds, thick ones their mean for as long as
            all of them train.
    """
    cells = list(dict.fromkeys(rows["cell"]))
    figure, (axes,) = plt.subplots(1, len(cells), figsize=(9, 3.4), sharex=True, squeeze=False, layout="constrained")
    for axis, cell in zip(axes, cells, strict=True):
        schedules = rows[rows["cell"] == cell].groupby(["learning_rate", "epochs"])["validation"]
        for ((rate, epochs), found), colour in zip(schedules, plt.get_cmap("tab10").colors, strict=False):
            curves = pd.concat(map(pd.Series, found), axis=1)
            curves.index += 1
            axis.plot(curves, color=colour, linewidth=0.6, alpha=0.5)
            axis.plot(curves.mean(axis=1, skipna=False), color=colour, linewidth=2, label=f"{rate:g}, {epochs} epochs")
        axis.set_title(Cell.named(cell).short)
        axis.set_xlabel("epoch")
    axes[0].set_ylabel("F-score on validation")
    axes[-1].legend(title="learning rate, limit", frameon=False)
    return figure


def arithmetic_dots(rows: pd.DataFrame, split: str) -> Figure:
    """Draw the score of each seed in both arithmetics, one panel an approach; lines join the same seed.

    Args:
        rows: of the record of `studies.arithmetics`.
        split: whose scores.
    """
    cells, names = list(dict.fromkeys(rows["cell"])), {"32-true": "float32", "bf16-mixed": "bfloat16"}
    figure, (axes,) = plt.subplots(1, len(cells), figsize=(8, 3), squeeze=False, layout="constrained")
    for axis, cell in zip(axes, cells, strict=True):
        scores = rows[rows["cell"] == cell].pivot(index="precision", columns="seed", values=split).loc[list(names)]
        axis.plot(list(names.values()), scores, marker="o", color=BOTH_COLOUR, alpha=0.6)
        axis.plot(list(names.values()), scores.mean(axis=1), marker="_", markersize=28, color="black", linewidth=0)
        axis.set_title(Cell.named(cell).short)
        axis.margins(x=0.4)
    axes[0].set_ylabel(f"F-score on the {split}")
    return figure


def preset_effects(effects: pd.DataFrame, split: str) -> Figure:
    """Draw what switching each field of the preset to the code's choice did to the F-score.

    The effects are those that `studies.presets` keeps, of the split that is asked for.
    """
    rows = effects[effects["split"] == split]
    figure, axis = plt.subplots(figsize=(8.5, 0.32 * len(rows) + 1.4), layout="constrained")
    for height, row in enumerate(rows.itertuples()):
        axis.plot([row.low, row.high], [height, height], color=loss_colour(row.cell), linewidth=2)
        axis.plot(row.difference, height, "o", color=loss_colour(row.cell), markersize=5)
    names = [
        f"{row.field}   ({Cell.named(row.cell).senses}, {Cell.named(row.cell).heading})" for row in rows.itertuples()
    ]
    axis.set_yticks(range(len(rows)), names, fontsize=SMALL)
    axis.set(ylim=(len(rows) - 0.4, -0.6), xlabel=f"F-score in points, code's choice minus paper's ({split})")
    axis.axvline(0, color="black", linewidth=0.8)
    return figure


def weight_maps(grid: pd.DataFrame) -> Figure:
    """Draw the validation F-score over α: for L_E as a map with β, for every transfer as a curve with its spread.

    The grid is that of `studies.alpha_beta`; what the tables use is marked in grey.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.6), layout="constrained", width_ratios=(1, 1.15))
    of_e = grid[(grid["transfer"] == "E") & grid["alpha"].isin(ALPHAS_WITH_BETAS)]
    mean = of_e.pivot_table(index="beta", columns="alpha", values="validation")
    mean, (least, most) = mean.sort_index(ascending=False), (mean.min(axis=None) - 3, mean.max(axis=None) + 3)
    heatmap(mean, left, cmap="Purples", vmin=least, vmax=most, annot=True, fmt=".1f", cbar=False)
    left.set_yticklabels([f"{beta:g}" for beta in mean.index])
    left.set_xticklabels([f"{alpha:g}" for alpha in mean.columns])
    left.set(title="validation F-score in %, L_s + αL_E", xlabel="α", ylabel="β")
    corner = list(mean.columns).index(ALPHA), list(mean.index).index(BETA)
    left.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor=PAPER_COLOUR, linewidth=3, clip_on=False))
    left.tick_params(rotation=0)
    _curves(right, grid)
    right.legend(frameon=False, fontsize=SMALL, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def weight_curves(grid: pd.DataFrame) -> Figure:
    """Draw the validation F-score of every transfer over α, where β was not searched.

    The grid is that of `studies.alpha_beta`; the dotted line is the paper's α.
    """
    figure, axis = plt.subplots(figsize=(7.5, 3.4), layout="constrained")
    _curves(axis, grid)
    axis.legend(frameon=False, fontsize=SMALL, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def _curves(axis: Axes, grid: pd.DataFrame) -> None:
    alone = grid.loc[grid["transfer"] == "none", "validation"]
    axis.axhline(alone.mean(), color=BOTH_COLOUR, linestyle="--", label="L_s")
    if len(alone) > 1:
        axis.axhspan(*(alone.mean() + np.array([-1, 1]) * alone.std()), color=BOTH_COLOUR, alpha=0.1, linewidth=0)
    single = grid[(grid["transfer"] != "none") & ((grid["transfer"] != "E") | (grid["beta"] == BETA))]
    for number, (transfer, found) in enumerate(single.groupby("transfer", sort=False)):
        each = found.groupby("alpha")["validation"].agg(["mean", "std"])
        at, label = each.index * 1.05 ** (number - 2), short_name(f"image+sound/{transfer}")
        axis.errorbar(at, each["mean"], each["std"].fillna(0), marker="o", markersize=4, capsize=2,
                      color=loss_colour(transfer), label=label)  # fmt: skip
    axis.axvline(ALPHA, color=PAPER_COLOUR, linewidth=1, linestyle=":")
    axis.set(xscale="log", xlabel="α", ylabel="validation F-score in %")
