import errno
import io

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


@pytest.fixture
def predict(trained, tmp_path, monkeypatch):
    """The command on a pair, in an empty working folder."""
    run, _, image, sound = trained
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    given = [str(image), str(sound), "--checkpoint", str(run.checkpoint), "--events", "3", "--device", "cpu"]
    return lambda *options: main(["predict", *given, *map(str, options)])


def refused(words, capsys):
    """The one line of a refusal, which stands after the answer."""
    told = capsys.readouterr()
    assert told.err.startswith("advance: ") and told.err.count("\n") == 1 and words in told.err
    return told.out


def test_predict_prints_scenes_and_events_and_writes_the_map_that_it_is_asked_for(predict, tmp_path, capsys):
    assert predict() == 0
    assert capsys.readouterr().out.count("%") == 3 + 3 and not list((tmp_path / "here").iterdir())
    assert predict("--map", "map.jpg") == 0
    assert "map.jpg" in capsys.readouterr().out and (tmp_path / "here/map.jpg").exists()


def test_a_map_replaces_nothing_unasked(predict, trained, tmp_path, capsys):
    mine = tmp_path / "here/map.jpg"
    mine.write_text("mine")
    assert predict("--map", mine) == 2
    refused("--replace", capsys)
    assert mine.read_text() == "mine"
    assert predict("--map", mine, "--replace") == 0
    with Image.open(mine) as picture:
        assert picture.format == "JPEG"


def test_a_map_never_replaces_what_it_was_made_from(predict, trained, tmp_path, capsys):
    run, _, image, sound = trained
    (tmp_path / "here/link.jpg").symlink_to(image)
    for path in (image, sound, run.checkpoint, "link.jpg"):
        before = (tmp_path / "here" / path).read_bytes()
        assert predict("--map", path, "--replace") == 2
        refused("another name", capsys)
        assert (tmp_path / "here" / path).read_bytes() == before


def test_the_answer_comes_before_what_cannot_be_written(predict, monkeypatch, capsys):
    def save(self, path, *_, **__):
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(Image.Image, "save", save)
    assert predict("--map", "map.jpg") == 2
    assert refused("map.jpg: Read-only file system; give another place", capsys).count("%") == 3 + 3


def test_the_answer_comes_before_events_that_cannot_be_had(predict, build, monkeypatch, capsys):
    def heard(*_):
        raise PermissionError(errno.EACCES, "Permission denied", str(build / "pretrained"))

    monkeypatch.setattr("advance_lib.analysis.one_pair.events_heard", heard)
    assert predict() == 2
    assert refused("ADVANCE_BUILD", capsys).count("%") == 3


def test_bars_in_an_encoding_without_blocks(predict, monkeypatch):
    output = io.TextIOWrapper(io.BytesIO(), "latin-1")
    monkeypatch.setattr("sys.stdout", output)
    assert predict() == 0
    told = output.buffer.getvalue().decode("latin-1")
    assert told.count("%") == 3 + 3 and "####" in told
