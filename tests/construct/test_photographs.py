import logging
import re
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from advance_lib.cache import UserError
from advance_lib.construct.photographs import MissingImagery, imagery_named, photograph, terms_of
from advance_lib.data.fetching import FetchError, Patience
from advance_lib.miniature.planet.land import MARK
from advance_lib.miniature.planet.planet import planet_of
from advance_lib.miniature.planet.server import Answer
from tests.faults import Fault
from tests.pairs import haversine

QUICK = Patience(attempts=4, first_wait=0.001, longest_wait=0.01)
HURRIED = replace(QUICK, timeout=0.4)  # for a server that is slow on purpose
PLANET = planet_of(scenes=("beach",), places_per_scene=1, latitude=60, marked=True)
PLACE = PLANET.places[0]


class Chart:
    """Tiles whose pixels tell where they lie: red is the latitude and green the longitude, as seen from a place.

    Latitudes come from the Gudermannian function, not from the library's formulas. Blue tells tiles apart.
    """

    def __init__(self, latitude, longitude, metres, tile=256):
        self.place, self.side, self.asked = (latitude, longitude), tile, []
        north = np.degrees(metres / 6371008.8)
        self.reach = np.array([north, north / np.cos(np.radians(latitude))])  # degrees, from level 128 to 255

    def colours(self, latitude, longitude):
        """Levels of red and green, 128 at the place."""
        east = (longitude - self.place[1] + 180) % 360 - 180  # the short way round
        return 128 + 127 * (latitude - self.place[0]) / self.reach[0], 128 + 127 * east / self.reach[1]

    def where(self, photograph):
        """Return a function from a point of a photograph to its latitude and longitude: planes through the colours."""
        side = len(photograph)
        rows, columns = np.mgrid[:side, :side] + 0.5  # the middles of the pixels
        known = np.stack([np.ones(side * side), rows.ravel(), columns.ravel()], 1)
        planes = np.linalg.lstsq(known, photograph[..., :2].reshape(-1, 2) - 128.0, rcond=None)[0]
        return lambda row, column: self.place + np.array([1, row, column]) @ planes * self.reach / 127

    def tile(self, zoom, column, row):
        assert 0 <= column < 2**zoom and 0 <= row < 2**zoom
        self.asked.append((zoom, column, row))
        x = (column + (np.arange(self.side) + 0.5) / self.side) / 2**zoom
        y = (row + (np.arange(self.side) + 0.5) / self.side) / 2**zoom
        latitude = np.degrees(2 * np.arctan(np.exp(np.pi * (1 - 2 * y))) - np.pi / 2)
        red, green = self.colours(latitude[:, None], (360 * x - 180)[None])
        shape = (self.side, self.side)
        blue = np.random.default_rng((column, row)).integers(0, 256, shape)
        pixels = np.stack([np.broadcast_to(red, shape), np.broadcast_to(green, shape), blue], -1)
        file = BytesIO()
        Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8)).save(file, "PNG", compress_level=0)
        return file.getvalue()


@pytest.fixture
def charted(server, monkeypatch):
    """A function that lets the server send the tiles of a chart."""

    def show(chart):
        def answer(service, path, *request):
            return Answer(200, chart.tile(*map(int, re.findall(r"\d+", path))), "image/png")

        monkeypatch.setattr(server, "answer", answer)
        return imagery_named(server.tiles)

    return show


