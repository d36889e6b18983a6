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

# Weighted precision, recall and F-score in percent, each as (mean, standard deviation) of 5 runs.
# Keys are the names of cells in `experiments`.
PAPER_SCORES = {
    "sound/Ls": ((30.46, 0.66), (32.99, 1.20), (28.99, 0.51)),
    "image/Ls": ((74.05, 0.42), (72.79, 0.62), (72.85, 0.57)),
    "image+sound/Ls": ((73.93, 0.80), (72.91, 0.74), (72.71, 0.76)),
    "image+sound/SQ|Na": ((74.41, 0.62), (73.51, 0.45), (73.34, 0.47)),
    "image+sound/KL|Na": ((74.89, 0.56), (73.83, 0.44), (73.83, 0.47)),
    "image+sound/SQ|Nv+a": ((74.96, 0.35), (74.27, 0.37), (74.13, 0.32)),
    "image+sound/KL|Nv+a": ((74.98, 0.33), (74.19, 0.34), (74.14, 0.33)),
    "image+sound/E": ((75.25, 0.34), (74.79, 0.34), (74.58, 0.25)),
    "sound/Ls†": ((21.15, 0.68), (24.54, 0.67), (21.32, 0.42)),
    "sound/SQ|Nv+a": ((31.64, 0.65), (34.68, 0.49), (29.31, 0.71)),
    "sound/KL|Nv+a": ((30.00, 0.86), (34.29, 0.35), (28.51, 0.99)),
    "sound/E": ((31.14, 0.30), (33.80, 1.03), (29.66, 0.13)),
    "image/Ls†": ((64.45, 0.97), (64.59, 1.12), (64.04, 1.07)),
    "image/SQ|Nv+a": ((74.86, 0.94), (74.11, 0.89), (73.98, 0.92)),
    "image/KL|Nv+a": ((74.36, 0.85), (73.40, 0.84), (73.52, 0.85)),
    "image/E": ((73.97, 0.39), (73.47, 0.52), (73.44, 0.45)),
    "image+sound/only E1": ((43.37, 0.59), (49.26, 0.36), (42.50, 0.42)),
    "image+sound/only E": ((54.23, 1.14), (52.57, 0.72), (48.65, 0.85)),
    "image+sound/only KL|Nv+a": ((3.08, 0.14), (9.69, 0.43), (4.46, 0.20)),
    "image+sound/only SQ|Nv+a": ((2.95, 0.07), (9.28, 0.17), (4.24, 0.07)),
}


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


def paper_scores(cell: str) -> dict[str, tuple[float, float]]:
    """Return the paper's (mean, standard deviation) of each metric for a cell of tables 1-3, in percent.

    Raises:
        KeyError: the paper has no such cell.
    """
    return dict(zip(("precision", "recall", "fscore"), PAPER_SCORES[cell], strict=True))
