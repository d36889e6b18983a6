"""A whole construction, on the miniature planet: against its truth, at fault, cut off and resumed."""

import csv
import errno
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import pytest
from filelock import FileLock
from PIL import Image

from advance_lib.cache import UserError, build_folder, digest
from advance_lib.construct import construction, photographs, steps
from advance_lib.construct.area import Area
from advance_lib.construct.construction import STEPS
from advance_lib.construct.export import summary
from advance_lib.construct.plan import Plan, plan_for
from advance_lib.construct.review import LEAVE_OUT, read_review, write_review
from advance_lib.data.catalogue import read_catalogue
from advance_lib.data.fetching import Patience
from advance_lib.miniature.planet.planet import planet_of
from advance_lib.miniature.planet.server import Answer
from tests.faults import Fault, serve

SEED = 174  # six short recordings: one under two seconds, four to be repeated, one to be cut
QUICK = Patience(attempts=2, first_wait=0.001, longest_wait=0.002, timeout=120)
DATE = "2020-08-23"
construct = partial(construction.construct, patience=QUICK, date=DATE, say=lambda text: None)


@pytest.fixture(scope="module")
def planet():
    return planet_of(seed=SEED, scenes=("beach", "forest"), places_per_scene=3, span=0.08)


@pytest.fixture(scope="module")
def running(planet):
    with serve(planet) as server:
        yield server


@pytest.fixture
def server(running):
    """The planet's server, well behaved and with nothing asked of it yet."""
    running.faults.clear()
    running.requests.clear()
    running.sent.clear()
    return running


def plan_of(server, **changes):
    plan = Plan(
        Area(*server.planet.bounds), imagery=server.tiles, freesound=server.freesound, overpass=server.overpass,
        metres_per_pixel=2, side=64, smallest_scene=2, shift_below=3,
    )  # fmt: skip
    return replace(plan, **changes)


@pytest.fixture
def plan(server):
    return plan_of(server)


@pytest.fixture(scope="module")
def whole(running, tmp_path_factory):
    """A finished dataset, built without an interruption; tests that change it take a copy."""
    out = tmp_path_factory.mktemp("whole") / "dataset"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ADVANCE_BUILD", str(out.parent / "build"))
        construct(plan_of(running), out, running.token)
    return out


@pytest.fixture
def built(whole, tmp_path):
    return Path(shutil.copytree(whole, tmp_path / "dataset"))


