import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from advance_lib.analysis.claims import (
    BOTH,
    CHANCE,
    CLAIMS,
    COMPARISONS,
    Claim,
    class_gains,
    compare,
    compare_means,
    comparisons,
    confusions,
    judged,
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


def found(difference=2.0, high=3.0, p_locations=0.01, p_seeds=0.01):
    return pd.Series(
        {"difference": difference, "high": high, "p_locations_holm": p_locations, "p_seeds": p_seeds}, dtype=float
    )


HELPS = Claim("it helps", "nowhere", "a", "b")
DOES_NOT = Claim("it does not help", "nowhere", "a", "b", helps=False)


@pytest.mark.parametrize(
    ("row", "helps", "does_not"),
    [
        (found(), "supported", "refuted"),
        (found(p_seeds=np.nan), "supported", "refuted"),  # one seed: the locations decide alone
        (found(p_locations=0.05), "undecided", "undecided"),
        (found(p_seeds=0.05), "undecided", "undecided"),
        (found(-2.0, -1.0), "refuted", "supported"),
        (found(-2.0, -1.0, p_seeds=np.nan), "refuted", "supported"),
        (found(-2.0, -1.0, p_seeds=0.4), "undecided", "supported"),  # no gain of a point, whoever may have lost
        (found(0.1, 0.9, 0.8, 0.8), "undecided", "supported"),
        (found(0.1, 1.0, 0.8, 0.8), "undecided", "undecided"),
        (found(0.4, 0.8), "supported", "refuted"),  # a gain within the margin is a gain, if it is certain
        (found(0.0, 0.0, 1.0, 1.0), "undecided", "supported"),
    ],
)
def test_verdicts(row, helps, does_not):
    assert (verdict(HELPS, row), verdict(DOES_NOT, row)) == (helps, does_not)


def test_claims_and_comparisons_are_about_cells_of_the_tables():
    for number, pairs in COMPARISONS.items():
        assert {cell for pair in pairs for cell in pair} <= {*TABLES[number], CHANCE}
    for claim in CLAIMS:
        assert {claim.base, claim.other} <= {*CELLS, CHANCE}
        assert claim.other in TABLES[int(claim.where.removeprefix("Table "))]
    assert len({claim.text for claim in CLAIMS}) == len(CLAIMS)


def test_every_claim_is_about_cells_of_the_paper():
    assert {cell for claim in CLAIMS for cell in (claim.base, claim.other)} == {*PAPER_SCORES, CHANCE}
    assert {cell for pairs in COMPARISONS.values() for pair in pairs for cell in pair} <= {*PAPER_SCORES, CHANCE}


@pytest.mark.parametrize(
    ("number", "own", "base"),
    [(1, f"{BOTH}MINE", f"{BOTH}Ls"), (2, "sound/MINE", "sound/Ls"), (3, f"{BOTH}only MINE", CHANCE)],
)
def test_an_approach_of_ones_own_is_compared_with_its_baseline(number, own, base, tmp_path, monkeypatch):
    monkeypatch.setitem(TRANSFERS, "MINE", TRANSFERS["E"])
    runs = [run_with(tmp_path / str(i), cell, 0, 0.5) for i, cell in enumerate([*CELLS, own])]
    assert comparisons(number, runs[:-1]) == list(COMPARISONS[number])
    assert comparisons(number, runs) == [*COMPARISONS[number], (base, own)]
    assert all(own not in pair for other in COMPARISONS if other != number for pair in comparisons(other, runs))
    table = compare(runs, comparisons(number, runs), "test", 20)
    assert table.iloc[-1][["base", "other"]].tolist() == [base, own]
    pd.testing.assert_frame_equal(judged(runs, "test", 20), judged(runs[:-1], "test", 20))


def test_only_what_was_run_is_compared(runs):
    assert comparisons(1, runs) == [("image/Ls", f"{BOTH}Ls")] and comparisons(2, runs) == []


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
    guessed = confusions(runs[:4], "test", guess=True)
    assert (guessed[..., 1:] == 0).all() and (guessed.sum(axis=1)[:, :, 0] == [30, 20, 10]).all()


def test_a_comparison_is_the_difference_of_the_scores(runs):
    table = compare(runs, [("image/Ls", f"{BOTH}Ls")], "test", 200)
    scores = [np.mean([run.metrics["scores"]["test"]["fscore"] for run in some]) for some in (runs[:4], runs[4:])]
    row = table.iloc[0]
    assert [row["f_base"], row["f_other"]] == pytest.approx(scores)
    assert row["difference"] == pytest.approx(scores[1] - scores[0])
    assert row["low"] < row["difference"] < row["high"] and row["p_seeds"] < 0.01


def test_the_p_values_are_corrected_for_the_number_of_pairs(runs):
    pairs = [("image/Ls", f"{BOTH}Ls"), (CHANCE, "image/Ls"), (CHANCE, f"{BOTH}Ls")]
    table = compare(runs, pairs, "test", 200)
    for name in ("p_locations", "p_seeds"):
        assert table[f"{name}_holm"].tolist() == holm(table[name].to_numpy()).tolist()
    smallest = table["p_seeds"].idxmin()
    assert table["p_seeds_holm"][smallest] == pytest.approx(3 * table["p_seeds"][smallest])


def test_every_claim_is_judged(tmp_path):
    shares = {cell: 0.2 + 0.03 * index for index, cell in enumerate(CELLS)}
    every = [
        run_with(tmp_path / f"{index}" / str(seed), cell, seed, share)
        for index, (cell, share) in enumerate(shares.items())
        for seed in (0, 1)
    ]
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
    table = compare_means(pd.DataFrame(rows), "hit", "image/Ls", resamples=200).set_index("cell")
    assert table["mean"].to_dict() == {"image/Ls": 4.5, "image+sound/Ls": 9.5}
    other = table.loc["image+sound/Ls"]
    assert (other["difference"], other["low"], other["high"]) == (5, 5, 5)  # the same for every sample
    assert other["mean_low"] < 9.5 < other["mean_high"] and other["deviation"] == pytest.approx(2**0.5)
    assert table.loc["image/Ls", "p"] == 1