@pytest.mark.parametrize(
    ("latitude", "longitude", "metres", "tile"),
    [
        (0, 10, 0.6, 256),
        (0.0004, -0.0007, 0.5, 256),
        (60, 24.94, 0.5, 256),
        (60, 24.94, 1.1, 512),
        (-60.3, -45.6, 1.19, 256),
        (-16.8, 180, 1, 256),
        (-16.8, -180, 0.8, 256),
        (65.2, 179.9995, 0.5, 256),
        (-17, -179.9995, 0.5, 256),
        (84.5, 15, 0.5, 256),
    ],
)
def test_the_location_is_the_centre_at_a_true_resolution(charted, tmp_path, latitude, longitude, metres, tile):
    chart = Chart(latitude, longitude, 300 * metres, tile)
    found = photograph(charted(chart), latitude, longitude, metres, tiles=tmp_path, patience=QUICK)
    assert found.shape == (512, 512, 3) and found.dtype == np.uint8
    place = chart.where(found)
    assert haversine(place(256, 256), (latitude, longitude)) < 0.5 * metres
    for pixel in (255.5, 256.5):  # the four pixels around the centre
        assert haversine(place(pixel, pixel), (latitude, longitude)) < metres
    assert haversine(place(256, 0.5), place(256, 511.5)) == pytest.approx(511 * metres, rel=0.01)
    assert haversine(place(0.5, 256), place(511.5, 256)) == pytest.approx(511 * metres, rel=0.01)
    assert place(0, 256)[0] > latitude and place(256, 511)[1] > longitude  # north up
    assert len(set(chart.asked)) == len(chart.asked)


def test_enlarged_a_little_where_no_finer_tiles_are(charted, tmp_path):
    chart = Chart(0, 0, 300)
    imagery = replace(charted(chart), deepest_zoom=17)  # 1.19 m a pixel
    place = chart.where(photograph(imagery, 0, 0, 1.0, tiles=tmp_path, patience=QUICK))
    assert {zoom for zoom, *_ in chart.asked} == {17}
    assert haversine(place(256, 0.5), place(256, 511.5)) == pytest.approx(511, rel=0.01)
    with pytest.raises(UserError, match=r"its finest tiles have 1\.2 m a pixel, too coarse for 0\.5; ask for 0\.6 or"):
        photograph(imagery, 0, 0, 0.5, tiles=tmp_path, patience=QUICK)


def test_marks_of_the_planet_lie_where_they_should(server, tmp_path):
    """The planet paints a mark in the middle of a place and 100 m to each side of it; its formulas are its own."""
    found = photograph(
        imagery_named(server.tiles), PLACE.latitude, PLACE.longitude, 0.5, tiles=tmp_path, patience=QUICK
    )
    marked = np.abs(found.astype(int) - MARK).sum(-1) < 120
    for row, column in ((256, 256), (256, 456), (256, 56), (56, 256), (456, 256)):
        around = marked[row - 12 : row + 12, column - 12 : column + 12]
        assert np.argwhere(around).mean(0) == pytest.approx([11.5, 11.5], abs=1)
    assert marked.sum() == pytest.approx(5 * 36, rel=0.5)  # nothing else is magenta


def test_no_tile_is_fetched_twice(charted, tmp_path):
    chart = Chart(0, 0, 300)
    imagery = charted(chart)
    first = photograph(imagery, 0, 0, 1.0, tiles=tmp_path, patience=QUICK)
    count = len(chart.asked)
    assert 4 <= count <= 16
    assert (photograph(imagery, 0, 0, 1.0, tiles=tmp_path, patience=QUICK) == first).all()
    assert len(chart.asked) == count
    photograph(replace(imagery, url=f"{imagery.url}?other"), 0, 0, 1.0, tiles=tmp_path, patience=QUICK)
    assert len(chart.asked) == 2 * count  # another server's tiles are others


def taken(server, folder, patience=QUICK):
    return photograph(
        imagery_named(server.tiles), PLACE.latitude, PLACE.longitude, 1.2, 128, tiles=folder, patience=patience
    )


