import re
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd

from advance_lib.analysis.claims import CLAIMS
from advance_lib.figures.verdicts import verdict_machine

matplotlib.use("Agg")
ROOT = Path(__file__).parents[2]
NUMBERS = {"difference": 1.5, "low": -1.0, "high": 4.0, "error": 1.2, "freedom": 12.0, "over_locations": 1.0}


def found(claims, p=0.2, over_seeds=0.5):
    rows = [{"claim": claim.text, "where": claim.where, "base": claim.base, "other": claim.other} for claim in claims]
    return pd.DataFrame(rows).assign(**NUMBERS, p=p, over_seeds=over_seeds, verdict="undecided")


def test_the_machine_holds_every_claim_of_every_source_and_shows_one_without_scripts():
    sources = {"here": found(CLAIMS, over_seeds=np.nan), "there": found(CLAIMS[:3], p=np.nan)}
    page = verdict_machine(sources, CLAIMS[5].text).data
    assert page.count('"helps":') == len(CLAIMS) + 3 and page.count('"helps":false') == 4
    assert page.count('"over_seeds":null') == len(CLAIMS) and page.count('"untold":true') == 3
    alt = re.search(r'<img src="[^"]*\.svg" alt="([^"]*)"', page).group(1)
    assert alt == f"“{CLAIMS[5].text}” in each source. here: +1.5 points, undecided"
