import io
import re
from pathlib import Path

import matplotlib
import pandas as pd
import pytest
import seaborn
import soundfile
from IPython.core.formatters import DisplayFormatter
from IPython.display import HTML
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from PIL import Image

from advance_lib.analysis.words import with_minus
from advance_lib.data.catalogue import read_catalogue
from advance_lib.data.published import SCENES
from advance_lib.experiments.runs import Run, requests_for
from advance_lib.experiments.settings import Settings
from advance_lib.figures import page

matplotlib.use("Agg")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def pairs(tiny):
    return read_catalogue(tiny)


def linked(address):
    """The file behind an address on a page, wherever the build folder is."""
    return (ROOT / "book" / address).resolve()


def test_a_player_plays_ten_seconds_from_a_small_file(pairs):
    shown = page.player(pairs["sound"][0])
    address = re.search(r'src="([^"]+)"', shown).group(1)
    path = linked(address)
    assert "base64" not in shown and address.startswith("../") and path.suffix == ".mp3"
    assert path.stat().st_size < 200_000 and soundfile.info(path).duration == pytest.approx(10, abs=0.2)


def test_equal_content_is_kept_once(build):
    assert page.site_file("a.csv", b"same") == page.site_file("a.csv", b"same")
    assert len(list((build / "site").iterdir())) == 1


def test_a_picture_tells_its_smallest_text_and_whether_it_keeps_its_colours():
    figure, (left, right) = plt.subplots(1, 2)
    left.set_title("small", fontsize=7)
    right.set_title(" ", fontsize=3)  # is not seen
    assert page.picture(figure, "lines", "a").endswith('alt="a" data-smallest="7"></a>')
    figure, axis = plt.subplots()
    axis.imshow([[1, 2]])
    assert 'class="as-it-is"' in page.picture(figure, "spectrogram", "a")


def test_a_figure_is_shown_with_anchor_caption_and_alternative_text():
    figure, axis = matplotlib.pyplot.subplots()
    axis.plot([1, 2])
    shown = page.show(figure, "fig-9", "The loss $L_s$ & <more>", 'A "line"').data
    address = re.search(r'<img src="([^"]+)" alt="A &quot;line&quot;"[^>]*>', shown).group(1)
    assert linked(address).read_bytes().lstrip().startswith(b"<?xml") and address.endswith(".svg")
    assert '<figure class="shown" id="fig-9">' in shown and r"\(L_s\) &amp; &lt;more&gt;" in shown
    assert not matplotlib.pyplot.fignum_exists(figure.number)  # or the notebook would draw it a second time
    photograph = page.show(Image.new("RGB", (8, 8)), "p", "c", "a").data
    assert ".jpg" in photograph


def test_a_figure_leads_to_its_runs(build):
    requests = requests_for(Settings(seeds=2), "image/Ls")
    runs = [Run(request, build / f"run{request.seed}") for request in requests]
    data, kept = DisplayFormatter().format(page.show(HTML("<p>…</p>"), "fig-9", "", runs=runs))
    address = re.search(r'href="([^"]+)">2 runs</a>', data["text/html"]).group(1)
    assert kept["advance"] == {"result": "fig-9", "runs": 2, "list": address}
    assert list(pd.read_csv(linked(address))["run"]) == ["run0", "run1"]


def test_scenes_have_styles_of_their_own():
    styles = page.scene_styles([*SCENES, "desert", "ice"])
    assert len(set(styles.values())) == len(SCENES) + 2
    assert page.scene_styles(["lake"])["lake"] == page.SCENE_STYLES["lake"]


def test_a_table_can_be_downloaded():
    table = pd.DataFrame({"F-score": [1.5]}, index=["image"])
    address = re.search(r'href="([^"]+)"', page.show_table(table, "table-1").data).group(1)
    assert pd.read_csv(io.BytesIO(linked(address).read_bytes()), index_col=0).equals(table)


