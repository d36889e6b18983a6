import time

import numpy as np
import pytest
import torch
from torch import nn

from advance_bench import limits
from advance_bench.limits import copy_bandwidth, flops_of, matmul_rate, median_seconds, step_bytes
from advance_lib.models.audiovisual import BACKBONES, AudiovisualNet


@pytest.fixture
def small(monkeypatch):
    """Sizes at which a measurement takes a moment."""
    monkeypatch.setitem(limits.SIDE, "cpu", 256)
    monkeypatch.setitem(limits.COPIED, "cpu", 2**24)


def best(call):
    """The shortest of several durations, seconds."""
    durations = []
    for _ in range(20):
        began = time.perf_counter()
        call()
        durations.append(time.perf_counter() - began)
    return min(durations)


def test_seconds_are_the_median_of_the_calls_after_the_first_three(monkeypatch):
    now, durations = [0.0], iter([9.0, 9.0, 9.0, *range(1, 21)])

    def call():
        now[0] += next(durations)

    monkeypatch.setattr(limits.time, "perf_counter", lambda: now[0])
    assert median_seconds(call, "cpu") == pytest.approx(10.5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_matmul_rate_beside_numpy(small, dtype):
    a = np.random.default_rng(0).standard_normal((256, 256)).astype(str(dtype).removeprefix("torch."))
    expected = 2 * 256**3 / best(lambda: a @ a)
    assert expected / 20 < matmul_rate("cpu", dtype) < expected * 20  # numpy may use more cores, this one is busy


def test_copy_bandwidth_beside_numpy(small):
    source = np.ones(2**24, np.uint8)
    target = np.empty_like(source)
    expected = 2 * 2**24 / best(lambda: np.copyto(target, source))
    assert expected / 10 < copy_bandwidth("cpu") < expected * 10


def test_threads_are_set_meanwhile_and_put_back():
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), limits.threads(before + 1):
        assert torch.get_num_threads() == before + 1
        _ = 1 / 0
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("wanted, passes", [(True, 3), (False, 2)])
def test_flops_of_a_linear_layer(wanted, passes):
    layer, x = nn.Linear(30, 7), torch.randn(5, 30, requires_grad=wanted)
    assert flops_of(lambda: layer(x).sum().backward()) == passes * 2 * 5 * 30 * 7


@pytest.mark.parametrize("wanted, passes", [(True, 3), (False, 2)])
def test_flops_of_a_convolution(wanted, passes):
    layer, x = nn.Conv2d(3, 8, 5, stride=2, padding=2, bias=False), torch.randn(2, 3, 12, 16, requires_grad=wanted)
    assert flops_of(lambda: layer(x).sum().backward()) == passes * 2 * (2 * 8 * 6 * 8) * (3 * 5 * 5)


class TwoLayers(nn.Module):
    """A convolution of the photograph and a linear layer; a third layer takes no part."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.linear = nn.Linear(4, 2)
        self.idle = nn.Linear(100, 100)

    def forward(self, image, log_mel):
        return self.linear(self.convolution(image).relu().mean(dim=(2, 3)))


@pytest.mark.parametrize("bytes_per_value", [2, 4])
def test_bytes_of_two_layers_by_hand(bytes_per_value):
    image = torch.zeros(5, 3, 8, 8)
    # Of the photograph no gradient is wanted: read forward and backward; the map: written, its gradient read.
    convolution = 2 * 5 * 3 * 64 + 2 * 5 * 4 * 64
    # Features read forward and backward, their gradient written; outputs written, their gradients read.
    linear = 3 * 5 * 4 + 2 * 5 * 2
    weights = 4 * 3 * 9 + (4 * 2 + 2)
    # Gradient written; Adam: weight, gradient, two moments read, weight and moments written.
    expected = (convolution + linear + 2 * weights) * bytes_per_value + weights * (1 + 4 + 3) * 4
    assert step_bytes(TwoLayers(), image, None, bytes_per_value) == expected


def test_counting_bytes_leaves_the_network_as_it_was():
    network = AudiovisualNet(BACKBONES["narrow visual"](1), BACKBONES["narrow audio"](1), 3, 32)
    network.audio.eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    two, four = (step_bytes(network, torch.ones(n, 3, 32, 32), torch.ones(n, 1, 400, 64), 4) for n in (2, 4))
    assert two < four < 2 * two  # weights count once
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())
