import os
import shutil
import subprocess
import sys
import warnings

import numpy as np
import pytest
import soundfile

from advance_lib.data import catalogue as module
from advance_lib.data.catalogue import (
    DatasetError,
    catalogue_digest,
    location_of,
    read_catalogue,
    siblings_per_location,
    what_is_too_small,
)
from advance_lib.data.splits import split_by_location
from tests.pairs import write_pair


def test_pairs_scenes_and_locations(tiny):
    table = read_catalogue(tiny)
    assert list(table.columns) == module.COLUMNS
    assert len(table) == 42 and table["location"].nunique() == 30
    assert sorted(set(table["scene"])) == ["desert", "ice", "wood"]  # a user's own classes
    for row in table.itertuples():
        assert row.image.endswith(f"vision/{row.scene}/{row.id}.jpg")
        assert row.sound.endswith(f"sound/{row.scene}/{row.id}.wav")
    assert siblings_per_location(table).loc["ice", "locations"] == 10


@pytest.mark.parametrize(
    ("pair", "location"),
    [("00414", "00414"), ("00414_2", "00414"), ("00414_12", "00414"), ("IMG_2034", "IMG_2034"), ("beach_1", "beach_1")],
)
def test_location_of(pair, location):
    assert location_of(pair) == location


def test_a_missing_file_shifts_no_other_pair(tiny):
    (tiny / "sound" / "desert" / "00000.wav").unlink()
    with pytest.raises(DatasetError, match=r"vision/desert/00000\.jpg: has no sound"):
        read_catalogue(tiny)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        table = read_catalogue(tiny, skip_broken=True)
    assert "00000.jpg" in str(caught[0].message)
    assert len(table) == 41 and "00000" not in set(table["id"])
    assert all(row.image.split("/")[-1][:-4] == row.sound.split("/")[-1][:-4] == row.id for row in table.itertuples())


def test_every_offender_is_listed_at_once(tiny):
    (tiny / "vision" / "ice" / "01001.jpg").write_bytes(b"")
    (tiny / "sound" / "wood" / "02002.wav").write_bytes(b"no sound")
    shutil.copy(tiny / "vision" / "wood" / "02003.jpg", tiny / "vision" / "wood" / "02003.png")
    with pytest.raises(DatasetError) as caught:
        read_catalogue(tiny)
    message = str(caught.value)
    assert all(name in message for name in ("01001.jpg", "02002.wav", "02003.png", "--skip-broken"))


def test_files_are_decoded_once_and_again_when_they_change(tiny, monkeypatch):
    decoded = []
    check = module._check
    monkeypatch.setattr(module, "_check", lambda path: decoded.append(path.name) or check(path))
    first = read_catalogue(tiny)
    assert len(decoded) == 84
    again = read_catalogue(tiny)
    assert len(decoded) == 84 and again.equals(first)
    write_pair(tiny, "ice", "01000", colour=(1, 2, 3))
    changed = read_catalogue(tiny)
    assert len(decoded) == 86 and catalogue_digest(changed) != catalogue_digest(first)


def test_digest_does_not_depend_on_where_the_data_lies(tiny, tmp_path):
    shutil.copytree(tiny, tmp_path / "moved")
    assert catalogue_digest(read_catalogue(tiny)) == catalogue_digest(read_catalogue(tmp_path / "moved"))


def test_locations_can_be_given(tiny):
    (tiny / "pairs.csv").write_text("id,location\n00000,here\n00001,here\n")
    table = read_catalogue(tiny).set_index("id")
    assert table.loc["00000", "location"] == table.loc["00001", "location"] == "here"
    assert table.loc["00002", "location"] == "00002"


def test_locations_can_be_given_by_scene_where_ids_repeat(tiny):
    write_pair(tiny, "ice", "00000")
    (tiny / "pairs.csv").write_text("scene,id,location\ndesert,00000,dune\nice,00000,floe\n")
    table = read_catalogue(tiny).set_index(["scene", "id"])["location"]
    assert table["desert", "00000"] == "dune" and table["ice", "00000"] == "floe"
    (tiny / "pairs.csv").write_text("id,location\n00000,here\n00000,there\n")
    with pytest.raises(DatasetError, match="00000 occurs twice"):
        read_catalogue(tiny)


def test_a_split_can_be_given_with_locations_or_without(tiny):
    plain = read_catalogue(tiny)
    (tiny / "pairs.csv").write_text("id,split\n00000,train\n00001,test\n")
    table = read_catalogue(tiny)
    assert list(table.columns) == [*module.COLUMNS, "split"] and table[module.COLUMNS].equals(plain)
    found = table.set_index("id")["split"]
    assert (found["00000"], found["00001"]) == ("train", "test") and found.drop(["00000", "00001"]).isna().all()
    (tiny / "pairs.csv").write_text("scene,id,location,split\nice,01000,floe,train\nwood,01000,tree,test\n")
    found = read_catalogue(tiny).set_index("id").loc["01000"]
    assert (found["scene"], found["location"], found["split"]) == ("ice", "floe", "train")
    (tiny / "pairs.csv").write_text("id,split\n00000,train\n00000,test\n")
    with pytest.raises(DatasetError, match="00000 occurs twice"):
        read_catalogue(tiny)


def test_other_columns_change_nothing(tiny):
    plain = read_catalogue(tiny)
    (tiny / "pairs.csv").write_text("id,scene,start_s,events\n00000,desert,0.5,wind\n")
    assert read_catalogue(tiny).equals(plain)


