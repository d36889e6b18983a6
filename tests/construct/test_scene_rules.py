"""Rules are checked on ground whose cover is laid out by hand, at the equator, in the north and across ±180°."""

from math import cos, radians

import pytest

from advance_lib.construct.area import Area, around
from advance_lib.construct.overpass import Feature, features_of_file
from advance_lib.construct.scene_rules import RULES, Rule, evidence, suggest
from advance_lib.data.published import SCENES

DEGREE = 111_319.49  # metres
PLACES = [(0.0, 20.0), (60.0, -30.0), (-45.0, 180.0), (10.0, -179.9995)]


class Ground:
    """A photograph of 200 m × 200 m; features are placed in shares of its side from the lower left corner."""

    def __init__(self, latitude=0.0, longitude=20.0):
        self.latitude, self.longitude = latitude, longitude
        self.area = around(latitude, longitude, 200)
        self.features = []

    def _degrees(self, x, y):
        longitude = self.longitude + (x - 0.5) * 200 / DEGREE / cos(radians(self.latitude))
        return self.latitude + (y - 0.5) * 200 / DEGREE, (longitude + 180) % 360 - 180

    def add(self, points, kind="way", **tags):
        outline = tuple(self._degrees(*point) for point in points)
        tags = {key.replace("__", ":"): value for key, value in tags.items()}
        self.features.append(Feature(kind, len(self.features), tags, (outline,)))
        return self

    def box(self, left, bottom, right, top, **tags):
        corners = [(left, bottom), (right, bottom), (right, top), (left, top), (left, bottom)]
        return self.add(corners, **tags)

    def suggestion(self):
        return suggest(self.features, self.area)


@pytest.mark.parametrize("place", PLACES)
def test_the_covered_share_is_that_of_the_photograph(place):
    rule = Rule("lake", 1, "area", 0.5, ("natural=water",))
    ground = Ground(*place).box(-2, -2, 0.25, 3, natural="water").box(0.1, 0.5, 0.5, 1.5, natural="water")
    found = evidence(rule, ground.features, ground.area)
    assert found.amount == pytest.approx(0.25 + 0.25 * 0.5, abs=1e-3)  # what lies outside or twice does not count
    assert found.tags == ("natural=water",) and found.strength == pytest.approx(0.75, abs=2e-3)


@pytest.mark.parametrize("place", PLACES)
def test_lines_count_inside_the_photograph_only(place):
    ground = Ground(*place).add([(-3, 0.5), (0.4, 0.5)], bridge="yes").add([(0.5, 0.2), (0.5, 0.3)], bridge="viaduct")
    ground.add([(2, 2), (3, 3)], bridge="yes")
    found = evidence(Rule("bridge", 1, "length", 0.2, ("bridge=*",)), ground.features, ground.area)
    assert found.amount == pytest.approx(0.4 + 0.1, abs=1e-3)
    assert found.tags == ("bridge=yes", "bridge=viaduct")


@pytest.mark.parametrize("place", PLACES)
def test_points_count_inside_the_photograph_only(place):
    ground = Ground(*place).add([(0.9, 0.9)], "node", railway="station").add([(1.1, 0.9)], "node", railway="station")
    found = evidence(Rule("train station", 1, "count", 1, ("railway=station",)), ground.features, ground.area)
    assert found.amount == 1


def test_an_open_line_covers_nothing_and_a_ring_that_crosses_itself_is_no_crash():
    ground = Ground().add([(0, 0), (1, 0), (1, 1)], natural="wood")
    ground.add([(0, 0), (1, 1), (1, 0), (0, 1), (0, 0)], natural="wood")  # a bow tie: half of the photograph
    found = evidence(Rule("forest", 1, "area", 0.3, ("natural=wood",)), ground.features, ground.area)
    assert found.amount == pytest.approx(0.5, abs=1e-3)


def test_the_table_names_every_scene_and_each_with_one_priority():
    assert {rule.scene for rule in RULES} == set(SCENES)
    assert len({(rule.scene, rule.priority) for rule in RULES}) == len(SCENES)
    assert all(rule.measure in ("area", "length", "count") and rule.at_least > 0 for rule in RULES)
    assert all(tag.partition("=")[2] for rule in RULES for tag in rule.tags + rule.without)


