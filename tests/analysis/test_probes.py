from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import f1_score

from advance_lib.analysis.probes import (
    APART,
    PARTS,
    UNTRAINED,
    of_approaches,
    on_random_splits,
    probe_scores,
    probed,
    represented,
)
from advance_lib.analysis.senses import contributions
from advance_lib.experiments.prepared import prepared
from advance_lib.experiments.runs import runs_for
from advance_lib.experiments.settings import Settings

BOTH = "image+sound/Ls"


@pytest.fixture
def settings(tiny, quick, monkeypatch):
    monkeypatch.setattr("advance_lib.experiments.runs.cores", lambda: 1)
    return Settings(str(tiny), quick, 2, "cpu")


def test_the_photographs_scenes_are_those_of_the_seen_part(settings):
    run = runs_for(settings, BOTH)[0]
    found, rows = represented(run, ("test",)), prepared(settings).data.rows()
    (seen, _, bias), (_, heard, _) = contributions(run, "test"), contributions(run, "train")
    assert found.scenes[rows["test"]] == pytest.approx(softmax(seen + heard.mean(0) + bias, axis=1), abs=1e-5)
    weights = run.open().network.scene_head.weight.detach().numpy()
    heard = found.heard[rows["train"]] @ weights[:, found.seen.shape[1] :].T
    assert heard == pytest.approx(contributions(run, "train")[1], abs=1e-4)


def test_networks_that_were_trained_apart_stand_side_by_side(settings):
    found = of_approaches(runs_for(settings, "image/Ls", "sound/Ls", BOTH), ("test",))
    assert list(found) == [UNTRAINED, APART, BOTH]
    for seed, seeing, hearing in zip(
        (0, 1), runs_for(settings, "image/Ls"), runs_for(settings, "sound/Ls"), strict=True
    ):
        assert np.array_equal(found[APART][seed].seen, represented(seeing, ("test",)).seen)
        assert np.array_equal(found[APART][seed].heard, represented(hearing, ("test",)).heard)
    assert APART not in of_approaches(runs_for(settings, BOTH), ("test",))


def test_probes_are_scored_part_by_part(settings):
    shared, tested = prepared(settings), ("test",)
    named = probed(of_approaches(runs_for(settings, BOTH), tested), shared, tested)
    assert list(named) == [(approach, part) for approach in (UNTRAINED, BOTH) for part in PARTS]
    table = probe_scores(named, shared, "test", resamples=50).set_index(["approach", "part"])
    truth = shared.inputs.targets[shared.data.rows()["test"]]
    for key, seeds in named.items():
        scores = [100 * f1_score(truth, one["test"], average="weighted", zero_division=0) for one in seeds]
        assert table.loc[key, "fscore"] == pytest.approx(np.mean(scores))
        change = table.loc[key, "fscore"] - table.loc[(UNTRAINED, key[1]), "fscore"]
        assert table.loc[key, "difference"] == pytest.approx(change)
    assert table.loc[UNTRAINED, "p_holm"].isna().all()


def test_a_probe_does_not_look_at_tested_scenes(settings, monkeypatch):
    shared, tested = prepared(settings), ("test",)
    found = of_approaches(runs_for(settings, BOTH), tested)
    before = probed(found, shared, tested)
    blank = shared.inputs.targets.copy()
    blank[shared.data.rows()["test"]] = 0
    monkeypatch.setitem(vars(shared), "inputs", replace(shared.inputs, targets=blank))
    after = probed(found, shared, tested)
    assert all(
        np.array_equal(a["test"], b["test"]) for key in before for a, b in zip(before[key], after[key], strict=True)
    )


def test_only_a_split_by_pair_tears_siblings_apart(settings):
    run = runs_for(settings, BOTH)[0]
    table = on_random_splits(run, 2).set_index(["by", "seed"])
    assert (
        len(table) == 4 and (table.loc["location", "siblings"] == 0).all() and (table.loc["pair", "siblings"] > 0).any()
    )
