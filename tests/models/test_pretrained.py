"""The authors' checkpoints, written here in their layout, and torchvision's weights without a connection."""

import os
import re
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import load_file
from torch import nn
from torchvision.models import WeightsEnum

from advance_lib.cache import UserError
from advance_lib.data.catalogue import read_catalogue
from advance_lib.models.audioset import event_names
from advance_lib.models.audiovisual import BACKBONES
from advance_lib.models.pretrained import (
    FRONT_END,
    Spectrograms,
    imagenet_visual,
    official_audio,
    official_visual,
    read_official,
)
from advance_lib.training.schedule import Schedule
from advance_lib.transfer.recogniser import Recipe, build

SMALL = "narrow audio"  # for what does not depend on the size; a ResNet-101 takes seconds to write and to read


@pytest.fixture(scope="session")
def originals():
    """Both networks as torchvision has them, with the authors' stem and outputs, and batch norms that saw data."""
    torch.manual_seed(0)
    networks = {
        "resnet50 audio": torchvision.models.resnet50(num_classes=527),
        "resnet101": torchvision.models.resnet101(num_classes=30),
    }
    networks["resnet50 audio"].conv1 = nn.Conv2d(1, 64, 7, 1, 3, bias=False)
    for network in networks.values():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
                module.num_batches_tracked.fill_(7)
        network.eval()
    return networks


@pytest.fixture
def small():
    torch.manual_seed(0)
    return BACKBONES[SMALL](5).state_dict()


def parallel(state):
    """Names as ``DataParallel`` writes them."""
    return {f"module.{name}": value for name, value in state.items()}


def saved(path, content, **options):
    torch.save(content, path, **options)
    return path


def refusal(path, backbone=SMALL, classes=None):
    """The message with which a file is refused: one line that names the file."""
    with pytest.raises(UserError) as caught:
        read_official(path, backbone, classes)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message
    return message


@pytest.mark.parametrize("names", [dict, parallel])
@pytest.mark.parametrize(
    "wrap", [dict, lambda s: {"model": s, "optimizer": {"state": {}}}, lambda s: {"state_dict": s}]
)
def test_values_are_those_of_the_file(small, tmp_path, names, wrap):
    found = read_official(saved(tmp_path / "file.pt", wrap(names(small))), SMALL).state_dict()
    assert found.keys() == small.keys() and all(torch.equal(found[name], value) for name, value in small.items())


def test_the_networks_of_both_files_say_what_the_originals_say(originals, tmp_path):
    states = {name: network.state_dict() for name, network in originals.items()}
    # As the authors' code reads them: the one under `model`, the other bare.
    audio = official_audio(saved(tmp_path / "audioset_audio_pretrain.pt", {"model": states["resnet50 audio"]}))
    visual = official_visual(saved(tmp_path / "AID_visual_pretrain.pt", parallel(states["resnet101"])))
    assert audio.classes == event_names() and len(audio.classes) == 527
    assert len(visual.classes) == 30 and len({audio.key, visual.key}) == 2
    assert audio.score != audio.score and visual.score != visual.score  # not known
    recipe = Recipe("image+sound", "resnet101", "resnet50 audio", Schedule(1, 1, 1e-3, 0.0))
    model = build(recipe, 13, 32, visual.weights, audio.weights).eval()
    image, sound = torch.randn(1, 3, 32, 32), torch.randn(1, 1, 24, 16)
    with torch.no_grad():
        for ours, theirs, x in (
            (model.visual, originals["resnet101"], image),
            (model.audio, originals["resnet50 audio"], sound),
        ):
            expected = theirs(x)
            assert torch.allclose(ours(x), expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


def test_a_file_is_read_once_and_known_by_its_content(small, tmp_path, monkeypatch):
    from advance_lib.models import pretrained as official

    monkeypatch.setattr(official, "VISUAL", SMALL)
    monkeypatch.setattr(official, "AID_CATEGORIES", 5)
    first = official_visual(saved(tmp_path / "one.pt", small))
    moved = (tmp_path / "one.pt").rename(tmp_path / "another.pt")
    with monkeypatch.context() as context:
        context.setattr(torch, "load", None)  # calling it would fail
        assert official_visual(moved).weights == first.weights
    small["fc.bias"] += 1
    assert official_visual(saved(moved, small)).weights != first.weights


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda s: s.pop("layer2.0.bn1.running_var"), 'Missing key(s) in state_dict: "layer2.0.bn1.running_var"'),
        (lambda s: s.update(extra=torch.zeros(1)), 'Unexpected key(s) in state_dict: "extra"'),
        (lambda s: s.update({"conv1.weight": torch.zeros(16, 3, 7, 7)}),
         "size mismatch for conv1.weight: copying a param with shape torch.Size([16, 3, 7, 7])"),
        (lambda s: s.update({"fc.weight": 3}), "fc.weight"),
        (lambda s: s.update({"module.fc.bias": s.pop("fc.bias")}),
         '"fc.bias"; Unexpected key(s) in state_dict: "module.fc.bias"'),
        (lambda s: s.clear(), '"conv1.weight", "bn1.weight"'),
    ],
)  # fmt: skip
def test_what_differs_is_named(small, tmp_path, change, named):
    change(small)
    assert named in refusal(saved(tmp_path / "file.pt", small), classes=5)


