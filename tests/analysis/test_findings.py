import json
import re

import pandas as pd
import pytest

from advance_lib.analysis import findings, records
from advance_lib.analysis.claims import BOTH
from advance_lib.analysis.findings import OLDER
from advance_lib.cache import UserError, write_json
from advance_lib.experiments.cells import PAPER_TRANSFERS, TABLES
from pages import findings_of, write_findings

CHECKOUT = records.RESULTS.parent


def test_readme_and_front_page_say_what_the_records_say():
    """To be renewed by `python workflow/pages.py findings`."""
    for (file, name), text in findings_of(CHECKOUT).items():
        found = re.search(rf"<!-- {name} -->\n(.*)<!-- end of {name} -->", file.read_text(), re.DOTALL)
        assert found and found[1].strip() == text.strip(), file


def test_every_record_of_trained_networks_says_which_code_made_it():
    for path in sorted(records.RESULTS.glob("*.json")):
        kept = json.loads(path.read_text())
        if "code_key" in kept and "data" in kept:
            assert records.is_stale(kept) == ("older code" in records.origin(kept)), path


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Records in which added sound costs 5 points on one set and gains 2 on the other."""
    monkeypatch.setattr(records, "RESULTS", tmp_path)
    key = records.code_key("mini")
    scores = [
        {"cell": cell, "seed": seed, "split": "exam", "precision": 0.0, "recall": 0.0, "fscore": 50.0 + number + seed}
        for number, cell in enumerate(TABLES[1])
        for seed in (0, 2)
    ]

    def row(base, other, difference, p):
        ends = {"low": difference - 1, "high": difference + 1, "detectable": 4.25, "where": "Table 1"}
        verdict = "undecided" if p >= 0.05 else "supported" if difference > 0 else "refuted"
        return {"base": base, "other": other, "difference": difference, "p_holm": p, "verdict": verdict} | ends

    for name, added in (("tables-miniature", -5.0), ("tables-real-pairs-5k", 2.0)):
        claims = [row("image/Ls", f"{BOTH}Ls", added, 0.01 if added < 0 else 0.3)]
        claims += [row(f"{BOTH}Ls", f"{BOTH}{t}", n + 1.0, 0.2) for n, t in enumerate(PAPER_TRANSFERS)]
        claims += [row(f"{BOTH}{t}", f"{BOTH}E", added + n, 0.01) for n, t in enumerate(PAPER_TRANSFERS) if t != "E"]
        claims.append(row("chance", f"{BOTH}only E1", 9.0, 0.001))
        looked_up = {"f_base": 20.0, "f_other": 18.0}
        kept = {"profile": "mini", "code_key": key, "seeds": [0, 2], "scores": scores, "claims": {"exam": claims}}
        write_json(tmp_path / f"{name}.json", kept | {"looked_up": {"exam": looked_up}})
    claims = [row(f"{BOTH}Ls", f"{BOTH}{t}", 4.0, 0.01) | {"f_other": 60.0} for t in PAPER_TRANSFERS]
    weights = {"claims": {"exam": claims}, "chosen": dict.fromkeys(PAPER_TRANSFERS, 10.0)}
    for name in ("alpha_beta-miniature", "alpha_beta-real-pairs-5k"):
        write_json(tmp_path / f"{name}.json", {"profile": "mini", "code_key": key, "seeds": [0, 2]} | weights)
    others = [f"{BOTH}Ls", "late fusion", *(f"{BOTH}{transfer}" for transfer in PAPER_TRANSFERS)]
    compared = [row("image/Ls", name, 2.0 + n, 0.3) | {"f_other": 50.0 + n} for n, name in enumerate(others)]
    for name in ("baselines-miniature", "baselines-real-pairs-5k"):
        write_json(
            tmp_path / f"{name}.json",
            {"profile": "mini", "code_key": key, "seeds": [0], "compared": {"exam": compared}},
        )
    return tmp_path


def test_a_loss_and_a_gain_are_told_from_one_point_of_view(written):
    told = findings.added_sound()
    assert "5.0 points below the photograph alone on the miniature (4.0 to 6.0; certain)" in told
    assert "2.0 points above it on real pairs (1.0 to 3.0; not certain)" in told


def test_the_best_transfer_is_the_one_with_the_largest_difference(written):
    assert (
        "On the miniature, none certainly changes the score; L_E, the paper's best, moves it by +5.0 (+4.0 to +6.0)"
        in (findings.transfers())
    )
    told = findings.chosen_weights()
    assert "on the miniature all five transfers certainly gain over" in told and "on real pairs all five" in told
    told = findings.without_events()
    assert "on the miniature the photograph alone has 48.0, late fusion 51.0, and the best transfer" in told
    assert "the paper's α, L_E, 56.0" in told
    assert "Nothing is certainly better" in told
    told = findings.without_labels()
    assert "18.0 on the miniature, 9.0 points above always naming" in told and "reaches 20.0 and 20.0." in told


def test_what_such_experiments_find_stands_beside_the_papers_gains(written):
    told = findings.detectable()
    assert "4.2 points on the miniature and 4.2 points on real pairs" in told and "gain 0.6 to 1.9 points" in told


def test_certain_gains_and_losses_are_told_from_the_largest_on(written):
    path = written / "tables-miniature.json"
    kept = json.loads(path.read_text())
    for row in kept["claims"]["exam"]:
        if (row["base"], row["other"]) == (f"{BOTH}Ls", f"{BOTH}SQ|Nv+a"):
            row |= {"difference": -10.5, "low": -15.8, "high": -5.3, "p_holm": 0.0}
        if (row["base"], row["other"]) == (f"{BOTH}Ls", f"{BOTH}KL|Na"):
            row |= {"p_holm": 0.0}
    write_json(path, kept)
    told = findings.transfers()
    assert (
        "On the miniature, L_KL|Na gains 2.0 points (1.0 to 3.0) and L_SQ|Nv+a loses 10.5 points (5.3 to 15.8);" in told
    )


def test_the_table_is_the_papers_and_ours(written):
    table = findings.results_table()
    assert list(table.index) == ["ADVANCE, the paper", "the miniature, exam", "real pairs, exam"]
    assert table.loc["ADVANCE, the paper", "image"] == "72.85 ± 0.57"
    assert table.loc["real pairs, exam", "image"] == "52.0 ± 1.4"
    text = findings.written(["one", "two"], table)
    assert text.splitlines()[0].count("\\|") == 4 and text.endswith("1. one\n2. two\n")


def test_the_verdicts_are_those_of_the_records(written):
    table = findings.verdicts()
    assert list(table.columns)[1:] == ["the miniature, exam, 2 seeds", "real pairs, exam, 2 seeds"]
    assert (
        table.loc["Sound, simply added, is no better than none", "the paper, on ADVANCE"] == "−0.1"
    )  # 72.71 against 72.85
    assert list(table.loc[findings.MOST]) == [
        "+0.4",
        "refuted: −5.0 (−6.0\xa0to\xa0−4.0)",
        "supported: +2.0 (+1.0\xa0to\xa0+3.0)",
    ]
    assert set(table.loc["L_SQ|Na helps"][1:]) == {"undecided: +1.0 (0.0\xa0to\xa0+2.0)"}
    assert list(table.loc[findings.ABOVE_IMAGE]) == ["+1.7", *["undecided: +8.0 (+7.0\xa0to\xa0+9.0)"] * 2]
    assert "| {bdg-danger}`refuted` −5.0" in findings.with_badges(findings.as_markdown(table))


def test_what_older_code_made_is_marked(written):
    assert OLDER not in "".join(findings.findings())
    path = written / "tables-miniature.json"
    write_json(path, json.loads(path.read_text()) | {"code_key": "another"})
    assert findings.added_sound().count(OLDER) == 1 and OLDER in findings.without_labels()
    assert "the miniature (made by older code), exam" in findings.results_table().index


def test_findings_are_written_between_their_marks(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- findings -->\nold\n<!-- end of findings -->\nafter\n")
    write_findings(page, "findings", "new")
    assert page.read_text() == "before\n<!-- findings -->\n\nnew\n<!-- end of findings -->\nafter\n"
    page.write_text("nothing")
    with pytest.raises(UserError, match=r"page\.md: no lines '<!-- findings -->'"):
        write_findings(page, "findings", "new")
    assert page.read_text() == "nothing" and isinstance(findings.results_table(), pd.DataFrame)
