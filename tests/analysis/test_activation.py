import numpy as np
import pytest
import torch
from PIL import Image

from advance_lib.analysis.activation import activation_map, energy_inside, localisation, mask_of, overlay, pointing_game
from advance_lib.experiments.runs import runs_for
from advance_lib.experiments.settings import Settings
from advance_lib.models.audiovisual import BACKBONES, AudiovisualNet


@pytest.fixture
def network():
    torch.manual_seed(0)
    backbones = BACKBONES["narrow visual"](3), BACKBONES["narrow audio"](5)
    return AudiovisualNet(*backbones, scenes=4, image_side=48).eval()


def test_the_mean_of_a_map_is_what_the_photograph_adds_to_the_logit(network):
    """f_s(x)_t = mean of the map + heard + bias, with the map before it is enlarged (here: its mean at 6 × 6)."""
    image, sound, scenes = torch.randn(2, 3, 48, 48), torch.randn(2, 1, 400, 64), torch.tensor([1, 3])
    with torch.no_grad():
        outputs = network(image, sound)
        features = network.visual.feature_map(image)
        weights = network.scene_head.weight[scenes, : network.visual.features]
        heard = outputs.audio @ network.scene_head.weight[:, network.visual.features :].T + network.scene_head.bias
        seen = (outputs.scenes - heard)[[0, 1], scenes]
        by_hand = torch.stack([(w[:, None, None] * f).sum(0) for w, f in zip(weights, features, strict=True)])
        found = activation_map(network, image, scenes)
    assert by_hand.mean((1, 2)) == pytest.approx(seen, abs=1e-4)
    assert found.shape == (2, 48, 48)
    step = 48 // by_hand.shape[1]  # bilinear enlarging keeps the value between the two middle pixels of a place
    middle = found[:, step // 2 - 1 :: step, step // 2 - 1 :: step] + found[:, step // 2 :: step, step // 2 :: step]
    assert middle[:, 1:-1, 1:-1] / 2 == pytest.approx(by_hand[:, 1:-1, 1:-1], abs=0.2 * float(by_hand.abs().max()))


def test_pointing_and_energy_by_hand():
    maps = np.array([[[0.0, 4.0], [-2.0, 1.0]], [[-1.0, -2.0], [-3.0, -4.0]]])
    masks = np.array([[[False, True], [True, False]], [[False, True], [True, True]]])
    assert pointing_game(maps, masks).tolist() == [True, False]
    assert energy_inside(maps, masks) == pytest.approx([4 / 5, 0])  # what is negative is no evidence


def test_a_map_that_knows_nothing_reaches_the_share_of_the_object():
    generator = np.random.default_rng(0)
    masks = generator.random((4000, 8, 8)) < 0.3
    maps = generator.random((4000, 8, 8))
    assert pointing_game(maps, masks).mean() == pytest.approx(0.3, abs=0.03)
    assert energy_inside(maps, masks).mean() == pytest.approx(0.3, abs=0.01)


def test_a_mask_is_brought_to_the_side_of_the_photograph(tmp_path):
    for sense in ("vision", "mask"):
        (tmp_path / sense / "bridge").mkdir(parents=True)
    mask = np.zeros((64, 64), np.uint8)
    mask[:32] = 255
    Image.fromarray(mask).save(tmp_path / "mask" / "bridge" / "1.png")
    assert mask_of(tmp_path / "vision" / "bridge" / "1.jpg", 16)[:8].all()
    with pytest.raises(FileNotFoundError):
        mask_of(tmp_path / "vision" / "bridge" / "2.jpg", 16)


def test_the_brightest_place_of_an_overlay_is_the_maps_highest():
    photograph, activation = np.full((8, 8, 3), 100, np.uint8), np.zeros((8, 8))
    activation[2, 5] = 3
    found = np.asarray(overlay(photograph, activation)).sum(axis=2)
    assert np.unravel_index(found.argmax(), found.shape) == (2, 5)


def test_localisation_on_the_miniature(quick):
    runs = runs_for(Settings("miniature", quick, seeds=1, device="cpu"), "image/Ls")
    table = localisation(runs, ["test", "exam"])
    assert set(table["scene"]) <= {"airport", "bridge", "harbour", "sports land", "train station"}
    assert set(table["pointing"]) <= {0.0, 100.0} and table["energy"].between(0, 100).all()
    assert table["area"].between(0, 100, inclusive="neither").all()
