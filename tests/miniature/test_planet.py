"""The miniature planet and its server, seen with plain requests: formats, geometry, truth, and every fault."""

import io
import json
import re
import socket
import time
from functools import cache
from threading import active_count

import numpy as np
import pytest
import requests
import soundfile
from PIL import Image
from shapely.geometry import LineString, box

from advance_lib.miniature.photographs import SCENES
from advance_lib.miniature.planet import answers as planet_answers
from advance_lib.miniature.planet import land as planet_land
from advance_lib.miniature.planet import map as planet_map
from advance_lib.miniature.planet import sounds as planet_sounds
from advance_lib.miniature.planet.answers import Refused, overpass, search
from advance_lib.miniature.planet.planet import EXTENT, eastwards, planet_of
from tests.faults import FAULTS, SERVICES, Fault, serve

SMALL = planet_of(4, scenes=("forest", "lake"), places_per_scene=3)
EQUATOR = 40_075_016.686  # metres around WGS 84


@pytest.fixture(autouse=True)
def direct(monkeypatch):
    """No proxy between a test and the loopback interface."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture(scope="module")
def server():
    """The small planet's server without faults."""
    with serve(SMALL) as running:
        yield running


@cache
def whole():
    """All scenes, a dozen places each: laid out in no time, rendered only where it is looked at."""
    return planet_of()


def wiki_pixel(latitude, longitude, zoom):
    """Global pixel of a point after OpenStreetMap's wiki, Slippy map tilenames."""
    phi, side = np.radians(latitude), 256 * 2**zoom
    return (longitude + 180) / 360 * side, (1 - np.log(np.tan(phi) + 1 / np.cos(phi)) / np.pi) / 2 * side


def square(place, metres):
    """(south, west, north, east) of a square of some metres around a place, as Overpass wants it."""
    high = metres / EQUATOR * 180
    wide = high / np.cos(np.radians(place.latitude))
    west, east = ((place.longitude + step + 180) % 360 - 180 for step in (-wide, wide))
    return f"{place.latitude - high},{west},{place.latitude + high},{east}"


def ask(server, query="", token=True, **parameters):
    headers = {"Authorization": f"Token {server.token}"} if token else {}
    address = f"{server.freesound}/search/text/"
    return requests.get(address, params={"query": query, **parameters}, headers=headers, timeout=20)


def picture_of(server, zoom, column, row):
    answer = requests.get(server.tiles.format(z=zoom, x=column, y=row), timeout=20)
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "image/png"
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (256, 256))
        return np.asarray(picture)