def bytes_of(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rows_of(path):
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def left_out(out):
    return {row["id"]: row for row in rows_of(out / "construction" / "left_out.csv")}


def test_the_dataset_is_what_the_planet_holds(whole, planet):
    truth = planet.truth().set_index("id")
    usable = truth[truth["seconds"] >= 2]
    catalogue = read_catalogue(whole)
    pairs = rows_of(whole / "pairs.csv")
    assert {int(pair["recording"]) for pair in pairs} <= set(usable.index)
    assert sorted(catalogue["id"]) == sorted(pair["id"] for pair in pairs)
    assert all(pair["location"] == pair["id"].partition("_")[0] for pair in pairs)  # places lie far apart here
    assert dict(zip(catalogue["id"], catalogue["scene"], strict=True)) == {p["id"]: p["scene"] for p in pairs}
    for row in catalogue.itertuples():
        assert Image.open(row.image).size == (64, 64)
    credits = {row["id"]: row for row in rows_of(whole / "ATTRIBUTION.csv")}
    sounds = {str(sound.id): sound for sound in planet.sounds}
    assert set(credits) == {pair["recording"] for pair in pairs} | {""}
    for number in set(credits) - {""}:
        assert (credits[number]["author"], credits[number]["licence"]) == (
            sounds[number].author,
            sounds[number].licence,
        )
    assert "OpenStreetMap contributors" in (whole / "ATTRIBUTION.csv").read_text()
    sheet = (whole / "DATASHEET.md").read_text()
    for scene, count in Counter(pair["scene"] for pair in pairs).items():
        places = len({pair["location"] for pair in pairs if pair["scene"] == scene})
        assert f"| {scene} | {count} | {places} |" in sheet
    assert DATE in sheet and "Pillow" not in sheet and "| pillow |" in sheet


def test_short_recordings_and_those_elsewhere_are_not_used(whole, planet):
    (short,) = planet.truth().query("seconds < 2")["id"]
    assert "recordings under 2 s are not used" in left_out(whole)[str(short)]["reason"]
    found = {row["id"] for row in rows_of(whole / "construction" / "found.csv")}
    assert found == set(map(str, planet.truth()["id"]))
    assert not (whole / "construction" / "previews" / f"{short}.ogg").exists()


def test_nothing_is_fetched_twice_and_a_finished_dataset_needs_no_server(plan, server, tmp_path):
    out = construct(plan, tmp_path / "dataset", server.token)
    asked = [(request.path, request.body) for request in server.requests]
    assert len(set(asked)) == len(asked)
    before = bytes_of(out)
    construct(plan, out)
    for name in list(STEPS)[1:]:
        construct(plan, out, step=name)
    assert len(server.requests) == len(asked) and bytes_of(out) == before


def test_the_token_is_written_nowhere(whole, server):
    assert not any(server.token.encode() in path.read_bytes() for path in whole.rglob("*") if path.is_file())


def test_a_searched_list_is_renewed_on_demand(plan, built, server):
    construct(plan, built, server.token, step="recordings")
    assert (server.count("freesound"), server.count("previews")) == (1, 0)


def test_terms_are_shown_before_the_first_tile(plan, server, tmp_path):
    said = []
    construct(plan, tmp_path / "dataset", server.token, say=lambda text: said.append((text, server.count("tiles"))))
    ((text, tiles),) = said
    assert "127.0.0.1" in text and "Terms of use" in text and tiles == 0 < server.count("tiles")


# ------------------------------------------------------------------------------------------------ interruptions

KILLS = {  # at the n-th file that is about to get this name
    "recordings": ("previews/*.ogg", 3),
    "clips": ("clips/*.wav", 3),
    "photographs": ("photographs/*.jpg", 3),
    "labels": ("features/*.json", 3),
    "review": ("construction/review.csv", 1),
    "balance": ("photographs/*_2.jpg", 1),
    "export": ("sound/*/*.wav", 3),
}
KILLER = """
import json, os, signal, sys
from pathlib import Path
from advance_lib.construct.area import Area
from advance_lib.construct.construction import construct
from advance_lib.data.fetching import Patience
from advance_lib.construct.plan import Plan

options, out, token, date, kills = json.load(sys.stdin)
plan = Plan(**options | {"area": Area(**options["area"]), "queries": tuple(options["queries"])})
move = os.replace

def build(pattern, count):
    def cut_off(source, target):
        nonlocal count
        count -= Path(target).match(pattern)
        if not count:
            os.kill(os.getpid(), signal.SIGKILL)
        move(source, target)
    os.replace = cut_off
    construct(plan, out, token, date=date, say=lambda text: None, patience=Patience(2, 0.001, 0.002, 120))

for pattern, count in kills:
    child = os.fork()
    if not child:
        build(pattern, count)
        os._exit(0)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(ended, len(list(Path(out).rglob(".*"))), flush=True)
"""


def test_killed_once_in_every_step_it_ends_with_the_same_bytes(plan, server, whole, tmp_path):
    out = tmp_path / "dataset"
    content = json.dumps([asdict(plan), str(out), server.token, DATE, [*KILLS.values(), ("nothing", 1)]])
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    killer = subprocess.run(
        [sys.executable, "-c", KILLER], input=content, env=environment, capture_output=True, text=True, check=False
    )
    ended = [tuple(map(int, line.split())) for line in killer.stdout.splitlines()]
    assert ended == [(-9, 1)] * len(KILLS) + [(0, 0)], killer.stderr  # each left half a file, the last one none
    assert bytes_of(out) == bytes_of(whole)
    assert set(KILLS) == set(STEPS)
    asked = Counter((request.path, request.body) for request in server.requests)
    assert sum(asked.values()) - len(asked) <= 3  # what was under way when it was killed: a preview, a tile, a query


def test_a_full_disk_is_said_and_a_rerun_completes(plan, server, whole, tmp_path, monkeypatch):
    out, written, room = tmp_path / "dataset", 0, 0
    write = Path.write_bytes

    def full(path, content):
        nonlocal written
        written += 1
        if written > room:
            write(path, content[: len(content) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    messages = []
    for _ in range(60):
        written, room = 0, room + 3
        try:
            construct(plan, out, server.token)
            break
        except UserError as error:
            messages.append(str(error))
            assert not [path for path in out.rglob(".*")]
    assert len(messages) > 4 and all("make room" in message and str(out.parent) in message for message in messages)
    assert bytes_of(out) == bytes_of(whole)


@pytest.mark.parametrize(
    ("fault", "step", "message"),
    [
        (Fault("500", "overpass"), "labels", "500"),
        (Fault("500", "tiles", after=2), "photographs", "500"),
        (Fault("429", "freesound", retry_after="3600"), "recordings", "429"),
        (Fault("reset", "previews", after=2), "recordings", "no whole answer|reset"),
        (Fault("truncated", "tiles", after=1), "photographs", "no whole answer"),
        (Fault("wrong-length", "previews"), "recordings", "no whole answer"),
        (Fault("html", "overpass", after=1), "labels", "no JSON"),
        (Fault("malformed-json", "freesound"), "recordings", "no JSON"),
        (Fault("remark", "overpass"), "labels", "error"),
        (Fault("expired-token", "freesound"), "recordings", "401"),
        (Fault("empty", "freesound"), "recordings", "no recordings in .*; choose a larger area"),
    ],
    ids=lambda value: f"{value.kind} {value.service}" if isinstance(value, Fault) else "",
)
def test_a_server_at_fault_stops_the_step_and_a_rerun_completes(plan, server, whole, tmp_path, fault, step, message):
    out = tmp_path / "dataset"
    server.faults.append(fault)
    with pytest.raises(UserError, match=message) as caught:
        construct(plan, out, server.token)
    assert server.token not in str(caught.value) and not list(out.rglob(".*"))
    assert sum(map(bool, server.sent)) <= QUICK.attempts
    assert not (out / "construction" / STEPS[step].writes[-1]).exists()
    server.faults.clear()
    construct(plan, out, server.token)
    assert bytes_of(out) == bytes_of(whole)


# ------------------------------------------------------------------------------------- places that cannot be used


def test_places_that_fail_are_listed_and_do_not_stop_the_rest(plan, server, whole, tmp_path):
    out = tmp_path / "dataset"
    server.faults += [
        Fault("bad-preview", "previews", times=QUICK.attempts),
        Fault("blank-tile", "tiles", times=1),
    ]
    construct(plan, out, server.token)
    first, second = (row["id"] for row in rows_of(whole / "construction" / "recordings.csv")[:2])
    missing = left_out(out)
    assert missing[first]["step"] == "recordings" and "does not decode" in missing[first]["reason"]
    assert missing[second]["step"] == "photographs"
    usable = {row["id"] for row in rows_of(whole / "construction" / "labels.csv")}
    assert {row["id"] for row in rows_of(out / "construction" / "labels.csv")} == usable - {first, second}
    assert str(out) not in (out / "construction" / "left_out.csv").read_text()
    construct(plan, out, step="recordings", token=server.token)  # the faults are over: try these again
    construct(plan, out, step="clips")
    construct(plan, out, step="photographs")
    construct(plan, out)
    assert bytes_of(out) == bytes_of(whole)


@pytest.fixture
def spoil(server, monkeypatch):
    """A function that changes every answer of a service, as JSON, and restores the server when the test ends."""

    def change(service, changed):
        answer = server.answer

        def spoilt(asked, *request):
            good = answer(asked, *request)
            return replace(good, body=json.dumps(changed(json.loads(good.body))).encode()) if asked == service else good

        monkeypatch.setattr(server, "answer", spoilt)

    return change


def test_odd_entries_of_a_search_are_left_out_and_the_rest_is_built(plan, server, whole, tmp_path, spoil):
    def odd(page):
        first = page["results"][0]
        strange = [None, first | {"id": 1, "previews": None}, first | {"id": 2, "previews": {"preview-hq-ogg": None}}]
        return page | {"results": [strange[0], *page["results"], *strange[1:], {"id": 3}]}

    spoil("freesound", odd)
    out = construct(plan, tmp_path / "dataset", server.token)
    reasons = {name: left_out(out)[name]["reason"] for name in ("result 1", "1", "2", "3")}
    assert reasons == {
        "result 1": "the entry is null, not an object",
        "1": "previews is null, not an object",
        "2": "preview-hq-ogg is null, not a text",
        "3": "it has no geotag",
    }
    assert bytes_of(out / "vision") == bytes_of(whole / "vision")
    assert bytes_of(out / "sound") == bytes_of(whole / "sound")
    server.faults.append(Fault("500", "previews", after=1))  # a break between the search and the end of its step
    with pytest.raises(UserError, match="500"):
        construct(plan, tmp_path / "again", server.token)
    server.faults.clear()
    assert bytes_of(construct(plan, tmp_path / "again", server.token)) == bytes_of(out)


def test_odd_elements_of_the_map_are_left_out_and_the_rest_is_built(plan, server, whole, tmp_path, spoil):
    lone = {"type": "relation", "id": 7, "tags": {"natural": "water"}}
    spoil("overpass", lambda answer: answer | {"elements": [None, lone, *answer["elements"]]})
    out = construct(plan, tmp_path / "dataset", server.token)
    labels = rows_of(out / "construction" / "labels.csv")
    assert labels == rows_of(whole / "construction" / "labels.csv")
    for row in labels:
        assert left_out(out)[f"relation 7 near {row['id']}"]["reason"] == "it has no members"
        assert left_out(out)[f"element 1 near {row['id']}"]["reason"] == "the entry is null, not an object"
    before = bytes_of(out)
    construct(plan, out, step="labels")
    construct(plan, out)
    assert bytes_of(out) == before


def test_what_an_earlier_version_asked_the_map_is_still_read(plan, built):
    before = bytes_of(built)
    for path in (built / "construction" / "features").iterdir():
        content = json.loads(path.read_text())
        path.write_text(json.dumps(content["features"]))
    construct(plan, built, step="labels")
    assert bytes_of(built)["construction/labels.csv"] == before["construction/labels.csv"]


@pytest.mark.parametrize("status", [404, 204, 200])
def test_no_photograph_at_all_is_said_with_the_reason(plan, server, whole, tmp_path, monkeypatch, status):
    out, answer = tmp_path / "dataset", server.answer
    nothing = Answer(status, b"", "image/png")
    monkeypatch.setattr(
        server, "answer", lambda service, *request: nothing if service == "tiles" else answer(service, *request)
    )
    places = len(rows_of(whole / "construction" / "clips.csv"))
    why = "not what was asked for: no picture" if status == 200 else f"answered {status}"
    with pytest.raises(
        UserError,
        match=rf"^127\.0\.0\.1: no photograph could be had \(left out: {places}; the first: .*: {why}.*\); check the "
        rf"address {re.escape(server.tiles)}",
    ) as caught:
        construct(plan, out, server.token)
    assert "\n" not in str(caught.value) and not (out / "construction" / "photographs.csv").exists()
    monkeypatch.undo()
    monkeypatch.setenv("ADVANCE_BUILD", str(tmp_path / "build"))
    assert bytes_of(construct(plan, out, server.token)) == bytes_of(whole)


def test_no_recording_at_all_is_said_with_the_reason(plan, server, tmp_path, spoil):
    spoil("freesound", lambda page: page | {"results": [entry | {"previews": None} for entry in page["results"]]})
    with pytest.raises(
        UserError, match=r"no recordings in .* \(left out: \d+; the first: previews is null.*\); choose a"
    ):
        construct(plan, tmp_path / "a", server.token)
    playable = {"previews": {"preview-hq-ogg": f"{server.address}/data/previews/0/7_1-hq.ogg"}, "duration": 1}
    spoil("freesound", lambda page: page | {"results": [entry | playable for entry in page["results"]]})
    with pytest.raises(
        UserError, match=r"none of the recordings in .* can be used \(left out: \d+; the first: lasts 1"
    ):
        construct(plan, tmp_path / "b", server.token)


def test_a_sibling_without_imagery_is_left_out_alone(plan, server, whole, tmp_path, monkeypatch):
    take = photographs.photograph

    def no_land_in_the_north(imagery, latitude, longitude, *rest, **options):
        if round(latitude, 6) != latitude:  # shifted to the north or to the south
            raise photographs.MissingImagery(f"no imagery at {latitude}")
        return take(imagery, latitude, longitude, *rest, **options)

    monkeypatch.setattr(photographs, "photograph", no_land_in_the_north)
    out = construct(plan, tmp_path / "dataset", server.token)
    gone = {row["id"] for row in rows_of(whole / "pairs.csv") if row["shifted"] in ("north", "south")}
    assert gone and gone <= set(left_out(out))
    kept = {row["id"] for row in rows_of(whole / "pairs.csv")} - gone
    assert {row["id"] for row in rows_of(out / "pairs.csv")} == kept == set(read_catalogue(out)["id"])


# -------------------------------------------------------------------------------------------------------- review


def test_corrected_labels_move_the_pairs_and_fetch_no_recording(plan, built, server, planet):
    path = built / "construction" / "review.csv"
    truth = planet.truth().astype({"id": str}).set_index("id")["scene"]
    rows = read_review(path)
    *kept, gone = sorted(row.id for row in rows)
    write_review(path, [replace(row, scene=LEAVE_OUT if row.id == gone else truth[row.id]) for row in rows])
    construct(plan, built)
    catalogue = read_catalogue(built)
    assert set(catalogue["location"]) <= set(kept) and len(catalogue) > 4
    assert all(truth[row.location] == row.scene for row in catalogue.itertuples())
    assert left_out(built)[gone]["reason"] == "left out in the review"
    assert not list(built.glob(f"vision/*/{gone}*")) and not list(built.glob(f"sound/*/{gone}*"))
    assert server.count("freesound") == server.count("previews") == server.count("overpass") == 0
    assert "by people" in (built / "DATASHEET.md").read_text()


def test_an_unknown_scene_in_the_review_stops_it_by_row(plan, built):
    path = built / "construction" / "review.csv"
    rows = read_review(path)
    write_review(path, [replace(rows[0], scene="desert"), *rows[1:]])
    with pytest.raises(UserError, match=r"review\.csv: .*\n  row 2 \(id \d+\): unknown scene 'desert'"):
        construct(plan, built)


def test_new_suggestions_keep_what_people_said(plan, built, monkeypatch):
    path = built / "construction" / "review.csv"
    rows = read_review(path)
    write_review(path, [replace(row, scene="lake", note="sure") for row in rows])
    suggest = steps.suggest
    monkeypatch.setattr(steps, "suggest", lambda *asked: replace(suggest(*asked), scene="orchard", review=""))
    construct(plan, built, step="labels")
    construct(plan, built)
    found = read_review(path)
    assert {(row.suggestion, row.scene, row.note) for row in found} == {("orchard", "lake", "sure")}
    assert set(read_catalogue(built)["scene"]) == {"lake"}


def test_too_few_of_everything_is_said_with_counts(server, tmp_path):
    with pytest.raises(UserError, match=r"no scene has 30 pairs \((beach|forest|.*) \d.*\); label more places"):
        construct(plan_of(server, smallest_scene=30), tmp_path / "dataset", server.token)
    assert "labels:" in summary(tmp_path / "dataset")


def test_the_summary_counts(whole):
    text = summary(whole)
    pairs = rows_of(whole / "pairs.csv")
    assert f"{len(pairs)} pairs at {len({pair['location'] for pair in pairs})} locations" in text
    assert "left_out.csv says why" in text and "seen by nobody" in text


# ------------------------------------------------------------------------------------------- what is refused


def test_another_plan_in_the_same_folder_is_refused_by_field(plan, built):
    before = bytes_of(built)
    with pytest.raises(UserError, match=r"another plan \(seed 0, now 1; shift_below 3, now 4\)"):
        construct(replace(plan, seed=1, shift_below=4), built)
    assert bytes_of(built) == before


def test_a_plan_that_found_nothing_can_be_changed(plan, server, whole, tmp_path):
    sea = replace(plan, area=Area(0, 0, 1, 1), seed=3)
    with pytest.raises(UserError, match="no recordings in 0,0,1,1; choose a larger area"):
        construct(sea, tmp_path / "dataset", server.token, date="1999-12-31")
    assert bytes_of(construct(plan, tmp_path / "dataset", server.token)) == bytes_of(whole)


def test_a_dataset_from_elsewhere_is_not_touched(plan, tiny):
    before = bytes_of(tiny)
    with pytest.raises(UserError, match="was not constructed here"):
        construct(plan, tiny)
    assert bytes_of(tiny) == before


def test_options(plan, built, tmp_path):
    assert plan_for(built, {}) == plan
    assert plan_for(built, {"seed": 5}) == replace(plan, seed=5)
    with pytest.raises(UserError, match="no option 'colour'; there are area, queries"):
        plan_for(built, {"colour": 1})
    with pytest.raises(UserError, match="give an area"):
        plan_for(tmp_path / "new", {"seed": 1})
    (built / "construction" / "plan.json").write_text("{}")
    with pytest.raises(UserError, match=r"plan\.json: not a plan"):
        plan_for(built, {})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"queries": ()}, "queries"),
        ({"metres_per_pixel": 0.0}, "metres_per_pixel 0.0"),
        ({"metres_per_pixel": float("nan")}, "metres_per_pixel nan"),
        ({"shift": 2.0}, "shift 2.0"),
        ({"smallest_scene": 0}, "smallest_scene 0"),
        ({"imagery": "https://tiles.example/{z}/{x}/{y}.png?apikey=hush"}, r"apikey=\{apiKey\} and set \$TILES_APIKEY"),
        ({"freesound": "https://freesound.org/apiv2?token=hush"}, "holds a key.*; leave it out"),
        ({"imagery": "https://me:hush@tiles.org/{z}/{x}/{y}.png"}, "holds a key.*; write key={apiKey}"),
        ({"imagery": "https://tiles.org/{z}/{x}/{y}.png?appid=hush"}, "holds a key.*; write appid={apiKey}"),
    ],
)
def test_values_that_cannot_be_are_refused_by_name(plan, changes, message):
    with pytest.raises(UserError, match=message) as caught:
        replace(plan, **changes)
    assert "hush" not in str(caught.value)
    assert replace(plan, imagery="https://tiles.example/{z}/{x}/{y}.png?apikey={apiKey}").side == 64


