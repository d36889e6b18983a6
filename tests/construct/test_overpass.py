import bz2
import json
import re
from dataclasses import replace

import pytest
from shapely.geometry import Polygon, box

from advance_lib.cache import UserError
from advance_lib.construct.area import Area, around
from advance_lib.construct.overpass import Feature, features_in, features_of_file
from advance_lib.data.fetching import FetchError, Patience
from advance_lib.miniature.planet.planet import planet_of
from advance_lib.miniature.planet.server import Answer
from tests.faults import Fault

QUICK = Patience(attempts=4, first_wait=0.001, longest_wait=0.01)
HURRIED = replace(QUICK, timeout=0.4)  # for a server that is slow on purpose
PLANET = planet_of(scenes=("forest", "lake"), places_per_scene=2)
PLACE = PLANET.places[0]
HERE = around(PLACE.latitude, PLACE.longitude, 400)


@pytest.fixture
def answered(server, monkeypatch):
    """A function that asks a server which gives the elements of the test's own."""

    def ask(*elements, left=None, **more):
        body = json.dumps({"elements": elements} | more).encode()
        monkeypatch.setattr(server, "answer", lambda *request: Answer(200, body, "application/json"))
        return features_in(HERE, server.overpass, QUICK, left)

    return ask


def points(*pairs):
    return [{"lat": latitude, "lon": longitude} for latitude, longitude in pairs]


def member(role, *pairs, kind="way"):
    return {"type": kind, "ref": 1, "role": role, "geometry": points(*pairs)}


def test_what_a_place_has(server):
    found = features_in(HERE, server.overpass, QUICK)
    assert found and all(feature.tags for feature in found)
    assert len({(feature.kind, feature.id) for feature in found}) == len(found)
    request = server.requests[0]
    assert request.method == "POST" and server.count("overpass") == 1
    assert features_in(HERE, server.overpass, QUICK) == found


def test_what_encloses_a_place_is_found(server):
    """A box within a wood has none of its edges; `is_in` finds the wood all the same."""
    tiny = around(PLACE.latitude, PLACE.longitude, 4)
    enclosing = [
        feature
        for feature in features_in(tiny, server.overpass, QUICK)
        for outline in feature.outlines
        if len(outline) > 3 and Polygon(outline).contains(box(tiny.south, tiny.west, tiny.north, tiny.east))
    ]
    assert enclosing


def test_the_query(server):
    features_in(Area(179.5, -10.25, -179.5, -10), server.overpass, QUICK)
    query = server.requests[0].body
    box = "-10.250000%2C179.500000%2C-10.000000%2C-179.500000"  # south, west, north, east; west > east is understood
    assert re.search(r"data=%5Bout%3Ajson%5D%5Btimeout%3A20%5D", query)
    assert query.count(box) == 3 and "is_in%28-10.125000%2C-180.000000%29" in query


def test_nodes_ways_and_relations(answered):
    ring = [(0, 0), (0, 2), (2, 2), (2, 0), (0, 0)]
    found = answered(
        {"type": "way", "id": 3, "tags": {"landuse": "forest"}, "geometry": points(*ring)},
        {"type": "way", "id": 2, "tags": {"highway": "path"}, "geometry": points((1, 1), (1, 2))},
        {"type": "node", "id": 9, "tags": {"natural": "tree"}, "lat": 1.5, "lon": -3},
        {"type": "node", "id": 8, "lat": 1, "lon": 1},
        {"type": "way", "id": 7, "geometry": points((1, 1), (1, 2))},
        {"type": "way", "id": 2, "tags": {"highway": "path"}, "geometry": points((1, 1), (1, 2))},
    )
    assert found == [
        Feature("node", 9, {"natural": "tree"}, (((1.5, -3),),)),
        Feature("way", 2, {"highway": "path"}, (((1, 1), (1, 2)),)),
        Feature("way", 3, {"landuse": "forest"}, (tuple(ring),)),
    ]


def test_the_outer_ways_of_a_relation_are_joined(answered):
    """A lake of two pieces: one of three ways, one of them backwards, with an island; and one of a single way."""
    [lake] = answered(
        {
            "type": "relation",
            "id": 1,
            "tags": {"natural": "water", "type": "multipolygon"},
            "members": [
                member("outer", (0, 0), (0, 9), (5, 9)),
                member("inner", (1, 1), (1, 2), (2, 2), (1, 1)),
                member("outer", (9, 0), (9, 9), (5, 9)),
                member("", (9, 0), (4, 0), (0, 0)),
                member("outer", (20, 20), (20, 21), (21, 21), (20, 20)),
                {"type": "node", "ref": 5, "role": "label", "lat": 3, "lon": 3},
            ],
        }
    )
    assert all(outline[0] == outline[-1] for outline in lake.outlines)
    areas = sorted(Polygon(outline).area for outline in lake.outlines)
    assert areas == [0.5, 81]