def test_a_dash_stands_for_what_is_not_defined():
    shown = page.show_table(pd.DataFrame({"deviation": [float("nan")]}, index=["image"]), "table-1").data
    assert "<td>–</td>" in shown and "NaN" not in shown


def test_the_style_is_seaborns():
    with plt.rc_context():
        seaborn.set_theme(style="whitegrid", context="notebook", font_scale=0.9, color_codes=False)
        seaborns = dict(plt.rcParams)
    with plt.rc_context():
        plt.rcParams |= page.THEME
        ours = dict(plt.rcParams)
    colours = [[to_hex(style["color"]) for style in one.pop("axes.prop_cycle")] for one in (seaborns, ours)]
    assert colours[0] == colours[1]
    seaborns.pop("image.cmap"), ours.pop("image.cmap")  # every map names its colours
    assert ours == seaborns


@pytest.mark.parametrize(
    ("text", "as_html", "as_mathtext"),
    [
        ("+ L_SQ|Na", "+ <i>L</i><sub>SQ|N<sub>a</sub></sub>", "+ $L_{SQ|Na}$"),
        ("βL_E2, L_s", "β<i>L</i><sub>E2</sub>, <i>L</i><sub>s</sub>", "β$L_{E2}$, $L_{s}$"),
        ("L_KL|Nv+a", "<i>L</i><sub>KL|N<sub>v+a</sub></sub>", "$L_{KL|Nv{+}a}$"),
        ("L_TOP|Na", "<i>L</i><sub>TOP|N<sub>a</sub></sub>", "$L_{TOP|Na}$"),  # a reader's own
        ('<a title="L_E">L_sum, XL_E</a>', '<a title="L_E">L_sum, XL_E</a>', None),  # no loss, and no text
        ("$L_s$ of L_E", None, "$L_s$ of L_E"),  # formulas already
    ],
)
def test_losses_are_typeset(text, as_html, as_mathtext):
    assert as_html in (None, page.losses_as_html(text))
    assert as_mathtext in (None, page.losses_as_mathtext(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("by -0.5 points (-2.9 to +1.9)", "by −0.5 points (−2.9 to +1.9)"), ("2026-11-26, 8-10, mn-04, x.-1", None)],
)
def test_a_minus_is_a_minus(text, expected):
    assert with_minus(text) == (expected or text)


def test_tables_have_minus_signs_and_their_files_have_hyphens(build):
    shown = page.show_table(pd.DataFrame({"a-1": [-1.5]}, index=["b -2"]), "signs").data
    assert "<td>−1.5</td>" in shown and "a-1" in shown
    address = re.search(r'href="([^"]+)"', shown).group(1)
    assert "-1.5" in linked(address).read_text()


@pytest.mark.parametrize("levels", [1, 2])
def test_names_of_the_index_get_no_row_of_their_own(build, levels):
    index = pd.MultiIndex.from_product([["a", "b"]] * levels, names=["first", "second"][:levels])
    shown = page.show_table(pd.DataFrame({"F": ["1 ± 2", "50%"] * levels}, index), "named").data
    (head,) = re.findall(r"<thead>(.*?)</thead>", shown, flags=re.DOTALL)
    assert re.findall(r"<th[^>]*>([^<]*)</th>", head) == [*["first", "second"][:levels], "F"]
    assert head.count("<tr") == 1 and "1 ±\xa02" in shown and "50\xa0%" in shown


def test_losses_on_the_axes_of_a_figure_are_typeset(build):
    figure, axis = matplotlib.pyplot.subplots()
    axis.set_yticks([0, 1], ["L_s", "+ L_KL|Na"])
    axis.set_title("with L_E")
    page.show(figure, "fig-8", "A figure.", "A figure")
    figure.canvas.draw()
    assert [label.get_text() for label in axis.get_yticklabels()] == ["$L_{s}$", "+ $L_{KL|Na}$"]
    assert axis.get_title() == "with $L_{E}$" and list(axis.get_yticks()) == [0, 1]
