import pytest

from advance_lib.cache import UserError
from advance_lib.experiments.cells import CELLS, PAPER_SCORES, TABLES, Cell, cells_of, short_name


def test_the_paper_has_twenty_cells():
    assert set(CELLS) == set(PAPER_SCORES) and len(CELLS) == 20
    assert [len(cells) for cells in TABLES.values()] == [8, 10, 4]


@pytest.mark.parametrize("name", CELLS)
def test_a_name_says_all_and_comes_back(name):
    cell = Cell.named(name)
    assert cell.name == name
    assert cell.pretrained == ("†" not in name) and cell.supervised == ("only" not in name)
    assert (cell.transfer is None) == ("Ls" in name)


@pytest.mark.parametrize(
    ("name", "inputs", "heading", "short"),
    [
        ("image+sound/SQ|Na", "Image + sound", "+ L_SQ|Na", "L_SQ|Na"),
        ("image+sound/only E", "Image + sound", "L_E1 + βL_E2", "L_E1 + βL_E2"),
        ("image+sound/only E1", "Image + sound", "L_E1", "L_E1"),
        ("image/Ls", "Image", "L_s", "image"),
        ("sound/Ls†", "Sound", "L_s †", "sound"),
        ("image+sound/only dropout", "Image + sound", "L_dropout", "dropout"),
    ],
)
def test_how_it_is_called_on_a_page(name, inputs, heading, short):
    cell = Cell.named(name)
    assert (cell.inputs, cell.heading, cell.short) == (inputs, heading, short)
    assert (short_name(name), short_name("late fusion")) == (short, "late fusion")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("smell/Ls", "no senses 'smell'"),
        ("sound/only Ls", "'only Ls' is 'Ls'"),
        ("image/SQ|Na", "N_a hears nothing"),
    ],
)
def test_what_is_no_cell(name, words):
    with pytest.raises(UserError, match=words):
        Cell.named(name)


def test_a_table_that_the_paper_does_not_have():
    assert cells_of(3)[0] == "image+sound/only E1"
    with pytest.raises(UserError, match="no table 4; choose one of 1, 2, 3"):
        cells_of(4)