def test_a_relation_that_is_not_whole(answered):
    common = {"type": "relation", "tags": {"natural": "water"}}
    [open_one] = answered(
        common | {"id": 1, "members": [member("outer", (0, 0), (0, 9))]},
        common | {"id": 2, "members": [member("inner", (0, 0), (0, 9))]},
        common | {"id": 3, "members": []},
    )
    assert open_one.outlines == (((0, 0), (0, 9)),)


def test_nothing_there(server):
    server.faults = [Fault("empty", "overpass")]
    assert features_in(HERE, server.overpass, QUICK) == [] and server.count("overpass") == 1


FAULTS = ("429", "500", "reset", "slow", "truncated", "wrong-length", "html", "malformed-json", "remark")


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_is_survived_or_ends_in_one_line(server, kind):
    before = features_in(HERE, server.overpass, QUICK)
    patience = HURRIED if kind == "slow" else QUICK
    server.faults = [Fault(kind, "overpass", times=2)]
    assert features_in(HERE, server.overpass, patience) == before and server.count("overpass") == 1 + 3
    server.faults = [Fault(kind, "overpass")]
    with pytest.raises(FetchError, match=rf"^{server.overpass}: [^\n]+, 4 times; try again later") as caught:
        features_in(HERE, server.overpass, patience)
    assert server.count("overpass") == 1 + 3 + QUICK.attempts
    if kind == "remark":
        assert 'runtime error: Query timed out in "query"' in str(caught.value)


@pytest.mark.parametrize(
    ("elements", "more", "words"),
    [
        ([], {"elements": 7}, "no list of elements"),
        ([], {"remark": "runtime error: out of memory"}, "runtime error: out of memory"),
    ],
)
def test_an_answer_of_another_form(answered, elements, more, words):
    with pytest.raises(FetchError, match=f"not what was asked for: .*{words}"):
        answered(*elements, **more)


TREE = {"type": "node", "id": 9, "tags": {"natural": "tree"}, "lat": 1.5, "lon": -3}
TAGGED = {"id": 1, "tags": {"natural": "water"}}
LAKE = TAGGED | {"type": "relation", "members": [member("outer", (0, 0), (0, 9), (9, 9), (0, 0))]}
PATH = TAGGED | {"type": "way", "geometry": points((0, 0), (0, 9))}


def without(element, name):
    return {key: value for key, value in element.items() if key != name}


@pytest.mark.parametrize(
    ("element", "name", "reason"),
    [
        (None, "element 2", "the entry is null, not an object"),
        (7, "element 2", "the entry is 7, not an object"),
        ([], "element 2", "the entry is [], not an object"),
        (without(TREE, "type"), "element 2", "it has no type"),
        (TREE | {"type": None}, "element 2", "type is null, not a text"),
        (TREE | {"type": "area"}, "element 2", 'type is "area", not one of node, way, relation'),
        (without(PATH, "id"), "element 2", "it has no id"),
        (PATH | {"id": "1"}, "element 2", 'id is "1", not a whole number'),
        (PATH | {"id": True}, "element 2", "id is true"),
        (PATH | {"tags": None}, "way 1", "tags is null"),
        (PATH | {"tags": {"name": None}}, "way 1", 'the tag "name" is null, not a text'),
        (PATH | {"tags": {"name": "\ud800"}}, "way 1", 'the tag "name" is "\\ud800"'),
        (TREE | {"id": 1, "lat": None}, "node 1", "lat is null, not a number"),
        (TREE | {"id": 1, "lat": "1.5"}, "node 1", 'lat is "1.5"'),
        (TREE | {"id": 1, "lon": float("nan")}, "node 1", "lon is NaN"),
        (TREE | {"id": 1, "lat": 91}, "node 1", "latitude 91, longitude -3 is nowhere on the Earth"),
        (without(PATH, "geometry"), "way 1", "it has no geometry"),
        (PATH | {"geometry": None}, "way 1", "geometry is null"),
        (PATH | {"geometry": []}, "way 1", "fewer than two points"),
        (PATH | {"geometry": [None, *points((0, 0), (0, 9))]}, "way 1", "a point is null, not an object"),
        (PATH | {"geometry": [{"lat": 1}] * 2}, "way 1", "it has no lon"),
        (without(LAKE, "members"), "relation 1", "it has no members"),
        (LAKE | {"members": None}, "relation 1", "members is null"),
        (LAKE | {"members": []}, "relation 1", "its members have no outer way"),
        (LAKE | {"members": [None]}, "relation 1", "a member is null, not an object"),
        (LAKE | {"members": [{"type": "way"}]}, "relation 1", "it has no role"),
        (LAKE | {"members": [member("outer") | {"geometry": None}]}, "relation 1", "geometry is null"),
        (LAKE | {"members": [member("inner", (0, 0), (0, 9))]}, "relation 1", "no outer way"),
    ],
)
def test_an_odd_element_is_left_out_with_its_reason(answered, server, element, name, reason):
    left = {}
    found = answered(TREE, element, PATH | {"id": 2}, LAKE | {"id": 2}, left=left)
    assert [(feature.kind, feature.id) for feature in found] == [("node", 9), ("relation", 2), ("way", 2)]
    assert list(left) == [name] and reason in left[name]
    assert server.count("overpass") == 1  # the rest of the answer is good


