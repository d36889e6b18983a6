"""The procedural photographs: same seed, same bytes; the right shapes; masks that mean something."""

import numpy as np
import pytest

from advance_lib.miniature.painting import Ground, Shape, band, draw, noise, paint, rectangle, sunlight
from advance_lib.miniature.photographs import EXTRA_CATEGORIES, SCENES, Place, render_place
from advance_lib.miniature.sensor import season

COVERS = {"farmland", "forest", "grassland", "sparse shrub land"}  # the land cover itself is the scene


def place(category, seed=0, side=64, difficulty=0.5) -> Place:
    return render_place(category, np.random.default_rng(seed), side, difficulty)


def test_the_thirteen_scenes_and_the_extra_categories():
    assert len(SCENES) == 13
    assert list(SCENES) == sorted(SCENES)
    assert len(EXTRA_CATEGORIES) >= 8
    assert not set(SCENES) & set(EXTRA_CATEGORIES)


@pytest.mark.parametrize("category", SCENES + EXTRA_CATEGORIES)
def test_shape_type_and_determinism(category):
    one, two, other = place(category), place(category), place(category, seed=1)
    assert one.canvas.shape == (90, 90, 3)
    assert one.canvas.dtype == np.uint8
    assert one.mask.shape == (90, 90)
    assert one.mask.dtype == bool
    assert one.canvas.flags.c_contiguous
    np.testing.assert_array_equal(one.canvas, two.canvas)
    np.testing.assert_array_equal(one.mask, two.mask)
    assert (one.canvas != other.canvas).any()
    assert one.canvas.std() > 4  # not a blank sheet


@pytest.mark.parametrize("category", SCENES)
def test_mask_is_a_part_of_the_middle(category):
    shares = []
    for seed in range(3):
        mask = place(category, seed, difficulty=0.2).mask
        assert mask[13:77, 13:77].any(), "the object must reach into the central crop"
        shares.append(mask.mean())
    if category in COVERS:
        assert np.mean(shares) > 0.6
    else:
        assert max(shares) < 0.7


@pytest.mark.parametrize("category", ["airport", "forest", "harbour", "residential"])
def test_difficulty_changes_the_picture_and_takes_from_the_object(category):
    easy, hard = (np.mean([place(category, s, difficulty=d).mask.mean() for s in range(6)]) for d in (0.0, 1.4))
    assert hard < easy
    assert (place(category, difficulty=0.1).canvas != place(category, difficulty=1.2).canvas).any()


@pytest.mark.parametrize("category", SCENES)
def test_a_larger_side_shows_the_same_place_more_finely(category):
    coarse, fine = (place(category, 3, side, 0.2).canvas.astype(float) for side in (60, 120))
    coarse = coarse.reshape(14, 6, 14, 6, 3).mean((1, 3))
    fine = fine.reshape(14, 12, 14, 12, 3).mean((1, 3))
    assert np.corrcoef(coarse.ravel(), fine.ravel())[0, 1] > 0.8


def test_odd_sides_and_extreme_difficulties_work():
    assert place("lake", side=96, difficulty=1.5).canvas.shape == (134, 134, 3)
    assert place("bridge", side=37, difficulty=0.0).canvas.shape == (52, 52, 3)


def test_unknown_category():
    with pytest.raises(ValueError, match="unknown category 'volcano'"):
        place("volcano")


def test_noise_is_standardised_and_band_has_its_width():
    ground = Ground(100, 200.0, np.random.default_rng(0))
    relief = noise(ground, 50.0)
    assert abs(relief.std() - 1) < 1e-3
    y = (np.arange(100, dtype=np.float32)[:, None] + 0.5) * 2 - 100 + np.zeros((1, 100), np.float32)
    assert band(ground, y, 20.0).mean() * 200 == pytest.approx(20.0, abs=0.5)


def test_a_tower_throws_its_shadow_away_from_the_sun():
    ground = Ground(60, 60.0, np.random.default_rng(0))
    paint(ground, np.ones((60, 60)), (0.5, 0.5, 0.5))
    draw(ground, [Shape(rectangle((0, 0), 8, 8, 0), (0.9, 0.9, 0.9), 10.0)], defining=True)
    assert 56 <= ground.mask.sum() <= 81
    lit = sunlight(ground, azimuth=0.0, elevation=np.pi / 4).mean(0)  # the sun stands on the right
    assert lit[30, 20] < 0.3  # within ten metres to the left
    assert lit[30, 40] == pytest.approx(0.5, abs=0.02)


def test_season_browns_only_what_is_green():
    leaf, roof = np.float32([0.2, 0.4, 0.15]), np.float32([0.6, 0.4, 0.3])
    picture = np.stack([leaf, roof], 1)[:, None]
    dry = season(picture, 1.0)
    assert dry[0, 0, 0] > dry[1, 0, 0]
    np.testing.assert_array_equal(dry[:, 0, 1], roof)
    np.testing.assert_array_equal(season(picture, 0.0), picture)
