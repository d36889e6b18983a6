import pytest
import torch
import torchvision

from advance_lib.models.audiovisual import BACKBONES, AudiovisualNet
from advance_lib.models.pretrained import partly_fixed


@pytest.fixture
def net():
    torch.manual_seed(0)
    return AudiovisualNet(BACKBONES["narrow visual"](5), BACKBONES["narrow audio"](7), scenes=3, image_side=64)


def test_shapes(net):
    outputs = net(torch.randn(4, 3, 64, 64), torch.randn(4, 1, 400, 64))
    assert outputs.scenes.shape == (4, 3)
    assert outputs.visual.shape == (4, net.visual.features) and outputs.audio.shape == (4, net.audio.features)


def test_narrow_maps_are_fine_enough_for_activation_maps():
    height, width = BACKBONES["narrow visual"](2).feature_map(torch.zeros(1, 3, 96, 96)).shape[2:]
    assert height >= 8 and width >= 8


def test_scene_outputs_are_linear_in_the_concatenation(net):
    net.eval()
    outputs = net(torch.randn(2, 3, 64, 64), torch.randn(2, 1, 400, 64))
    joint = torch.cat([outputs.visual, outputs.audio], dim=1)
    assert torch.allclose(outputs.scenes, joint @ net.scene_head.weight.T + net.scene_head.bias, atol=1e-6)


def test_a_missing_sense_is_a_zero_input_and_the_same_constant_in_training_and_test():
    torch.manual_seed(0)
    net = AudiovisualNet(BACKBONES["narrow visual"](5), BACKBONES["narrow audio"](7), 3, 64, "image").eval()
    image, zeros = torch.randn(4, 3, 64, 64), torch.zeros(4, 1, 400, 64)
    expected, statistics = net(image, zeros), net.audio.bn1.running_mean.clone()
    assert torch.allclose(net(image, None).scenes, expected.scenes, atol=1e-5)
    net.train()
    found = net(image, None)
    assert torch.allclose(found.audio, expected.audio, atol=1e-5) and found.audio.shape == expected.audio.shape
    assert torch.equal(net.audio.bn1.running_mean, statistics)
    assert net.visual.training and net.scene_head.training and not net.audio.bn1.training
    assert not torch.allclose(found.visual, expected.visual)  # the branch that sees does use its batch's statistics


def test_zero_image(net):
    net.eval()
    sound = torch.randn(3, 1, 400, 64)
    assert torch.allclose(net(None, sound).scenes, net(torch.zeros(3, 3, 64, 64), sound).scenes, atol=1e-5)


def test_paper_networks_have_torchvisions_keys():
    with torch.device("meta"):
        ours, theirs = BACKBONES["resnet101"](30), torchvision.models.resnet101(num_classes=30)
        audio, resnet50 = BACKBONES["resnet50 audio"](527), torchvision.models.resnet50(num_classes=527)
    shapes = {name: value.shape for name, value in ours.state_dict().items()}
    assert shapes == {name: value.shape for name, value in theirs.state_dict().items()}
    assert ours.features == audio.features == 2048
    differing = {name for name, value in audio.state_dict().items() if value.shape != resnet50.state_dict()[name].shape}
    assert differing == {"conv1.weight"} and audio.conv1.weight.shape == (64, 1, 7, 7) and audio.conv1.stride == (1, 1)


def test_one_network_has_blocks_that_are_never_trained():
    assert [name for name in BACKBONES if partly_fixed(name)] == ["mn04"]
