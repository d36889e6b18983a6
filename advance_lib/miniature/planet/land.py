"""The planet from above: the ground of every place, and map tiles cut from it and from the land in between.

The ground is painted with the miniature's own brushes at `GROUND` metres a pixel, true to scale. A tile is a pure
function of its address, so tiles fit together and are the same on every request. The projection is written out here,
apart from the one in `construct`, so that one does not inherit the other's mistakes.

Tiles: https://wiki.openstreetmap.org/wiki/Slippy_map_tilenames.

Chapter: Building a dataset.
"""

import io
from functools import lru_cache

import numpy as np
from PIL import Image

from advance_lib.miniature.painting import Ground, above, axes, fork, noise, overlay, ramp, sunlight
from advance_lib.miniature.photographs import PAINTERS
from advance_lib.miniature.planet.planet import EXTENT, RADIUS, Place, Planet, offset
from advance_lib.miniature.sensor import expose

GROUND = 1.0  # metres a pixel of the painted ground
TILE = 256  # pixels
DEEPEST_ZOOM = 19
DIFFICULTY = 0.4  # of the pictures, see `photographs.render_place`
FADE = 20.0  # metres over which a place fades into the land around
MARK = (255, 0, 255)
WAVELENGTHS = np.array([522, 1740, 5800, 19_000])  # each this many times 256 around the planet: no seam anywhere
MEADOW = ((0.56, 0.52, 0.35), (0.40, 0.43, 0.25), (0.29, 0.35, 0.19))  # dry, green, lush


def paint(place: Place, pixels: int) -> tuple[Ground, np.ndarray]:
    """Paint the ground of a place, coarse or fine; both show the same place.

    Args:
        place: the place.
        pixels: side of the picture.

    Returns:
        The ground, its mask telling where the place's own scene is, and (pixels, pixels) bool, where the neighbour's.
    """
    rng = place.stream(1)
    own, frame, next_door = (fork(rng) for _ in range(3))
    ground = Ground(pixels, EXTENT, own, frame.uniform(-15, 15, 2), frame.uniform(0.8, 1))
    PAINTERS[place.scene](ground, DIFFICULTY)
    if not place.neighbour:
        return ground, np.zeros_like(ground.mask)
    direction, edge = frame.uniform(0, 2 * np.pi), frame.uniform(20, 130)  # metres from the middle to the border
    outward = np.array([np.cos(direction), np.sin(direction)])
    other = Ground(pixels, EXTENT, next_door, (edge + EXTENT / 2) / 2 * outward)
    PAINTERS[place.neighbour](other, DIFFICULTY)
    across, _ = axes(ground, direction, np.zeros(2))
    cover = above(ground, across - edge + 8 * noise(other, 120, 3))
    overlay(ground, other, cover)
    return ground, other.mask & (cover > 0.5)


@lru_cache(maxsize=160)
def photographed(place: Place) -> np.ndarray:
    """Return the ground of a place in daylight: (C, C, 3) uint8, north up, C = EXTENT / GROUND."""
    ground, _ = paint(place, round(EXTENT / GROUND))
    sun, camera = place.stream(2), place.stream(3)
    ground.rgb *= 1 + 0.035 * noise(ground, 5, 3)
    lit = sunlight(ground, sun.uniform(0, 2 * np.pi), np.radians(sun.uniform(40, 64)))
    return expose(lit, camera, DIFFICULTY)


def pixel_of(latitude: float, longitude: float, zoom: int) -> tuple[float, float]:
    """Return the global pixel (x, y) of a point in Web Mercator at a zoom level."""
    whole = TILE * 2**zoom
    return (longitude + 180) / 360 * whole, (1 - np.arcsinh(np.tan(np.radians(latitude))) / np.pi) / 2 * whole


def survey_marks(place: Place) -> list[tuple[float, float]]:
    """Return the (latitude, longitude) of a marked place's five marks: its middle, and 100 m east, west, north, south.

    A mark is a magenta square about three metres wide and never less than a pixel.
    """
    steps = ((0, 0), (100, 0), (-100, 0), (0, 100), (0, -100))
    return [offset(place.latitude, place.longitude, *step) for step in steps]