def test_many_differences_stay_one_short_line(small, tmp_path):
    message = refusal(saved(tmp_path / "file.pt", small), "resnet101")
    assert "size mismatch for conv1.weight" in message and "in all" in message
    assert len(message.removeprefix(str(tmp_path))) < 700


def test_the_number_of_outputs_is_demanded_or_taken_from_the_file(small, tmp_path):
    path = saved(tmp_path / "file.pt", small)
    assert "fc.bias: copying a param with shape torch.Size([5])" in refusal(path, classes=6)
    assert read_official(path, SMALL).fc.out_features == 5


def test_files_older_than_the_counters_of_batch_norms(small, tmp_path):
    old = {name: value for name, value in small.items() if not name.endswith("num_batches_tracked")}
    found = read_official(saved(tmp_path / "file.pt", old), SMALL).state_dict()
    assert len(old) < len(small) == len(found) and found["bn1.num_batches_tracked"] == 0


def test_a_file_of_2020_from_a_gpu(small, tmp_path):
    """PyTorch before 1.6 wrote no zip archive, and named the storages of the GPU that its author had."""
    path = saved(tmp_path / "file.pt", {"model": parallel(small)}, _use_new_zipfile_serialization=False)
    there = path.read_bytes()
    for here, gpu in (
        (b"ctorch\nFloatStorage\n", b"ctorch.cuda\nFloatStorage\n"),
        (b"ctorch\nLongStorage\n", b"ctorch.cuda\nLongStorage\n"),
        (b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0"),
    ):
        assert here in there
        there = there.replace(here, gpu)
    path.write_bytes(there)
    found = read_official(path, SMALL).state_dict()
    assert all(value.device.type == "cpu" and torch.equal(value, small[name]) for name, value in found.items())


def test_half_precision_and_shared_memory(small, tmp_path, monkeypatch):
    from advance_lib.models import pretrained as official

    state = {name: value.half() if value.is_floating_point() else value for name, value in small.items()}
    state["bn1.bias"] = state["bn1.weight"]
    monkeypatch.setattr(official, "VISUAL", SMALL)
    monkeypatch.setattr(official, "AID_CATEGORIES", 5)
    weights = load_file(official_visual(saved(tmp_path / "file.pt", state)).weights)
    assert weights["fc.bias"].dtype == torch.float32 and torch.equal(weights["bn1.bias"], weights["bn1.weight"])


class Call:
    """Pickled as a call: reading it without care makes a folder."""

    def __init__(self, folder, function=os.mkdir):
        self.call = function, (str(folder),)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize(("function", "name"), [(os.mkdir, r"\w+\.mkdir"), (Path, r"pathlib[\w.]*\.Path")])
def test_a_file_that_wants_code_to_be_run(small, tmp_path, new, function, name):
    content = {"model": small, "epoch": Call(tmp_path / "made", function)}
    path = saved(tmp_path / "file.pt", content, _use_new_zipfile_serialization=new)
    assert re.search(f"refused, for it asks to run '{name}'", refusal(path))
    assert not (tmp_path / "made").exists()
    if function is os.mkdir:  # or this test would prove nothing
        torch.load(path, weights_only=False)
        assert (tmp_path / "made").exists()


def test_a_whole_network_in_a_pickle(tmp_path):
    assert "state_dict()" in refusal(saved(tmp_path / "file.pt", nn.Linear(2, 2)))


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.999])
def test_a_file_that_was_not_downloaded_whole(small, tmp_path, new, share):
    path = saved(tmp_path / "file.pt", small, _use_new_zipfile_serialization=new)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    assert "not a PyTorch checkpoint, or only a part of one" in refusal(path)


