import matplotlib
import numpy as np
import pandas as pd
import pytest

from advance_lib.analysis.claims import CLAIMS
from advance_lib.analysis.records import origin
from advance_lib.analysis.studies import ALPHAS, BETAS
from advance_lib.cache import write_json
from advance_lib.figures import studies
from advance_lib.figures.page import loss_colour
from advance_lib.transfer.presets import choices

matplotlib.use("Agg")


def claims(verdict, difference=1.0):
    """What a source found: the same verdict on every claim."""
    rows = [{"claim": claim.text, "where": claim.where, "base": claim.base, "other": claim.other} for claim in CLAIMS]
    found = {"difference": difference, "low": difference - 1, "high": difference + 1, "verdict": verdict}
    return pd.DataFrame(rows).assign(**found)


@pytest.fixture
def sources():
    return {"here": claims("supported"), "there": claims("undecided", -2.0)}


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr("advance_lib.analysis.records.RESULTS", tmp_path)
    return tmp_path


def test_a_missing_reference_is_said_not_raised(results):
    assert studies.kept("tables-nowhere") is None
    assert studies.provenance("tables-nowhere") == ("The reference runs “tables-nowhere” have not been computed yet.")


def test_a_kept_reference_tells_where_it_comes_from(results):
    record = {"what": "Tables", "data": "a set", "data_hash": "a" * 16, "profile": "mini", "seeds": [0, 1],
              "commit": "c" * 40, "environment": {"device": "a CPU", "torch": "2"},
              "minutes of training": 3.0}  # fmt: skip
    write_json(results / "tables-some.json", record)
    assert studies.kept("tables-some") == record
    assert studies.provenance("tables-some") == origin(record)


def test_every_field_has_its_text():
    notes = studies.field_notes()
    assert list(notes.index) == list(choices())
    assert notes.loc["n_fft", ["paper", "code"]].tolist() == ["1024", "4096"]
    assert notes.loc["relevance", "what it is, and where"].endswith("(event_to_event_corr.py:66,77).")


def test_the_verdicts_stand_side_by_side(sources, build):
    page = studies.verdict_table(sources, "claims").data
    assert page.count("✓ supported<br>+1.0<br>(0.0 to +2.0)") == len(CLAIMS)
    assert page.count("○ undecided<br>−2.0<br>(−3.0 to −1.0)") == len(CLAIMS)
    assert page.count('class="supported"') == len(CLAIMS)
    (table,) = (build / "site").glob("*-claims.csv")
    assert "<" not in table.read_text() and len(table.read_text().splitlines()) == len(CLAIMS) + 1


def test_a_source_may_lack_claims(sources, build):
    sources["less"] = claims("refuted").iloc[3:5]
    page = studies.verdict_table(sources, "claims").data
    assert page.count("✗ refuted") == 2 and page.count(">–</div>") == len(CLAIMS) - 2
    drawn = [line for axis in studies.claim_intervals(sources).axes[2::3] for line in axis.lines]
    assert sum(line.get_marker() == "x" for line in drawn) == 2


def test_every_claim_has_its_interval_in_every_column(sources):
    figure = studies.claim_intervals(sources)
    assert len(figure.axes) == 6  # three tables, two sources
    assert [axis.get_title() for axis in figure.axes[:2]] == ["here", "there"]
    drawn = [line for axis in figure.axes[1::2] for line in axis.lines if len(line.get_xdata()) == 2]
    intervals = [line for line in drawn if tuple(line.get_xdata()) == (-3.0, -1.0)]
    assert [line.get_color() for line in intervals] == [loss_colour(claim.other) for claim in CLAIMS]
    markers = [line for line in figure.axes[1].lines if line.get_marker() == "o"]
    assert markers and all(line.get_markerfacecolor() == "white" for line in markers)  # undecided


def test_effects_of_one_split():
    effects = pd.DataFrame(
        [
            {"field": field, "cell": cell, "split": split, "difference": value, "low": value - 1, "high": value + 1}
            for field, cell, value in (("relevance", "image+sound/E", 1.0), ("n_fft", "sound/Ls", -2.0))
            for split in ("test", "exam")
        ]
    )
    axis = studies.preset_effects(effects, "exam").axes[0]
    names = [label.get_text() for label in axis.get_yticklabels()]
    assert names == ["relevance   (image+sound, + L_E)", "n_fft   (sound, L_s)"]
    assert [line.get_xdata()[0] for line in axis.lines if line.get_marker() == "o"] == [1.0, -2.0]


