"""What came out, in sentences with numbers, from the kept records: README and front page show nothing else.

Chapter: The claims.
"""

import re
from collections.abc import Mapping, Sequence

import pandas as pd

from advance_lib.analysis.claims import BOTH, is_certain
from advance_lib.analysis.records import is_stale, reference
from advance_lib.analysis.scores import over_seeds
from advance_lib.analysis.words import counted, group, listed, signed, with_minus
from advance_lib.experiments.cells import PAPER_TRANSFERS, TABLES, Cell, paper_scores, short_name

SOURCES = {"miniature": "the miniature", "real-pairs-5k": "real pairs"}
OLDER = " (made by older code)"
MOST = "L_E helps most (against the best other one)"
ABOVE_IMAGE = "The best transfer beats the photograph alone"


def _kept(study: str, source: str) -> tuple[dict, str]:
    """Return a record and what its data are called, with a mark where other code made it."""
    kept = reference(f"{study}-{source}")
    return kept, SOURCES[source] + (OLDER if is_stale(kept) else "")


def _largest(by_split: Mapping) -> object:
    return by_split[list(by_split)[-1]]  # the exam, where there is one


def _how_sure(row: Mapping) -> str:
    return "certain" if is_certain(row) else "not certain"


def _beside(row: Mapping) -> tuple[str, str]:
    """Return a difference in words, such as ``12.2 points below`` and ``(9.0 to 15.6; certain)``."""
    sign = -1 if row["difference"] < 0 else 1
    low, high = (with_minus(f"{end:.1f}") for end in sorted((sign * row["low"], sign * row["high"])))
    return (
        f"{abs(row['difference']):.1f} points {'below' if sign < 0 else 'above'}",
        f"({low} to {high}; {_how_sure(row)})",
    )


def _certain_change(row: Mapping) -> str:
    """Return what an approach certainly does, such as ``gains 14.0 points (9.6 to 18.5)``."""
    sign = 1 if row["difference"] > 0 else -1
    low, high = sorted((sign * row["low"], sign * row["high"]))
    return f"{'gains' if sign > 0 else 'loses'} {abs(row['difference']):.1f} points ({low:.1f} to {high:.1f})"


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

    Verdicts are those of `claims.judged`. That L_E helps most is supported where it helps more than each other
    transfer, refuted where it certainly helps less than one; that the best transfer beats the photograph is judged by
    the difference of the transfer that scores best there.

    Returns:
        Text such as ``"supported: −11.4 (−16.0 to −6.9)"``, points of the weighted F-score; the paper's have no
        interval, and blanks inside an interval do not break.
    """
    asked = [("Sound, simply added, is no better than none", [("image/Ls", f"{BOTH}Ls")])]
    asked += [(f"L_{transfer} helps", [(f"{BOTH}Ls", f"{BOTH}{transfer}")]) for transfer in PAPER_TRANSFERS]
    asked += [(MOST, [(f"{BOTH}{other}", f"{BOTH}E") for other in PAPER_TRANSFERS if other != "E"])]
    rows = {text: {} for text, _ in asked}
    for text, pairs in asked:
        gains = [paper_scores(other)["fscore"][0] - paper_scores(base)["fscore"][0] for base, other in pairs]
        rows[text]["the paper, on ADVANCE"] = signed(min(gains))
    best = max(paper_scores(f"{BOTH}{transfer}")["fscore"][0] for transfer in PAPER_TRANSFERS)
    gain = best - paper_scores("image/Ls")["fscore"][0]
    rows[ABOVE_IMAGE] = {"the paper, on ADVANCE": signed(gain)}
    for source in SOURCES:
        kept, data = _kept("tables", source)
        claims, column = _claims(kept), f"{data}, {list(kept['claims'])[-1]}, {counted(len(kept['seeds']), 'seed')}"
        for text, pairs in asked:
            found = [claims[pair] for pair in pairs]
            least, said = min(found, key=lambda row: row["difference"]), {row["verdict"] for row in found}
            verdict = "refuted" if "refuted" in said else "undecided" if "undecided" in said else "supported"
            rows[text][column] = _verdict(verdict, least)
        best = _best_transfer(source)
        verdict = "undecided" if not is_certain(best) else "supported" if best["difference"] > 0 else "refuted"
        rows[ABOVE_IMAGE][column] = _verdict(verdict, best)
    return pd.DataFrame(rows).T.rename_axis("the paper says")


def _verdict(verdict: str, row: Mapping) -> str:
    amount, low, high = (signed(row[name]) for name in ("difference", "low", "high"))
    return f"{verdict}: {amount} ({low}\N{NO-BREAK SPACE}to\N{NO-BREAK SPACE}{high})"


def _against_image(source: str) -> dict[str, dict]:
    """Return the rows of `studies.baselines` that compare with the photograph alone, by approach."""
    rows = _largest(_kept("baselines", source)[0]["compared"])
    return {row["other"]: row for row in rows if row["base"] == "image/Ls"}


def _best_transfer(source: str) -> dict:
    rows = _against_image(source)
    return max((rows[f"{BOTH}{transfer}"] for transfer in PAPER_TRANSFERS), key=lambda row: row["f_other"])


def added_sound() -> str:
    """Return what sound that is simply added does."""
    told = []
    for source in SOURCES:
        kept, data = _kept("tables", source)
        amount, ends = _beside(_claims(kept)["image/Ls", f"{BOTH}Ls"])
        told.append(f"{amount} {'it' if told else 'the photograph alone'} on {data} {ends}")
    return f"**Sound, simply added.** Image + sound lies {' and '.join(told)}."


def transfers() -> str:
    """Return what the transfers certainly bring, and what the paper's best does."""
    told = []
    for source in SOURCES:
        kept, data = _kept("tables", source)
        rows = {transfer: _claims(kept)[f"{BOTH}Ls", f"{BOTH}{transfer}"] for transfer in PAPER_TRANSFERS}
        certain = sorted(filter(lambda t: is_certain(rows[t]), rows), key=lambda t: -rows[t]["difference"])
        changes = [f"L_{transfer} {_certain_change(rows[transfer])}" for transfer in certain]
        told.append(f"On {data}, {listed(changes) if changes else 'none certainly changes the score'}")
        if "E" not in certain:
            amount, low, high = (signed(rows["E"][name]) for name in ("difference", "low", "high"))
            told[-1] += f"; L_E, the paper's best, moves it by {amount} ({low} to {high})"
    return (
        f"**The transfers, with the paper's α,** added to image + sound. {'. '.join(told)}. No other change is certain."
    )


