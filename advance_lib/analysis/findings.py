"""What came out, in sentences with numbers, from the kept records: README and front page show nothing else.

Chapter: The claims.
"""

from collections.abc import Mapping, Sequence

import pandas as pd

from advance_lib.analysis.claims import BOTH, LEVEL
from advance_lib.analysis.scores import over_seeds
from advance_lib.analysis.studies import is_stale, reference
from advance_lib.experiments.cells import PAPER_TRANSFERS, TABLES, Cell, paper_scores

TABLES_OF = {"tables-miniature": "the miniature", "tables-real-pairs-5k": "real pairs"}
OLDER = " (made by older code)"


def _last(kept: Mapping) -> str:
    return list(kept)[-1]  # the exam, where there is one


def _title(name: str, kept: Mapping) -> str:
    return TABLES_OF[name] + (OLDER if is_stale(kept) else "")


def _number(value: float, digits: str = ".1f") -> str:
    return format(value, digits).replace("-", "−")


def _beside(row: Mapping) -> tuple[str, str]:
    """Return a difference in words, such as ``12.2 points below`` and ``(9.0 to 15.6; certain)``."""
    sign = -1 if row["difference"] < 0 else 1
    low, high = (_number(end) for end in sorted((sign * row["low"], sign * row["high"])))
    certain = "certain" if row["p_holm"] < LEVEL else "not certain"
    return f"{abs(row['difference']):.1f} points {'below' if sign < 0 else 'above'}", f"({low} to {high}; {certain})"


def _gain(row: Mapping) -> str:
    certain = "certain" if row["p_holm"] < LEVEL else "not certain"
    ends = f"{_number(row['low'], '+.1f')} to {_number(row['high'], '+.1f')}"
    return f"{_number(row['difference'], '+.1f')} points ({ends}; {certain})"


def _claims(kept: Mapping) -> dict[tuple[str, str], dict]:
    return {(row["base"], row["other"]): row for row in kept["claims"][_last(kept["claims"])]}


def results_table() -> pd.DataFrame:
    """Return Table 1 as F-scores, mean ± deviation over the seeds: the paper's on ADVANCE, then each kept source."""
    of_paper = {cell: "{:.2f} ± {:.2f}".format(*paper_scores(cell)["fscore"]) for cell in TABLES[1]}  # as printed
    rows = {"ADVANCE, the paper": of_paper}
    for name in TABLES_OF:
        kept = reference(name)
        split = _last(kept["claims"])
        found = over_seeds(pd.DataFrame(kept["scores"]), split)["fscore"]
        rows[f"{_title(name, kept)}, {split}"] = {
            cell: "{:.1f} ± {:.1f}".format(*found.loc[cell]) for cell in TABLES[1]
        }
    headings = {cell: Cell.named(cell).heading.replace("+ L_", "+ ") for cell in TABLES[1]}
    headings |= {cell: Cell.named(cell).inputs.lower() for cell in TABLES[1][:3]}
    return pd.DataFrame(rows).T.rename(columns=headings)


def added_sound() -> str:
    """Return what sound that is simply added does."""
    told = []
    for name in TABLES_OF:
        kept = reference(name)
        amount, ends = _beside(_claims(kept)["image/Ls", f"{BOTH}Ls"])
        told.append(f"{amount} {'it' if told else 'the photograph alone'} on {_title(name, kept)} {ends}")
    return f"**Sound, simply added.** Image + sound lies {' and '.join(told)}."


