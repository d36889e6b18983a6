import unicodedata
import warnings

import pytest

from advance_lib.data.catalogue import DatasetError, read_catalogue
from advance_lib.data.given import given_columns, other_columns
from tests.pairs import write_pair

IDS = ("00001", "00002", "00002_1", "00003")


@pytest.fixture
def folder(tmp_path):
    for pair in IDS:
        write_pair(tmp_path / "data", "forêt", pair)
    return tmp_path / "data"


def said(folder, text, encoding="utf-8"):
    """Return (the catalogue's locations, what was warned of)."""
    (folder / "pairs.csv").write_bytes(text.encode(encoding))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        table = read_catalogue(folder)
    return list(table["location"]), [str(warning.message) for warning in caught]


LINES = "".join(f"{pair},forêt,Étang\n" for pair in IDS)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", " , "])
@pytest.mark.parametrize("heading", ["id,scene,location", "ID,Scene,LOCATION"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_table_is_read_as_it_was_meant(folder, delimiter, heading, encoding):
    text = f"{heading}\n{LINES}".replace(",", delimiter)
    assert said(folder, text, encoding) == (4 * ["Étang"], [])


def test_an_old_encoding_is_said(folder):
    locations, warned = said(folder, f"id;scene;location\n{LINES}".replace(",", ";"), "cp1252")
    assert locations == 4 * ["Étang"] and len(warned) == 1 and "Windows-1252" in warned[0]


def test_names_may_differ_in_form(folder):
    scene = unicodedata.normalize("NFD", "FORÊT ")
    assert said(folder, "scene,id,location\n" + "".join(f"{scene},{pair},x\n" for pair in IDS)) == (4 * ["x"], [])


def test_a_name_that_could_be_two_is_neither(tmp_path):
    for pair in ("a b", "A b"):
        write_pair(tmp_path / "data", "lake", pair)
    assert said(tmp_path / "data", "id,location\na b,one\nA b,two\n") == (["two", "one"], [])
    locations, warned = said(tmp_path / "data", "id,location\na b,one\nA B,two\n")
    assert locations == ["A b", "one"] and "1 of 2 lines fit no pair, such as 'A B'" in warned[0]


def test_lines_without_a_pair_and_pairs_without_a_line_are_counted(folder):
    text = "id,location\n00001,here\n00002,there\nx,there\ny,there\n"
    locations, (lines, pairs) = said(folder, text)
    assert locations == ["here", "there", "00002", "00003"]
    assert "pairs.csv: 2 of 4 lines fit no pair, such as 'x', 'y'" in lines
    assert "pairs.csv: 2 of 4 pairs have no line, such as '00002_1', '00003'" in pairs


def test_a_table_without_a_line(folder):
    (folder / "pairs.csv").write_text("id,split\n")
    with pytest.warns(UserWarning, match="4 of 4 pairs have no line"):
        assert read_catalogue(folder)["split"].isna().all()


def test_a_pair_that_is_left_out_is_not_missed_again(folder):
    (folder / "sound" / "forêt" / "00003.wav").write_bytes(b"")
    (folder / "sound" / "forêt" / "00001.wav").unlink()
    (folder / "pairs.csv").write_text("id,location\n" + "".join(f"{pair},x\n" for pair in IDS))
    with pytest.warns(UserWarning, match="left out 2 problem") as caught:
        assert list(read_catalogue(folder, skip_broken=True)["location"]) == ["x", "x"]
    assert not any("pairs.csv" in str(warning.message) for warning in caught)


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        ("1,x\n2,x\n2_1,x\n3,x\n", "4 of 4 lines fit no pair, .*'1', .*; a pair is '00001': leading zeros"),
        ("1.0,x\n2.0,x\n3.0,x\n", "leading zeros"),
        ("1,x\n2,x\n00002_1,x\n3,x\n", "3 of 4 lines fit no pair.*leading zeros"),  # siblings are text to a spreadsheet
        ("00001.jpg,x\n00002.jpg,x\n00003.jpg,x\n", "names of files: write them without folder and suffix"),
        ("vision/forêt/00001.jpg,x\n", "names of files: write them without folder and suffix"),
        ("1.wav,x\n2.wav,x\n", "names of files that lost leading zeros"),
        ("a,x\nb,x\n", "2 of 2 lines fit no pair, such as 'a', 'b'; a pair is '00001'.*mend id"),
        (",x\n", "1 of 1 lines fit no pair"),
    ],
)
def test_ids_that_were_changed_are_refused_with_the_cause(folder, lines, cause):
    with pytest.raises(DatasetError, match=rf"pairs\.csv: .*{cause}"):
        said(folder, "id,location\n" + lines)


def test_scenes_of_another_name_are_refused_with_the_cause(folder):
    with pytest.raises(DatasetError, match=r"'wood/00001'; their ids do, but in other scenes \(there are forêt\)"):
        said(folder, "scene,id,location\nwood,00001,x\n")


@pytest.mark.parametrize(
    ("heading", "words"),
    [
        ("id,Lokation", "'lokation' .*'location'"),
        ("id,locations", "'locations'"),
        ("id,place", "'place' .*'location'"),
        ("id,fold", "'fold' .*'split'"),
        ("id,ort", "not understood: ort; those that are read are"),
    ],
)
def test_columns_that_are_not_understood_are_said(folder, heading, words):
    locations, warned = said(folder, heading + "\n" + "".join(f"{pair},x\n" for pair in IDS))
    assert locations == ["00001", "00002", "00002", "00003"] and len(warned) == 1
    with pytest.warns(UserWarning, match=words):
        read_catalogue(folder)


def test_columns_that_are_carried_along_are_no_worry(folder):
    text = "id,location,split,start_s,place,fold,\n" + "".join(f"{pair},x,train,0.5,y,1,\n" for pair in IDS)
    assert said(folder, text)[1] == []
    assert other_columns(folder) == ["start_s", "place", "fold"]
    assert said(folder, "id,start_s,events\n" + "".join(f"{pair},0.5,wind\n" for pair in IDS))[1] == []
    (folder / "pairs.csv").unlink()
    assert other_columns(folder) == []


def test_what_the_table_says_of_each_pair(folder):
    (folder / "pairs.csv").write_text("id;Events\n00003;wind\n00001;\n")
    pairs = read_catalogue_quietly(folder).iloc[::-1]
    found = given_columns(folder, pairs)
    assert found.index.equals(pairs.index) and list(found) == ["events"]
    assert found["events"].dropna().to_dict() == {pairs.index[0]: "wind"}
    (folder / "pairs.csv").unlink()
    assert given_columns(folder, pairs).shape == (4, 0)


def read_catalogue_quietly(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_catalogue(folder)
