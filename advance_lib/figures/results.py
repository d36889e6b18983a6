"""The pictures and comparison tables of the chapters on results, in the style of `page`.

Chapters: Recognising with one and two senses, Table 1, Table 2, Table 3.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import HTML
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from advance_lib.analysis.claims import GUESSED, is_certain
from advance_lib.analysis.scores import scores
from advance_lib.analysis.words import signed, with_minus
from advance_lib.experiments.cells import PAPER_SCORES, Cell, paper_scores
from advance_lib.figures.heat import heat_tables
from advance_lib.figures.page import PAPER_COLOUR, SENSE_COLOURS, SMALL, Shown, loss_colour, show, table_page


def learning_curves(runs: Sequence) -> Figure:
    """Draw training loss and validation F-score over the epochs, one line a run; the selected epoch is marked."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for run in runs:
        senses = run.request.cell.senses
        history = pd.DataFrame(run.metrics["history"])
        first = run.seed == runs[0].seed
        for axis, what in zip(axes, ("loss", "validation"), strict=True):
            axis.plot(
                history["epoch"] + 1, history[what], color=SENSE_COLOURS[senses], alpha=0.75,
                label=senses.replace("+", " + ") if first else None,
            )  # fmt: skip
        best = history.loc[run.metrics["epoch"]]
        axes[1].plot(best["epoch"] + 1, best["validation"], "o", color=SENSE_COLOURS[senses], markersize=5)
    axes[0].set(xlabel="epoch", ylabel="training loss in nats", ylim=(0, None))
    axes[1].set(xlabel="epoch", ylabel="validation F-score in %", ylim=(0, 100))
    for axis in axes:
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[1].legend(frameon=False)
    return figure


def confusions(guesses: Mapping[str, tuple[Sequence[str], Sequence[str]]], scenes: Sequence[str], name: str) -> HTML:
    """Show confusion matrices side by side: rows are true scenes, each row sums to 100 %.

    Args:
        guesses: title to the true scenes of samples and those that were recognised.
        scenes: names of all scenes.
        name: of the file of numbers.
    """
    tables = {}
    for title, found in guesses.items():
        truth, guessed = (pd.Categorical(names, scenes) for names in found)
        tables[title] = 100 * pd.crosstab(truth, guessed, normalize="index", dropna=False)
    return heat_tables(
        tables, name, Normalize(0, 100), "{:.0f}".format, corner="true scene ↓ recognised as →", least=0.5,
        whole="{:.1f} %".format,
    )  # fmt: skip


def run_dots(
    table: pd.DataFrame, column: str, label: str, marks: Mapping[str, Mapping[str, float]], from_zero: bool = False
) -> Figure:
    """Draw one value of every run as a dot and its mean as a bar, one row a cell.

    Args:
        table: columns ``cell`` and ``column``, one row per run.
        column: of the value.
        label: of the value.
        marks: label to the value of each cell that has such a mark, such as the paper's.
        from_zero: begin the axis at zero.
    """
    cells, digits = list(dict.fromkeys(table["cell"])), 1 if table[column].max() >= 10 else 2
    figure, axis = plt.subplots(figsize=(8, 0.62 * len(cells) + 1.4), layout="constrained")
    for row, cell in enumerate(cells):
        values = table.loc[table["cell"] == cell, column]
        colour = loss_colour(cell)
        axis.plot(values, [row] * len(values), "o", color=colour, alpha=0.55)
        axis.plot([values.mean()] * 2, [row - 0.22, row + 0.22], color=colour, linewidth=3)
        axis.text(
            values.mean(),
            row - 0.26,
            f"{values.mean():.{digits}f}",
            ha="center",
            va="bottom",
        )
    looks = ((PAPER_COLOUR, "|", 22), ("black", "v", 8))
    for (name, values), (colour, marker, size) in zip(marks.items(), looks, strict=False):
        at = [(values[cell], row) for row, cell in enumerate(cells) if cell in values]
        axis.plot(*zip(*at, strict=True), marker, color=colour, markersize=size, markeredgewidth=1.6, label=name)
    axis.set_yticks(range(len(cells)), [_row_name(Cell.named(cell)) for cell in cells])
    axis.set(xlabel=label, ylim=(len(cells) - 0.4, -0.75))
    axis.margins(x=0.08)
    axis.set_xlim(0 if from_zero else None, None)
    axis.plot([], [], "o", color="black", alpha=0.55, label="one run")
    axis.plot([], [], "|", color="black", markersize=12, markeredgewidth=3, label="mean of the runs")
    figure.legend(frameon=False, loc="outside upper right", ncols=4, markerscale=0.6, fontsize=SMALL)
    return figure


