import json

import matplotlib
import numpy as np
import pytest

from advance_lib.analysis.mixing import mixture
from advance_lib.data.catalogue import read_catalogue
from advance_lib.figures import mixer
from tests.mixtures import EVENTS, mixer_of

matplotlib.use("Agg")


@pytest.fixture
def desk(tiny):
    return mixer_of(read_catalogue(tiny).groupby("scene").head(2))


@pytest.fixture
def data(desk, monkeypatch):
    """What the page is given."""
    sent = {}
    monkeypatch.setattr(mixer, "interactive", lambda name, data, still: sent.update(data=data, still=still))
    mixer.mixing_desk(desk)
    assert 'alt="Bars by scene: ' in sent["still"]
    return json.loads(json.dumps(sent["data"]))


def test_the_page_is_given_what_it_needs_to_say_what_the_library_says(desk, data):
    """The page's formulas in NumPy, from the rounded numbers that it gets."""
    random = np.random.default_rng(1)
    posteriors, towards, between = (np.array(data[name]) for name in ("posteriors", "towards", "between"))
    for _ in range(10):
        which, photograph, recording = random.integers(3), *random.integers(len(desk.pairs), size=2)
        level, volume = random.integers(6), random.choice([0, 0.5, 2])
        part = data["approaches"][which]
        logits = np.array(part["seen"])[level, photograph] + volume * np.array(part["heard"])[recording] + part["bias"]
        p = np.exp(logits) / np.exp(logits).sum()
        events, y = p @ posteriors, np.array(data["responses"][recording])
        e1 = data["constants"][recording] - (y * np.log(events) + (1 - y) * np.log(1 - events)).sum()
        e2 = 1 - p @ towards[:, data["pairs"][photograph]["scene"]] / np.sqrt(p @ between @ p)
        found = mixture(desk, desk.cells[which], photograph, recording, volume, level)
        assert p == pytest.approx(found.scenes, abs=1e-3) and events == pytest.approx(found.events, abs=1e-3)
        assert (e1, e2) == pytest.approx((found.e1, found.e2), abs=4e-3)


def test_files_presets_and_names(desk, data):
    assert [pair["id"] for pair in data["pairs"]] == list(desk.pairs["id"])
    assert all(pair["image"].endswith(".jpg") and pair["sound"].endswith(".mp3") for pair in data["pairs"])
    assert data["presets"][1] == {"name": "A misleading sound", "photograph": 2, "recording": 0}
    assert len(data["events"]) == len(EVENTS) and "Rain" in data["events"]
    assert data["approaches"][2]["shown"] == "<i>L</i><sub>E</sub>" and data["alone"] == 0 and data["approach"] == 1


def test_the_still_shows_both_parts_and_what_follows(desk):
    logits, p = mixer.mixture_bars(desk, 2, 0).axes
    k = len(desk.scenes)
    seen = desk.seen[1, 0, 2] - desk.seen[1, 0, 2].mean()
    assert [bar.get_width() for bar in logits.patches[:k]] == pytest.approx(list(seen))
    assert sum(bar.get_width() for bar in p.patches) == pytest.approx(1)
