import numpy as np
import pytest
from sklearn.metrics import silhouette_score

from advance_lib.analysis.distributions import compound_of, embedded, event_distribution, separation, separations
from advance_lib.experiments.runs import Request, finished, known_of
from advance_lib.experiments.settings import get_profile

POINTS = np.array([[0.0, 0.0], [0.1, 0.0], [5.0, 5.0], [5.1, 5.0], [0.05, 0.05]])


def test_separation_by_hand():
    scenes, locations = ["ice", "ice", "wood", "wood", "wood"], ["1", "1", "2", "3", "4"]
    found = separation(POINTS, scenes, locations)
    # The first two are each other's neighbours but lie at one location; the nearest elsewhere is the last, of wood.
    assert found["purity"].tolist() == [0, 0, 1, 1, 0]
    assert found["chance"].to_numpy() == pytest.approx([0, 0, 2 / 4, 2 / 4, 2 / 4])
    assert found["silhouette"].mean() == pytest.approx(silhouette_score(POINTS, scenes))


def test_points_without_structure_are_pure_by_chance():
    generator = np.random.default_rng(0)
    scenes = generator.choice(["ice", "wood", "desert"], 600, p=[0.6, 0.3, 0.1])
    found = separation(generator.random((600, 5)), scenes, np.arange(600))
    assert found["purity"].mean() == pytest.approx(found["chance"].mean(), abs=0.06)
    assert found["chance"].mean() == pytest.approx(0.36 + 0.09 + 0.01, abs=0.04)


def test_the_plane_is_the_same_for_the_same_seed():
    points = np.random.default_rng(1).random((40, 6))
    first, second = embedded(points, perplexity=50), embedded(points, perplexity=50)
    assert first.shape == (40, 2) and np.array_equal(first, second)


def test_events_under_le_are_a_mixture_of_posteriors(tiny, quick):
    cells = ("image+sound/E", "image+sound/SQ|Na", "image+sound/SQ|Nv+a")
    runs = finished([Request(cell, 0, str(tiny), quick) for cell in cells], "cpu", jobs=1)
    known = known_of(str(tiny), get_profile(quick), device="cpu")
    mixture, *heads = [event_distribution(run, "test", known.posteriors, "cpu") for run in runs]
    assert np.array_equal(mixture, compound_of(runs[0], "test", known.posteriors))
    assert (mixture <= known.posteriors.max(0) + 1e-6).all() and (mixture >= known.posteriors.min(0) - 1e-6).all()
    assert all(head.shape == mixture.shape and 0 < head.min() < head.max() < 1 for head in heads)
    table = separations(list(zip(runs, [mixture, *heads], strict=True)), "test")
    assert len(table) == 3 * len(mixture) and set(table["cell"]) == set(cells)
