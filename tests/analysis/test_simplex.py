import numpy as np
import torch

from advance_lib.analysis.events import e1_of_mixtures
from advance_lib.analysis.simplex import STEPS, descent, simplex, telling_clips, telling_scenes, true_at_least
from advance_lib.transfer import objectives

GENERATOR = np.random.default_rng(0)
TEACHER, POSTERIORS = GENERATOR.normal(-1, 3, (4, 9)), GENERATOR.random((3, 9))
TEACHER[0, 0], POSTERIORS[:, 1] = -80, 0  # a response and a posterior that are zero


def sure_of(*events):
    """Soft responses to clips in which one event each is heard: one of three, or the first two equally."""
    heard = {"a": [0.9, 0.1, 0.1], "b": [0.1, 0.9, 0.1], "c": [0.1, 0.1, 0.9], "ab": [0.5, 0.5, 0.1]}
    return np.array([heard[event] for event in events])


def test_every_share_stands_once_on_the_grid():
    points = simplex(4)
    assert len(points) == len(np.unique(points, axis=0)) == 15
    assert np.allclose(points.sum(axis=1), 1) and points.min() == 0


def test_where_l_e1_is_least_by_hand():
    y, targets = sure_of("a", "b", "ab", "a", "a"), np.array([0, 0, 0, 2, 3])
    posteriors = sure_of("a", "b", "c", "c")
    found = true_at_least(y, targets, posteriors, (0, 1, 2))
    assert found[:4].tolist() == [1, 0, 0.5, 0] and np.isnan(found[4])


def test_the_scenes_told_of_have_clips_of_every_kind():
    # Clips of 0 and 1 are of every kind if both are chosen; those of 2 and 3 always sound like their scenes.
    y = sure_of("a", "b", "ab", "b", "a", "ab", "c", "c")
    targets = np.array([0, 0, 0, 1, 1, 1, 2, 3])
    three = telling_scenes(y, targets, sure_of("a", "b", "c", "c"))
    assert {0, 1} < set(three)
    chosen = telling_clips(y, targets, sure_of("a", "b", "c", "c"), three)
    assert set(chosen[:2]) == {2, 5} and set(chosen) == {*range(6), 6 if three[2] == 2 else 7}


def test_two_scenes_make_no_triangle():
    assert telling_scenes(sure_of("a", "b"), np.array([0, 1]), sure_of("a", "b")) == ()


def test_descent_leads_to_the_least():
    teacher, posteriors = torch.from_numpy(TEACHER[1:2]), torch.from_numpy(POSTERIORS)
    path = descent(lambda scenes: objectives.e1(scenes, teacher, posteriors), np.full(3, 1 / 3), rate=0.5, steps=3000)
    points = simplex(STEPS)
    least = e1_of_mixtures(points, teacher.numpy(), POSTERIORS)[0]
    along = e1_of_mixtures(path, teacher.numpy(), POSTERIORS)[0]
    assert path.shape == (3001, 3) and np.allclose(path.sum(axis=1), 1) and np.allclose(path[0], 1 / 3)
    assert (np.diff(along) <= 1e-12).all() and along[-1] <= least.min() + 0.01
