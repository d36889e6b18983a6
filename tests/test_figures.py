import io
import re

import matplotlib
import pandas as pd
import pytest
import soundfile

from advance_lib import figures
from advance_lib.catalogue import read_catalogue
from advance_lib.published import SCENES

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


def test_pictures_carry_alternative_text(pairs):
    image = figures.photographs(pairs["image"].head(4), alt="Four deserts", columns=2, side=20)
    assert image.alt == "Four deserts" and image.format == "jpeg"
    assert figures.contact_sheet(list(pairs["image"].head(5)), columns=2, side=20).size == (44, 68)


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