def _land(planet: Planet, x: np.ndarray, y: np.ndarray, zoom: int) -> np.ndarray:
    """Open grassland under the pixels of columns x and rows y (global, their centres): (rows, columns, 3) float32."""
    table = np.random.default_rng((planet.seed, 6)).random((256, 256), dtype=np.float32)
    value = 0
    for octave, waves in enumerate(WAVELENGTHS):
        scale = waves * 256 / (TILE * 2**zoom)
        (column, right), (row, down) = (np.divmod(line * scale, 1) for line in (x, y))
        column, row = column.astype(int) % 256, row.astype(int) % 256
        right, down = (np.float32(part * part * (3 - 2 * part)) for part in (right, down))
        rows = table[row] * (1 - down[:, None]) + table[(row + 1) % 256] * down[:, None]
        value = value + 0.6**octave * (rows[:, column] * (1 - right) + rows[:, (column + 1) % 256] * right)
    return 255 * ramp(value / (0.6 ** np.arange(len(WAVELENGTHS))).sum(), *MEADOW).transpose(1, 2, 0)


def _lines(picture: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Rows of a picture at fractional row numbers, interpolated; the border's beyond the border."""
    at = np.clip(at, 0, len(picture) - 1)
    first = np.minimum(at.astype(int), len(picture) - 2)
    part = np.float32(at - first).reshape(-1, *[1] * (picture.ndim - 1))
    return picture[first] * (1 - part) + picture[first + 1] * part


def tile_pixels(planet: Planet, zoom: int, column: int, row: int) -> np.ndarray:
    """Return the picture of a tile, (256, 256, 3) uint8.

    Args:
        planet: the planet.
        zoom: level, 0 is the whole planet in one tile.
        column: from the antimeridian eastwards.
        row: from the north southwards.
    """
    whole = TILE * 2**zoom
    x, y = (TILE * number + np.arange(TILE) + 0.5 for number in (column, row))
    middle = np.pi * (1 - 2 * (row + 0.5) / 2**zoom)
    coarse = 2 * np.pi * RADIUS / whole / np.cosh(middle)  # metres a pixel
    picture, open_land = np.zeros((TILE, TILE, 3), np.float32), np.ones((TILE, TILE, 1), np.float32)
    for place in planet.places:
        centre_x, centre_y = pixel_of(place.latitude, place.longitude, zoom)
        metres = 2 * np.pi * RADIUS * np.cos(np.radians(place.latitude)) / whole
        east = ((x - centre_x + whole / 2) % whole - whole / 2) * metres  # the short way round
        south = (y - centre_y) * metres
        near = [np.clip((EXTENT / 2 - np.abs(line)) / FADE, 0, 1).astype(np.float32) for line in (south, east)]
        if not (near[0].any() and near[1].any()):
            continue
        ground = photographed(place)
        if coarse > 1.5 * GROUND:  # a tile of a smaller scale shows means
            ground = np.asarray(Image.fromarray(ground).reduce(round(coarse / GROUND)))
        pixel = EXTENT / len(ground)
        rows = _lines(ground, (south + EXTENT / 2) / pixel - 0.5)
        share = (near[0][:, None] * near[1])[..., None]
        picture += share * _lines(rows.swapaxes(0, 1), (east + EXTENT / 2) / pixel - 0.5).swapaxes(0, 1)
        open_land -= share  # places do not overlap
    if open_land.any():
        picture += open_land * _land(planet, x, y, zoom)
    picture = (np.clip(picture, 0, 255) + 0.5).astype(np.uint8)
    if planet.marked:
        for latitude, longitude in (mark for place in planet.places for mark in survey_marks(place)):
            mark_x, mark_y = pixel_of(latitude, longitude, zoom)
            reach = max(0.5, 1.5 / coarse)
            picture[np.ix_(np.abs(y - mark_y) <= reach, np.abs(x - mark_x) <= reach)] = MARK
    return picture


@lru_cache(maxsize=512)
def tile(planet: Planet, zoom: int, column: int, row: int) -> bytes:
    """Return a tile as PNG, or raise LookupError where there is none (zoom 0..19, numbers 0..2^zoom - 1)."""
    if not (0 <= zoom <= DEEPEST_ZOOM and 0 <= column < 2**zoom and 0 <= row < 2**zoom):
        raise LookupError(f"no tile {zoom}/{column}/{row}")
    file = io.BytesIO()
    Image.fromarray(tile_pixels(planet, zoom, column, row)).save(file, "PNG", compress_level=1)
    return file.getvalue()
