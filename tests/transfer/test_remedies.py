import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from advance_lib.models.audiovisual import BACKBONES, AudiovisualNet, Outputs
from advance_lib.transfer.remedies import DROPPED, modality_dropout, unimodal

TARGET = torch.tensor([0, 2, 1, 2])


@pytest.fixture
def outputs():
    """Outputs of a head on two representations, four samples and three scenes."""
    torch.manual_seed(0)
    visual, audio, w_v, w_a, bias = (torch.randn(s) for s in ((4, 5), (4, 6), (3, 5), (3, 6), (3,)))
    seen, heard = visual @ w_v.T, audio @ w_a.T
    return Outputs(seen + heard + bias, visual, audio, None, seen, heard, bias)


def test_a_networks_parts_add_up_to_its_scenes():
    torch.manual_seed(0)
    network = AudiovisualNet(BACKBONES["narrow visual"](1), BACKBONES["narrow audio"](7), 3, 64).eval()
    found = network(torch.randn(2, 3, 64, 64), torch.randn(2, 1, 400, 64))
    torch.testing.assert_close(found.seen + found.heard + found.bias, found.scenes)
    deaf = network(torch.randn(2, 3, 64, 64), None)
    torch.testing.assert_close(deaf.heard[0], deaf.heard[1])
    torch.testing.assert_close(deaf.seen + deaf.heard + deaf.bias, deaf.scenes)


def test_each_sense_is_asked_by_itself(outputs):
    expected = sum(cross_entropy(part + outputs.bias, TARGET) for part in (outputs.seen, outputs.heard))
    torch.testing.assert_close(unimodal(outputs, TARGET), expected)


def test_dropout_leaves_both_senses_one_or_the_other(outputs):
    parts = (outputs.seen + outputs.heard, outputs.seen, outputs.heard)
    losses = [cross_entropy(part + outputs.bias, TARGET, reduction="none") for part in parts]
    torch.manual_seed(1)
    found = torch.stack([modality_dropout(outputs, TARGET) for _ in range(4000)])
    assert float(found.mean()) == pytest.approx(float(torch.stack(losses).mean()), rel=0.02)
    assert pytest.approx(1 / 3) == DROPPED
    possible = {round(float(torch.stack([losses[i][n] for n, i in enumerate(which)]).mean()), 4)
                for which in np.ndindex(3, 3, 3, 3)}  # fmt: skip
    assert {round(float(value), 4) for value in found} <= possible


def test_a_seed_drops_the_same_samples(outputs):
    found = []
    for _ in range(2):
        torch.manual_seed(7)
        found.append(modality_dropout(outputs, TARGET))
    assert found[0] == found[1]