def kept(folder):
    """The tiles in a folder, each of which must be whole."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    for path in files:
        Image.open(path).load()
    return len(files)


PASSING = ("429", "500", "reset", "slow", "truncated", "wrong-length", "html", "empty")


@pytest.mark.parametrize("kind", PASSING)
def test_a_passing_fault_is_survived(server, tmp_path, kind):
    before = taken(server, tmp_path / "before")
    count = server.count("tiles")
    assert kept(tmp_path / "before") == count
    server.faults = [Fault(kind, "tiles", times=2, after=1)]
    patience = HURRIED if kind == "slow" else QUICK
    assert (taken(server, tmp_path / "after", patience) == before).all()
    assert server.count("tiles") == 2 * count + 2 and kept(tmp_path / "after") == count


@pytest.mark.parametrize("kind", PASSING)
def test_a_lasting_fault_ends_and_loses_nothing(server, tmp_path, kind):
    before = taken(server, tmp_path / "before")
    count = server.count("tiles")
    server.faults = [Fault(kind, "tiles", after=1)]
    address = rf"{server.address}/tiles/\d+/\d+/\d+\.png"
    if kind in ("html", "empty"):  # the fault of a tile: its place is left out
        expected, words = MissingImagery, rf"no photograph \(no tile: {address}: .*, 4 times\)$"
    else:
        expected, words = FetchError, rf"^{address}: .*, 4 times; try again later"
    with pytest.raises(expected, match=words):
        taken(server, tmp_path / "after", HURRIED if kind == "slow" else QUICK)
    assert server.count("tiles") == count + 1 + QUICK.attempts and kept(tmp_path / "after") == 1
    server.faults = []
    assert (taken(server, tmp_path / "after") == before).all()
    assert server.count("tiles") == 2 * count + QUICK.attempts


@pytest.mark.parametrize(("kind", "words"), [("404-tile", "no tile: .*answered 404"), ("blank-tile", "a blank tile")])
def test_a_place_without_a_photograph(server, tmp_path, kind, words):
    server.faults = [Fault(kind, "tiles", times=1, after=1)]
    with pytest.raises(MissingImagery, match=rf"^127\.0\.0\.1 at {PLACE.latitude:.5f}, .* no photograph \({words}\)$"):
        taken(server, tmp_path)
    assert server.count("tiles") == 2 and kept(tmp_path) == 1  # asked once only, and not kept
    taken(server, tmp_path)
    assert server.count("tiles") == 1 + kept(tmp_path)


@pytest.mark.parametrize("opacity", [0, 100])
def test_a_tile_with_a_hole(server, monkeypatch, tmp_path, opacity):
    file = BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (256, 256, 4), np.uint8)
    pixels[..., 3] = 255
    pixels[:20, :20, 3] = opacity
    Image.fromarray(pixels).save(file, "PNG")
    monkeypatch.setattr(server, "answer", lambda *request: Answer(200, file.getvalue(), "image/png"))
    with pytest.raises(MissingImagery, match="a blank tile"):
        taken(server, tmp_path)


def test_a_placeholder(server, monkeypatch, tmp_path):
    """Some servers send a picture that says "no imagery here"; no two tiles of the Earth are the same."""
    file = BytesIO()
    Image.effect_noise((256, 256), 50).save(file, "PNG")
    monkeypatch.setattr(server, "answer", lambda *request: Answer(200, file.getvalue(), "image/png"))
    with pytest.raises(MissingImagery, match="the same tile twice"):
        photograph(imagery_named(server.tiles), 0, 0, 1, tiles=tmp_path, patience=QUICK)


@pytest.mark.parametrize("status", [204, 400, 403, 404, 410, 451])
def test_a_tile_that_the_server_does_not_give(server, monkeypatch, tmp_path, status):
    monkeypatch.setattr(server, "answer", lambda *request: Answer(status, b"", "text/html"))
    with pytest.raises(MissingImagery, match=rf"no photograph \(no tile: {server.address}/.*: answered {status}\)$"):
        taken(server, tmp_path)
    assert server.count("tiles") == 1 and not kept(tmp_path)


def test_a_key_that_is_refused_stops_at_once(server, monkeypatch, tmp_path):
    monkeypatch.setattr(server, "answer", lambda *request: Answer(401, b"", "text/html"))
    with pytest.raises(FetchError, match="answered 401; the token or key is missing"):
        taken(server, tmp_path)


def png(pixels):
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


NOISE = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"no tile", r"no picture \(of no known format\), 4 times"),
        (png(NOISE)[:5000], r"no picture \(.*\), 4 times"),
        (png(NOISE[:200]), "a picture of 256 × 200 pixels, 4 times"),
        (png(NOISE[:2, :2]), "a picture of 2 × 2 pixels, 4 times"),
        (png(NOISE[:1, :1]), "a blank tile"),
    ],
)
def test_what_is_no_tile_has_the_same_reason_at_every_run(server, monkeypatch, tmp_path, body, words):
    monkeypatch.setattr(server, "answer", lambda *request: Answer(200, body, "image/png"))
    reasons = []
    for _ in range(2):
        with pytest.raises(MissingImagery, match=rf"no photograph \(.*{words}\)$") as missing:
            taken(server, tmp_path)
        reasons.append(str(missing.value))
    assert reasons[0] == reasons[1] and " at 0x" not in reasons[0] and not kept(tmp_path)


@pytest.mark.parametrize(("side", "usual"), [(256, 512), (512, 256), (512, 512), (1024, 256)])
def test_the_size_of_tiles_is_seen_in_them(charted, tmp_path, side, usual):
    """The photograph is that of a server whose size is known, and at most one more tile is fetched for it."""
    known, guessed = Chart(60, 24.94, 300, side), Chart(60, 24.94, 300, side)
    place = (60, 24.94, 1.0)
    there = photograph(replace(charted(known), tile=side), *place, tiles=tmp_path / "a", patience=QUICK)
    found = photograph(replace(charted(guessed), tile=usual), *place, tiles=tmp_path / "b", patience=QUICK)
    assert np.array_equal(found, there)
    assert set(known.asked) <= set(guessed.asked) and len(guessed.asked) - len(known.asked) == (side != usual)


def test_tiles_of_two_sizes_are_no_photograph(server, monkeypatch, tmp_path):
    charts = [Chart(0, 0, 300, 256), Chart(0, 0, 300, 512)]

    def answer(service, path, *request):
        place = tuple(map(int, re.findall(r"\d+", path)))
        return Answer(200, charts[sum(place) % 2].tile(*place), "image/png")

    monkeypatch.setattr(server, "answer", answer)
    with pytest.raises(MissingImagery, match=r"no photograph \(tiles of \d+ and of \d+ pixels\)"):
        photograph(imagery_named(server.tiles), 0, 0, 1, tiles=tmp_path, patience=QUICK)


def test_rows_that_count_from_the_south(charted, tmp_path):
    chart, turned = Chart(60, 24.94, 300), Chart(60, 24.94, 300)
    turned.tile = lambda zoom, column, row: chart.tile(zoom, column, 2**zoom - 1 - row)
    from_north = photograph(charted(chart), 60, 24.94, 1.0, tiles=tmp_path / "a", patience=QUICK)
    asked = set(chart.asked)
    chart.asked.clear()
    template = charted(turned).url.replace("{y}", "{-y}")
    from_south = photograph(imagery_named(template), 60, 24.94, 1.0, tiles=tmp_path / "b", patience=QUICK)
    assert np.array_equal(from_south, from_north) and set(chart.asked) == asked


def test_a_damaged_tile_is_named(server, tmp_path):
    taken(server, tmp_path)
    damaged = next(path for path in tmp_path.rglob("*") if path.is_file())
    damaged.write_bytes(b"no tile")
    with pytest.raises(UserError, match=rf"^{damaged}: no picture .* remove it, and it is fetched again$"):
        taken(server, tmp_path)


def test_impossible_wishes(server, tmp_path):
    imagery = imagery_named(server.tiles)
    for latitude in (85.05, 89, -90):
        with pytest.raises(MissingImagery, match="beyond the edge of the map"):
            photograph(imagery, latitude, 0, 1, tiles=tmp_path, patience=QUICK)
    for metres in (0, -1, float("nan")):
        with pytest.raises(UserError, match="give metres a pixel, more than 0"):
            photograph(imagery, 0, 0, metres, tiles=tmp_path, patience=QUICK)
    assert not server.requests


def test_imagery_by_name():
    imagery = imagery_named("esri world imagery")
    assert imagery.name == "Esri.WorldImagery" and imagery.tile == 256
    assert (
        imagery.url == "https://server.arcgisonline.com/ArcGIS/rest/services/World_Imagery/MapServer/tile/{z}/{y}/{x}"
    )
    assert "Esri" in imagery.attribution
    assert terms_of(imagery) == f"Esri.WorldImagery: {imagery.attribution}\nTerms of use: {imagery.terms}"
    assert imagery.terms.startswith("https://www.arcgis.com/")
    swiss = imagery_named("SwissFederalGeoportal.SWISSIMAGE")
    assert swiss.terms == "https://www.swisstopo.admin.ch/" and swiss.deepest_zoom == 19


def test_imagery_by_template():
    imagery = imagery_named("https://{s}.tiles.example/{z}/{x}/{y}{r}.jpg")
    assert imagery.url == "https://a.tiles.example/{z}/{x}/{y}.jpg"
    assert imagery.name == "a.tiles.example" and "a.tiles.example" in terms_of(imagery)
    assert imagery_named("https://tiles.example/{z}/{x}/{-y}.jpg").url == "https://tiles.example/{z}/{x}/{-y}.jpg"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Nowhere.Photos", r"imagery 'Nowhere\.Photos': neither a name in xyzservices, .*\{z\}, \{x\} and \{y\}"),
        ("https://tiles.example/{z}/{x}.png", r"an address of tiles has \{z\}, \{x\} and \{y\}"),
        ("Esri.ArcticImagery", "its tiles are in EPSG:5936, not in Web Mercator"),
        ("MapTiler.Satellite", r"imagery MapTiler\.Satellite: its server wants a key; .* set \$TILES_KEY$"),
        ("https://tiles.example/{z}/{x}/{y}?key={myKey}", r"set \$TILES_MYKEY"),
        ("https://tiles.example/${z}/${x}/${y}.png", r"\$\{z\} is not understood; write \{z\}$"),
        ("https://{switch:a,b}.example/{z}/{x}/{y}", r"\{switch:a,b\} is not understood; write one of a,b in"),
        ("https://tiles.example/{z}/{x}/{!y}", r"\{!y\} is not understood; .*\{-y\} where rows count from the south$"),
        ("https://tiles.example/wms?bbox={bbox-epsg-3857}", r"\{bbox-epsg-3857\} is not understood; "),
        ("tiles.example/{z}/{x}/{y}", "no address; it begins with https://"),
        ("tms:https://tiles.example/{z}/{x}/{y}", "no address; it begins with https://"),
        ("https:///{z}/{x}/{y}", "no address"),
        ("https://[/{z}/{x}/{y}", "no address"),
    ],
)  # fmt: skip
def test_imagery_that_cannot_be_used(name, words):
    with pytest.raises(UserError, match=words):
        imagery_named(name)


def test_a_key_is_used_and_shown_nowhere(server, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    secret = "my-0wn-key"
    monkeypatch.setenv("TILES_KEY", secret)
    assert imagery_named("MapTiler.Satellite").keys == {"key": secret}
    named = imagery_named(f"{server.address}/{{key}}/{{z}}/{{x}}/{{y}}.png?key={{key}}")
    given = imagery_named(f"{server.address}/{{word}}/{{z}}/{{x}}/{{y}}.png", word=secret)
    for imagery in (named, given):
        with pytest.raises(MissingImagery) as missing:  # the planet has no such address
            photograph(imagery, 0, 0, 1, tiles=tmp_path, patience=QUICK)
        server.faults = [Fault("500")]
        with pytest.raises(FetchError, match=rf"^{server.address}/\*\*\*/\d+/\d+/\d+\.png: answered 500") as failed:
            photograph(imagery, 0, 0, 1, tiles=tmp_path, patience=QUICK)
        server.faults = []
        assert secret in server.requests[-1].path
        assert secret not in f"{imagery!r} {terms_of(imagery)} {missing.value!r} {failed.value!r} {caplog.text}"
    assert secret not in str(list(tmp_path.rglob("*")))
