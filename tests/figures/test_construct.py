"""The pictures of a construction: the coastlines are the Earth's, and what is drawn is what was given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import shapely
import soundfile
from matplotlib.collections import PathCollection, PolyCollection
from matplotlib.colors import to_rgba
from PIL import Image

from advance_lib.construct.area import around
from advance_lib.construct.balance import Pair
from advance_lib.construct.overpass import Feature
from advance_lib.figures.construct import coastlines, one_place, sample_map
from advance_lib.figures.page import PAPER_COLOUR, SCENE_STYLES


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def pair(number, latitude, longitude, scene="forest"):
    return Pair(str(number), scene, str(number), latitude, longitude, "", number, 0.0)


def test_coastlines_are_those_of_the_earth():
    land = shapely.union_all([shapely.make_valid(shapely.Polygon(coast)) for coast in coastlines()])
    inland = {
        "Zurich": (8.54, 47.37),
        "Denver": (255.0, 39.7),
        "Nairobi": (36.8, -1.3),
        "Alice Springs": (133.9, -23.7),
    }
    at_sea = {"the miniature planet": (333.0, 46.0), "the Pacific": (200.0, -30.0), "the Mediterranean": (18.0, 35.0)}
    here = {
        name: any(land.contains(shapely.Point(lon - turn, lat)) for turn in (0, 360))
        for name, (lon, lat) in (inland | at_sea).items()
    }
    assert here == dict.fromkeys(inland, True) | dict.fromkeys(at_sea, False)


def test_samples_near_each_other_are_shown_on_the_world_and_near_by():
    figure = sample_map([pair(1, 46.0, -27.0), pair(2, 47.0, -26.0, "harbour")])
    world, near = figure.axes
    drawn = np.concatenate([dots.get_offsets() for dots in near.collections if isinstance(dots, PathCollection)])
    assert drawn.tolist() == [[-27.0, 46.0], [-26.0, 47.0]]
    assert near.get_xlim()[0] < -27 < -26 < near.get_xlim()[1] and np.ptp(near.get_xlim()) < 2
    coasts = {name: axis.collections[-1] for name, axis in (("world", world), ("near", near))}
    assert all(isinstance(drawn, PolyCollection) for drawn in coasts.values())
    assert len(coasts["world"].get_paths()) > 500 and not coasts["near"].get_paths()  # there is only water
    assert world.get_xlim() == (-180, 180)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["forest", "harbour"]


def test_samples_far_apart_and_a_single_one_have_their_maps():
    assert len(sample_map([pair(1, 46.0, -120.0), pair(2, -30.0, 150.0)]).axes) == 1
    assert len(sample_map([pair(1, 46.0, 8.0)]).axes) == 2


@pytest.mark.parametrize("seconds, start, until", [(25, 12.0, 25), (4, 1.0, 11)])
def test_one_place_shows_the_clip_and_the_map(tmp_path, seconds, start, until):
    recording, photograph, area = tmp_path / "1.wav", tmp_path / "1.jpg", around(46.0, -27.0, 256)
    soundfile.write(recording, np.random.default_rng(0).uniform(-0.5, 0.5, seconds * 8000), 8000)
    Image.new("RGB", (64, 64), "green").save(photograph)
    corners = [(area.south, area.west), (area.south, area.east), (area.north, area.east), (area.north, area.west)]
    features = [
        Feature("way", 1, {"natural": "wood"}, ((*corners, corners[0]),)),
        Feature("way", 2, {"highway": "path"}, ((corners[0], corners[2]),)),
    ]
    figure = one_place(recording, start, photograph, features, area)
    wave, _, known = figure.axes
    clip = wave.collections[1].get_paths()[0].vertices[:, 0]
    assert (clip.min(), clip.max()) == pytest.approx((start, start + 10), abs=0.05)
    assert wave.collections[0].get_paths()[0].vertices[:, 0].max() == pytest.approx(until, abs=0.05)
    assert known.patches[0].get_edgecolor() == to_rgba(SCENE_STYLES["forest"][0])
    assert known.lines[0].get_color() == PAPER_COLOUR
    assert [text.get_text() for text in known.get_legend().get_texts()] == ["natural=wood (forest)"]
