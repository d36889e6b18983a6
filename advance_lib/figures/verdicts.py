"""The verdict machine: one claim's verdict, and how it would come out if the experiment were made again.

Chapter: The claims.
"""

from collections.abc import Mapping

import pandas as pd
from IPython.display import HTML

from advance_lib.analysis.claims import CLAIMS, LEVEL, MARGIN
from advance_lib.figures.interactive import interactive
from advance_lib.figures.page import picture
from advance_lib.figures.studies import claim_intervals

# What the script needs of a row of `claims.judged`, and to how many decimals.
NUMBERS = ("difference", "error", "freedom", "over_locations", "over_seeds")
DECIMALS = 8


def verdict_machine(sources: Mapping[str, pd.DataFrame], claim: str) -> HTML:
    """Show a claim's difference, interval, p and verdict, and let the reader change the rule and repeat the experiment.

    The script, ``scripts/verdict.js``, computes p, its correction and the verdict as `statistics` and `claims` do. An
    experiment is repeated by drawing the difference anew around the measured one, with the standard errors over
    locations and over seeds.

    Args:
        sources: label to claims as from `claims.judged`.
        claim: text of the one that is shown first; the first source must have it.
    """
    helps = {claim.text: claim.helps for claim in CLAIMS}
    data = {
        "level": LEVEL,
        "margin": MARGIN,
        "claim": claim,
        "sources": [
            {
                "label": label,
                "rows": [
                    {"claim": row["claim"], "where": row["where"], "helps": helps[row["claim"]]}
                    | ({"untold": True} if pd.isna(row["p"]) else {})
                    | {name: None if pd.isna(row[name]) else round(float(row[name]), DECIMALS) for name in NUMBERS}
                    for _, row in found.iterrows()
                ],
            }
            for label, found in sources.items()
        ],
    }
    one = {label: found[found["claim"] == claim] for label, found in sources.items()}
    has_it = {label: found for label, found in one.items() if len(found)}
    alt = "; ".join(
        f"{label}: {found['difference'].item():+.1f} points, {found['verdict'].item()}"
        for label, found in has_it.items()
    )
    still = picture(claim_intervals(has_it), "verdict-machine", f"“{claim}” in each source. {alt}")
    return interactive("verdict", data, still)