def transfers() -> str:
    """Return what the transfers bring, the best and the paper's best."""
    told = []
    for name in TABLES_OF:
        kept = reference(name)
        rows = {transfer: _claims(kept)[f"{BOTH}Ls", f"{BOTH}{transfer}"] for transfer in PAPER_TRANSFERS}
        certain = [name for name, row in rows.items() if row["p_holm"] < LEVEL and row["difference"] > 0]
        best = max(rows, key=lambda transfer: rows[transfer]["difference"])
        others = [name for name in certain if name != best]
        told.append(
            f"On {_title(name, kept)}, L_{best} changes image + sound by {_gain(rows[best])}"
            + (
                f", and {', '.join(f'L_{other}' for other in others)} certainly gain{'s' * (len(others) == 1)} too"
                if others
                else ""
            )
            + (f"; L_E, the paper's best, {_gain(rows['E'])}" if best != "E" else ", as in the paper")
        )
    return f"**The transfers, with the paper's α.** {' '.join(f'{one}.' for one in told)}"


def chosen_weights() -> str:
    """Return what an α of its own does to each transfer."""
    kept = reference("alpha_beta-miniature")
    rows = kept["readings"]["α chosen on validation"]
    rows = [row for row in rows[_last(rows)] if row["other"].removeprefix(BOTH) in PAPER_TRANSFERS]
    certain = [row for row in rows if row["p_holm"] < LEVEL and row["difference"] > 0]
    best = max(rows, key=lambda row: row["f_other"])
    old = OLDER if is_stale(kept) else ""
    return (
        f"**With an α of its own,** chosen on validation, {len(certain) or 'none'} of the five certainly "
        f"gain{'s' * (len(certain) == 1)} "
        f"over image + sound on the miniature{old}. The best is {Cell.named(best['other']).short}, with α = "
        f"{best['alpha']:g} and "
        f"an F-score of {best['f_other']:.1f}."
    )


def without_events() -> str:
    """Return what approaches reach that need no events."""
    told = []
    for name, title in (("baselines-miniature", "the miniature"), ("baselines-real-pairs-5k", "real pairs")):
        kept = reference(name)
        scores = {row["other"]: row["f_other"] for row in kept["compared"][_last(kept["compared"])]}
        ours = {cell: f for cell, f in scores.items() if cell.removeprefix(BOTH) not in ("Ls", *PAPER_TRANSFERS)}
        theirs = {cell: f for cell, f in scores.items() if cell not in ours and cell != f"{BOTH}Ls"}
        simple, best = max(ours, key=ours.get), max(theirs, key=theirs.get)
        short = simple.rpartition("/")[2].removeprefix("only ")
        old = OLDER if is_stale(kept) else ""
        told.append(
            f"on {title}{old} {short} reaches {scores[simple]:.1f}, the best transfer, {Cell.named(best).short}, "
            f"{scores[best]:.1f}"
        )
    return f"**Without any event:** {'; '.join(told)}."


def without_labels() -> str:
    """Return what L_E1 learns without scene labels, beside the look-up that needs no training."""
    kept = reference("tables-miniature")
    row = kept["looked_up"][_last(kept["looked_up"])]
    chance = _claims(kept)["chance", f"{BOTH}only E1"]
    old = OLDER if is_stale(kept) else ""
    return (
        f"**Without scene labels,** L_E1 reaches an F-score of {row['f_other']:.1f} on the miniature{old}, "
        f"{_gain(chance)} from "
        "always naming the most frequent scene. Taking the scene whose events are nearest to what is heard, with no "
        "training "
        f"and no photograph, reaches {row['f_base']:.1f}."
    )


def findings() -> list[str]:
    """Return the findings, a sentence or two each."""
    return [added_sound(), transfers(), chosen_weights(), without_events(), without_labels()]


def written(told: Sequence[str], table: pd.DataFrame | None = None) -> str:
    """Return findings, and a table before them where there is one, as Markdown."""
    items = "\n".join(f"{number}. {text}" for number, text in enumerate(told, 1)) + "\n"
    if table is None:
        return items
    head = ["", *table.columns]
    rows = [[name, *row] for name, row in zip(table.index, table.to_numpy(), strict=True)]
    lines = [[cell.replace("|", "\\|") for cell in line] for line in (head, ["---"] * len(head), *rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + f"\n\n{items}"
