import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from advance_lib.analysis.claims import (
    BOTH,
    CHANCE,
    CLAIMS,
    LOOKED_UP,
    Claim,
    class_gains,
    compare,
    compare_means,
    confusions,
    judged,
    of_table,
    reliability_errors,
    verdict,
)
from advance_lib.analysis.statistics import holm
from advance_lib.experiments.cells import CELLS, PAPER_SCORES, TABLES, Cell
from advance_lib.experiments.runs import Request, Run
from advance_lib.experiments.settings import Settings
from advance_lib.transfer.objectives import TRANSFERS

SCENES = ["desert", "ice", "wood"]
TRUTH = np.repeat(SCENES, [30, 20, 10])
LOCATIONS = [f"{number // 2:03d}" for number in range(60)]  # two pairs a location


def run_with(folder, cell, seed, share, split="test"):
    """A run whose predictions are right for a share of the samples."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(seed + 17 * len(str(folder)))
    right = np.arange(60) % 10 < round(10 * share)
    guessed = np.where(right, TRUTH, np.array(SCENES)[generator.integers(0, 3, 60)])
    probabilities = np.array([[0.8 if scene == guess else 0.1 for scene in SCENES] for guess in guessed])
    table = pd.DataFrame({"scene": TRUTH, "location": LOCATIONS, "split": split})
    table[[f"p({scene})" for scene in SCENES]] = probabilities
    table.to_parquet(folder / "predictions.parquet")
    fscore = 100 * f1_score(TRUTH, guessed, average="weighted")
    (folder / "metrics.json").write_text(json.dumps({"scores": {split: {"fscore": fscore}}}))
    (folder / "config.json").write_text(json.dumps({"scenes": SCENES}))
    return Run(Request(Settings(), Cell.named(cell), seed), folder)


@pytest.fixture
def runs(tmp_path):
    """Four seeds of two cells, the second right more often."""
    shares = {"image/Ls": 0.2, f"{BOTH}Ls": 0.9}
    return [
        run_with(tmp_path / str(index) / str(seed), cell, seed, share)
        for index, (cell, share) in enumerate(shares.items())
        for seed in range(4)
    ]


def found(difference=2.0, p=0.01, p_margin=0.9):
    return pd.Series({"difference": difference, "p_holm": p, "p_margin_holm": p_margin}, dtype=float)


HELPS = Claim("it helps", "nowhere", "a", "b")
NO_BETTER = Claim("it is no better", "nowhere", "a", "b", helps=False)


@pytest.mark.parametrize(
    ("row", "helps", "no_better"),
    [
        (found(), "supported", "refuted"),
        (found(p=0.05), "undecided", "undecided"),
        (found(p=np.nan), "undecided", "undecided"),
        (found(-2.0, p_margin=0.001), "refuted", "supported"),
        (found(-2.0, 0.4, 0.001), "undecided", "supported"),  # no gain of a point, whoever may have lost
        (found(0.1, 0.8, 0.04), "undecided", "supported"),
        (found(0.1, 0.8, 0.05), "undecided", "undecided"),
        (found(0.4, 0.01, 0.001), "supported", "refuted"),  # a gain within the margin is a gain, if it is certain
    ],
)
def test_verdicts(row, helps, no_better):
    assert (verdict(HELPS, row), verdict(NO_BETTER, row)) == (helps, no_better)


def test_every_claim_is_about_cells_of_its_table():
    for claim in CLAIMS:
        assert {claim.base, claim.other} <= {*CELLS, CHANCE}
        assert claim.other in TABLES[int(claim.where.removeprefix("Table "))]
    assert len({claim.text for claim in CLAIMS}) == len(CLAIMS)
    assert {cell for claim in CLAIMS for cell in (claim.base, claim.other)} == {*PAPER_SCORES, CHANCE}


@pytest.fixture
def every(tmp_path):
    """Two seeds of every cell, each right a little more often than the one before."""
    return [
        run_with(tmp_path / f"{index}" / str(seed), cell, seed, 0.2 + 0.03 * index)
        for index, cell in enumerate(CELLS)
        for seed in (0, 1)
    ]


@pytest.mark.parametrize(
    ("number", "own", "base"),
    [(1, f"{BOTH}MINE", f"{BOTH}Ls"), (2, "sound/MINE", "sound/Ls"), (3, f"{BOTH}only MINE", CHANCE)],
)
def test_an_approach_of_ones_own_is_compared_with_its_baseline(number, own, base, every, tmp_path, monkeypatch):
    monkeypatch.setitem(TRANSFERS, "MINE", TRANSFERS["E"])
    mine = [run_with(tmp_path / f"mine{seed}", own, seed, 0.9) for seed in (0, 1)]
    table, plain = of_table(number, [*every, *mine], "test", 50), of_table(number, every, "test", 50)
    assert table.iloc[-1][["base", "other"]].tolist() == [base, own] and pd.isna(table.iloc[-1]["claim"])
    pd.testing.assert_frame_equal(table.iloc[:-1][list(plain)], plain)  # nobody's verdict hangs on it
    for other in {1, 2, 3} - {number}:
        assert own not in set(of_table(other, [*every, *mine], "test", 50)["other"])
    pd.testing.assert_frame_equal(judged([*every, *mine], "test", 50), judged(every, "test", 50))


def test_a_difference_has_one_verdict_in_its_table_and_among_the_claims(every):
    claims = judged(every, "test", 50).set_index("claim")
    for number in (1, 2, 3):
        table = of_table(number, every, "test", 50).set_index("claim")
        assert list(table.index) == [claim.text for claim in CLAIMS if claim.where == f"Table {number}"]
        pd.testing.assert_frame_equal(table, claims.loc[table.index])


def test_all_questions_are_one_family(every):
    table = judged(every, "test", 50)
    asked = table["p_margin"].notna()
    assert asked.tolist() == [not claim.helps for claim in CLAIMS]
    corrected = holm(np.concatenate([table["p"], table["p_margin"][asked]]))
    assert table["p_holm"].tolist() == pytest.approx(corrected[: len(table)])
    assert table["p_margin_holm"][asked].tolist() == pytest.approx(corrected[len(table) :])


def test_only_what_was_run_is_judged(runs):
    assert judged(runs, "test", 50)["other"].tolist() == [f"{BOTH}Ls"]
    assert of_table(1, runs, "test", 50)["base"].tolist() == ["image/Ls"] and of_table(2, runs, "test", 50).empty
    assert judged(runs[:4], "test", 50).empty


def test_a_look_up_is_compared_like_a_network(runs):
    codes = pd.Categorical(TRUTH, SCENES).codes.astype(int)
    (row,) = compare(runs, [(LOOKED_UP, f"{BOTH}Ls")], "test", 50, looked_up=codes).to_dict("records")
    assert row["f_base"] == pytest.approx(100) and row["difference"] < 0


def test_answers_and_confusions(runs):
    truth, probabilities, locations, scenes = runs[0].answers("test")
    assert [scenes[code] for code in truth] == list(TRUTH) and list(locations) == LOCATIONS
    counts = confusions(runs[:4], "test")
    assert counts.shape == (4, 30, 3, 3) and (counts.sum(axis=(1, 2, 3)) == 60).all()
    assert (counts.sum(axis=(0, 1, 3)) == [120, 80, 40]).all()
    assert np.trace(counts[0].sum(axis=0)) == (truth == probabilities.argmax(1)).sum()


def test_the_seeds_are_ordered(runs):
    assert np.array_equal(confusions(runs[3::-1], "test"), confusions(runs[:4], "test"))


def test_chance_is_always_the_most_frequent_scene(runs):
    (row,) = compare(runs, [(CHANCE, "image/Ls")], "test", 50).to_dict("records")
    guess = ["desert"] * 60
    assert row["f_base"] == pytest.approx(100 * f1_score(TRUTH, guess, average="weighted"))
    guessed = confusions(runs[:4], "test", guess=np.zeros(60, int))
    assert (guessed[..., 1:] == 0).all() and (guessed.sum(axis=1)[:, :, 0] == [30, 20, 10]).all()


def test_a_comparison_is_the_difference_of_the_scores(runs):
    table = compare(runs, [("image/Ls", f"{BOTH}Ls")], "test", 200)
    scores = [np.mean([run.metrics["scores"]["test"]["fscore"] for run in some]) for some in (runs[:4], runs[4:])]
    row = table.iloc[0]
    assert [row["f_base"], row["f_other"]] == pytest.approx(scores)
    assert row["difference"] == pytest.approx(scores[1] - scores[0])
    assert row["low"] < row["difference"] < row["high"] and row["p"] < 0.01


def test_the_p_values_are_corrected_for_the_number_of_pairs(runs):
    pairs = [("image/Ls", f"{BOTH}Ls"), (CHANCE, "image/Ls"), (CHANCE, f"{BOTH}Ls")]
    table = compare(runs, pairs, "test", 200)
    assert table["p_holm"].tolist() == holm(table["p"].to_numpy()).tolist()
    smallest = table["p"].idxmin()
    assert table["p_holm"][smallest] == pytest.approx(3 * table["p"][smallest])


def test_every_claim_is_judged(every):
    table = judged(every, "test", 100)
    assert list(table["claim"]) == [claim.text for claim in CLAIMS]
    assert set(table["verdict"]) <= {"supported", "refuted", "undecided"}
    for claim, (_, row) in zip(CLAIMS, table.iterrows(), strict=True):
        assert (row["base"], row["other"]) == (claim.base, claim.other) and row["verdict"] == verdict(claim, row)


def test_gains_by_scene(runs):
    gains = class_gains(runs, "image/Ls", f"{BOTH}Ls", "test", SCENES)

    def by_hand(some, scene):
        tables = [run.predictions for run in some]
        guesses = [np.array(SCENES)[table.filter(like="p(").to_numpy().argmax(1)] for table in tables]
        return np.mean([100 * f1_score(scene == TRUTH, guess == scene) for guess in guesses])

    for scene in SCENES:
        assert gains[scene] == pytest.approx(by_hand(runs[4:], scene) - by_hand(runs[:4], scene))


def test_reliability_of_each_cell(runs):
    errors = reliability_errors(runs, "test")
    assert list(errors.index) == ["image/Ls", f"{BOTH}Ls"]
    answers = [run.answers("test") for run in runs]
    accuracy = [np.mean(found.truth == found.probabilities.argmax(1)) for found in answers]
    gaps = [100 * abs(0.8 - value) for value in accuracy]  # every prediction has the confidence 0.8: one bin
    assert errors.tolist() == pytest.approx([np.mean(gaps[:4]), np.mean(gaps[4:])])


def test_means_of_samples_are_compared_sample_by_sample():
    rows = [
        {"cell": cell, "seed": seed, "location": str(sample // 2), "sample": sample, "hit": shift + sample + seed}
        for cell, shift in (("image/Ls", 0.0), ("image+sound/Ls", 5.0))
        for seed in (0, 2)
        for sample in range(8)
    ]
    table = compare_means(pd.DataFrame(rows), ["hit"], "image/Ls", resamples=200).set_index("cell")
    assert table["mean"].to_dict() == {"image/Ls": 4.5, "image+sound/Ls": 9.5}
    other = table.loc["image+sound/Ls"]
    assert (other["difference"], other["low"], other["high"]) == (5, 5, 5)  # the same for every sample
    assert other["mean_low"] < 9.5 < other["mean_high"] and other["deviation"] == pytest.approx(2**0.5)
    assert table.loc["image/Ls", "p"] == 1 and np.isnan(table.loc["image/Ls", "p_holm"])
    assert other["p_holm"] == other["p"] == 0