def test_other_files(small, tmp_path):
    path = tmp_path / "file.pt"
    assert "no such file" in refusal(path)
    path.write_text("<html>404</html>")
    assert "not a PyTorch checkpoint" in refusal(path)
    assert "holds a Tensor" in refusal(saved(path, small["fc.bias"]))
    assert "holds a list" in refusal(saved(path, [small]))
    with pytest.raises(UserError, match="no such file"):
        official_audio(tmp_path / "nowhere.pt")


def test_imagenet_is_kept_once(monkeypatch):
    monkeypatch.setitem(BACKBONES, "resnet101", BACKBONES["narrow visual"])  # nothing here depends on the size
    state, asked = BACKBONES["narrow visual"](1000).state_dict(), []
    monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda self, **options: asked.append((self, options)) or state)
    network = imagenet_visual()
    found = load_file(network.weights)
    assert found.keys() == state.keys() and all(torch.equal(found[name], value) for name, value in state.items())
    assert len(network.classes) == 1000 and network.classes[0] == "tench" and network.score == 81.886
    assert imagenet_visual("ResNet101_Weights.DEFAULT") == network
    [(weights, options)] = asked
    assert str(weights) == "ResNet101_Weights.IMAGENET1K_V2" and options["check_hash"] and options["weights_only"]


def test_imagenet_without_a_connection(tmp_path, monkeypatch):
    checksums = []

    def download(url, path, checksum, progress):
        checksums.append(checksum)
        raise URLError("no route to host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    with pytest.raises(UserError, match=r"no route to host.*needs a connection, or https://.*resnet101-63fe2227\.pth"):
        imagenet_visual("ResNet101_Weights.IMAGENET1K_V1")
    assert checksums == ["63fe2227"]
    (tmp_path / "torch" / "hub" / "checkpoints" / "resnet101-63fe2227.pth").write_bytes(b"half")
    with pytest.raises(UserError, match="cannot be read") as caught:
        imagenet_visual("ResNet101_Weights.IMAGENET1K_V1")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ResNet101_Weights.IMAGENET22K", "torchvision has no weights"),
        ("resnet101", "torchvision has no weights"),
        ("ResNet50_Weights.IMAGENET1K_V2", "no network for ResNet50"),
    ],
)
def test_other_weights_of_torchvision(name, words):
    with pytest.raises(UserError, match=words):
        imagenet_visual(name)


@pytest.mark.parametrize("hearing", [Spectrograms(), Spectrograms(FRONT_END)])
def test_one_recording_is_heard_as_all_are(tiny, hearing):
    pairs = read_catalogue(tiny).iloc[:3]
    for sound, row in zip(pairs["sound"], hearing.arrays(pairs), strict=True):
        assert np.array_equal(hearing.hear(sound).astype(np.float16), row)