def _row_name(cell: Cell) -> str:
    """Return what a cell is called in a row: as in legends, with all that sets it apart from the cells of Table 1."""
    approach = cell.heading.removeprefix("+ ")
    if not cell.supervised:
        return f"only {approach}"
    in_full = "†" in approach or (cell.transfer and "+" not in cell.senses)
    return f"{cell.inputs.lower()}, {approach}" if in_full else cell.short


def fscores(runs: Sequence, split: str, marks: Mapping[str, Mapping[str, float]] | None = None) -> Figure:
    """Draw the weighted F-score of every run beside the paper's mean on ADVANCE.

    Args:
        runs: of cells that the paper has.
        split: whose scores.
        marks: further marks, as in `run_dots`.
    """
    table = scores(runs)
    measured = table[table["split"] == split]
    on_advance = {cell: paper_scores(cell)["fscore"][0] for cell in dict.fromkeys(measured["cell"])}
    marks = {"the paper, on ADVANCE": on_advance} | (marks or {})
    return run_dots(measured, "fscore", f"weighted F-score in % ({split})", marks)


def show_fscores(runs: Sequence, split: str, name: str) -> Shown:
    """Show the `fscores` of runs under the anchor ``name``."""
    return show(
        fscores(runs, split),
        name,
        "Each dot is a run, the bar the mean over the seeds, the grey mark the paper's mean on ADVANCE: compare the "
        "order, not the values.",
        "Dots in rows, one row an approach: the weighted F-score of every run, with their mean and the paper's",
        runs,
    )


def question(base: str, other: str) -> str:
    """Return what is compared, such as ``L_E against L_s``; the senses are named where they are not both.

    Args:
        base: baseline cell, or one of `claims.GUESSED`.
        other: approach.
    """
    approach = Cell.named(other)
    loss = approach.heading.removeprefix("+ ")
    if base in GUESSED:
        return f"{loss} against {base}"
    baseline = Cell.named(base)
    if baseline.senses != approach.senses:
        return f"{_row_name(approach)} against {_row_name(baseline)}"
    senses = "" if "+" in approach.senses else f"{approach.inputs}: "
    return f"{senses}{loss} against {baseline.heading.removeprefix('+ ')}"


def outcome(found: pd.Series) -> str:
    """Return ``"higher"``, ``"lower"`` or ``"undecided"``: what is certain of a difference.

    Args:
        found: a row of `claims.compare` or `claims.judged`.
    """
    return "undecided" if not is_certain(found) else "higher" if found["difference"] > 0 else "lower"


def effect(found: Mapping, bold: str = "**") -> str:
    """Return what a change does to the F-score, such as ``lowers the F-score by **12.2** points (6.0 to 18.4)``.

    Args:
        found: a row of `claims.compare` or `claims.judged`.
        bold: the mark around the amount.
    """
    if (kind := outcome(found)) == "undecided":
        amount, low, high = (signed(found[name]) for name in ("difference", "low", "high"))
        return f"changes the F-score by {bold}{amount}{bold} points ({low} to {high}), which is not certain"
    verb, sign = {"higher": ("raises", 1), "lower": ("lowers", -1)}[kind]
    low, high = sorted(sign * found[name] for name in ("low", "high"))
    return f"{verb} the F-score by {bold}{sign * found['difference']:.1f}{bold} points ({low:.1f} to {high:.1f})"


def _number(value: float, code: str) -> str:
    return "–" if pd.isna(value) else with_minus(format(value, code))


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else _number(value, ".3f")


