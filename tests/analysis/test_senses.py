import json

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from sklearn.metrics import f1_score

from advance_lib.analysis.senses import carried, contributions, decisions, scores_of_parts
from advance_lib.experiments.cells import Cell
from advance_lib.experiments.runs import Request, Run, finished, requests_for, runs_for
from advance_lib.experiments.settings import Settings


@pytest.mark.parametrize("cell", ["image+sound/Ls", "image/Ls"])
def test_seen_and_heard_add_up_to_the_decision(cell, tiny, quick):
    run = runs_for(Settings(str(tiny), quick, seeds=1, device="cpu"), cell)[0]
    seen, heard, bias = contributions(run, "test")
    assert softmax(seen + heard + bias, axis=1) == pytest.approx(run.answers("test").probabilities, abs=1e-5)
    if cell == "image/Ls":  # what a deaf network "hears" is a constant
        assert np.ptp(heard, axis=0) == pytest.approx(0, abs=1e-6)
    else:
        assert np.ptp(heard, axis=0).min() > 0


def test_each_part_is_scored_by_itself(tiny, quick):
    settings = Settings(str(tiny), quick, seeds=1, device="cpu")
    runs = finished(requests_for(settings, "image+sound/Ls", "image/Ls"), jobs=1)
    found = scores_of_parts(runs, "test").set_index("cell")
    for run in runs:  # together they are the run
        assert found.loc[run.cell, "both"] == pytest.approx(run.metrics["scores"]["test"]["fscore"], abs=0.01)
    deaf = found.loc["image/Ls"]  # what was heard is a constant: one scene for all, so the score of a constant guess
    truth = runs[1].predictions.query("split == 'test'")["scene"]
    constant = [100 * f1_score(truth, [scene] * len(truth), average="weighted") for scene in sorted(set(truth))]
    assert deaf["seen"] == deaf["both"] and any(deaf["heard"] == pytest.approx(score) for score in constant)


def test_what_an_event_carries_by_hand():
    """Two scenes; with the event the heard part is (3, 1), without it (0, 2): centred (1, -1) and (-1, 1)."""
    heard = np.array([[3.0, 1.0]] * 2 + [[0.0, 2.0]] * 4)
    responses = np.array([[0.9, 0.9]] * 2 + [[0.1, 0.1]] * 3 + [[0.1, 0.1]])
    responses[:, 1] = 0.9  # this event is always there, so nothing can be said about it
    found = carried(heard, responses, clips=2)
    assert found[0] == pytest.approx([2, -2]) and np.isnan(found[1]).all()


def test_rescued_and_misled(tmp_path):
    scenes, rows = ["ice", "wood"], {"base": [0.9, 0.2, 0.9, 0.2], "other": [0.8, 0.7, 0.3, 0.1]}
    runs = []
    for cell, (name, p) in zip(("image/Ls", "image+sound/Ls"), rows.items(), strict=True):
        for seed in (0, 1):
            folder = tmp_path / f"{name}{seed}"
            folder.mkdir()
            spread = np.array(p) + (0.05 if seed else -0.05)  # the mean over seeds is what counts
            table = pd.DataFrame({"id": list("abcd"), "scene": "ice", "location": list("abcd"), "split": "test"})
            table[[f"p({scene})" for scene in scenes]] = np.stack([spread, 1 - spread], axis=1)
            table.to_parquet(folder / "predictions.parquet")
            (folder / "config.json").write_text(json.dumps({"scenes": scenes}))
            runs.append(Run(Request(Settings(), Cell.named(cell), seed), folder))
    found = decisions(runs, "image/Ls", "image+sound/Ls", "test")
    assert list(found["outcome"]) == ["both right", "rescued", "misled", "both wrong"]
    assert found["gain"].to_numpy() == pytest.approx([-0.1, 0.5, -0.6, -0.1])
