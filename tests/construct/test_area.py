from math import atan, cos, exp, pi, radians, sin, sqrt

import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers

from advance_lib.cache import UserError
from advance_lib.construct.area import (
    NORTHERN_EDGE,
    Area,
    around,
    ground_resolution,
    parse_area,
    to_degrees,
    to_pixel,
    zoom_for,
)
from tests.pairs import haversine


def test_parsed_as_written():
    assert parse_area("9.9,53.5,10.1,53.6") == Area(9.9, 53.5, 10.1, 53.6)
    assert str(parse_area(" -1, -2 ,1,2")) == "-1.0,-2.0,1.0,2.0"
    area = Area(-179.123456, 0.000001, 1 / 3, 2)
    assert parse_area(str(area)) == area


@pytest.mark.parametrize(
    "text", ["", "Hamburg", "1,2,3", "1,2,3,4,5", "1,2,x,4", "0,5,1,4", "0,4,1,4", "0,0,0,1", "0,0,181,1", "0,-91,1,0",
             "nan,0,1,1", "0,0,1,inf"],
)  # fmt: skip
def test_what_is_no_area(text):
    with pytest.raises(UserError, match=r"^area .*give west,south,east,north in degrees"):
        parse_area(text)


def test_contains_its_border_and_nothing_outside():
    area = Area(10, 50, 11, 51)
    assert area.boxes == (area,) and area.centre == (50.5, 10.5)
    assert all(area.contains(latitude, longitude) for latitude in (50, 50.5, 51) for longitude in (10, 10.5, 11))
    assert not any(area.contains(*place) for place in [(49.9, 10.5), (51.1, 10.5), (50.5, 9.9), (50.5, 11.1)])


def test_across_the_antimeridian():
    area = Area(179, -1, -178, 1)
    assert area.boxes == (Area(179, -1, 180, 1), Area(-180, -1, -178, 1))
    assert area.centre == (0, -179.5)
    assert all(area.contains(0, longitude) for longitude in (179, 179.5, 180, -180, -179, -178))
    assert not any(area.contains(0, longitude) for longitude in (178.9, -177.9, 0))
    assert Area(180, 0, -170, 1).boxes == (Area(-180, 0, -170, 1),)


@pytest.mark.parametrize(("latitude", "longitude"), [(0, 0), (60, 25), (-33.9, 151.2), (21, 180), (-17, -179.999)])
def test_the_square_around_a_place(latitude, longitude):
    area = around(latitude, longitude, 500)
    assert area.contains(latitude, longitude)
    middle = area.centre
    assert haversine(middle, (latitude, longitude)) < 0.01
    width = haversine((middle[0], area.west), (middle[0], area.east))
    assert width == pytest.approx(500, rel=0.01)
    assert haversine((area.south, longitude), (area.north, longitude)) == pytest.approx(500, rel=0.01)


def test_not_beyond_the_edge_of_the_map():
    with pytest.raises(UserError, match=r"latitude 86: the maps used here end at 85\.05"):
        around(86, 0, 500)


@given(floats(-85, 85), floats(-180, 180), floats(1, 10_000))
def test_a_place_lies_in_the_square_around_it(latitude, longitude, metres):
    assert around(latitude, longitude, metres).contains(latitude, longitude)


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
