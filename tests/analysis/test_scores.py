import json

import pandas as pd
import pytest

from advance_lib.analysis.scores import (
    beside_the_paper,
    cells_shown,
    mean_and_deviation,
    over_epochs,
    paper_table,
    scores,
)
from advance_lib.data.published import ADVANCE_COUNTS, advance_counts
from advance_lib.experiments.cells import CELLS, PAPER_SCORES, TABLES, Cell, paper_scores
from advance_lib.experiments.runs import Request, Run
from advance_lib.experiments.settings import Settings
from advance_lib.transfer.objectives import TRANSFERS
from advance_lib.transfer.presets import CODE

# Approaches of one's own, and the table beside whose cells each belongs.
OWN = {"image+sound/MINE": 1, "sound/MINE": 2, "image/MINE": 2, "image+sound/only MINE": 3}
PAPER = "the paper, on ADVANCE, 5 runs"


@pytest.fixture
def runs_of(tmp_path, monkeypatch):
    """A function that makes two runs of each cell with known scores: 4 n + seed for the n-th cell."""
    monkeypatch.setitem(TRANSFERS, "MINE", TRANSFERS["E"])

    def make(cells):
        found = []
        for index, cell in enumerate(cells):
            for seed in (0, 2):
                folder = tmp_path / f"{index}-{seed}"
                folder.mkdir()
                values = dict.fromkeys(("precision", "recall", "fscore"), 4.0 * index + seed)
                (folder / "metrics.json").write_text(json.dumps({"scores": {"test": values, "exam": values}}))
                found.append(Run(Request(Settings(), Cell.named(cell), seed), folder))
        return found

    return make


@pytest.fixture
def runs(runs_of):
    return runs_of(CELLS)


def test_mean_and_sample_deviation(runs):
    table = mean_and_deviation(runs, "test")
    assert table.loc["image/Ls", ("fscore", "mean")] == 5
    assert table.loc["image/Ls", ("fscore", "std")] == pytest.approx(2**0.5)  # of 4 and 6, n - 1
    assert len(scores(runs)) == 80


def test_a_preset_that_tests_several_epochs_has_its_deviation_over_them(tmp_path):
    """The official code's ±: over the epochs of one run, 1 and 2 apart; mean over the runs."""
    runs = []
    for seed, spread in enumerate((1, 2)):
        folder = tmp_path / str(seed)
        folder.mkdir()
        values = [dict.fromkeys(("precision", "recall", "fscore"), 50.0 + step * spread) for step in (-1, 0, 1)]
        by_epoch = [{"test": value} for value in values]
        (folder / "metrics.json").write_text(json.dumps({"scores": {"test": values[1]}, "by_epoch": by_epoch}))
        runs.append(Run(Request(Settings(preset=CODE), Cell.named("image/Ls"), seed), folder))
    table = mean_and_deviation(runs, "test")
    assert table.loc["image/Ls", ("fscore", "mean")] == 50
    assert table.loc["image/Ls", ("fscore", "std")] == pytest.approx(1.5)
    assert over_epochs(runs[1], "test") == pytest.approx(2)


def test_table_1_in_the_papers_layout(runs):
    table = paper_table(1, runs, "some data")
    assert list(table.columns) == [
        ("Sound", "L_s"), ("Image", "L_s"), ("Image + sound", "L_s"),
        *(("Image + sound", f"+ L_{name}") for name in ("SQ|Na", "KL|Na", "SQ|Nv+a", "KL|Nv+a", "E")),
    ]  # fmt: skip
    assert table.loc[("some data, test, 2 seeds", "F-score"), ("Image + sound", "L_s")] == "9.00 ± 1.41"
    assert table.loc[("the paper, on ADVANCE, 5 runs", "F-score"), ("Image + sound", "+ L_E")] == "74.58 ± 0.25"
    assert list(table.index.get_level_values(1)) == 3 * ["Precision", "Recall", "F-score"]
    assert [source.split(",")[0] for source in dict.fromkeys(table.index.get_level_values(0))] == [
        "some data", "some data", "the paper",
    ]  # fmt: skip


def test_table_2_has_a_block_of_rows_for_each_sense(runs):
    table = paper_table(2, runs, "some data")
    assert list(table.columns) == ["L_s †", "L_s", "+ L_SQ|Nv+a", "+ L_KL|Nv+a", "+ L_E"]
    assert list(dict.fromkeys(table.index.get_level_values(1))) == ["Sound", "Image"]
    source = "the paper, on ADVANCE, 5 runs"
    assert table.loc[(source, "Image", "Recall"), "L_s †"] == "64.59 ± 1.12"
    assert table.loc[(source, "Sound", "F-score"), "+ L_E"] == "29.66 ± 0.13"


def test_table_3_in_the_papers_layout(runs):
    table = paper_table(3, runs, "some data")
    assert list(table.columns) == ["L_E1", "L_E1 + βL_E2", "L_KL|Nv+a", "L_SQ|Nv+a"]
    assert table.loc[("the paper, on ADVANCE, 5 runs", "F-score"), "L_E1 + βL_E2"] == "48.65 ± 0.85"


@pytest.mark.parametrize(("cell", "number"), OWN.items())
def test_an_approach_of_ones_own_stands_beside_the_papers(cell, number, runs_of):
    runs = runs_of([*CELLS, *OWN])
    for table in TABLES:
        assert (cell in cells_shown(table, [*CELLS, *OWN])) == (table == number)
    table, usual = paper_table(number, runs, "some data"), paper_table(number, runs[: 2 * len(CELLS)], "some data")
    pd.testing.assert_frame_equal(table[usual.columns], usual)  # what the paper has is as it was
    (own,) = table.columns.difference(usual.columns)
    assert "MINE" in "".join(own) and table.loc["some data, test, 2 seeds", own].notna().all()
    assert table.loc[PAPER, own].isna().all()


def test_an_approach_of_ones_own_is_tabulated_alone(runs_of):
    table = paper_table(1, runs_of(["image+sound/MINE"]), "some data")
    assert list(table.columns) == [("Image + sound", "+ L_MINE")] and len(table) == 6


def test_sources_need_not_have_the_same_cells(runs_of):
    both = mean_and_deviation(runs_of(["image+sound/Ls", "image+sound/MINE"]), "test")
    table = beside_the_paper(1, {"here": both.iloc[:1], "there": both})
    own = ("Image + sound", "+ L_MINE")
    assert table.loc["here", own].isna().all() and table.loc["there", own].notna().all()


def test_one_seed_has_no_deviation(runs):
    table = paper_table(1, [run for run in runs if run.seed == 0], "some data")
    assert table.loc[("some data, test, 1 seed", "Recall"), ("Image", "L_s")] == "4.00"


def test_published_figures_add_up():
    """5,075 pairs at 2,696 locations (section 3), twenty cells in tables 1 to 3."""
    counts = advance_counts()
    assert counts["pairs"].sum() == 5075 and counts["locations"].sum() == 2696 and len(counts) == 13
    assert len(PAPER_SCORES) == 20 and paper_scores("image+sound/E")["fscore"] == (74.58, 0.25)
    assert all(locations <= pairs for pairs, locations in ADVANCE_COUNTS.values())


def test_counts_equal_the_published_file(shared):
    published = pd.read_csv(shared / "advance" / "class_statistics.csv", index_col="scene")
    assert advance_counts().equals(published[["pairs", "locations"]])
