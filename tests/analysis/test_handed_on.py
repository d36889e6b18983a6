import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from advance_lib.analysis import handed_on
from advance_lib.analysis.handed_on import export, inputs, open_run, probabilities, run_folder
from advance_lib.analysis.model_card import scores_of
from advance_lib.analysis.one_pair import events_heard, open_pair, recognise
from advance_lib.cache import UserError
from advance_lib.cli import main
from advance_lib.experiments.cells import Cell
from advance_lib.experiments.runs import Request, finished

ROOT = Path(__file__).parents[2]
TOLERANCE = 1e-4


@pytest.fixture
def trained(request_of):
    return finished([request_of])[0]


@pytest.fixture
def pairs(trained):
    """Ten of the dataset's pairs: photograph and recording."""
    return trained.request.shared.data.catalogue[["image", "sound"]].head(10).to_numpy()


def test_probabilities_are_those_of_the_library(trained, pairs):
    network, about = open_run(trained.folder)
    for image, sound in pairs[:3]:
        scenes, events = probabilities(network, about, *inputs(about, image, sound))
        pair = open_pair(trained.checkpoint, image, sound)
        for found, expected in ((scenes, recognise(pair)), (events, events_heard(pair, "cpu"))):
            assert found[expected.index].to_numpy() == pytest.approx(expected.to_numpy(), abs=TOLERANCE)
            assert found.is_monotonic_decreasing


@pytest.mark.parametrize("name", ["image+sound/Ls", "image+sound/KL|Nv+a", "sound/SQ|Na"])
def test_exported_networks_say_what_pytorch_says(request_of, pairs, tmp_path, name):
    onnxruntime = pytest.importorskip("onnxruntime")
    run = finished([Request(request_of.settings, Cell.named(name), 0)])[0]
    export(run.folder.name, tmp_path / "mine", onnx=True)
    network, about = open_run(run.folder)
    assert len(about["events"]) == len(network(*inputs(about, *pairs[0]))[1])
    session = onnxruntime.InferenceSession(tmp_path / "mine" / "model.onnx")
    alone = torch.export.load(tmp_path / "mine" / "model.pt2").module()
    for pair in pairs:
        samples, photograph = inputs(about, *pair)
        with torch.inference_mode():
            expected = np.concatenate(network(samples, photograph))
        by_onnx = session.run(None, {"samples": samples.numpy(), "photograph": photograph.numpy()})
        by_torch = [values.detach().numpy() for values in alone(samples, photograph)]
        for found in (by_onnx, by_torch):
            assert np.concatenate(found) == pytest.approx(expected, abs=TOLERANCE)
    kept = session.get_modelmeta().custom_metadata_map
    assert {key: json.loads(value) for key, value in kept.items()} == about


def test_the_archive_needs_only_pytorch_and_tells_nothing_of_this_machine(trained, tmp_path):
    export(trained.folder, tmp_path / "mine", onnx=True)
    code = (
        "import sys\n"
        "for name in ('advance_lib', 'torchvision', 'torchaudio', 'safetensors'): sys.modules[name] = None\n"
        "import torch\n"
        "files = {'about.json': ''}\n"
        "network = torch.export.load('model.pt2', extra_files=files).module()\n"
        "scenes, events = network(torch.zeros(160_000), torch.zeros(32, 32, 3, dtype=torch.uint8))\n"
        "print(len(scenes), round(float(scenes.sum().detach()), 4), files['about.json'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path / "mine", capture_output=True, text=True)
    count, total, about = done.stdout.split(maxsplit=2)
    assert (int(count), float(total)) == (3, 1) and json.loads(about) == open_run(trained.folder)[1]
    for name in ("model.pt2", "model.onnx"):
        assert str(ROOT).encode() not in (tmp_path / "mine" / name).read_bytes()


def test_the_model_card_has_the_scores_of_the_run(trained, tmp_path):
    export(trained.folder, tmp_path / "mine")
    card = (tmp_path / "mine" / "README.md").read_text()
    for split, (pairs, locations, found) in scores_of(trained.folder).items():
        table = trained.predictions.query("split == @split")
        assert (pairs, locations) == (len(table), table["location"].nunique())
        assert found.difference == pytest.approx(trained.metrics["scores"][split]["fscore"])
        assert found.low <= found.difference <= found.high
        assert f"| {split} | {pairs} | {locations} | {found.difference:.1f} |" in card
    assert all(scene in card for scene in trained.config["scenes"])
    assert not (tmp_path / "mine" / "model.onnx").exists() and "onnx" not in card


def test_predict_takes_the_folder_as_it_takes_the_checkpoint(trained, pairs, tmp_path, capsys):
    export(trained.folder, tmp_path / "mine")
    told = []
    for checkpoint in (trained.checkpoint, tmp_path / "mine", tmp_path / "mine" / "model.safetensors"):
        assert main(["predict", *pairs[0], "--checkpoint", str(checkpoint), "--device", "cpu"]) == 0
        told.append(capsys.readouterr().out)
    assert told[0] and told[1:] == told[:1] * 2


def test_a_folder_appears_whole_or_not_at_all_and_replaces_nothing(trained, tmp_path, monkeypatch, capsys):
    mine = tmp_path / "there" / "mine"
    mine.mkdir(parents=True)
    assert main(["export", trained.folder.name, str(mine)]) == 0  # empty, so nothing is lost
    before = {path.name: path.read_bytes() for path in mine.iterdir()}
    assert len(before) == capsys.readouterr().out.count("\n") == 4
    assert main(["export", trained.folder.name, str(mine)]) == 2
    assert "give another name" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in mine.iterdir()} == before

    def fails(*_):
        raise OSError("planted")

    monkeypatch.setattr(handed_on, "model_card", fails)
    with pytest.raises(OSError, match="planted"):
        export(trained.folder, tmp_path / "there" / "other")
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["mine"]


def test_what_is_no_run_is_refused(build, tmp_path):
    with pytest.raises(UserError, match="nothing-there: no such run"):
        run_folder("nothing-there")
    (build / "runs" / "half").mkdir(parents=True)
    with pytest.raises(UserError, match=r"half: not a finished run, for it has no model\.safetensors"):
        run_folder("half")


def test_without_its_packages_onnx_is_refused(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(handed_on, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"\.\[export\]"):
        export(trained.folder, tmp_path / "mine", onnx=True)
    assert not (tmp_path / "mine").exists()
