import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import Normalize, to_rgb

from advance_lib.figures.heat import heat_tables

TABLE = pd.DataFrame([[0.0, 0.2], [0.6, 1.0]], index=["a & b", "c"], columns=["x", "L_E"])


def luminance(colour):
    parts = np.array(to_rgb(colour))
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4) @ (0.2126, 0.7152, 0.0722)


def test_every_number_is_there_to_hover_over_and_the_large_ones_to_read(build):
    page = heat_tables({"": TABLE}, "map", Normalize(0, 1), "{:.1f}".format, least=0.5).data
    assert re.findall(r'title="([^"]*)">([^<]*)</td>', page) == [
        ("a &amp; b, x: 0.0", ""),
        ("a &amp; b, L_E: 0.2", ""),
        ("c, x: 0.6", "0.6"),
        ("c, L_E: 1.0", "1.0"),
    ]
    assert "colgroup" not in page and "<i>L</i><sub>E</sub>" in page
    (file,) = (build / "site").glob("*-map.csv")
    pd.testing.assert_frame_equal(pd.read_csv(file, index_col=0), TABLE)


@pytest.mark.parametrize("colours", ["BuPu", "RdBu"])
def test_numbers_stand_out_from_their_colours(colours):
    table = pd.DataFrame(np.linspace(0, 1, 101)[None])
    page = heat_tables({"": table}, "map", Normalize(0, 1), "{:.1f}".format, colours).data
    for background, ink in re.findall(r"background: (#\w+); color: (\w+)", page):
        dark, light = sorted((luminance(background), luminance(ink)))
        assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_tables_stand_side_by_side_with_their_headings(build):
    page = heat_tables({"one": TABLE, "two": 2 * TABLE}, "map", Normalize(0, 2), str).data
    assert page.count('scope="colgroup" colspan="2"') == 2 and page.count("<tr>") == 4
    assert page.count('class="apart"') == 4  # the second table's first column, and its headings
    (file,) = (build / "site").glob("*-map.csv")
    assert pd.read_csv(file, header=[0, 1], index_col=0)["two"]["x"].tolist() == [0.0, 1.2]
