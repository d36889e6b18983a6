"""What came out, in sentences with numbers, from the kept records: README and front page show nothing else.

Chapter: The claims.
"""

import re
from collections.abc import Mapping, Sequence

import pandas as pd

from advance_lib.analysis.baselines import named
from advance_lib.analysis.claims import BOTH, LEVEL
from advance_lib.analysis.scores import over_seeds
from advance_lib.analysis.studies import is_stale, reference
from advance_lib.experiments.cells import PAPER_TRANSFERS, TABLES, Cell, paper_scores

SOURCES = {"miniature": "the miniature", "real-pairs-5k": "real pairs"}
OLDER = " (made by older code)"


def _kept(study: str, source: str) -> tuple[dict, str]:
    """Return a record and what its data are called, with a mark where other code made it."""
    kept = reference(f"{study}-{source}")
    return kept, SOURCES[source] + (OLDER if is_stale(kept) else "")


def _largest(by_split: Mapping) -> object:
    return by_split[list(by_split)[-1]]  # the exam, where there is one


def _numbers(values: Sequence[float], code: str) -> list[str]:
    return [format(value, code).replace("-", "−") for value in values]


def _is_certain(row: Mapping) -> bool:
    return row["p_holm"] < LEVEL


def _how_sure(row: Mapping) -> str:
    return "certain" if _is_certain(row) else "not certain"


def _beside(row: Mapping) -> tuple[str, str]:
    """Return a difference in words, such as ``12.2 points below`` and ``(9.0 to 15.6; certain)``."""
    sign = -1 if row["difference"] < 0 else 1
    amount, low, high = _numbers([abs(row["difference"]), *sorted((sign * row["low"], sign * row["high"]))], ".1f")
    return f"{amount} points {'below' if sign < 0 else 'above'}", f"({low} to {high}; {_how_sure(row)})"


def _gain(row: Mapping) -> str:
    amount, low, high = _numbers([row[name] for name in ("difference", "low", "high")], "+.1f")
    return f"{amount} points ({low} to {high}; {_how_sure(row)})"


def _claims(kept: Mapping) -> dict[tuple[str, str], dict]:
    return {(row["base"], row["other"]): row for row in _largest(kept["claims"])}


def results_table() -> pd.DataFrame:
    """Return Table 1 as F-scores, mean ± deviation over the seeds: the paper's on ADVANCE, then each kept source."""
    of_paper = {cell: "{:.2f} ± {:.2f}".format(*paper_scores(cell)["fscore"]) for cell in TABLES[1]}  # as printed
    rows = {"ADVANCE, the paper": of_paper}
    for source in SOURCES:
        kept, data = _kept("tables", source)
        split = list(kept["claims"])[-1]
        found = over_seeds(pd.DataFrame(kept["scores"]), split)["fscore"]
        rows[f"{data}, {split}"] = {cell: "{:.1f} ± {:.1f}".format(*found.loc[cell]) for cell in TABLES[1]}
    headings = {cell: Cell.named(cell).heading.replace("+ L_", "+ ") for cell in TABLES[1]}
    headings |= {cell: Cell.named(cell).inputs.lower() for cell in TABLES[1][:3]}
    return pd.DataFrame(rows).T.rename(columns=headings)


def verdicts() -> pd.DataFrame:
    """Return what became of the paper's claims about Table 1: a row a claim, a column the paper, one each kept source.

    A claim holds or fails where its row in `claims.judged` says so, and is open else. That L_E helps most holds where
    it helps more than each other transfer, and fails where it certainly helps less than one.

    Returns:
        Text such as ``"holds: −11.4 (−16.0 to −6.9)"``, points of the weighted F-score; the paper's have no interval,
        and blanks inside an interval do not break.
    """
    words = {"supported": "holds", "refuted": "fails", "undecided": "open"}
    asked = [("Sound, simply added, is no better than none", [("image/Ls", f"{BOTH}Ls")])]
    asked += [(f"L_{transfer} helps", [(f"{BOTH}Ls", f"{BOTH}{transfer}")]) for transfer in PAPER_TRANSFERS]
    asked += [("L_E helps most", [(f"{BOTH}{other}", f"{BOTH}E") for other in PAPER_TRANSFERS if other != "E"])]
    rows = {text: {} for text, _ in asked}
    for text, pairs in asked:
        gains = [paper_scores(other)["fscore"][0] - paper_scores(base)["fscore"][0] for base, other in pairs]
        rows[text]["the paper, on ADVANCE"] = _numbers([min(gains)], "+.1f")[0]
    for source in SOURCES:
        kept, data = _kept("tables", source)
        claims = _claims(kept)
        for text, pairs in asked:
            found = [claims[pair] for pair in pairs]
            least, said = min(found, key=lambda row: row["difference"]), {row["verdict"] for row in found}
            verdict = "refuted" if "refuted" in said else "undecided" if "undecided" in said else "supported"
            amount, low, high = _numbers([least[name] for name in ("difference", "low", "high")], "+.1f")
            rows[text][data] = f"{words[verdict]}: {amount} ({low}\N{NO-BREAK SPACE}to\N{NO-BREAK SPACE}{high})"
    return pd.DataFrame(rows).T.rename_axis("the paper says")