def test_steps_come_in_order(plan, server, tmp_path):
    out = tmp_path / "dataset"
    with pytest.raises(UserError, match="no step 'cook'; there are recordings, clips"):
        construct(plan, out, step="cook")
    with pytest.raises(UserError, match="the step recordings comes before labels"):
        construct(plan, out, step="labels")
    construct(plan, out, server.token, step="recordings")
    with pytest.raises(UserError, match="the step clips comes before photographs"):
        construct(plan, out, step="photographs")


def test_two_processes_do_not_build_in_one_folder(plan, built):
    lock = build_folder() / "construct" / f"{digest(str(built))}.lock"
    lock.parent.mkdir(parents=True)
    with FileLock(lock), pytest.raises(UserError, match="another process is building there"):
        construct(plan, built)


def test_without_a_token_or_a_network_it_says_so_in_one_line(plan, tmp_path, monkeypatch):
    monkeypatch.delenv("FREESOUND_TOKEN", raising=False)
    with pytest.raises(UserError, match="FREESOUND_TOKEN"):
        construct(plan, tmp_path / "dataset")
    gone = replace(plan, freesound="http://127.0.0.1:9/apiv2")
    with pytest.raises(
        UserError, match=r"127\.0\.0\.1:9/.*: cannot be reached \(.*\), and this step needs the network"
    ) as caught:
        construct(gone, tmp_path / "other", "a-token")
    assert "\n" not in str(caught.value) and "a-token" not in str(caught.value)


def test_a_broken_table_is_refused_by_name(plan, built):
    (built / "construction" / "pairs.csv").write_text("id,scene\n1,beach\n")
    with pytest.raises(UserError, match=re.escape("pairs.csv: not the table that its step writes")):
        construct(plan, built, step="export")


@pytest.mark.parametrize("name", ["manifest.json", "imagery.json", "features/*.json"])
def test_a_damaged_file_is_named_and_made_again_once_it_is_removed(plan, server, built, name):
    before = bytes_of(built)
    path = sorted((built / "construction").glob(name))[0]
    path.write_text('{"photographs"')
    with pytest.raises(UserError, match=f"{re.escape(path.name)}: damaged; remove it"):
        construct(plan, built, step="labels")
        construct(plan, built, step="export")
    path.unlink()
    construct(plan, built)
    construct(plan, built, step="labels")
    construct(plan, built)
    assert bytes_of(built) == before
