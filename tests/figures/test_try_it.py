import numpy as np
import pytest
import torch
from PIL import Image

from advance_lib.analysis import handed_on
from advance_lib.analysis.handed_on import HandedOn, probabilities
from advance_lib.data.features import FrontEnd, resized
from advance_lib.figures import try_it
from advance_lib.models.audiovisual import BACKBONES, AudiovisualNet
from advance_lib.models.front_end import LogMel
from advance_lib.training.inputs import Normaliser
from tests.pairs import write_pair

ABOUT = {"sample_rate": 16_000, "seconds": 10, "side": 32, "scenes": ["ice", "wood"], "events": ["Bird", "Wind"]}


@pytest.fixture
def network():
    torch.manual_seed(0)
    model = AudiovisualNet(BACKBONES["narrow visual"](1), BACKBONES["narrow audio"](2), 2, 32, events_on="Na")
    normaliser = Normaliser(*(torch.full((n,), x) for n, x in ((64, -30.0), (64, 15.0), (3, 0.4), (3, 0.2))))
    return HandedOn(model, normaliser, "image+sound", LogMel(FrontEnd()), None).eval()


@pytest.fixture
def pair(tmp_path):
    """A photograph larger than a page needs, and a clip."""
    write_pair(tmp_path, "wood", "0", (20, 90, 20), 800.0)
    image = tmp_path / "large.png"
    chance = np.random.default_rng(0)
    Image.fromarray(chance.integers(0, 256, (30, 40, 3), np.uint8)).resize((1600, 1200)).save(image)
    return image, tmp_path / "sound" / "wood" / "0.wav"


@pytest.mark.parametrize("missing", ["packages", "room"])
def test_without_a_network_for_the_page_the_example_is_shown(network, pair, build, monkeypatch, missing):
    if missing == "packages":
        monkeypatch.setattr(handed_on, "find_spec", lambda name: None)
    else:
        monkeypatch.setattr(try_it, "LARGEST", 0)
    page = try_it.try_it(network, ABOUT, *pair, "wood").data
    assert "<script" not in page and not list(build.glob("site/*.onnx"))
    assert ("too many for a page" if missing == "room" else "pip install") in page


def test_the_example_is_small_and_shows_what_pytorch_says_of_it(network, pair, build):
    page = try_it.try_it(network, ABOUT, *pair, "wood").data
    (picture,) = build.glob("site/*-try-it.png")
    with Image.open(picture) as shown:
        assert max(shown.size) == try_it.SIDE
        photograph = torch.tensor(resized(np.asarray(shown), 32))
    samples, _ = handed_on.inputs(ABOUT, *pair)
    for found in probabilities(network, ABOUT, samples, photograph):
        for name, value in found.items():
            assert f"{name}</span><data>{100 * value:.1f} %" in page
    assert {path.suffix for path in build.glob("site/*")} == {".png", ".wav", ".onnx"}
