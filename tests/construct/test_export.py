import csv
from dataclasses import replace
from pathlib import Path

import pytest

from advance_lib.cache import UserError, write_json
from advance_lib.construct.area import Area
from advance_lib.construct.balance import Pair
from advance_lib.construct.export import export, labelled, summary
from advance_lib.construct.plan import Beginning, Plan
from advance_lib.construct.recordings import Recording
from advance_lib.construct.review import LEAVE_OUT, Row, write_review
from advance_lib.construct.tables import LeftOut, read_table, write_table
from advance_lib.data.catalogue import read_catalogue
from tests.pairs import write_pair

BEGINNING = Beginning(Plan(Area(9, 53, 10, 54), ("wind", "rain")), "2020-08-23", {"numpy": "9.9"})
CC = "https://creativecommons.org/"


def recording_of(number, name, author, licence, latitude, tags=()):
    url = f"https://e.org/{number}"
    return Recording(number, name, author, f"{CC}{licence}", url, latitude, 9.5, 30.0, f"{url}.ogg", tags)


RECORDINGS = [
    recording_of(7, 'Sea, "loud"', "cove", "licenses/by/4.0/", 53.5, ("a",)),
    recording_of(8, "same spot", "cove", "licenses/by/4.0/", 53.5),
    recording_of(1234567, "=1+1", "dune", "licenses/by-nc/3.0/", 53.1, ("b", "c")),
    recording_of(99, "unused", "gale", "publicdomain/zero/1.0/", 53.2),
]
PAIRS = [
    Pair("7", "beach", "7", 53.5, 9.5, "", 7, 1.5),
    Pair("7_1", "beach", "7", 53.51, 9.5, "north", 7, 2.5),
    Pair("8", "beach", "7", 53.5, 9.5, "", 8, 0.1),
    Pair("1234567", "sports land", "1234567", 53.1, 9.1, "", 1234567, 0.0),
]
REVIEW = [
    Row("7", "beach", "natural=beach", ""),
    Row("8", "lake", "natural=water", "", scene="beach"),
    Row("99", "beach", "natural=beach", "", scene=LEAVE_OUT),
    Row("1234567", "", "", "no match", scene="sports land"),
]
LEFT = [LeftOut("clips", "5", "too short"), LeftOut("clips", "6", "too short")]


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "dataset" / "construction"
    for number, pair in enumerate(PAIRS):
        write_pair(tmp_path / "made", "any", pair.id, hertz=300 + 10 * number)
    folder.mkdir(parents=True)
    (tmp_path / "made" / "vision" / "any").rename(folder / "photographs")
    (tmp_path / "made" / "sound" / "any").rename(folder / "clips")
    write_table(folder / "pairs.csv", Pair, PAIRS)
    write_table(folder / "recordings.csv", Recording, RECORDINGS)
    write_table(
        folder / "left_out.csv", LeftOut, [LeftOut("clips", "5", "too short"), LeftOut("clips", "6", "too short")]
    )
    write_review(folder / "review.csv", REVIEW)
    write_json(folder / "imagery.json", {"name": "Sky", "attribution": "© Sky, Inc.", "terms": "https://sky.example"})
    export(tmp_path / "dataset", BEGINNING)
    return tmp_path / "dataset"


def test_the_catalogue_reads_it_with_its_locations(out):
    catalogue = read_catalogue(out)
    assert list(zip(catalogue["scene"], catalogue["id"], catalogue["location"], strict=True)) == [
        ("beach", "7", "7"), ("beach", "7_1", "7"), ("beach", "8", "7"), ("sports land", "1234567", "1234567"),
    ]  # fmt: skip
    for row in catalogue.itertuples():
        for made, path in ((f"photographs/{row.id}.jpg", row.image), (f"clips/{row.id}.wav", row.sound)):
            assert (out / "construction" / made).read_bytes() == Path(path).read_bytes()
    assert read_table(out / "pairs.csv", Pair) == PAIRS


