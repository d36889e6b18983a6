import numpy as np
import pytest
from PIL import Image

from advance_lib.analysis.one_pair import events_heard, open_pair, recognise, write_activation
from advance_lib.cache import UserError
from advance_lib.cli import main
from advance_lib.experiments.runs import finished


@pytest.fixture
def trained(request_of, tiny):
    """A finished run, and one of its pairs: row of the predictions, photograph, recording."""
    run = finished([request_of])[0]
    row = run.predictions.iloc[0]
    image, sound = (tiny / s / row["scene"] / f"{row['id']}.{e}" for s, e in (("vision", "jpg"), ("sound", "wav")))
    return run, row, image, sound


def test_a_checkpoint_alone_recognises(trained):
    run, row, image, sound = trained
    found = recognise(open_pair(run.checkpoint, image, sound))
    assert found.sum() == pytest.approx(1, abs=1e-5) and found.is_monotonic_decreasing
    for scene, probability in found.items():
        assert probability == pytest.approx(row[f"p({scene})"], abs=2e-3)  # the run saw half-precision log-mel


def test_the_events_are_those_that_the_teacher_heard_for_the_whole_dataset(trained):
    run, row, image, sound = trained
    found = events_heard(open_pair(run.checkpoint, image, sound), "cpu")
    known, pairs = run.request.shared.knowledge, run.request.shared.data.pairs
    index = pairs.index[(pairs["id"] == row["id"]) & (pairs["scene"] == row["scene"])][0]
    assert found[list(known.events)].to_numpy() == pytest.approx(known.soft_responses[index], abs=2e-3)
    assert found.is_monotonic_decreasing


def test_the_map_lies_over_the_photograph_in_its_own_size(trained, tmp_path):
    run, row, image, sound = trained
    path, pair = tmp_path / "map.png", open_pair(run.checkpoint, image, sound)
    write_activation(pair, row["scene"], path)
    with Image.open(path) as over, Image.open(image) as photograph:
        assert over.size == photograph.size and np.asarray(over).std() > 0
    with pytest.raises(UserError, match=r"name it \.jpg or \.png"):
        write_activation(pair, row["scene"], tmp_path / "map.what")
    assert sorted(p.name for p in tmp_path.glob("*map*")) == ["map.png"]


def test_predict_prints_scenes_and_events_and_writes_the_map(trained, tmp_path, monkeypatch, capsys):
    run, _, image, sound = trained
    monkeypatch.chdir(tmp_path)
    arguments = [
        "predict",
        str(image),
        str(sound),
        "--checkpoint",
        str(run.checkpoint),
        "--events",
        "3",
    ]
    assert main([*arguments, "--device", "cpu"]) == 0
    told = capsys.readouterr().out
    assert told.count("%") == 3 + 3 and f"{image.stem}-activation.jpg" in told
    assert (tmp_path / f"{image.stem}-activation.jpg").exists()
