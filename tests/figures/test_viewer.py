import json
import re

import numpy as np
import pytest

from advance_lib.analysis.activation import overlay
from advance_lib.data.catalogue import read_catalogue
from advance_lib.figures import viewer
from tests.mixtures import CELLS, looks_at


@pytest.fixture
def pairs(tiny):
    return read_catalogue(tiny).groupby("scene").head(2)


def test_every_photograph_has_a_map_of_every_approach(pairs, monkeypatch):
    looks, masks = looks_at(pairs)
    sent = {}
    monkeypatch.setattr(viewer, "interactive", lambda name, data, still: sent.update(data=data, still=still))
    viewer.map_viewer(pairs, np.full((len(pairs), 16, 16, 3), 90, np.uint8), looks, masks)
    data = json.loads(json.dumps(sent["data"]))
    assert [pair["outline"] is None for pair in data["pairs"]] == [False] + [True] * (len(pairs) - 1)
    for index, pair in enumerate(data["pairs"]):
        assert len({look["map"] for look in pair["looks"]}) == len(CELLS)
        for look, cell in zip(pair["looks"], CELLS, strict=True):
            x, y = look["highest"]
            assert looks[cell].maps[index][int(y), int(x)] == looks[cell].maps[index].max()
            assert look["named"] == looks[cell].named[index] and look["sure"] <= look["p"]
    assert "<table" in sent["still"] and sent["still"].count("<tr>") == 1 + viewer.STILL


def test_an_outline_surrounds_its_pixels():
    mask = np.zeros((8, 8), bool)
    mask[2:4, 5:8] = True  # up to the edge
    path = viewer.outline(mask)
    x, y = np.array(re.findall(r"([\d.]+) ([\d.]+)", path), float).T
    assert path.startswith("M") and path.count("M") == path.count("Z") == 1
    assert (x.min(), x.max(), y.min(), y.max()) == (5, 8, 2, 4)
    assert viewer.outline(np.zeros((8, 8), bool)) == ""


def test_the_colours_are_those_of_the_overlay():
    activation = np.array([[-1.0, 0, 0.5, 1]])
    black = np.zeros((1, 4, 3), np.uint8)
    strength = activation.clip(min=0)[..., None]
    ours = (0.25 + 0.5 * strength) * viewer.heat(activation)
    assert ours == pytest.approx(np.asarray(overlay(black, activation)), abs=2)
