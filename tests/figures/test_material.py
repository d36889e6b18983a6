import re

import matplotlib
import numpy as np
import pandas as pd
import pytest

from advance_lib.data.catalogue import read_catalogue
from advance_lib.data.published import SCENES
from advance_lib.figures import material

matplotlib.use("Agg")


@pytest.fixture
def pairs(tiny):
    return read_catalogue(tiny)


def test_a_gallery_names_every_picture(pairs, build):
    page = material.gallery(pairs.head(3)).data
    assert page.count("<img") == page.count('alt="Aerial photograph of the scene desert') == 3
    for address in re.findall(r'src="([^"]+)"', page):
        assert (build / "site" / address.rpartition("/")[2]).exists()


def test_a_contact_sheet_has_its_pictures_side_by_side(pairs):
    paths = list(pairs["image"].head(5))
    assert material.contact_sheet(paths, columns=2, side=20).size == (44, 68)
    sheet = np.asarray(material.contact_sheet(paths, columns=2, side=60, names=["", "a name", *["other"] * 3]))
    below = sheet[60:78] < 128  # what is dark below the first two
    assert not below[:, :60].any() and below[:, 64:].any()


def test_the_histogram_shows_every_scene_with_its_count():
    counts = {scene: index + 1 for index, scene in enumerate(SCENES)}
    catalogue = pd.DataFrame({"scene": [scene for scene, n in counts.items() for _ in range(n)]})
    axis = material.class_histogram(catalogue, "a set").axes[0]
    shown = {label.get_text(): bar.get_width() for label, bar in zip(axis.get_yticklabels(), axis.patches, strict=True)}
    assert shown == counts


def test_wave_and_spectrogram_share_a_time_axis(pairs):
    above, below = material.from_wave_to_log_mel(pairs["sound"][0]).axes[:2]
    assert above.get_xlim() == below.get_xlim() and below.get_ylabel() == "mel band"
