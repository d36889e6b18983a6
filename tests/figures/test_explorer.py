import json

import matplotlib
import numpy as np

from advance_lib.data.catalogue import read_catalogue
from advance_lib.figures import explorer

matplotlib.use("Agg")


def test_the_explorer_holds_every_pair_in_every_view(tiny, monkeypatch):
    pairs = read_catalogue(tiny).groupby("scene").head(2)
    scenes, sent = sorted(set(pairs["scene"])), {}
    places = np.random.default_rng(0).random((len(pairs), 2))
    p = np.random.default_rng(1).dirichlet(np.ones(len(scenes)), len(pairs))
    monkeypatch.setattr(explorer, "interactive", lambda name, data, still: sent.update(data=data, still=still))
    views = {"L_E": places, "image": 2 * places}
    explorer.explorer(views, pairs, {"L_E": p, "image": p[::-1]}, scenes, ["Rain, Wind"] * len(pairs))
    data = json.loads(json.dumps(sent["data"]))
    first, second = data["views"]
    assert first["places"] == second["places"] and np.min(first["places"]) == 12 and np.max(first["places"]) == 588
    assert np.abs(np.array(first["p"]) - p).max() < 0.001 and first["p"] == second["p"][::-1]
    assert first["name"] == "<i>L</i><sub>E</sub>"
    assert len(data["pairs"]) == len(pairs)
    for pair, scene in zip(data["pairs"], pairs["scene"], strict=True):
        assert data["scenes"][pair["scene"]]["name"] == scene
        assert pair["image"].endswith(".jpg") and pair["sound"].endswith(".mp3")
    # In print, a colour and a marker of its own for each scene.
    assert len({(scene["colour"], scene["shape"]) for scene in data["scenes"]}) == len(scenes)
    assert 'alt="The plane of L_E' in sent["still"]
