import io
import re

import matplotlib
import pandas as pd
import pytest
import soundfile
from IPython.display import HTML
from PIL import Image

from advance_lib.data.catalogue import read_catalogue
from advance_lib.data.published import SCENES
from advance_lib.experiments.runs import Request, Run
from advance_lib.figures import page as figures

matplotlib.use("Agg")


@pytest.fixture
def pairs(tiny):
    return read_catalogue(tiny)


def linked(build, address):
    """The file behind an address on a page."""
    return (build.parent / "book" / address).resolve()


def test_a_player_plays_ten_seconds_from_a_small_file(pairs, build):
    page = figures.player(pairs["sound"][0])
    address = re.search(r'src="([^"]+)"', page).group(1)
    path = linked(build, address)
    assert "base64" not in page and address.startswith("../") and path.suffix == ".mp3"
    assert path.stat().st_size < 200_000 and soundfile.info(path).duration == pytest.approx(10, abs=0.2)


def test_a_gallery_names_every_picture(pairs, build):
    page = figures.gallery(pairs.head(3)).data
    assert page.count("<img") == page.count('alt="Aerial photograph of the scene desert') == 3
    for address in re.findall(r'src="([^"]+)"', page):
        assert linked(build, address).exists()


def test_equal_content_is_kept_once(build):
    assert figures.site_file("a.csv", b"same") == figures.site_file("a.csv", b"same")
    assert len(list((build / "site").iterdir())) == 1


def test_a_contact_sheet_has_its_pictures_side_by_side(pairs):
    assert figures.contact_sheet(list(pairs["image"].head(5)), columns=2, side=20).size == (44, 68)


def test_a_figure_is_shown_with_anchor_caption_and_alternative_text(build):
    figure, axis = matplotlib.pyplot.subplots()
    axis.plot([1, 2])
    page = figures.show(figure, "fig-9", "The loss $L_s$ & <more>", 'A "line"').data
    address = re.search(r'<img src="([^"]+)" alt="A &quot;line&quot;">', page).group(1)
    assert linked(build, address).read_bytes().lstrip().startswith(b"<?xml") and address.endswith(".svg")
    assert '<figure class="shown" id="fig-9">' in page and r"\(L_s\) &amp; &lt;more&gt;" in page
    assert not matplotlib.pyplot.fignum_exists(figure.number)  # or the notebook would draw it a second time
    photograph = figures.show(Image.new("RGB", (8, 8)), "p", "c", "a").data
    assert ".jpg" in photograph


def test_a_figure_leads_to_its_runs(build):
    runs = [Run(Request("image/Ls", seed), build / f"run{seed}") for seed in (0, 1)]
    page = figures.show(HTML("<p>…</p>"), "fig-9", "", runs=runs).data
    address = re.search(r'href="([^"]+)"', page).group(1)
    assert 'data-runs="2"' in page
    assert list(pd.read_csv(linked(build, address))["run"]) == ["run0", "run1"]


def test_scenes_have_styles_of_their_own():
    styles = figures.scene_styles([*SCENES, "desert", "ice"])
    assert len(set(styles.values())) == len(SCENES) + 2
    assert figures.scene_styles(["lake"])["lake"] == figures.SCENE_STYLES["lake"]


def test_the_histogram_shows_every_scene_with_its_count():
    counts = {scene: index + 1 for index, scene in enumerate(SCENES)}
    catalogue = pd.DataFrame({"scene": [scene for scene, n in counts.items() for _ in range(n)]})
    axis = figures.class_histogram(catalogue, "a set").axes[0]
    shown = {label.get_text(): bar.get_width() for label, bar in zip(axis.get_yticklabels(), axis.patches, strict=True)}
    assert shown == counts


def test_a_table_can_be_downloaded(build):
    table = pd.DataFrame({"F-score": [1.5]}, index=["image"])
    address = re.search(r'href="([^"]+)"', figures.show_table(table, "table-1").data).group(1)
    assert pd.read_csv(io.BytesIO(linked(build, address).read_bytes()), index_col=0).equals(table)


def test_wave_and_spectrogram_share_a_time_axis(pairs):
    above, below = figures.from_wave_to_log_mel(pairs["sound"][0]).axes[:2]
    assert above.get_xlim() == below.get_xlim() and below.get_ylabel() == "mel band"
