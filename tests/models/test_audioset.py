import csv
from importlib.resources import files

import pytest

from advance_lib.models.audioset import event_names


def table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_known_events():
    names = event_names()
    assert len(names) == len(set(names)) == 527 and names == tuple(name.strip() for name in names)
    places = {0: "Speech", 1: "Male speech, man speaking", 137: "Music", 295: "Waves, surf", 500: "Silence"}
    assert {i: names[i] for i in places} == places
    assert names[-1] == "Field recording"


def test_machine_ids_are_distinct():
    mids = [row["mid"] for row in table(files("advance_lib.models") / "audioset_events.csv")]
    assert len(set(mids)) == 527 and all(mid.startswith(("/m/", "/g/", "/t/")) for mid in mids)


def test_same_as_the_list_of_labels(shared):
    labels = shared / "weights" / "class_labels_indices.csv"
    if not labels.exists():
        pytest.skip("AudioSet's list of labels (../shared/weights) is not here")
    rows = sorted(table(labels), key=lambda row: int(row["index"]))
    assert [int(row["index"]) for row in rows] == list(range(527))
    assert [row["display_name"] for row in rows] == list(event_names())
    ours = table(files("advance_lib.models") / "audioset_events.csv")
    assert [(row["display_name"], row["mid"]) for row in rows] == [(row["name"], row["mid"]) for row in ours]