def samples_of_all():
    """A tile, a preview and a map of the small planet."""
    place = SMALL.places[4]
    column, row = (int(at // 256) for at in wiki_pixel(place.latitude, place.longitude, 17))
    sounds = [planet_sounds.preview(SMALL.sounds[1], suffix) for suffix in ("ogg", "mp3")]
    return planet_land.tile(SMALL, 17, column, row), sounds, planet_map.elements_of(SMALL.places[2])


# ---------------------------------------------------------------- the planet


def test_a_planet_is_drawn_from_its_seed_and_a_place_from_its_own():
    assert planet_of() == whole() != planet_of(seed=1)
    first = samples_of_all()
    for cached in (planet_land.tile, planet_land.photographed, planet_sounds.preview, planet_map.elements_of):
        cached.cache_clear()
    assert samples_of_all() == first


def test_places_lie_apart_within_the_bounds_and_the_truth_names_their_scenes():
    planet = whole()
    west, south, east, north = planet.bounds
    spots = np.array([(place.latitude, place.longitude) for place in planet.places])
    assert len(spots) == 13 * 12 and {place.scene for place in planet.places} == set(SCENES)
    assert ((spots > (south, west)) & (spots < (north, east))).all()
    metres = (spots - spots.mean(0)) * EQUATOR / 360 * (1, np.cos(np.radians(spots[:, :1].mean())))
    apart = np.abs(metres[:, None] - metres[None]).max(-1) + 1e9 * np.eye(len(spots))
    assert apart.min() > EXTENT
    truth = planet.truth()
    sounds = {sound.id: sound for sound in planet.sounds}
    assert truth["id"].is_unique and set(truth["place"]) == {place.number for place in planet.places}
    for row in truth.itertuples():
        place, sound = planet.places[row.place], sounds[row.id]
        assert (row.scene, row.latitude, row.longitude) == (place.scene, sound.latitude, sound.longitude)
        assert abs(row.latitude - place.latitude) * EQUATOR / 360 < 21


def test_a_planet_may_lie_across_the_antimeridian_and_refuses_what_cannot_be():
    planet = planet_of(scenes=("beach",), places_per_scene=9, latitude=0, longitude=180, span=0.2)
    west, _, east, _ = planet.bounds
    assert west > east and {np.sign(place.longitude) for place in planet.places} == {-1, 1}
    assert all(-180 <= place.longitude < 180 for place in planet.places)
    assert all(eastwards(west, place.longitude) < eastwards(west, east) for place in planet.places)
    assert eastwards(-180, 180) == 360 and eastwards(179, -179) == 2 and eastwards(5, 5) == 0
    with pytest.raises(ValueError, match=r"'moon'.*the scenes are"):
        planet_of(scenes=("moon",))
    with pytest.raises(ValueError, match=r"span of at least 0\.0"):
        planet_of(scenes=("beach",), places_per_scene=9, span=0.01)


def test_recordings_are_of_all_lengths_rates_and_licences_and_some_are_useless():
    sounds = whole().sounds
    lengths = np.array([sound.seconds for sound in sounds])
    shares = [(lengths < 2).mean(), ((lengths >= 2) & (lengths < 10)).mean(), (lengths >= 10).mean()]
    np.testing.assert_allclose(shares, planet_sounds.LENGTH_SHARES, atol=0.08)
    assert {sound.rate for sound in sounds} == set(planet_sounds.RATES)
    assert {sound.licence for sound in sounds} == set(planet_sounds.LICENCES)
    assert {sound.channels for sound in sounds} == {1, 2}
    nowhere = [sound for sound in sounds if sound.latitude is None]
    elsewhere = [sound for sound in sounds if sound.place is None and sound.latitude is not None]
    assert len(nowhere) == len(elsewhere) > 3 and all(sound.latitude < 0 for sound in elsewhere)
    places = [sound.place for sound in sounds if sound.place is not None]
    assert len(set(places)) < len(places)  # somewhere two recordings were made


# ---------------------------------------------------------------- imagery


@pytest.mark.parametrize(("latitude", "longitude"), [(0.0, 10.0), (60.0, -30.0), (-45.0, 180.0)])
def test_survey_marks_lie_where_the_standard_projection_has_them(latitude, longitude):
    planet = planet_of(scenes=("grassland",), places_per_scene=1, latitude=latitude, longitude=longitude, marked=True,
                       span=0.02)  # fmt: skip
    place, zoom = planet.places[0], 18
    middle = wiki_pixel(place.latitude, place.longitude, zoom)
    column, row = (int(at // 256) - 2 for at in middle)
    with serve(planet) as server:
        rows = [[picture_of(server, zoom, (column + i) % 2**zoom, row + j) for i in range(5)] for j in range(5)]
    seen = np.argwhere((np.vstack([np.hstack(line) for line in rows]) == planet_land.MARK).all(-1)) + 0.5

    def mark_near(x, y):
        near = seen[np.abs(seen - (y, x)).max(1) < 20]
        assert len(near), "a mark is missing"
        return near.mean(0)[::-1]

    x, y = middle[0] - 256 * column, middle[1] - 256 * row
    metre = 2**zoom * 256 / EQUATOR / np.cos(np.radians(latitude))  # pixels
    marks = [mark_near(x + 100 * east * metre, y - 100 * north * metre)
             for east, north in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))]  # fmt: skip
    np.testing.assert_allclose(marks[0], (x, y), atol=1)
    assert np.hypot(*(marks[1] - marks[2])) / metre == pytest.approx(200, rel=0.01)
    assert np.hypot(*(marks[3] - marks[4])) / metre == pytest.approx(200, rel=0.01)


def test_tiles_fit_together_in_every_direction_and_at_the_antimeridian():
    planet = planet_of(scenes=("forest",), places_per_scene=1, latitude=10, longitude=180, span=0.01)
    place, zoom = planet.places[0], 17
    # The corner of four tiles nearest to the place; with the place at 180 degrees it lies on the antimeridian.
    column, row = (round(at / 256) for at in wiki_pixel(place.latitude, place.longitude, zoom))
    around = [(column + i) % 2**zoom for i in (-1, 0)]
    assert abs(around[0] - around[1]) > 1
    quarter = [[planet_land.tile_pixels(planet, zoom, at, row + j) for at in around] for j in (-1, 0)]
    picture = np.vstack([np.hstack(line) for line in quarter]).astype(float)
    assert picture.std() > 10  # not only open land
    for lines in (picture, picture.swapaxes(0, 1)):
        steps = np.abs(np.diff(lines, axis=0)).mean((1, 2))
        assert steps[255] < 1.3 * np.median(steps)


def test_zoom_levels_show_the_same_land():
    place, zoom = SMALL.places[0], 16
    column, row = (int(at // 256) for at in wiki_pixel(place.latitude, place.longitude, zoom))
    coarse = planet_land.tile_pixels(SMALL, zoom, column, row).astype(float)
    fine = np.vstack([
        np.hstack([planet_land.tile_pixels(SMALL, zoom + 1, 2 * column + i, 2 * row + j) for i in (0, 1)])
        for j in (0, 1)
    ]).astype(float).reshape(256, 2, 256, 2, 3).mean((1, 3))  # fmt: skip
    assert np.corrcoef(coarse.ravel(), fine.ravel())[0, 1] > 0.9
    assert np.abs(coarse.mean() - fine.mean()) < 2


def test_a_place_is_true_to_scale_and_larger_than_a_shifted_photograph():
    # 512 pixels of 0.6 m, shifted by a fifth of the side each way.
    assert planet_land.photographed(SMALL.places[0]).shape[0] * planet_land.GROUND == EXTENT > 1.4 * 512 * 0.6


def test_there_is_no_tile_outside_the_pyramid(server):
    for zoom, column, row in ((3, 8, 0), (3, 0, 8), (server.deepest_zoom + 1, 0, 0)):
        assert requests.get(server.tiles.format(z=zoom, x=column, y=row), timeout=20).status_code == 404
    assert requests.get(f"{server.address}/elsewhere", timeout=20).status_code == 404


# ---------------------------------------------------------------- Freesound


def test_a_search_is_paged_and_its_links_lead_through_all_results(server):
    west, south, east, north = SMALL.bounds
    area = f'geotag:"Intersects({west} {south} {east} {north})"'
    page = ask(server, filter=area, page_size=3, fields="id,geotag,duration").json()
    found, pages = [], 1
    assert set(page) == {"count", "next", "previous", "results"} and page["previous"] is None
    while True:
        found += page["results"]
        if page["next"] is None:
            break
        page = requests.get(page["next"], headers={"Authorization": f"Token {server.token}"}, timeout=20).json()
        pages += 1
    assert pages == -(-page["count"] // 3) > 1 and len(found) == page["count"]
    truth = SMALL.truth().set_index("id")
    assert sorted(sound["id"] for sound in found) == sorted(truth.index)
    for sound in found:
        latitude, longitude = map(float, sound["geotag"].split(" "))
        assert (latitude, longitude) == tuple(truth.loc[sound["id"], ["latitude", "longitude"]])
        assert set(sound) == {"id", "geotag", "duration"}
    assert ask(server, page=99).status_code == 404
    assert {ask(server, **wrong).status_code for wrong in ({"page": "x"}, {"page_size": 0}, {"page_size": -1})} == {400}
    assert set(ask(server).json()["results"][0]) == {"id", "name", "tags", "username", "license"}


def test_pages_have_fifteen_sounds_and_at_most_a_hundred_and_fifty():
    planet = whole()
    assert len(search(planet, {}, "", "/")["results"]) == 15
    assert len(search(planet, {"page_size": "1000"}, "", "/")["results"]) == 150


def test_queries_mean_all_words_and_overlap():
    planet = whole()

    def found(query):
        answer = search(planet, {"query": query, "page_size": "150"}, "", "/")
        assert answer["count"] == len(answer["results"]) or answer["next"]
        return {sound["id"]: sound for sound in answer["results"]}

    both = found("field-recording ambience")
    assert both and all({"field-recording", "ambience"} <= set(sound["tags"]) for sound in both.values())
    assert len(found("ambience").keys() & found("field-recording").keys()) > 10  # twice, over two queries
    assert not any("ambience" in sound["tags"] for sound in found("beach -ambience").values())
    assert found('"field recording" wind') and not found("no-such-word")


def test_filters_select_by_rectangle_and_duration_and_others_are_refused(server):
    planet = planet_of(scenes=("beach",), places_per_scene=9, latitude=0, longitude=180, span=0.2)
    every = search(planet, {"filter": 'geotag:"Intersects(-180 -90 180 90)"'}, "", "/")["count"]
    across = search(planet, {"filter": 'geotag:"Intersects(179 -1 -179 1)"'}, "", "/")["count"]
    sides = [search(planet, {"filter": f'geotag:"Intersects({side})"'}, "", "/")["count"]
             for side in ("179 -1 180 1", "-180 -1 -179 1")]  # fmt: skip
    assert across == len(planet.truth()) == sum(sides) < every < len(planet.sounds) and min(sides) > 0
    wanted = {"filter": "duration:[2 TO *]", "page_size": "150", "fields": "duration"}
    lengths = [sound["duration"] for sound in search(whole(), wanted, "", "/")["results"]]
    assert min(lengths) >= 2 and max(lengths) > 10
    assert ask(server, filter="pack:mine").status_code == 400


@pytest.mark.parametrize(("headers", "reason"), [
    ({}, "credentials were not provided"), ({"Authorization": "Token wrong"}, "Invalid token"),
])  # fmt: skip
def test_freesound_wants_its_token(server, headers, reason):
    answer = requests.get(f"{server.freesound}/search/", headers=headers, timeout=20)
    assert answer.status_code == 401 and reason in answer.json()["detail"]
    assert requests.get(f"{server.freesound}/search/?token={server.token}&page_size=2", timeout=20).ok
    assert "token" not in requests.get(f"{server.freesound}/search/?token={server.token}&page_size=2").json()["next"]


def test_previews_are_whole_recordings_of_the_announced_length(server):
    answer = ask(server, fields="id,duration,samplerate,channels,previews,license,username,url", page_size=150)
    for sound in answer.json()["results"][:3]:
        assert sound["url"].startswith("https://miniature.invalid/people/" + sound["username"])
        assert sound["license"] in planet_sounds.LICENCES
        for suffix, slack in (("ogg", 0.001), ("mp3", 0.1)):
            preview = requests.get(sound["previews"][f"preview-hq-{suffix}"], timeout=20)  # without a token
            samples, rate = soundfile.read(io.BytesIO(preview.content), always_2d=True)
            assert (rate, samples.shape[1]) == (sound["samplerate"], sound["channels"])
            assert len(samples) / rate == pytest.approx(sound["duration"], abs=slack)
            assert samples.std() > 1e-3
    assert requests.get(f"{server.address}/data/previews/1/1234_1-hq.ogg", timeout=20).status_code == 404


# ---------------------------------------------------------------- Overpass


def post(server, query):
    return requests.post(server.overpass, data={"data": query}, timeout=20)


def lines_of(element):
    parts = [element] if element["type"] == "way" else element["members"]
    return [[(point["lon"], point["lat"]) for point in part["geometry"]] for part in parts]


def test_elements_have_the_form_of_overpass_json_with_geometry(server):
    seen = set()
    for place in SMALL.places:
        answer = post(server, f"[out:json][timeout:25];nwr({square(place, 480)});out geom;")
        assert answer.headers["Content-Type"] == "application/json"
        content = answer.json()
        assert set(content) == {"version", "generator", "osm3s", "elements"}
        for element in content["elements"]:
            seen.add(element["type"])
            assert isinstance(element["id"], int) and all(isinstance(tag, str) for tag in element["tags"].values())
            if element["type"] == "node":
                assert {"lat", "lon"} <= set(element)
                continue
            corners = np.concatenate(lines_of(element))
            bounds = [element["bounds"][key] for key in ("minlon", "minlat", "maxlon", "maxlat")]
            np.testing.assert_array_equal(bounds, [*corners.min(0), *corners.max(0)])
            if element["type"] == "way":
                assert len(element["nodes"]) == len(element["geometry"])
                closed = element["geometry"][0] == element["geometry"][-1]
                assert closed == (element["nodes"][0] == element["nodes"][-1])
            else:
                first, second = lines_of(element)
                assert [member["role"] for member in element["members"]] == ["outer", "outer"]
                assert first[-1] == second[0] and second[-1] == first[0]  # two halves of a ring
    assert seen == {"node", "way", "relation"}


def test_a_box_gets_what_reaches_into_it_and_is_in_what_encloses_it(server):
    outside = []
    for place in SMALL.places:
        tight = square(place, 5)
        south, west, north, east = map(float, tight.split(","))
        ways = post(server, f"[out:json];(way({tight});relation({tight}););out geom;").json()["elements"]
        assert all(any(LineString(line).intersects(box(west, south, east, north)) for line in lines_of(element))
                   for element in ways)  # fmt: skip
        at = f"is_in({place.latitude},{place.longitude})->.a"
        around = post(server, f"[out:json];{at};(nwr({tight});wr(pivot.a););out geom;").json()["elements"]
        outside += [element for element in around if element not in ways and element["type"] != "node"]
    assert outside  # the wood that one stands in
    for element in outside:
        assert {"landuse", "natural"} & set(element["tags"])


def test_statements_select_by_kind_and_tags(server):
    wide = square(SMALL.places[0], 250_000)
    every = post(server, f"[out:json];nwr({wide});out geom;").json()["elements"]
    assert len({(element["type"], element["id"]) for element in every}) == len(every)

    def those(query):
        return post(server, f"[out:json][timeout:60];{query}out body geom;").json()["elements"]

    def like(kind, test):
        return [element for element in every if element["type"] in kind and test(element["tags"])]

    assert those(f'way["highway"]({wide});') == like("way", lambda tags: "highway" in tags) != []
    assert those(f'nwr["natural"="water"]({wide});') == like(
        ("node", "way", "relation"), lambda tags: tags.get("natural") == "water"
    )
    pattern = like("way", lambda tags: re.search("^(wood|water)$", tags.get("natural", "")))
    assert those(f'(way["natural"~"^(wood|water)$"]({wide}););') == pattern != []
    assert those(f"way[highway!=path]({wide});") == like("way", lambda tags: tags.get("highway") != "path") != []
    assert those(f'way[highway][highway!~"^p"]({wide});') == like(
        "way", lambda tags: "highway" in tags and tags["highway"][0] != "p"
    )
    assert those(f'nwr({wide})[~"^nat"~"."];') == like(("node", "way", "relation"), lambda tags: "natural" in tags)
    everywhere = post(server, f"[out:json][bbox:{wide}][timeout:9];node;out geom;").json()["elements"]
    assert everywhere == like("node", bool) != []


def test_boxes_may_cross_the_antimeridian():
    planet = planet_of(scenes=("lake",), places_per_scene=1, latitude=20, longitude=180, span=0.01)
    mapped = planet_map.elements_of(planet.places[0])
    found = overpass(planet, "[out:json];nwr(19.9,179.9,20.1,-179.9);out geom;")["elements"]
    assert sorted(found, key=str) == sorted(mapped, key=str)
    assert overpass(planet, "[out:json];nwr(19.9,-179.9,20.1,179.9);out geom;")["elements"] == []


@pytest.mark.parametrize("query", [
    "", "nwr(1,2,3,4);out geom;", "[out:json];nwr(1,2,3,4);out;", "[out:json];nwr(around:5);out geom;",
    "[out:json];nwr(1,2,3);out geom;", "[out:json];out geom;", "[out:json];nwr(1,2,3,4);area[name=x];out geom;",
    "[out:json];nwr[highway<5](1,2,3,4);out geom;", "[out:json];wr(pivot);out geom;",
])  # fmt: skip
def test_queries_that_are_not_understood_are_refused(server, query):
    with pytest.raises(Refused, match="parse error"):
        overpass(SMALL, query)
    answer = post(server, query)
    assert answer.status_code == 400 and "text/html" in answer.headers["Content-Type"]


def test_the_map_is_right_often_and_wrong_at_the_stated_rates():
    def tells(element, scene):
        """Whether an element has the tags that tell a scene."""
        choices = planet_map.MAPPED[scene][0][1]
        choices = [choices] if isinstance(choices, dict) else choices
        return any(choice.items() <= element["tags"].items() for choice in choices)

    planet = planet_of(scenes=("beach", "grassland", "forest", "lake"), places_per_scene=25)
    mapped = [planet_map.elements_of(place) for place in planet.places]
    own = np.mean([any(tells(element, place.scene) for element in elements)
                   for place, elements in zip(planet.places, mapped, strict=True)])  # fmt: skip
    others = np.mean([
        any(tells(element, scene) for element in elements for scene in SCENES if scene != place.scene)
        for place, elements in zip(planet.places, mapped, strict=True)
    ])  # fmt: skip
    assert own == pytest.approx(1 - planet_map.UNMAPPED - planet_map.MISTAKEN, abs=0.1)
    assert 0.2 < others < 0.6


def test_outlines_lie_where_the_ground_shows_them():
    place = next(place for place in planet_of(scenes=("lake",)).places if not place.neighbour
                 and any(e["tags"].get("natural") == "water" for e in planet_map.elements_of(place)))  # fmt: skip
    water = next(e for e in planet_map.elements_of(place) if e["tags"].get("natural") == "water")
    metres = EQUATOR / 360 * np.array([np.cos(np.radians(place.latitude)), 1])
    ring = (np.concatenate(lines_of(water)) - (place.longitude, place.latitude)) * metres
    x, y = ((ring.mean(0) * (1, -1) + EXTENT / 2) / planet_land.GROUND).astype(int)
    picture = planet_land.photographed(place).astype(float)
    red, _, blue = picture[y - 4 : y + 5, x - 4 : x + 5].mean((0, 1))
    assert blue > red and blue - red > picture.mean((0, 1))[2] - picture.mean((0, 1))[0]


# ---------------------------------------------------------------- faults


def get(server, service, **options):
    """One request to a service as a collector would make it."""
    if service == "freesound":
        return requests.get(f"{server.freesound}/search/?token={server.token}", timeout=20, **options)
    if service == "previews":
        number = SMALL.sounds[0].id
        return requests.get(f"{server.address}/data/previews/100/{number}_1-hq.ogg", timeout=20, **options)
    if service == "overpass":
        query = f"[out:json];nwr({square(SMALL.places[0], 150)});out geom;"
        return requests.post(server.overpass, data={"data": query}, timeout=20, **options)
    x, y = wiki_pixel(SMALL.places[0].latitude, SMALL.places[0].longitude, 16)
    return requests.get(server.tiles.format(z=16, x=int(x // 256), y=int(y // 256)), timeout=20, **options)


def read(service, body):
    """Decode what a service sends, or raise."""
    if service == "previews":
        return soundfile.read(io.BytesIO(body))
    if service == "tiles":
        with Image.open(io.BytesIO(body)) as picture:
            return picture.convert("RGB")
    return json.loads(body)


def check_429(answer, service):
    assert answer.status_code == 429 and answer.headers["Retry-After"] == "7"


def check_500(answer, service):
    assert answer.status_code == 500


def check_html(answer, service):
    assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/html")
    assert answer.content.startswith(b"<!DOCTYPE html>")


def check_malformed_json(answer, service):
    assert answer.status_code == 200 and "html" not in answer.headers["Content-Type"]
    if service != "previews":  # half of an Ogg file is a shorter recording
        with pytest.raises((ValueError, OSError)):
            read(service, answer.content)


def check_empty(answer, service):
    assert answer.status_code == 200
    if service in ("freesound", "overpass"):
        content = answer.json()
        assert content.get("results", content.get("elements")) == [] and content.get("count", 0) == 0
    else:
        assert answer.content == b""


def check_expired_token(answer, service):
    assert answer.status_code == 401 and answer.json() == {"detail": "Invalid token"}


def check_remark(answer, service):
    assert answer.status_code == 200 and answer.json()["remark"].startswith("runtime error")
    assert answer.json()["elements"] == []


def check_bad_preview(answer, service):
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "audio/ogg"
    with pytest.raises(soundfile.LibsndfileError):
        read(service, answer.content)


def check_blank_tile(answer, service):
    assert answer.status_code == 200 and read(service, answer.content).getcolors() == [(256 * 256, (204, 204, 204))]


def check_404_tile(answer, service):
    assert answer.status_code == 404


TRANSPORT = ("reset", "slow", "truncated", "wrong-length")
CASES = [(kind, service) for kind in FAULTS for service in SERVICES if Fault(kind).concerns(service)]


@pytest.fixture(scope="module")
def faulty():
    """A server whose faults every test brings along."""
    with serve(SMALL) as running:
        yield running


@pytest.fixture
def at_fault(faulty):
    """A function that gives the server its faults, until the test ends."""

    def give(*faults):
        faulty.requests.clear()
        faulty.sent.clear()
        faulty.faults[:] = faults
        return faulty

    yield give
    faulty.faults.clear()


@pytest.mark.parametrize(("kind", "service"), [case for case in CASES if case[0] not in TRANSPORT])
def test_an_answer_is_spoilt_once_and_the_next_is_good(at_fault, kind, service):
    server = at_fault(Fault(kind, service, times=1, retry_after="7"))
    globals()[f"check_{kind.replace('-', '_')}"](get(server, service), service)
    good = get(server, service)
    assert good.status_code == 200 and read(service, good.content)
    assert server.sent == [kind, ""] and server.count(service) == 2


@pytest.mark.parametrize("service", SERVICES)
def test_a_connection_is_reset(at_fault, service):
    server = at_fault(Fault("reset", service, times=1))
    with pytest.raises(requests.ConnectionError, match=r"reset by peer|Connection reset"):
        get(server, service)
    assert get(server, service).status_code == 200


def raw_answer(server, path):
    """All that comes over the wire until the server hangs up: (headers, body)."""
    port = int(server.address.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        received = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, body = received.split(b"\r\n\r\n", 1)
    return dict(re.findall(r"([\w-]+): (.*)", head.decode().replace("\r", ""))), body


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("kind", ["truncated", "wrong-length"])
def test_a_body_is_shorter_than_announced(at_fault, kind, service):
    server = at_fault()
    good = get(server, service).content
    server = at_fault(Fault(kind, service))
    with pytest.raises(requests.RequestException, match="IncompleteRead"):
        get(server, service)
    if service != "overpass":  # a POST
        headers, body = raw_answer(server, server.requests[-1].path)
        if kind == "truncated":
            assert body == good[: len(good) // 2] and int(headers["Content-Length"]) == len(good)
        else:
            assert body == good and int(headers["Content-Length"]) == len(good) + 64


@pytest.mark.parametrize("service", SERVICES)
def test_a_slow_body_drips(at_fault, service):
    server = at_fault(Fault("slow", service, pause=0.01))
    with get(server, service, stream=True) as answer:
        assert int(answer.headers["Content-Length"]) > 500
        start = time.monotonic()
        answer.raw.read(12)
        assert time.monotonic() - start > 0.08


def test_a_slow_body_does_not_hold_up_the_end():
    with serve(SMALL, [Fault("slow", pause=60)]) as server:
        answer = get(server, "freesound", stream=True)
        start = time.monotonic()
    assert time.monotonic() - start < 5
    answer.close()


def test_faults_come_late_one_after_the_other_or_for_ever(at_fault):
    server = at_fault(Fault("500", "tiles", times=2, after=1), Fault("html", after=4))
    seen = [get(server, "tiles").status_code for _ in range(6)]
    assert seen == [200, 500, 500, 200, 200, 200]
    assert server.sent == ["", "500", "500", "", "html", "html"]
    assert get(server, "freesound").content.startswith(b"<!DOCTYPE html>")  # of no service, so of all together
    server.faults.clear()
    assert get(server, "tiles").headers["Content-Type"] == "image/png"


def test_a_wait_may_be_given_as_a_date_or_not_at_all(at_fault):
    date = "Wed, 21 Oct 2015 07:28:00 GMT"
    assert get(at_fault(Fault("429", retry_after=date)), "overpass").headers["Retry-After"] == date
    assert "Retry-After" not in get(at_fault(Fault("429", retry_after="")), "overpass").headers


def test_unknown_faults_are_refused():
    with pytest.raises(ValueError, match="no fault 'fire'"):
        Fault("fire")
    with pytest.raises(ValueError, match="no service 'ftp'"):
        Fault("500", "ftp")
    assert not Fault("blank-tile").concerns("freesound") and not Fault("500", "tiles").concerns("previews")


def test_a_server_ends_with_its_context_and_keeps_count():
    threads = active_count()
    with serve(SMALL) as server:
        port = int(server.address.rsplit(":", 1)[1])
        get(server, "overpass")
        get(server, "tiles")
        get(server, "tiles")
        assert (server.count("tiles"), server.count("overpass"), server.count("freesound")) == (2, 1, 0)
        assert server.requests[0].method == "POST" and "out+geom" in server.requests[0].body
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    for _ in range(100):  # a thread may need a moment to see that its connection is closed
        if active_count() <= threads:
            break
        time.sleep(0.05)
    assert active_count() <= threads
    with serve(SMALL, port=port) as again:
        assert again.address.endswith(str(port))


def test_a_tile_is_rendered_once_and_a_preview_too(at_fault, monkeypatch):
    made = []
    for module, name in ((planet_land, "tile_pixels"), (planet_sounds, "samples")):
        function = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *args, function=function: made.append(1) or function(*args))
    planet_land.tile.cache_clear()
    planet_sounds.preview.cache_clear()
    server = at_fault()
    first, again = ([get(server, service).content for service in ("tiles", "previews")] for _ in (1, 2))
    assert first == again and len(made) == 2


def test_answers_name_no_real_host():
    answer = search(whole(), {"page_size": "150", "fields": "url,previews"}, "http://127.0.0.1:1", "/")
    hosts = set(re.findall(r"https?://([^/:]+)", json.dumps(answer)))
    assert hosts == {"miniature.invalid", "127.0.0.1"} and "invalid" in planet_answers.CITE