def test_the_grid_as_a_map_and_as_curves():
    cells = [("E", a, b) for a in ALPHAS for b in BETAS]
    cells += [("KL|Na", a, 0.001) for a in ALPHAS] + [("none", 0.0, 0.0)]
    grid = pd.DataFrame(
        [
            {"transfer": t, "alpha": a, "beta": b, "seed": seed, "validation": 50 + 10 * a + b + seed}
            for t, a, b in cells
            for seed in (0, 2)
        ]
    )
    left, right = studies.weight_maps(grid).axes
    # Means: least α without β, both largest; the map has no α that was tried with one β alone.
    assert {text.get_text() for text in left.texts} >= {"51.1", "71.0"} and len(left.texts) == 3 * len(BETAS)
    assert np.allclose(left.patches[0].get_xy(), (1, 2))  # α = 0.1 is the second column, β = 0.001 third from above
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["L_s", "L_E", "L_KL|Na"]
    (alone,) = studies.weight_curves(grid).axes
    assert [text.get_text() for text in alone.get_legend().get_texts()] == ["L_s", "L_E", "L_KL|Na"]


def test_one_seed_has_no_spread():
    rows = [("E", alpha, beta, 0, 50.0) for alpha in ALPHAS for beta in BETAS]
    grid = pd.DataFrame(
        [*rows, ("none", 0.0, 0.0, 0, 49.0)], columns=["transfer", "alpha", "beta", "seed", "validation"]
    )
    assert len(studies.weight_maps(grid).axes) == 2


def test_a_mean_curve_ends_where_the_first_world_does():
    curves = {101: [10.0, 20.0, 30.0], 102: [20.0, 30.0]}
    rows = pd.DataFrame(
        [{"cell": "image/Ls", "learning_rate": 1.0, "epochs": 3, "validation": curve} for curve in curves.values()]
    )
    *worlds, mean = studies.schedule_curves(rows).axes[0].lines
    assert len(worlds) == 2 and list(mean.get_xdata()) == [1, 2, 3]
    assert mean.get_ydata()[:2].tolist() == [15.0, 25.0] and np.isnan(mean.get_ydata()[2])


def test_both_arithmetics_stand_seed_by_seed_with_their_means():
    scores = {"32-true": [50.0, 52.0], "bf16-mixed": [51.0, 55.0]}
    rows = pd.DataFrame(
        [
            {"cell": "image/Ls", "precision": name, "seed": seed, "exam": score}
            for name, found in scores.items()
            for seed, score in enumerate(found)
        ]
    )
    *seeds, mean = studies.arithmetic_dots(rows, "exam").axes[0].lines
    assert [line.get_ydata().tolist() for line in seeds] == [[50.0, 51.0], [52.0, 55.0]]
    assert list(mean.get_ydata()) == [51.0, 53.0]


def test_tables_of_differences_mark_what_is_certain():
    def row(base, other, difference, p):
        found = {"difference": difference, "low": difference - 1, "high": difference + 1, "p_holm": p}
        return {"base": base, "other": other, "f_other": 60.0, "alpha": 0.5} | found

    both = "image+sound/"
    rows = [row("image/Ls", f"{both}Ls", -4.0, 0.01), row("image/Ls", "late fusion", 0.5, 0.9)]
    rows += [row(f"{both}Ls", "late fusion", 4.5, 0.03), row("image/Ls", f"{both}only dropout", 1.0, 1.0)]
    table = studies.baseline_table(rows)
    assert list(table.index) == ["image + sound", "late fusion", "dropout"]
    assert table.loc["image + sound"].tolist() == ["60.0", "−4.0 (−5.0 to −3.0) *", "–"]
    assert table.loc["late fusion"].tolist() == ["60.0", "+0.5 (−0.5 to +1.5)", "+4.5 (+3.5 to +5.5) *"]
    readings = {"sum": {"exam": [row("", f"{both}E", 1.0, 0.9)]}, "α chosen": {"exam": [row("", f"{both}E", 2.0, 0.0)]}}
    assert studies.readings_table(readings, "exam").loc["L_E"].tolist() == [
        "+1.0 (0.0 to +2.0)",
        "+2.0 (+1.0 to +3.0) *, α = 0.5",
    ]


def test_the_rules_are_drawn_side_by_side():
    rows = pd.DataFrame(
        [
            {"rule": rule, "seeds": seeds, "by_seed": by_seed, "uneven": uneven, "gain": gain}
            | {"family": 0.02, "power": np.nan if gain == 0 else 0.7}
            for rule in ("a", "b", "c", "d")
            for seeds in (3, 5)
            for by_seed in (0.5, 1.5)
            for uneven in (1.0, 3.0)
            for gain in (0.0, 6.0)
        ]
    )
    above, _, below, _ = studies.error_rates(rows).axes
    assert [list(line.get_ydata()) for line in above.lines[:4]] == [[2, 2]] * 4  # percent, the even ones alone
    assert [list(line.get_ydata()) for line in below.lines] == [pytest.approx([70, 70])] * 4