def test_the_same_photograph_at_two_locations_is_reported(tiny):
    shutil.copy(tiny / "vision" / "ice" / "01000.jpg", tiny / "vision" / "ice" / "01005.jpg")
    with pytest.warns(UserWarning, match="3 pairs share .* 01000, 01000_1, 01005") as caught:
        shutil.copy(tiny / "vision" / "ice" / "01000.jpg", tiny / "vision" / "ice" / "01000_1.jpg")
        read_catalogue(tiny)
    assert len(caught) == 1


def test_a_file_that_could_not_be_read_is_tried_again(tiny, monkeypatch):
    check = module._check
    monkeypatch.setattr(module, "_check", lambda path: ("", f"{path}: cannot be read (no permission); mend it"))
    with pytest.raises(DatasetError, match="84 problem"):
        read_catalogue(tiny)
    monkeypatch.setattr(module, "_check", check)
    assert len(read_catalogue(tiny)) == 42


def test_folders_that_are_no_dataset(tmp_path):
    with pytest.raises(DatasetError, match="no such folder"):
        read_catalogue(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="no folder 'vision'"):
        read_catalogue(tmp_path / "empty")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"id,location\n0,a\n1,b,c\n", "row 3: more cells"),
        (b'id,"x\n', "not a table"),
        (b"PK\x03\x04\xff\0\0", "bytes of 0"),
        (b"0,here\n1,there\n", r"no column 'id' in its first row \(0, here\)"),
        (b"id,location,Location\n00000,a,b\n", "two columns 'location'"),
        (None, "not a table"),
    ],
)
def test_a_table_that_cannot_be_read_is_named(tiny, content, words):
    (tiny / "pairs.csv").mkdir() if content is None else (tiny / "pairs.csv").write_bytes(content)
    with pytest.raises(DatasetError, match=rf"pairs\.csv: .*{words}") as caught:
        read_catalogue(tiny)
    assert "\n" not in str(caught.value)


def test_a_comma_at_the_end_of_every_line_shifts_nothing(tiny):
    (tiny / "pairs.csv").write_text("id,location\n00000,NA,\n00001,here,\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = read_catalogue(tiny).set_index("id")
    assert table.loc["00000", "location"] == "NA" and table.loc["00001", "location"] == "here"


def test_a_link_that_leads_nowhere_is_named(tiny):
    (tiny / "vision" / "ice" / "01001.jpg").unlink()
    (tiny / "vision" / "ice" / "01001.jpg").symlink_to("nowhere.jpg")
    with pytest.raises(DatasetError, match=r"01001\.jpg: cannot be read \(No such file or directory\)"):
        read_catalogue(tiny)


def test_a_name_that_is_no_text_is_named(tiny):
    for sense, ending in (("vision", b".jpg"), ("sound", b".wav")):
        with open(os.fsencode(tiny / sense / "ice") + b"/\xff\xfe" + ending, "wb"):
            pass
    with pytest.raises(DatasetError, match=r"ice/.udcff.udcfe\.jpg': this name is no UTF-8; rename the file"):
        read_catalogue(tiny)


def test_what_a_small_set_does_not_allow(tiny):
    """Three scenes of ten places have two test places each: too few for ten test pairs, if there are no siblings."""
    for path in tiny.glob("*/*/*_1.*"):
        path.unlink()
    table = read_catalogue(tiny)
    said = what_is_too_small(table.assign(split=split_by_location(table)))
    assert len(said) == 2 and said[0].startswith("6 test pairs: ten") and said[1].startswith("6 test locations")
    lone = table.assign(split=["test"] * 10 + ["train"] * 9 + ["test"] + ["test"] * 10)
    assert [words.partition(":")[0] for words in what_is_too_small(lone)] == ["one test location in ice"]
    assert what_is_too_small(table.assign(split="test")) == []


def test_real_pairs_and_their_broken_relatives(shared, tmp_path):
    """The real set reads without a complaint; each broken file is reported or converted as its README asks."""
    real = tmp_path / "real"
    subprocess.run(
        [sys.executable, shared / "real-pairs" / "unpack.py", real, "--size", "64"], check=True, capture_output=True
    )
    table = read_catalogue(real)
    assert len(table) == 1014 and table["location"].nunique() == 772 and table["scene"].nunique() == 13
    bad = shared / "real-pairs" / "broken"
    harbour = {sense: real / sense / "harbour" for sense in ("vision", "sound")}
    for source in sorted(bad.glob("*.*")):
        number = source.name[:2]
        if source.suffix == ".jpg":
            shutil.copy(source, harbour["vision"] / f"990{number}.jpg")
            if number != "12":
                shutil.copy(harbour["sound"] / "00414.wav", harbour["sound"] / f"990{number}.wav")
        elif source.suffix == ".wav":
            shutil.copy(source, harbour["sound"] / f"990{number}.wav")
            shutil.copy(harbour["vision"] / "00414.jpg", harbour["vision"] / f"990{number}.jpg")
    with pytest.raises(DatasetError) as caught:
        read_catalogue(real)
    named = {line.split("/990")[1][:2] for line in str(caught.value).splitlines() if "/990" in line}
    assert named == {"01", "02", "03", "06", "07", "08", "09", "12"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kept = set(read_catalogue(real, skip_broken=True)["id"])
    assert {"99004", "99005", "99010", "99011"} <= kept and len(kept) == 1018


def test_a_silent_clip_is_named_every_time_the_folder_is_read(tiny):
    soundfile.write(tiny / "sound" / "ice" / "01002.wav", np.zeros(16000), 8000)
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"ice/01002\.wav: is silent") as caught:
            read_catalogue(tiny)
        assert len([one for one in caught if "silent" in str(one.message)]) == 1
