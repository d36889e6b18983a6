import math

import torch
from torch.autograd import gradcheck

from advance_lib.objectives import scene_loss


def test_scene_loss_by_hand():
    outputs = torch.tensor([[2.0, -1.0, 0.5], [0.0, 0.0, 0.0]], dtype=torch.float64)
    target = torch.tensor([0, 2])
    first = -math.log(math.exp(2) / (math.exp(2) + math.exp(-1) + math.exp(0.5)))
    assert math.isclose(float(scene_loss(outputs, target)), (first + math.log(3)) / 2, rel_tol=1e-12)


def test_scene_loss_is_the_divergence_of_equation_1():
    """D_KL(h ‖ z) summed as it is written, with 0 log 0 = 0."""
    torch.manual_seed(0)
    outputs, target = torch.randn(6, 13, dtype=torch.float64), torch.randint(0, 13, (6,))
    one_hot = torch.nn.functional.one_hot(target, 13).double()
    z = outputs.softmax(1)
    divergence = torch.special.xlogy(one_hot, one_hot / z).sum(1).mean()
    assert torch.isclose(scene_loss(outputs, target), divergence, rtol=1e-12)


def test_scene_loss_gradient():
    outputs = torch.randn(4, 5, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda x: scene_loss(x, torch.tensor([0, 4, 2, 2])), outputs)


def test_scene_loss_limits():
    target = torch.tensor([1])
    assert float(scene_loss(torch.tensor([[0.0, 200.0]]), target)) == 0
    assert math.isfinite(float(scene_loss(torch.tensor([[1e4, -1e4]]), target)))
    assert math.isclose(float(scene_loss(torch.zeros(1, 13), target)), math.log(13), rel_tol=1e-6)