def chosen_weights() -> str:
    """Return what an α of its own does to each transfer."""
    told = []
    for source in SOURCES:
        kept, data = _kept("alpha_beta", source)
        claims = _claims(kept)
        rows = [claims[f"{BOTH}Ls", f"{BOTH}{transfer}"] for transfer in PAPER_TRANSFERS]
        every = [short_name(row["other"]) for row in rows]
        gaining = [short_name(row["other"]) for row in rows if is_certain(row) and row["difference"] > 0]
        who = group(gaining, every, "transfers", ("certainly gains", "certainly gain"))
        best = max(rows, key=lambda row: row["f_other"])
        told.append(
            f"on {data} {who} over image + sound, and the best, "
            f"{short_name(best['other'])} with α = {kept['chosen'][best['other'].removeprefix(BOTH)]:g}, has "
            f"{best['f_other']:.1f}"
        )
    return f"**With an α of its own,** chosen on validation: {'; '.join(told)}."


def without_events() -> str:
    """Return what approaches reach that need no events."""
    told, above = [], set()
    for source in SOURCES:
        data, rows = _kept("baselines", source)[1], _against_image(source)
        best = _best_transfer(source)
        ours = {cell: row for cell, row in rows.items() if cell.removeprefix(BOTH) not in (*PAPER_TRANSFERS, "Ls")}
        simple = max(ours.values(), key=lambda row: row["f_other"])
        above |= {short_name(cell) for cell, row in rows.items() if is_certain(row) and row["difference"] > 0}
        alone, other = best["f_other"] - best["difference"], f"{short_name(simple['other'])} {simple['f_other']:.1f}"
        told.append(
            f"on {data} the photograph alone has {alone:.1f}, {other}, and "
            f"the best transfer with the paper's α, {short_name(best['other'])}, {best['f_other']:.1f}"
        )
    certain = above and f"Certainly better than the photograph alone: {listed(sorted(above))}."
    nothing = "Nothing is certainly better than the photograph alone: the gains undo the harm that adding sound does."
    return f"**Against approaches without events:** {'; '.join(told)}. {certain or nothing}"


def without_labels() -> str:
    """Return what L_E1 learns without scene labels, beside the look-up that needs no training."""
    learned, looked_up = [], []
    for source in SOURCES:
        kept, data = _kept("tables", source)
        row = _largest(kept["looked_up"])
        amount, ends = _beside(_claims(kept)["chance", f"{BOTH}only E1"])
        other = "that guess" if learned else "always naming the most frequent scene"
        learned.append(f"{row['f_other']:.1f} on {data}, {amount} {other} {ends}")
        looked_up.append(f"{row['f_base']:.1f}")
    return (
        f"**Without scene labels,** L_E1 reaches an F-score of {', and '.join(learned)}. Taking the scene whose events "
        f"are nearest to what is heard, with no training and no photograph, reaches {' and '.join(looked_up)}."
    )


def detectable() -> str:
    """Return how large a difference must be to be found by such experiments, beside the paper's gains."""
    told = []
    for source in SOURCES:
        kept, data = _kept("tables", source)
        sizes = [row["detectable"] for row in _largest(kept["claims"]) if row["where"] == "Table 1"]
        told.append(f"{pd.Series(sizes, dtype=float).median():.1f} points on {data}")
    base = paper_scores(f"{BOTH}Ls")["fscore"][0]
    gains = [paper_scores(f"{BOTH}{transfer}")["fscore"][0] - base for transfer in PAPER_TRANSFERS]
    return (
        f"**Undecided is not refuted.** Four of five such experiments find a true difference of {' and '.join(told)}; "
        f"on ADVANCE the paper's transfers gain {min(gains):.1f} to {max(gains):.1f} points."
    )


def findings() -> list[str]:
    """Return the findings, a sentence or two each."""
    return [added_sound(), transfers(), chosen_weights(), without_events(), without_labels(), detectable()]


def written(told: Sequence[str], table: pd.DataFrame | None = None) -> str:
    """Return findings, and a table before them where there is one, as Markdown."""
    items = "\n".join(f"{place}. {text}" for place, text in enumerate(told, 1)) + "\n"
    return items if table is None else f"{as_markdown(table)}\n{items}"


def as_markdown(table: pd.DataFrame) -> str:
    """Return a table of texts as Markdown, its index as the first column."""
    head = [table.index.name or "", *table.columns]
    rows = [[name, *row] for name, row in zip(table.index, table.to_numpy(), strict=True)]
    lines = [[cell.replace("|", "\\|") for cell in line] for line in (head, ["---"] * len(head), *rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def with_badges(markdown: str) -> str:
    """Return a table of verdicts in which the first word of each is a badge, as Sphinx draws it."""
    colours = {"supported": "success", "refuted": "danger", "undecided": "muted"}  # "secondary" is too pale on white
    return re.sub(rf"\b({'|'.join(colours)}):", lambda word: f"{{bdg-{colours[word[1]]}}}`{word[1]}`", markdown)
