from dataclasses import replace

import numpy as np
import pytest

from advance_lib.cache import UserError
from advance_lib.data.splits import Split
from advance_lib.experiments import profiles, runs
from advance_lib.experiments.runs import Request, finished, load_checkpoint, recipe_in
from advance_lib.experiments.settings import parse_seeds
from advance_lib.experiments.sources import Networks
from advance_lib.transfer.presets import PAPER


def test_a_run_leaves_everything_and_is_found_again(request_of, monkeypatch):
    run = finished([request_of], "cpu")[0]
    assert {path.name for path in run.folder.iterdir()} == {
        "config.json", "metrics.json", "predictions.parquet", "model.safetensors",
    }  # fmt: skip
    assert run.config["request"]["cell"] == "image+sound/Ls" and run.config["environment"]["device"].startswith("CPU")
    table = run.predictions
    assert set(table["split"]) == {"validation", "test"}
    probabilities = table.filter(like="p(").to_numpy()
    assert np.allclose(probabilities.sum(1), 1, atol=1e-5)
    guessed = np.array(run.config["scenes"])[probabilities.argmax(1)]
    test = (table["split"] == "test").to_numpy()
    accuracy = 100 * (guessed == table["scene"])[test].mean()
    assert run.metrics["scores"]["test"]["recall"] == pytest.approx(accuracy)
    monkeypatch.setattr(runs, "_train", lambda *_: pytest.fail("trained again"))
    assert finished([request_of], "cpu")[0].folder == run.folder


def test_the_code_reports_the_mean_over_the_epochs_after_the_best(tiny, quick, monkeypatch):
    monkeypatch.setitem(profiles.PROFILES, quick, replace(profiles.PROFILES[quick], epochs=4))
    paper = Request("sound/Ls†", 0, str(tiny), quick)
    code = replace(paper, preset=replace(PAPER, tested="best and five after"))
    once, averaged = (run.metrics for run in finished([paper, code], "cpu", jobs=1))
    assert once["epoch"] == averaged["epoch"] and len(once["by_epoch"]) == 1
    assert len(averaged["by_epoch"]) == 4 - averaged["epoch"]
    assert averaged["by_epoch"][0] == once["by_epoch"][0]  # the best epoch comes first
    for split in ("validation", "test"):
        assert once["scores"][split] == once["by_epoch"][0][split]
        mean = np.mean([epoch[split]["fscore"] for epoch in averaged["by_epoch"]])
        assert averaged["scores"][split]["fscore"] == pytest.approx(mean)


def test_a_run_that_transfers_knows_its_events(tiny, quick):
    run = finished([Request("image+sound/KL|Nv+a", 0, str(tiny), quick)], "cpu")[0]
    model, _, config = load_checkpoint(run.folder / "model.safetensors")
    assert len(config["events"]) == model.event_head.out_features == model.audio.fc.out_features
    assert recipe_in(config) == run.request.recipe


def test_an_end_at_any_moment_can_be_made_good(request_of, monkeypatch):
    """Stopped after the training, at each of the files that a run leaves, the next call ends with the same run."""
    whole = finished([request_of], "cpu")[0].metrics["scores"]
    for stopped_at in ("write_json", "_save_checkpoint", "remove"):
        monkeypatch.setattr(runs, "CODE_OF_A_RUN", f"another key, to train again: {stopped_at}")
        function = getattr(runs, stopped_at)

        def stop(*arguments, function=function):
            function(*arguments)
            raise KeyboardInterrupt

        monkeypatch.setattr(runs, stopped_at, stop)
        with pytest.raises(KeyboardInterrupt):
            finished([request_of], "cpu")
        monkeypatch.setattr(runs, stopped_at, function)
        assert finished([request_of], "cpu")[0].metrics["scores"] == whole


def test_what_changes_the_key(request_of, tiny, monkeypatch):
    networks = Networks()
    key = runs._key(request_of, networks, "cpu")
    assert key == runs._key(request_of, networks, "cpu")
    others = [
        replace(request_of, seed=1),
        replace(request_of, cell="image/Ls"),
        replace(request_of, split=Split(seed=1)),
        replace(request_of, split=Split("pair")),
    ]
    keys = {runs._key(other, networks, "cpu") for other in others}
    monkeypatch.setattr(runs, "code_digest", lambda module: f"edited {module}")
    keys.add(runs._key(request_of, networks, "cpu"))
    assert len(keys | {key}) == len(others) + 2


def test_a_changed_file_changes_the_key(request_of, tiny):
    from advance_lib.data.dataset import open_dataset
    from tests.pairs import write_pair

    before = runs._key(request_of, Networks(), "cpu")
    write_pair(tiny, "ice", "01000", colour=(0, 0, 0))
    open_dataset.cache_clear()
    assert runs._key(request_of, Networks(), "cpu") != before


def test_what_is_no_checkpoint_is_named(tmp_path):
    (tmp_path / "model.safetensors").write_text("no tensors")
    with pytest.raises(UserError, match=r"model\.safetensors: not a checkpoint"):
        load_checkpoint(tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    ("given", "meant"), [(None, (0, 1)), (3, (0, 1, 2)), ("2", (0, 1)), ("4,7", (4, 7)), ([5], (5,))]
)
def test_seeds(given, meant):
    assert parse_seeds(given, profiles.PROFILES["smoke"]) == meant


@pytest.mark.parametrize("given", ["many", "0", [], "1,x"])
def test_bad_seeds(given):
    with pytest.raises(UserError, match="seeds"):
        parse_seeds(given, profiles.PROFILES["smoke"])
