"""The viewer of class activation maps: one large photograph under the map of the approach that is chosen.

Chapter: Where the networks look.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from contourpy import contour_generator
from IPython.display import HTML

from advance_lib.analysis.looking import Look
from advance_lib.experiments.cells import short_name
from advance_lib.figures.inside import activation_grid
from advance_lib.figures.interactive import interactive
from advance_lib.figures.page import image_file, losses_as_html, sound_file

SIDE = 380  # of the photographs in pixels, as in the galleries: the same files
STILL = 3  # photographs of the still


def map_viewer(
    pairs: pd.DataFrame, photographs: np.ndarray, looks: Mapping[str, Look], masks: Sequence[np.ndarray | None]
) -> HTML:
    """Show the maps of several approaches over photographs that the reader chooses, with the sound (Figs. 1 and 6).

    Args:
        pairs: (n,) columns ``scene``, ``id``, ``image``, ``sound``.
        photographs: (n, side, side, 3) uint8, as the networks see them.
        looks: cell to what its run saw and said.
        masks: (n,) where the object is, (side, side) bool, or None.
    """
    data = {
        "side": photographs.shape[1],
        "approaches": [{"name": short_name(cell), "shown": losses_as_html(short_name(cell))} for cell in looks],
        "pairs": [
            {
                "id": pair.id,
                "scene": pair.scene,
                "image": image_file(pair.image, pair.id, SIDE),
                "small": image_file(pair.image, f"small-{pair.id}", 160),
                "sound": sound_file(pair.sound),
                "outline": None if masks[index] is None else outline(masks[index]),
                "looks": [
                    {
                        "map": image_file(heat(look.maps[index]), f"heat-{cell}-{pair.id}"),
                        "highest": [float(x) + 0.5 for x in look.highest[index][::-1]],
                        "inside": look.on_object[index],
                        "named": look.named[index],
                        "p": round(float(look.p_named[index]), 4),
                        "sure": round(float(look.p_true[index]), 4),
                    }
                    for cell, look in looks.items()
                ],
            }
            for index, pair in enumerate(pairs.itertuples())
        ],
    }
    some = slice(None, STILL)
    maps, sure = ({cell: getattr(look, of)[some] for cell, look in looks.items()} for of in ("maps", "p_true"))
    return interactive("viewer", data, activation_grid(pairs.iloc[some], photographs[some], maps, sure).data)


def heat(activation: np.ndarray) -> np.ndarray:
    """Return a map in the colours of `activation.overlay`, without its photograph, (height, width, 3) uint8.

    Args:
        activation: (height, width); the scale goes from zero to its maximum.
    """
    strength = activation.clip(min=0) / max(float(activation.max()), 1e-12)
    return (255 * plt.get_cmap("inferno")(strength)[..., :3]).round().astype(np.uint8)


def outline(mask: np.ndarray) -> str:
    """Return the outline of a mask as a path of SVG, in pixels from its upper left corner.

    Args:
        mask: (height, width) bool.
    """
    around = np.pad(mask.astype(float), 1)  # so that lines close at the edge
    lines = contour_generator(z=around).lines(0.5)
    # A pixel's value stands at its centre, half a pixel from its edge; one pixel was added around.
    return "".join(
        "M" + "L".join(f"{x:g} {y:g}" for x, y in (line - 0.5).clip(0, mask.shape[0])) + "Z" for line in lines
    )
