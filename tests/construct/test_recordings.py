import json
import logging
from dataclasses import replace

import pytest
import soundfile

from advance_lib.cache import UserError
from advance_lib.construct import recordings
from advance_lib.construct.area import Area
from advance_lib.construct.recordings import MissingPreview, fetch_preview, search, token_from_environment
from advance_lib.data.fetching import FetchError, Patience
from advance_lib.miniature.planet.planet import planet_of
from advance_lib.miniature.planet.server import Answer
from tests.faults import Fault, serve

PLANET = planet_of(scenes=("forest", "beach"), places_per_scene=6)
QUICK = Patience(attempts=4, first_wait=0.001, longest_wait=0.01)
HURRIED = replace(QUICK, timeout=0.4)  # for a server that is slow on purpose
PASSING = ("429", "500", "reset", "slow", "truncated", "wrong-length", "html", "malformed-json")


def searched(server, area=None, query="", token=None, patience=QUICK):
    return list(search(area or Area(*PLANET.bounds), query, token or server.token, server.freesound, patience))


def patience_with(kind):
    return HURRIED if kind == "slow" else QUICK


def within(planet, west, south, east, north):
    return [s for s in planet.sounds if s.latitude and west <= s.longitude <= east and south <= s.latitude <= north]


def test_all_recordings_of_an_area_page_after_page(server, monkeypatch):
    monkeypatch.setattr(recordings, "PAGE_SIZE", 5)
    found = searched(server)
    truth = within(PLANET, *PLANET.bounds)
    assert len(truth) < len(PLANET.sounds) and len(truth) > 10  # some lie elsewhere or nowhere
    assert sorted(r.id for r in found) == sorted(sound.id for sound in truth)
    assert server.count("freesound") == -(-len(truth) // 5)
    sounds = {sound.id: sound for sound in truth}
    for r in found:
        sound = sounds[r.id]
        assert r.place == (sound.latitude, sound.longitude)
        assert (r.name, r.author, r.licence, r.tags) == (sound.name, sound.author, sound.licence, sound.tags)
        assert r.seconds == sound.seconds and r.url.endswith(f"/{sound.id}/") and r.preview.endswith("-hq.ogg")


def test_a_smaller_area_and_a_query(server):
    west, south, east, north = PLANET.bounds
    half = (west, south, (west + east) / 2, north)
    truth = within(PLANET, *half)
    assert {r.id for r in searched(server, Area(*half))} == {sound.id for sound in truth}
    assert 0 < len(truth) < len(within(PLANET, *PLANET.bounds))
    windy = {sound.id for sound in within(PLANET, *PLANET.bounds) if "ambience" in sound.tags}
    assert {r.id for r in searched(server, query="ambience")} == windy != set()


def test_across_the_antimeridian(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    planet = planet_of(scenes=("beach",), places_per_scene=9, latitude=-17, longitude=180)
    with serve(planet) as server:
        found = list(search(Area(*planet.bounds), "", server.token, server.freesound, QUICK))
    assert {r.id for r in found} == {sound.id for sound in planet.sounds if sound.place is not None}
    assert any(r.longitude > 0 for r in found) and any(r.longitude < 0 for r in found)


def test_nothing_found_is_no_error(server):
    server.faults = [Fault("empty", "freesound")]
    assert searched(server) == [] and server.count("freesound") == 1


ENTRY = {
    "id": 1, "name": "a", "username": "b", "license": "c", "url": "d", "geotag": "46.0 -27.0", "duration": 3,
    "previews": {"preview-hq-ogg": "https://e.org/e.ogg"}, "tags": ["f"],
}  # fmt: skip


@pytest.fixture
def listed(server, monkeypatch):
    """A function that searches a server which lists the test's own entries, some on each page."""

    def search_in(*pages, left=None, query=""):
        def answer(service, path, parameters, *rest):
            number = int(parameters["page"])
            page = {"next": "more" if number < len(pages) else None, "results": pages[number - 1]}
            return Answer(200, json.dumps(page).encode(), "application/json")

        monkeypatch.setattr(server, "answer", answer)
        return [r.id for r in search(Area(*PLANET.bounds), query, server.token, server.freesound, QUICK, left)]

    return search_in


def previews(address):
    return ENTRY | {"previews": {"preview-hq-ogg": address}}


@pytest.mark.parametrize(
    ("entry", "name", "reason"),
    [
        (None, "result 2", "the entry is null, not an object"),
        (7, "result 2", "the entry is 7"),
        ("deleted", "result 2", 'the entry is "deleted"'),
        ({}, "result 2", "it has no id"),
        (ENTRY | {"id": None}, "result 2", "id is null, not a whole number"),
        (ENTRY | {"id": 1.5}, "result 2", "id is 1.5"),
        (ENTRY | {"id": 10**400}, "result 2", "id is 1000"),
        ({"id": 1}, "1", "it has no geotag"),
        (ENTRY | {"geotag": None}, "1", "geotag is null"),
        (ENTRY | {"geotag": "46.0"}, "1", 'geotag is "46.0", not a latitude and a longitude'),
        (ENTRY | {"geotag": "nan nan"}, "1", 'geotag is "nan nan"'),
        (ENTRY | {"geotag": "146.0 -27.0"}, "1", 'geotag is "146.0 -27.0"'),
        (ENTRY | {"geotag": "10.0 10.0"}, "1", "made at 10, 10, outside the area"),
        (ENTRY | {"previews": None}, "1", "previews is null"),
        (ENTRY | {"previews": {}}, "1", "it has no preview-hq-ogg"),
        (previews(None), "1", "preview-hq-ogg is null"),
        (previews(""), "1", 'preview-hq-ogg is "", not an address'),
        (previews("/data/1.ogg"), "1", "not an address"),
        (previews("ftp://e.org/1.ogg"), "1", "not an address"),
        (ENTRY | {"duration": None}, "1", "duration is null"),
        (ENTRY | {"duration": float("inf")}, "1", "duration is Infinity"),
        (ENTRY | {"name": None}, "1", "name is null"),
        (ENTRY | {"name": "\udc80"}, "1", 'name is "\\udc80"'),
        (ENTRY | {"username": ["b"]}, "1", 'username is ["b"], not a text'),
        (ENTRY | {"license": None}, "1", "license is null"),
        (ENTRY | {"tags": None}, "1", "tags is null"),
        (ENTRY | {"tags": [None]}, "1", "a tag is null"),
    ],
)
def test_an_odd_entry_is_left_out_with_its_reason(listed, server, entry, name, reason):
    left = {}
    assert listed([ENTRY | {"id": 2}, entry, ENTRY | {"id": 3}], left=left) == [2, 3]
    assert list(left) == [name] and reason in left[name]
    assert server.count("freesound") == 1  # the rest of the page is good


def test_odd_entries_without_a_number_are_told_apart(listed):
    left = {}
    assert listed([None, ENTRY], [None], left=left, query="sea") == [1]
    assert list(left) == ["result 1 for sea", "result 3 for sea"]
    assert listed([None]) == []


def test_a_server_that_always_promises_more(server, monkeypatch):
    page = json.dumps({"next": "more", "results": []}).encode()
    monkeypatch.setattr(server, "answer", lambda *request: Answer(200, page, "application/json"))
    assert searched(server) == [] and server.count("freesound") == 1


@pytest.mark.parametrize("kind", PASSING)
def test_a_search_survives_a_passing_fault(server, kind):
    server.faults = [Fault(kind, "freesound", times=2, after=1)]
    before = searched(server)
    assert server.count("freesound") == 1
    assert searched(server, patience=patience_with(kind)) == before
    assert server.count("freesound") == 1 + 3


@pytest.mark.parametrize("kind", PASSING)
def test_a_search_gives_up_on_a_lasting_fault(server, kind):
    server.faults = [Fault(kind, "freesound")]
    with pytest.raises(FetchError, match=rf"^{server.freesound}/search/text/: .*, 4 times; .+$"):
        searched(server, patience=patience_with(kind))
    assert server.count("freesound") == QUICK.attempts


@pytest.mark.parametrize("page", [[], None, {}, {"results": 3}, {"results": {"1": ENTRY}}])
def test_no_list_of_recordings(server, monkeypatch, page):
    monkeypatch.setattr(server, "answer", lambda *request: Answer(200, json.dumps(page).encode(), "application/json"))
    with pytest.raises(FetchError, match="not what was asked for: no list of recordings"):
        searched(server)
    assert server.count("freesound") == QUICK.attempts


def test_json_without_a_bottom(server, monkeypatch):
    monkeypatch.setattr(server, "answer", lambda *request: Answer(200, b"[" * 200_000, "application/json"))
    with pytest.raises(FetchError, match="no JSON, it begins"):
        searched(server)


def test_an_expired_token(server, caplog):
    caplog.set_level(logging.DEBUG)
    secret = "0ld-t0ken"
    for fault, token in (([], secret), ([Fault("expired-token")], server.token)):
        server.faults = fault
        with pytest.raises(
            FetchError, match=r"answered 401 \(Invalid token\); the token or key is missing, wrong or"
        ) as e:
            searched(server, token=token)
        assert token not in f"{e.value!r} {caplog.text}"
    assert server.count("freesound") == 2  # not asked again


def test_the_token_of_the_environment(monkeypatch):
    monkeypatch.setenv("FREESOUND_TOKEN", " abc \n")
    assert token_from_environment() == "abc"
    for value in ("", "two words", "bröken"):
        monkeypatch.setenv("FREESOUND_TOKEN", value)
        with pytest.raises(UserError, match=r"^\$FREESOUND_TOKEN is .*apiv2/apply") as caught:
            token_from_environment()
        assert not value or value not in str(caught.value)


def test_a_preview_is_fetched_once_and_plays(server, tmp_path):
    recording = searched(server)[0]
    for _ in range(2):
        path = fetch_preview(recording, tmp_path, QUICK)
        assert path == tmp_path / f"{recording.id}.ogg"
    assert soundfile.info(path).duration == pytest.approx(recording.seconds, rel=0.02)
    assert server.count("previews") == 1
    assert not any("token" in request.path for request in server.requests)


@pytest.mark.parametrize("kind", [*PASSING, "empty", "bad-preview"])
def test_a_preview_survives_a_passing_fault(server, tmp_path, kind):
    recording = next(r for r in searched(server) if r.seconds < 8)
    fetch_preview(recording, tmp_path / "before", QUICK)  # the server has rendered it by now
    server.faults = [Fault(kind, "previews", times=2)]
    path = fetch_preview(recording, tmp_path / "after", patience_with(kind))
    assert soundfile.info(path).duration == pytest.approx(recording.seconds, rel=0.02)
    assert server.count("previews") == 1 + 3 and list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("kind", [*PASSING, "empty", "bad-preview"])
def test_a_lasting_fault_of_a_preview_leaves_no_file_and_loses_none(server, tmp_path, kind):
    first, second = searched(server)[:2]
    fetch_preview(first, tmp_path, QUICK)
    server.faults = [Fault(kind, "previews")]
    left_out = kind in ("html", "malformed-json", "empty", "bad-preview")
    words = rf"^recording {second.id} is left out: " if left_out else rf"^{second.preview}: "
    with pytest.raises(MissingPreview if left_out else FetchError, match=words):
        fetch_preview(second, tmp_path, patience_with(kind))
    assert server.count("previews") == 1 + QUICK.attempts
    assert [path.name for path in tmp_path.iterdir()] == [f"{first.id}.ogg"]
    server.faults = []
    for recording in (first, second):
        fetch_preview(recording, tmp_path, QUICK)
    assert server.count("previews") == 1 + QUICK.attempts + 1


def test_a_preview_that_is_not_there_or_too_short(server, tmp_path):
    recording = searched(server)[0]
    gone = replace(recording, preview=f"{server.address}/data/previews/0/7_1-hq.ogg")
    with pytest.raises(MissingPreview, match=rf"recording {recording.id} is left out: .*answered 404"):
        fetch_preview(gone, tmp_path, QUICK)
    assert server.count("previews") == 1
    longer = replace(recording, seconds=2 * recording.seconds)
    with pytest.raises(MissingPreview, match=rf"lasts {recording.seconds:.1f} s instead of {longer.seconds:.1f} s"):
        fetch_preview(longer, tmp_path, QUICK)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("status", [204, 400, 403, 404, 410, 451])
def test_a_preview_that_the_server_does_not_give(server, monkeypatch, tmp_path, status):
    recording = searched(server)[0]
    monkeypatch.setattr(server, "answer", lambda *request: Answer(status, b"", "text/html"))
    with pytest.raises(MissingPreview, match=rf"^recording {recording.id} is left out: .*: answered {status}; "):
        fetch_preview(recording, tmp_path, QUICK)
    assert server.count("previews") == 1


@pytest.mark.parametrize("address", ["http://", "http://[", "http://a b/", "http:///e.ogg", "http://e.org:port/e.ogg"])
def test_a_preview_whose_address_is_none(server, tmp_path, address):
    recording = replace(searched(server)[0], preview=address)
    with pytest.raises(MissingPreview, match=rf"^recording {recording.id} is left out: .* cannot be asked for"):
        fetch_preview(recording, tmp_path, QUICK)


@pytest.mark.parametrize("kind", ["html", "empty", "bad-preview"])
def test_the_reason_is_the_same_at_every_run(server, tmp_path, kind):
    recording = searched(server)[0]
    server.faults = [Fault(kind, "previews")]
    reasons = []
    for _ in range(2):
        with pytest.raises(MissingPreview) as missing:
            fetch_preview(recording, tmp_path, QUICK)
        reasons.append(str(missing.value))
    assert reasons[0] == reasons[1] and " at 0x" not in reasons[0]
