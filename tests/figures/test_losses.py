import json
import re
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch

from advance_lib.analysis.one_event import at_temperature
from advance_lib.data.catalogue import read_catalogue
from advance_lib.figures import losses
from advance_lib.transfer import objectives
from advance_lib.transfer.knowledge import Knowledge, event_relevance, posteriors, sigmoid

matplotlib.use("Agg")
ROOT = Path(__file__).parents[2]
SCENES = ("desert", "ice", "wood", "wreck")
THREE = (0, 1, 2)


@pytest.fixture
def known():
    heard = np.random.default_rng(0).normal(-1, 3, (50, 7)).astype(np.float32)
    targets = np.arange(50) % 4
    tables = [measure(sigmoid(heard), targets, 4).astype(np.float32) for measure in (posteriors, event_relevance)]
    return Knowledge(("Wind", "Waves, surf", *"abcde"), heard, *tables)


def data_of(shown):
    return json.loads(re.search(r"const inline = (\{.*\});", shown.data).group(1))


def still_of(shown):
    address = re.search(r'<img src="([^"]+)"', shown.data).group(1)
    return (ROOT / "book" / address).resolve().read_text(encoding="utf-8")


def test_the_triangle_gets_what_the_losses_need(known, tiny):
    pairs = read_catalogue(tiny)
    clips = pairs.groupby("scene").head(2).iloc[::-1]
    shown = losses.triangle(clips, known, SCENES, THREE)
    data = data_of(shown)
    assert data["scenes"] == ["desert", "ice", "wood"] and data["events"][:2] == ["Wind", "Waves"]
    assert [data["scenes"][clip["scene"]] for clip in data["clips"]] == list(clips["scene"])
    assert all((ROOT / "book" / clip["sound"]).resolve().exists() for clip in data["clips"])
    # The library's losses are the same with the numbers that are handed on.
    p = torch.tensor([[0.5, 0.2, 0.3]], dtype=torch.float64).log()
    for clip, row in zip(data["clips"], clips.index, strict=True):
        target = torch.tensor([clip["scene"]])
        given = [torch.tensor([clip["heard"]]), torch.tensor(data["posteriors"]), torch.tensor(data["relevance"])]
        own = [known.pre_activations[[row]], known.posteriors[:3], known.relevance[:3]]
        values = [objectives.e(p, target, *map(torch.as_tensor, of), beta=1.0) for of in (given, own)]
        assert float(values[0]) == pytest.approx(float(values[1]), rel=1e-5)


def test_the_still_triangle_names_its_corners(known):
    figure = losses.triangle_still(known.pre_activations[0], known.posteriors[:3], SCENES[:3], "ice")
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert sum(text.startswith("ice, the true scene") for text in texts) == 1
    nats = objectives.e1(
        torch.tensor([[-1e3, 1e3, -1e3]]), torch.tensor(known.pre_activations[:1]), torch.tensor(known.posteriors[:3])
    )
    assert any(text.endswith(f"{float(nats):.2f} nats") for text in texts if text.startswith("ice"))
    matplotlib.pyplot.close(figure)


def test_one_event_begins_where_it_was_asked_to():
    students = np.linspace(-5, 5, 11)
    shown = losses.one_event(at_temperature(-3, students, 2), students, teacher=-3, student=1, temperature=2)
    assert data_of(shown) == {"teacher": -3, "student": 1, "temperature": 2}
    assert "<svg" in still_of(shown) and 'alt="Two panels' in shown.data


def test_the_still_curves_are_those_given():
    curves = pd.DataFrame({name: [1.0, 2.0] for name in ("C", "T²C", "SQ/8", "C slope", "T²C slope", "SQ/8 slope")})
    figure = losses.one_event_still(curves.assign(C=[3.0, 4.0]), np.array([0.0, 1.0]), teacher=0.5)
    left, right = figure.axes
    lines = {line.get_label(): line.get_ydata() for line in left.lines}
    assert list(lines["C"]) == [3, 4] and list(lines["SQ/8"]) == [1, 2] and len(right.lines) == 4
    matplotlib.pyplot.close(figure)