def added_sound() -> str:
    """Return what sound that is simply added does."""
    told = []
    for source in SOURCES:
        kept, data = _kept("tables", source)
        amount, ends = _beside(_claims(kept)["image/Ls", f"{BOTH}Ls"])
        told.append(f"{amount} {'it' if told else 'the photograph alone'} on {data} {ends}")
    return f"**Sound, simply added.** Image + sound lies {' and '.join(told)}."


def transfers() -> str:
    """Return what the transfers bring, the best and the paper's best."""
    told = []
    for source in SOURCES:
        kept, data = _kept("tables", source)
        rows = {transfer: _claims(kept)[f"{BOTH}Ls", f"{BOTH}{transfer}"] for transfer in PAPER_TRANSFERS}
        best = max(rows, key=lambda transfer: rows[transfer]["difference"])
        others = [f"L_{t}" for t, row in rows.items() if t != best and _is_certain(row) and row["difference"] > 0]
        text = f"On {data}, L_{best} changes image + sound by {_gain(rows[best])}"
        if others:
            text += f", and {', '.join(others)} certainly gain{'s' * (len(others) == 1)} too"
        told.append(text + (", as in the paper." if best == "E" else f"; L_E, the paper's best, {_gain(rows['E'])}."))
    return f"**The transfers, with the paper's α.** {' '.join(told)}"


def chosen_weights() -> str:
    """Return what an α of its own does to each transfer."""
    kept, data = _kept("alpha_beta", "miniature")
    rows = _largest(kept["readings"]["α chosen on validation"])
    rows = [row for row in rows if row["other"].removeprefix(BOTH) in PAPER_TRANSFERS]
    gaining = sum(_is_certain(row) and row["difference"] > 0 for row in rows)
    best = max(rows, key=lambda row: row["f_other"])
    return (
        f"**With an α of its own,** chosen on validation, {gaining or 'none'} of the five certainly "
        f"gain{'s' * (gaining == 1)} over image + sound on {data}. The best is {named(best['other'])}, with α = "
        f"{best['alpha']:g} and an F-score of {best['f_other']:.1f}."
    )


def without_events() -> str:
    """Return what approaches reach that need no events."""
    told = []
    for source in SOURCES:
        kept, data = _kept("baselines", source)
        scores = {row["other"]: row["f_other"] for row in _largest(kept["compared"])}
        theirs = {cell: scores[cell] for cell in scores if cell.removeprefix(BOTH) in PAPER_TRANSFERS}
        ours = {cell: scores[cell] for cell in scores if cell not in theirs and cell != f"{BOTH}Ls"}
        simple, best = max(ours, key=ours.get), max(theirs, key=theirs.get)
        with_events = f"the best transfer, {named(best)}, {theirs[best]:.1f}"
        told.append(f"on {data} {named(simple)} reaches {ours[simple]:.1f}, {with_events}")
    return f"**Without any event:** {'; '.join(told)}."


def without_labels() -> str:
    """Return what L_E1 learns without scene labels, beside the look-up that needs no training."""
    kept, data = _kept("tables", "miniature")
    row, chance = _largest(kept["looked_up"]), _claims(kept)["chance", f"{BOTH}only E1"]
    return (
        f"**Without scene labels,** L_E1 reaches an F-score of {row['f_other']:.1f} on {data}, {_gain(chance)} from "
        "always naming the most frequent scene. Taking the scene whose events are nearest to what is heard, with no "
        f"training and no photograph, reaches {row['f_base']:.1f}."
    )


def findings() -> list[str]:
    """Return the findings, a sentence or two each."""
    return [added_sound(), transfers(), chosen_weights(), without_events(), without_labels()]


def written(told: Sequence[str], table: pd.DataFrame | None = None) -> str:
    """Return findings, and a table before them where there is one, as Markdown."""
    items = "\n".join(f"{number}. {text}" for number, text in enumerate(told, 1)) + "\n"
    return items if table is None else f"{as_markdown(table)}\n{items}"


def as_markdown(table: pd.DataFrame) -> str:
    """Return a table of texts as Markdown, its index as the first column."""
    head = [table.index.name or "", *table.columns]
    rows = [[name, *row] for name, row in zip(table.index, table.to_numpy(), strict=True)]
    lines = [[cell.replace("|", "\\|") for cell in line] for line in (head, ["---"] * len(head), *rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def with_badges(markdown: str) -> str:
    """Return a table of verdicts in which the first word of each is a badge, as Sphinx draws it."""
    colours = {"holds": "success", "fails": "danger", "open": "muted"}  # "secondary" is too pale on white
    return re.sub(r"\b(holds|fails|open):", lambda word: f"{{bdg-{colours[word[1]]}}}`{word[1]}`", markdown)
