from collections import Counter
from math import asin, cos, radians, sin, sqrt

import pytest

from advance_lib.construct.balance import DIRECTIONS, Pair, balanced, locations, siblings
from advance_lib.data.catalogue import location_of


def pairs_of(**counts):
    numbers = iter(range(100, 10_000))
    return [
        Pair(str(number := next(numbers)), scene, str(number), 10.0, 20.0, "", number, 0.0)
        for scene, count in counts.items()
        for _ in range(count)
    ]


def metres_between(one, other):
    """The haversine formula."""
    (lat1, lon1), (lat2, lon2) = (map(radians, point) for point in (one, other))
    half = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin((lon2 - lon1) / 2) ** 2
    return 2 * 6378137 * asin(sqrt(half))


def test_the_papers_thresholds():
    chosen = balanced(pairs_of(desert=9, orchard=10, beach=99, forest=100), 10, 100, 60)
    assert Counter(pair.scene for pair in chosen) == {"orchard": 50, "beach": 495, "forest": 100}
    assert all(not pair.shifted for pair in chosen if pair.scene == "forest")


def test_thresholds_are_options():
    pairs = pairs_of(desert=2, beach=4)
    assert balanced(pairs, 1, 0, 60) == pairs
    assert balanced(pairs, 5, 100, 60) == []
    assert len(balanced(pairs, 3, 5, 60)) == 20


def test_siblings_follow_their_pair_under_ids_that_the_catalogue_understands():
    (first, *shifted) = balanced(pairs_of(beach=1), 1, 2, 60)
    assert [pair.id for pair in shifted] == ["100_1", "100_2", "100_3", "100_4"]
    assert {location_of(pair.id) for pair in shifted} == {first.id}
    assert {(pair.recording, pair.location, pair.scene) for pair in shifted} == {(100, "100", "beach")}
    assert tuple(pair.shifted for pair in shifted) == DIRECTIONS


@pytest.mark.parametrize("place", [(0.0, 20.0), (60.0, -30.0), (-45.0, 179.9999), (10.0, -180.0)])
def test_siblings_lie_as_far_away_as_was_asked_for(place):
    pair = Pair("1", "beach", "1", *place, "", 1, 0.0)
    for sibling, (north, east) in zip(siblings(pair, 60), [(1, 0), (0, 1), (-1, 0), (0, -1)], strict=True):
        there = (sibling.latitude, sibling.longitude)
        assert metres_between(place, there) == pytest.approx(60, rel=1e-4)
        eastward = (there[1] - place[1] + 180) % 360 - 180
        assert (there[0] - place[0]) * north >= 0 and eastward * east >= 0
        assert abs(there[0] - place[0]) < 1e-9 if east else abs(eastward) < 1e-9
        assert -180 <= there[1] <= 180


def test_places_near_each_other_share_a_location():
    degree = 111_319.49
    places = [
        (7, 0.0, 0.0), (5, 0.0, 90 / degree), (9, 0.0, 180 / degree),  # a chain of 90 m each
        (3, 0.0, 400 / degree),
        (2, 60.0, 179.9995), (8, 60.0, -179.9995),  # 56 m apart, across the antimeridian
        (4, 30.0, 30.0), (6, 30.0, 30.0),  # the same spot
    ]  # fmt: skip
    assert locations(places, 100) == {7: 5, 5: 5, 9: 5, 3: 3, 2: 2, 8: 2, 4: 4, 6: 4}
    assert locations(places, 80) == {7: 7, 5: 5, 9: 9, 3: 3, 2: 2, 8: 2, 4: 4, 6: 4}
    assert locations([], 100) == {}
