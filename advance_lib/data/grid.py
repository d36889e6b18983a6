"""Cells of a grid in degrees: pairs that lie near each other, though they have locations of their own.

Chapter: Use it on your own data.
"""

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from advance_lib.cache import UserError
from advance_lib.data.layout import DatasetError

DEGREES = 0.1  # 11 km from north to south, and less from west to east: 7 km at 50° of latitude
COORDINATES = ["latitude", "longitude"]
NO_COORDINATES = f"no cells without coordinates: write columns {' and '.join(COORDINATES)}, in degrees, into pairs.csv"


def degrees_in(word: str) -> float | None:
    """Return the side of the cells that a split's name asks for: 0.1 for ``"grid"``, 0.5 for ``"grid=0.5"``.

    None for the name of another split.

    Raises:
        UserError: no side that a grid could have.
    """
    name, _, side = word.partition("=")
    if name != "grid":
        return None
    try:
        degrees = float(side) if side or "=" in word else DEGREES
    except ValueError:
        degrees = 0.0
    if not 0 < degrees <= 90:
        raise UserError(f"split '{word}': write grid=DEGREES with degrees above 0 and up to 90, such as grid=0.5")
    return degrees


def grid_cells(catalogue: pd.DataFrame, degrees: float = DEGREES) -> pd.Series:
    """Return the cell that each pair lies in; cells that share a location are one.

    Args:
        catalogue: columns scene, id, location, latitude and longitude, as from `read_catalogue`.
        degrees: side of a cell, in latitude and in longitude.

    Returns:
        A name for each row: its south-western corner in sides of a cell, such as ``"534/99"``.

    Raises:
        DatasetError: pairs without coordinates.
    """
    if missing := [name for name in COORDINATES if name not in catalogue]:
        raise DatasetError(f"{NO_COORDINATES} (no column {missing[0]})")
    place = catalogue[COORDINATES].apply(pd.to_numeric, errors="coerce")
    on_earth = place["latitude"].between(-90, 90) & place["longitude"].between(-180, 180)
    if len(lost := catalogue[~on_earth]):
        raise DatasetError(
            f"pairs.csv: {len(lost)} of {len(catalogue)} pairs have no latitude within 90 and longitude within 180 "
            f"degrees, such as {lost['scene'].iloc[0]}/{lost['id'].iloc[0]}; mend these columns, or choose --split "
            "location"
        )
    place["longitude"] = (place["longitude"] + 180) % 360 - 180  # 180° is -180°
    corner = np.floor(place / degrees).astype(int).astype(str)
    names = corner["latitude"] + "/" + corner["longitude"]
    at, cell_names = pd.factorize(names)
    of, _ = pd.factorize(catalogue["location"])
    ends = len(cell_names) + of
    links = coo_array((np.ones(len(at)), (at, ends)), shape=(ends.max() + 1, ends.max() + 1))
    return names.groupby(connected_components(links, directed=False)[1][at]).transform("min").rename("cell")