def test_everybody_is_named(out):
    with open(out / "ATTRIBUTION.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    sounds = {row["id"]: row for row in rows if row["what"] == "sound"}
    assert set(sounds) == {"7", "8", "1234567"}
    for recording in RECORDINGS[:3]:
        row = sounds[str(recording.id)]
        assert (row["name"], row["author"], row["licence"], row["url"]) == (
            recording.name, recording.author, recording.licence, recording.url,
        )  # fmt: skip
        assert "10 s" in row["changes"]
    imagery, map_ = rows[-2:]
    assert (imagery["what"], imagery["author"], imagery["licence"]) == ("imagery", "© Sky, Inc.", "https://sky.example")
    assert (map_["what"], map_["author"]) == ("map", "OpenStreetMap contributors") and "odbl" in map_["licence"]


def test_the_datasheet_counts_and_says_with_what_it_was_made(out):
    text = (out / "DATASHEET.md").read_text()
    for line in (
        "| beach | 3 | 1 |", "| sports land | 1 | 1 |", "| clips | 2 |", "| area | 9,53,10,54 |",
        "| queries | 'wind', 'rain' |", "| seed | 0 |", "| metres_per_pixel | 0.5 |", "| numpy | 9.9 |",
        "| https://creativecommons.org/licenses/by/4.0/ | 2 |", "| corrected by people | 1 |",
        "| https://creativecommons.org/licenses/by-nc/3.0/ | 1 |", "| labelled by people | 1 |",
        "| as suggested, seen by nobody | 1 |", "| left out by people | 1 |",
    ):  # fmt: skip
        assert line in text
    assert "4 pairs of an aerial photograph" in text and "at 2 locations" in text and "2020-08-23" in text
    assert "1 pairs are siblings" in text and "airport, bridge" in text and "© Sky, Inc." in text


def test_labels_are_counted_by_who_gave_them(tmp_path):
    rows = [*REVIEW, Row("1", "lake", "", "", scene="lake"), Row("2", "", "", "tie"), Row("3", "", "", "tie")]
    write_review(tmp_path / "review.csv", rows)
    counts = labelled(tmp_path / "review.csv")
    assert counts.total() == len(rows) and counts["open"] == 2 and counts["confirmed by people"] == 1


def test_what_no_longer_belongs_is_removed_and_what_is_not_ours_stays(out):
    write_pair(out, "meadow", "my_own")
    corrected = [replace(PAIRS[0], scene="lake"), *PAIRS[2:3]]
    write_table(out / "construction" / "pairs.csv", Pair, corrected)
    export(out, BEGINNING)
    names = sorted(str(path.relative_to(out)) for path in out.glob("vision/*/*"))
    assert names == ["vision/beach/8.jpg", "vision/lake/7.jpg", "vision/meadow/my_own.jpg"]
    assert not (out / "sound" / "sports land").exists() and not (out / "vision" / "sports land").exists()


def test_a_changed_photograph_is_copied_again_and_others_are_not(out):
    target = out / "vision" / "beach" / "8.jpg"
    target.write_bytes(b"touched")
    others = {path: path.stat().st_mtime_ns for path in out.glob("*/*/*") if path != target}
    export(out, BEGINNING)
    assert target.read_bytes() == (out / "construction" / "photographs" / "8.jpg").read_bytes()
    assert {path: path.stat().st_mtime_ns for path in others} == others


def test_a_missing_clip_is_said_by_name(out):
    (out / "construction" / "clips" / "7_1.wav").unlink()
    with pytest.raises(UserError, match=r"7_1\.wav: no such file; let the step balance run again"):
        export(out, BEGINNING)


def test_the_summary(out):
    text = summary(out)
    assert text.startswith(f"{out}: 4 pairs at 2 locations") and "left out: 2" in text
    assert "0 are open, 1 suggested and seen by nobody" in text
    assert summary(out.parent / "nothing") == str(out.parent / "nothing")


@pytest.mark.parametrize("name", ["pairs.csv", "recordings.csv", "left_out.csv"])
def test_tables_come_back_as_they_were_and_broken_ones_are_named(out, name):
    kind, rows = {
        "pairs.csv": (Pair, PAIRS),
        "recordings.csv": (Recording, RECORDINGS),
        "left_out.csv": (LeftOut, LEFT),
    }[name]
    path = out / "construction" / name
    assert read_table(path, kind) == rows
    for content in (b"id\n1\n", b"\xff\xfe\x00", path.read_bytes()[:-4] + b'\n"'):
        path.write_bytes(content)
        if kind is LeftOut and content.endswith(b'"'):
            continue  # three texts are a row, whatever they say
        with pytest.raises(UserError, match=f"{name}: not the table"):
            read_table(path, kind)
    path.unlink()
    with pytest.raises(UserError, match=f"{name}: no such file; run the steps before"):
        read_table(path, kind)
