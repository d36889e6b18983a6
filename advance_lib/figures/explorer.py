"""The explorer of embeddings: a plane of pairs, and what is known of the one that is chosen.

Chapter: Scenes in the space of events.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from IPython.display import HTML

from advance_lib.figures.inside import embedding_panels
from advance_lib.figures.interactive import interactive
from advance_lib.figures.page import image_file, losses_as_html, picture, scene_styles, sound_file

_SHAPES = {
    "o": "M-6 0a6 6 0 1 0 12 0a6 6 0 1 0-12 0z",
    "s": "M-5-5h10v10h-10z",
    "^": "M0-7L6.5 5h-13z",
    "v": "M0 7L6.5-5h-13z",
    "D": "M0-7L7 0L0 7L-7 0z",
    "P": "M-2.5-7h5v4.5h4.5v5h-4.5v4.5h-5v-4.5h-4.5v-5h4.5z",
    "X": "M-6-3.5L-3.5-6L0-2.5L3.5-6L6-3.5L2.5 0L6 3.5L3.5 6L0 2.5L-3.5 6L-6 3.5L-2.5 0z",
}


def explorer(
    points: Mapping[str, np.ndarray],
    pairs: pd.DataFrame,
    probabilities: Mapping[str, np.ndarray],
    scenes: Sequence[str],
    heard: Sequence[str],
) -> HTML:
    """Show embeddings to explore: hover or focus tells of a pair, a click or Enter plays its sound.

    Args:
        points: approach to (n, 2); buttons change from one to the other.
        pairs: (n,) columns ``scene``, ``id``, ``image``, ``sound``.
        probabilities: the same approaches to p(scene), (n, K).
        scenes: (K,) names, in the order of the probabilities.
        heard: (n,) what N_a(0) hears in each recording, in words.
    """
    views = []
    for title, places in points.items():
        low, span = places.min(axis=0), np.ptp(places, axis=0)
        views.append(
            {
                "name": losses_as_html(title),
                "places": (12 + 576 * (places - low) / span).round(1).tolist(),
                "p": np.round(probabilities[title].astype(np.float64), 3).tolist(),
            }
        )
    styles = scene_styles(scenes)
    data = {
        "scenes": [
            {"name": name, "colour": _hex(styles[name][0]), "shape": _SHAPES[styles[name][1]]} for name in scenes
        ],
        "views": views,
        "pairs": [
            {
                "id": pair.id,
                "scene": list(scenes).index(pair.scene),
                "image": image_file(pair.image, f"small-{pair.id}", 160),
                "sound": sound_file(pair.sound),
                "heard": events,
            }
            for pair, events in zip(pairs.itertuples(), heard, strict=True)
        ],
    }
    title, places = next(iter(points.items()))
    alt = f"The plane of {title}: one point a pair, coloured by scene"
    return interactive("explorer", data, picture(embedding_panels({title: places}, pairs["scene"]), "explorer", alt))


def _hex(colour: str | tuple[float, float, float]) -> str:
    return colour if isinstance(colour, str) else "#" + "".join(f"{round(255 * part):02x}" for part in colour)