def test_nothing_odd_is_said_of_what_is_whole(server):
    left = {}
    assert features_in(HERE, server.overpass, QUICK, left) and not left


def test_a_remark_that_is_no_error(answered):
    assert answered(remark="runtime remark: dispatched slowly") == []


EXTRACT = """<?xml version="1.0" encoding="UTF-8"?>
<osm version="0.6">
 <bounds minlat="0" minlon="0" maxlat="9" maxlon="9"/>
 <node id="1" lat="0" lon="0"/><node id="2" lat="0" lon="2"/><node id="3" lat="2" lon="2"/>
 <node id="4" lat="5.5" lon="-6.5"><tag k="amenity" v="café"/></node>
 <way id="1"><nd ref="1"/><nd ref="2"/><nd ref="3"/><nd ref="1"/><tag k="landuse" v="forest"/></way>
 <way id="2"><nd ref="1"/><nd ref="99"/><nd ref="3"/><tag k="highway" v="path"/></way>
 <way id="3"><nd ref="98"/><nd ref="1"/><tag k="highway" v="path"/></way>
 <way id="4"><nd ref="1"/><nd ref="2"/></way>
 <way id="5"><nd ref="2"/><nd ref="3"/><nd ref="1"/></way>
 <relation id="1"><member type="way" ref="5" role="outer"/><member type="way" ref="4" role="outer"/>
  <member type="way" ref="97" role="outer"/><member type="node" ref="1" role="label"/>
  <tag k="natural" v="water"/><tag k="type" v="multipolygon"/></relation>
</osm>
"""


@pytest.mark.parametrize("name", ["a.osm", "a.osm.bz2"])
def test_an_extract(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(bz2.compress(EXTRACT.encode()) if name.endswith("bz2") else EXTRACT.encode())
    cafe, water, forest, track = features_of_file(path)
    assert cafe == Feature("node", 4, {"amenity": "café"}, (((5.5, -6.5),),))
    assert forest == Feature("way", 1, {"landuse": "forest"}, (((0, 0), (0, 2), (2, 2), (0, 0)),))
    assert track == Feature("way", 2, {"highway": "path"}, (((0, 0), (2, 2)),))
    assert (water.kind, water.id, water.tags["natural"]) == ("relation", 1, "water")
    assert [Polygon(outline).area for outline in water.outlines] == [2]


@pytest.mark.parametrize(
    "content",
    [b"", b"<html></html>", EXTRACT.encode()[:400], EXTRACT.replace('lat="0"', "").encode(),
     EXTRACT.replace('lat="2"', 'lat="two"').encode(),
     EXTRACT.replace(' lat="5.5"', "").encode(), b"\x00\xff" * 50, bz2.compress(EXTRACT.encode())[:100]],
)  # fmt: skip
def test_what_is_no_extract(tmp_path, content):
    for name in ("a.osm", "a.osm.bz2"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=rf"{name}: not an OpenStreetMap extract .*; give a whole \.osm or"):
            features_of_file(tmp_path / name)
    with pytest.raises(UserError, match=r"none: not an OpenStreetMap extract .*No such file"):
        features_of_file(tmp_path / "none")


def test_real_extracts(shared):
    """As many features as a plain look at the lines of the files counts."""
    for path in (shared / "osm").glob("*.osm*"):
        text = (bz2.open if path.suffix == ".bz2" else open)(path, "rt", encoding="utf-8").read()
        found = features_of_file(path)
        inside = {kind: re.findall(rf"<{kind} [^>]*[^/]>(.*?)</{kind}>", text, re.DOTALL) for kind in ("node", "way")}
        nodes = set(re.findall(r'<node [^>]*\bid="(\d+)"', text))
        drawn = [way for way in inside["way"] if sum(ref in nodes for ref in re.findall(r'<nd ref="(\d+)"', way)) > 1]
        for kind, elements in (("node", inside["node"]), ("way", drawn)):
            assert sum(feature.kind == kind for feature in found) == sum("<tag " in lines for lines in elements) > 0
        latitudes = [float(value) for value in re.findall(r'<node [^>]*\blat="([^"]+)"', text)]
        for latitude, _ in (point for feature in found for outline in feature.outlines for point in outline):
            assert min(latitudes) <= latitude <= max(latitudes)
