import csv
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advance_lib.cache import UserError
from advance_lib.construct.review import COLUMNS, LEAVE_OUT, Row, merged, read_review, write_review
from advance_lib.data.published import SCENES

ROWS = [
    Row("11", "", "forest: …; farmland: …", "tie", name="Wind, and rain", url="https://example.org/11"),
    Row("7", "beach", "natural=beach on 20% of the photograph", "", name="Sea"),
    Row("9", "lake", "natural=water on 80% of the photograph", "", name='He said "höre"'),
]
SUGGESTIONS = {row.id: row.suggestion for row in ROWS}


@pytest.fixture
def table(tmp_path):
    write_review(tmp_path / "review.csv", ROWS)
    return tmp_path / "review.csv"


def edit(table, **scenes):
    """Do what a person does in a spreadsheet."""
    with open(table, encoding="utf-8-sig", newline="") as file:
        header, *records = csv.reader(file)
    for cells in records:
        cells[header.index("scene")] = scenes.get(f"row{cells[0]}", "")
    with open(table, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *records])


def test_what_people_say(table):
    assert [row.label for row in read_review(table, SUGGESTIONS)] == ["", "beach", "lake"]
    edit(table, row11="forest", row7=" Train_Station ", row9="None")
    assert [row.label for row in read_review(table, SUGGESTIONS)] == ["forest", "train station", ""]


def test_an_unknown_scene_names_the_row_and_the_known_ones(table):
    edit(table, row9="desert")
    with pytest.raises(UserError, match=r"1 problem.*\n  row 4 \(id 9\): unknown scene 'desert'") as caught:
        read_review(table, SUGGESTIONS)
    assert all(scene in str(caught.value) for scene in (*SCENES, LEAVE_OUT))


def test_a_correction_in_the_wrong_column_is_not_lost_in_silence(table):
    write_review(table, [ROWS[0], replace(ROWS[1], suggestion="lake"), ROWS[2]])
    with pytest.raises(UserError, match=r"row 3 \(id 7\): 'lake' was not suggested; corrections go into"):
        read_review(table, SUGGESTIONS)


def test_rows_may_be_sorted_but_not_lost_doubled_or_invented(table):
    write_review(table, reversed(ROWS))
    assert [row.id for row in read_review(table, SUGGESTIONS)] == ["9", "7", "11"]
    write_review(table, [ROWS[0], ROWS[0], replace(ROWS[1], id="12")])
    with pytest.raises(UserError) as caught:
        read_review(table, SUGGESTIONS)
    message = str(caught.value)
    for culprit in ("id 11 has 2 rows", "no row for id 7;", "no row for id 9;", "id 12 is none of the places"):
        assert culprit in message
    assert "4 problem(s)" in message


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.filterwarnings("ignore:.*Windows-1252")
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_spreadsheets_make_of_it(table, delimiter, mark, end):
    lines = [[*COLUMNS], *[[getattr(row, name) for name in COLUMNS] for row in ROWS], [""] * len(COLUMNS)]
    with open(table, "w", encoding=mark, newline="") as file:
        csv.writer(file, delimiter=delimiter, lineterminator=end).writerows(lines)
    assert read_review(table, SUGGESTIONS) == ROWS


def test_columns_may_be_moved_added_and_dropped(table):
    table.write_text("scene,who,suggestion,id\nforest,me,,11\n,,beach,7\n,you,lake,9\n")
    assert [(row.id, row.label) for row in read_review(table, SUGGESTIONS)] == [
        ("11", "forest"),
        ("7", "beach"),
        ("9", "lake"),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty"),
        (b"id,suggestion\n7,beach\n", "no column 'scene'"),
        (b"PK\x03\x04\x14\x00\x06\x00\x08", "no column"),
        (b"id,suggestion,scene\n7,beach,,forest\n", "row 2: more cells than the first row"),
        (b"id,suggestion,scene\n7," + b"x" * 200_000, "not a table"),
    ],
)
def test_what_is_no_review_is_refused_by_name(table, content, message):
    table.write_bytes(content)
    with pytest.raises(UserError, match=re.escape(str(table)) + ".*(?s:.*)" + re.escape(message)):
        read_review(table)
    table.unlink()
    with pytest.raises(UserError, match="the step review writes it"):
        read_review(table)


def test_new_places_keep_what_people_said(table):
    said = [replace(ROWS[1], scene="lake", note="see the map"), replace(ROWS[2], scene=LEAVE_OUT)]
    rows = merged([Row("7", "", "", "tie"), Row("8", "forest", "", "", name="=1+1")], said)
    assert rows == [
        Row("7", "", "", "tie", scene="lake", note="see the map"), Row("8", "forest", "", "", name="'=1+1"),
    ]  # fmt: skip


texts = st.text(max_size=20)
rows = st.builds(
    Row,
    id=st.integers(0, 10**7).map(str),
    suggestion=st.sampled_from(["", *SCENES]),
    reason=texts,
    review=st.sampled_from(["", "tie", "no match"]),
    scene=st.sampled_from(["", LEAVE_OUT, *SCENES]),
    note=texts,
    name=texts,
    url=texts,
)


@given(st.lists(rows, unique_by=lambda row: row.id, max_size=8), st.randoms())
def test_any_table_comes_back_as_it_was(tmp_path_factory, written, order):
    path = tmp_path_factory.mktemp("review") / "review.csv"
    order.shuffle(written)
    write_review(path, written)
    assert read_review(path, {row.id: row.suggestion for row in written}) == written


@pytest.mark.filterwarnings("ignore:.*Windows-1252")
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("review") / "review.csv"
    path.write_bytes(b"id,suggestion,scene\n" + content)
    try:
        assert all(row.scene in ("", LEAVE_OUT, *SCENES) for row in read_review(path))
    except UserError as error:
        assert str(path) in str(error)