GROUNDS = {
    "airport": Ground().box(0, 0, 1, 1, landuse="grass").add([(-5, 0.5), (5, 0.5)], aeroway="runway"),
    "beach": Ground().box(0, 0, 0.1, 1, natural="beach").box(0.1, 0, 1, 1, natural="water"),
    "bridge": Ground().box(0, 0, 1, 1, natural="water", water="river").add([(0.1, 0), (0.1, 1)], bridge="yes"),
    "farmland": Ground().box(0, 0, 0.8, 1, landuse="farmland").box(0.8, 0, 1, 1, landuse="forest"),
    "forest": Ground().box(-9, -9, 9, 9, natural="wood"),
    "grassland": Ground().box(0, 0, 1, 0.6, landuse="meadow").box(0, 0.6, 1, 1, natural="scrub"),
    "harbour": Ground().box(0, 0, 1, 1, natural="water").box(0.2, 0.2, 0.8, 0.8, leisure="marina"),
    "lake": Ground().box(0, 0, 1, 0.7, natural="water", water="lake").box(0, 0.7, 1, 1, natural="wood"),
    "orchard": Ground().box(0, 0, 1, 0.5, landuse="orchard").box(0, 0.5, 1, 1, landuse="farmland"),
    "residential": Ground().box(0, 0, 1, 1, landuse="residential").box(0, 0, 0.2, 0.2, leisure="park"),
    "sparse shrub land": Ground().box(0, 0, 1, 0.5, natural="heath"),
    "sports land": Ground().box(0, 0, 1, 1, landuse="residential").box(0.1, 0.1, 0.6, 0.5, leisure="pitch"),
    "train station": Ground().box(0, 0, 1, 1, landuse="residential").add([(0.5, 0.5)], "node", railway="station"),
}


@pytest.mark.parametrize("scene", SCENES)
def test_a_plain_case_of_each_scene(scene):
    found = GROUNDS[scene].suggestion()
    assert (found.scene, found.review) == (scene, "")


def test_the_reason_names_the_tags_and_how_much_there_is():
    assert GROUNDS["bridge"].suggestion().reason == "bridge=yes along 1.00 times its side"
    assert GROUNDS["forest"].suggestion().reason == "natural=wood on 100% of the photograph"
    assert GROUNDS["train station"].suggestion().reason == "railway=station × 1"


def test_a_tie_goes_to_review_with_both_sides():
    found = Ground().box(0, 0, 0.5, 1, landuse="farmland").box(0.55, 0, 1, 1, natural="wood").suggestion()
    assert found.scene is None and found.review == "tie"
    assert "farmland: landuse=farmland on 50%" in found.reason and "forest: natural=wood on 45%" in found.reason


def test_too_little_goes_to_review_with_what_there_is():
    found = Ground().box(0, 0, 0.2, 1, natural="wood").suggestion()
    assert (found.scene, found.review) == (None, "no match")
    assert found.reason == "forest: natural=wood on 20% of the photograph"
    assert Ground().suggestion().reason == "no known tag"


@pytest.mark.parametrize(
    "tags", [{"bridge": "no"}, {"railway": "station", "station": "subway"}, {"railway": "platform", "tunnel": "yes"}]
)
def test_what_is_denied_or_underground_does_not_count(tags):
    assert Ground().add([(0, 0.5), (1, 0.5)], **tags).suggestion().scene is None


def test_a_bridge_leads_over_water():
    ground = Ground().box(0, 0, 1, 1, landuse="residential").add([(0, 0.5), (1, 0.5)], bridge="viaduct")
    assert ground.suggestion().scene == "residential"
    assert ground.add([(0.5, -5), (0.5, -1)], waterway="river").suggestion().scene == "residential"  # outside
    assert ground.add([(0.5, -5), (0.5, 5)], waterway="river").suggestion().scene == "bridge"


def test_a_river_is_no_lake_and_a_warehouse_no_home():
    assert Ground().box(0, 0, 1, 1, natural="water", water="river").suggestion().scene is None
    assert Ground().box(0, 0, 1, 1, building="warehouse").suggestion().scene is None
    assert Ground().box(0, 0, 0.3, 0.3, building="house").suggestion().scene == "residential"


def test_real_extracts(shared):
    """Not a measure of the rules: one place of homes and fields, one of streets below a viaduct of the railway."""
    memmingen = features_of_file(shared / "osm" / "planet_10.068,48.135_10.071,48.137.osm")
    oakland = features_of_file(shared / "osm" / "West-Oakland.osm.bz2")
    found = suggest(memmingen, Area(10.068, 48.135, 10.071, 48.137))
    assert (found.scene, found.review) == (None, "no match")  # its land use is cut off, and 6 % are houses
    assert found.reason == "residential: building=yes, building=house on 6% of the photograph"
    assert suggest(oakland, around(37.8054, -122.3026, 256)).scene == "residential"
    assert suggest(oakland, around(37.8054, -122.2978, 256)).scene is None  # 550 m of bridge=yes, and no water
