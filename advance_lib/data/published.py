"""Figures published with ADVANCE and in the paper, for comparison; nothing here is computed.

Sources: the paper (Hu et al., ECCV 2020), tables 1-3; class counts after the list of samples in the
official repository, DTaoo/Multimodal-Aerial-Scene-Recognition at b5345f5 (``model/av-geotag.npy``).
"""

from functools import cache
from pathlib import Path

import pandas as pd

# scene: (pairs, locations); 5,075 pairs at 2,696 locations.
ADVANCE_COUNTS = {
    "airport": (185, 37),
    "beach": (216, 216),
    "bridge": (280, 56),
    "farmland": (430, 86),
    "forest": (862, 862),
    "grassland": (150, 30),
    "harbour": (508, 103),
    "lake": (357, 73),
    "orchard": (207, 25),
    "residential": (1056, 1056),
    "sparse shrub land": (405, 81),
    "sports land": (159, 19),
    "train station": (260, 52),
}

SCENES = tuple(ADVANCE_COUNTS)


def advance_counts() -> pd.DataFrame:
    """Return ADVANCE's published counts: one row per scene, columns ``pairs`` and ``locations``.

    The paper shows them as Fig. 3 (section 3).
    """
    return pd.DataFrame.from_dict(ADVANCE_COUNTS, orient="index", columns=["pairs", "locations"]).rename_axis("scene")


@cache
def advance_posteriors() -> pd.DataFrame:
    """Return p(event|scene) of ADVANCE as published: 527 rows in AudioSet's order, one column a scene.

    Source: posteriors published with the official code, DTaoo/Multimodal-Aerial-Scene-Recognition at b5345f5 (MIT).
    """
    return pd.read_csv(Path(__file__).with_name("advance_posteriors.csv"), index_col="event")
