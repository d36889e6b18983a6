from math import atan, cos, exp, pi, radians, sin, sqrt

import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers

from advance_lib.construct.mercator import NORTHERN_EDGE, ground_resolution, to_degrees, to_pixel, zoom_for


def radii(latitude):
    """Metres in a radian of latitude, and in one of longitude, on the WGS 84 ellipsoid."""
    equator, squared = 6378137.0, 0.00669437999014
    bend = 1 - squared * sin(radians(latitude)) ** 2
    return equator * (1 - squared) / bend**1.5, equator / sqrt(bend) * cos(radians(latitude))


def test_known_places():
    assert to_pixel(0, 0, 0) == (128, 128)
    assert to_pixel(0, -180, 3) == (0, 1024)
    assert to_pixel(NORTHERN_EDGE, 180, 1) == pytest.approx((512, 0), abs=1e-6)
    # the worked example of https://wiki.openstreetmap.org/wiki/Slippy_map_tilenames
    assert [side // 256 for side in to_pixel(35.6590699, 139.7006793, 18)] == [232798, 103246]


@given(floats(-85, 85), floats(-180, 180), integers(0, 22))
def test_there_and_back(latitude, longitude, zoom):
    assert to_degrees(*to_pixel(latitude, longitude, zoom, 512), zoom, 512) == pytest.approx(
        (latitude, longitude), abs=1e-9
    )


@given(floats(0, 1), floats(0, 1))
def test_back_by_the_gudermannian(x, y):
    latitude = (2 * atan(exp(pi * (1 - 2 * y))) - pi / 2) * 180 / pi
    assert to_degrees(256 * x, 256 * y, 0) == pytest.approx((latitude, 360 * x - 180), abs=1e-9)


@pytest.mark.parametrize("latitude", [0, 30, -45, 60, 80])
def test_ground_resolution_on_the_ellipsoid(latitude):
    """Web Mercator takes the Earth for a sphere; what it says is still right within one per cent."""
    x, y = to_pixel(latitude, 20, 17)
    north, west = to_degrees(x, y, 17)
    south, east = to_degrees(x + 1, y + 1, 17)
    metres = ground_resolution(latitude, 17)
    meridian, parallel = radii(latitude)
    assert radians(north - south) * meridian == pytest.approx(metres, rel=0.01)
    assert radians(east - west) * parallel == pytest.approx(metres, rel=0.01)


def test_the_first_zoom_that_is_fine_enough():
    assert ground_resolution(0, 0) == pytest.approx(156543.034, abs=1e-3)  # the figure that map servers give
    for latitude in (0, 60):
        for metres in (0.3, 1, 2.5, 100):
            zoom = zoom_for(latitude, metres)
            assert ground_resolution(latitude, zoom) <= metres < ground_resolution(latitude, zoom - 1)
    assert zoom_for(0, ground_resolution(0, 17)) == 17
    assert zoom_for(0, 1, tile=512) == zoom_for(0, 1) - 1
    assert zoom_for(0, 1e9) == 0
