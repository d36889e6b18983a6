import pytest

from advance_lib.cache import UserError
from advance_lib.data.tables import read_rows

ROWS = (["id", "place"], {2: {"id": "00001", "place": "Orléans"}, 4: {"id": "2", "place": ""}})
PLAIN = "id,place\n00001,Orléans\n,\n2\n"


@pytest.fixture
def table(tmp_path):
    def write(content, encoding="utf-8"):
        path = tmp_path / "table.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return write


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_whatever_saved_it(table, recwarn, delimiter, encoding, end):
    assert read_rows(table(PLAIN.replace(",", delimiter).replace("\n", end), encoding)) == ROWS
    assert not recwarn


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.replace("id,place", " ID ,PLACE"),
        PLAIN.replace("id,place", '"Id","Place"'),
        PLAIN.replace("\n", ",,\n"),
        "sep=;\n" + PLAIN.replace(",", ";"),
        PLAIN.replace(",", ", "),
    ],
)
def test_headings_blanks_and_ends_do_not_matter(table, text):
    assert read_rows(table(text)) == ROWS


def test_a_delimiter_within_quotes_is_none(table):
    assert read_rows(table('"id";"a,b,c"\n1;"x;y"\n')) == (["id", "a,b,c"], {2: {"id": "1", "a,b,c": "x;y"}})
    assert read_rows(table('id, place\n1, "Orléans, France"\n'))[1][2]["place"] == "Orléans, France"
    assert read_rows(table("id,place\n1, two \n"))[1][2]["place"] == " two "  # a text as it was written


def test_an_old_encoding_is_read_and_said(table):
    with pytest.warns(UserWarning, match=r"table\.csv: not in UTF-8, .* Windows-1252.*save it as 'CSV UTF-8"):
        assert read_rows(table(PLAIN, "cp1252")) == ROWS


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty"),
        (b" \n,,\n", "it is empty"),
        (b"id\n1,2\n3,4\n", "row 2 and 1 other row.*more cells than the first row"),
        (b'id\n"1\n', "not a table"),
        (b"PK\x03\x04\x14\xff\0\0", "bytes of 0, as a spreadsheet's own format"),
        (b"id\n\x81", "not a table"),
        (b"id\n" + b"x" * 200_000, "not a table"),
    ],
)
def test_what_is_no_table_is_named(table, content, words):
    with pytest.raises(UserError, match=rf"table\.csv: .*{words}"):
        read_rows(table(content))


def test_a_missing_table_is_the_callers_affair(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_rows(tmp_path / "table.csv")