def readable_comparisons(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of comparisons as it should be read; what is not defined is a dash.

    Args:
        table: from `claims.of_table` or `claims.compare`.

    Returns:
        Texts; one row a comparison, named by its `question`.
    """
    rows = {
        question(row["base"], row["other"]): {
            "F-score": f"{row['f_base']:.1f} → {row['f_other']:.1f}",
            "difference": "–" if pd.isna(row["difference"]) else signed(row["difference"]),
            "95 % interval": "– to –" if pd.isna(row["low"]) else f"{signed(row['low'])} to {signed(row['high'])}",
            "p (Holm)": _p(row["p_holm"]),
            "detectable": _number(row["detectable"], ".1f"),
            "outcome": outcome(row),
        }
        for _, row in table.iterrows()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def show_paper_table(table: pd.DataFrame, name: str, runs: Sequence = ()) -> Shown:
    """Show one of the paper's tables as F-scores; precision and recall are a click away, and in the file.

    Args:
        table: from `scores.paper_table` or `scores.beside_the_paper`.
        name: of the file, and the anchor.
        runs: finished runs that it rests on.
    """
    fscores = table.xs("F-score", level=-1)
    if fscores.columns.nlevels > 1:  # the senses alone need no heading above their own
        fscores.columns = [inputs if approach == "L_s" else approach for inputs, approach in fscores.columns]
    page, whole = (one.to_html(border=0, na_rep="–") for one in (fscores, table))
    more = f"<details><summary>Precision and recall</summary>{whole}</details>"
    return table_page(page + more, table, name, runs, "close")


def show_comparisons(tables: Mapping[str, pd.DataFrame], name: str, runs: Sequence = ()) -> Shown:
    """Show comparisons in their readable form, with a link to all their numbers.

    Args:
        tables: split to table from `claims.of_table`.
        name: of the CSV file, and the anchor.
        runs: finished runs that the comparisons rest on.
    """
    shown = pd.concat({split: readable_comparisons(table) for split, table in tables.items()})
    return table_page(shown.to_html(border=0), pd.concat(tables, names=["split"]).droplevel(1), name, runs)


def forest(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw every difference with its interval, one panel a split, beside the paper's own difference.

    Args:
        tables: split to table from `claims.of_table`, the same comparisons in each.

    Returns:
        The figure; the paper's difference on ADVANCE is a grey tick where the paper has both sides.
    """
    count, rows = len(tables), len(next(iter(tables.values())))
    size = (3.2 + 3.0 * count, 0.5 * rows + 1.4)
    figure, axes = plt.subplots(1, count, figsize=size, sharex=True, sharey=True, squeeze=False, layout="constrained")
    for axis, (split, table) in zip(axes.flat, tables.items(), strict=True):
        axis.axvline(0, color="black", linewidth=1)
        for at, (_, row) in enumerate(table.iterrows()):
            colour = loss_colour(row["other"])
            axis.plot([row["low"], row["high"]], [at, at], color=colour, linewidth=2.5, solid_capstyle="butt")
            axis.plot(row["difference"], at, "o", color=colour, markersize=7)
            if {row["base"], row["other"]} <= set(PAPER_SCORES):
                before, after = (paper_scores(row[side])["fscore"][0] for side in ("base", "other"))
                axis.plot(after - before, at, "|", color=PAPER_COLOUR, markersize=20, markeredgewidth=2)
        axis.set(title=split, ylim=(rows - 0.4, -0.6))
        axis.grid(False, axis="y")
        axis.xaxis.set_major_locator(MaxNLocator(5))
    figure.get_layout_engine().set(wspace=0.06)
    names = [question(row["base"], row["other"]) for _, row in table.iterrows()]
    axes[0, 0].set_yticks(range(rows), [name.replace(" against ", "\nagainst ") for name in names], fontsize=SMALL)
    figure.supxlabel("difference of the weighted F-scores, percentage points", fontsize=SMALL)
    axis.plot([], [], "o-", color="black", linewidth=2.5, label="measured, 95 % interval")
    axis.plot([], [], "|", color=PAPER_COLOUR, markersize=12, markeredgewidth=2, label="the paper, on ADVANCE")
    figure.legend(frameon=False, loc="outside upper right", ncols=2, fontsize=SMALL)
    return figure


def gains_map(gains: pd.DataFrame, name: str) -> HTML:
    """Show gains in F-score, blue for a gain and red for a loss.

    Args:
        gains: rows are scenes, columns cells, entries percentage points.
        name: of the file of numbers.
    """
    most = float(gains.abs().to_numpy().max()) or 1.0
    table = gains.set_axis([Cell.named(cell).short for cell in gains], axis=1)
    return heat_tables({"": table}, name, Normalize(-most, most), lambda gain: _number(gain, "+.1f"), "RdBu")


def reliability_curves(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw accuracy over confidence, one line a cell; the larger a dot, the more samples are in its bin.

    Args:
        tables: cell to table from `statistics.reliability`.
    """
    figure, axis = plt.subplots(figsize=(6.2, 4.4), layout="constrained")
    axis.plot([0, 100], [0, 100], color=PAPER_COLOUR, linewidth=1, linestyle="--", label="confidence = accuracy")
    for cell, table in tables.items():
        colour = loss_colour(cell)
        at = 100 * table[["confidence", "accuracy"]].to_numpy().T
        axis.plot(*at, color=colour, label=Cell.named(cell).label)
        axis.scatter(*at, s=12 + 250 * table["share"], color=colour, alpha=0.7, clip_on=False, zorder=3)
    axis.set(xlabel="confidence in %", ylabel="accuracy in %", xlim=(0, 100), ylim=(0, 100))
    axis.legend(frameon=False, fontsize=SMALL)
    return figure
