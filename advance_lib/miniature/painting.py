"""A square of ground seen from straight above, painted in metres.

A scene is painted in three sheets that share one pixel grid: the colour of the surface, its height
above the ground, and the pixels of the object that gives the scene its name. Because heights are known,
one sun lights everything at the end: roofs, tree crowns, bridges and aircraft cast consistent shadows.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

Colour = tuple[float, float, float]
SQUARE = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])


@dataclass
class Ground:
    """A square of ground under the painter's brush; origin in its middle, x to the right, y downwards.

    Args:
        pixels: edge of the square in pixels, C.
        extent: edge of the square in metres.
        rng: source of every random choice made for this ground.
        centre: (2,) metres, where the scene-defining object belongs.
        size: factor on the dimensions of that object, 1 is its usual size.
    """

    pixels: int
    extent: float
    rng: np.random.Generator
    centre: np.ndarray = field(default_factory=lambda: np.zeros(2))
    size: float = 1.0

    def __post_init__(self):
        self.rgb = np.full((3, self.pixels, self.pixels), 0.5, np.float32)  # surface colour, 0..1
        self.height = np.zeros((self.pixels, self.pixels), np.float32)  # metres
        self.mask = np.zeros((self.pixels, self.pixels), bool)  # the scene-defining object

    @property
    def pixel(self) -> float:
        """Metres per pixel."""
        return self.extent / self.pixels


class Shape(NamedTuple):
    """A flat polygon: points (K, 2) in metres, colour, height of its middle and slope (metres per metre)."""

    points: np.ndarray
    colour: Colour
    height: float = 0.0
    slope: tuple[float, float] = (0.0, 0.0)


def fork(rng: np.random.Generator) -> np.random.Generator:
    """A stream of its own: however much is drawn from it, the parent goes on the same."""
    return np.random.default_rng(rng.integers(2**63))


# ---------------------------------------------------------------- geometry


def axes(ground: Ground, angle: float = 0.0, centre=None) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of every pixel in a turned frame.

    Args:
        ground: the ground.
        angle: direction of the first axis, radians.
        centre: (2,) metres, origin of the frame; the ground's own centre by default.

    Returns:
        u, v: two (C, C) float32 maps in metres, along and across the direction.
    """
    x0, y0 = ground.centre if centre is None else centre
    line = ((np.arange(ground.pixels) + 0.5) * ground.pixel - ground.extent / 2).astype(np.float32)
    x, y = line[None, :] - np.float32(x0), line[:, None] - np.float32(y0)
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return c * x + s * y, c * y - s * x


@lru_cache(maxsize=256)  # a street has many houses
def turn(angle: float) -> np.ndarray:
    """Directions along and across an angle in radians, the rows of (2, 2); not to be written to."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, s], [-s, c]])


def world(ground: Ground, points, angle: float) -> np.ndarray:
    """Points (..., 2) of the frame `axes(ground, angle)` in metres of the ground."""
    return np.asarray(points, float) @ turn(angle) + ground.centre


def rectangle(centre, length: float, width: float, angle: float) -> np.ndarray:
    """Corners (4, 2) of a rectangle in metres, its length along `angle`."""
    return outline(centre, angle, SQUARE, length, width)


def outline(centre, angle: float, points, length: float = 1.0, width: float = 1.0) -> np.ndarray:
    """A drawing (K, 2) scaled to length x width metres, turned by `angle` and moved to `centre`."""
    return (np.asarray(points, float) * (length, width)) @ turn(angle) + centre


def scatter(ground: Ground, spacing: float) -> np.ndarray:
    """Random points (N, 2) in metres over the whole ground, about `spacing` metres apart."""
    count = int(np.ceil(ground.extent / spacing))
    grid = np.stack(np.meshgrid(np.arange(count), np.arange(count)), -1).reshape(-1, 2)
    return (grid + ground.rng.random(grid.shape)) * ground.extent / count - ground.extent / 2


def rows(ground: Ground, spacing: float, interval: float, angle: float) -> np.ndarray:
    """Points (N, 2) of a planted grid: rows `spacing` metres apart, `interval` metres within a row."""
    reach = ground.extent * 0.72 + np.abs(ground.centre).max()
    u, v = np.meshgrid(np.arange(-reach, reach, interval), np.arange(-reach, reach, spacing))
    return world(ground, np.stack([u, v], -1).reshape(-1, 2), angle)


def sample(ground: Ground, sheet: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Values (N,) of a (C, C) sheet under points (N, 2) in metres; the border value outside."""
    ij = np.floor((points + ground.extent / 2) / ground.pixel).astype(int)
    ij = np.clip(ij, 0, ground.pixels - 1)
    return sheet[ij[:, 1], ij[:, 0]]


# ---------------------------------------------------------------- texture and colour


def noise(ground: Ground, wavelength: float, octaves: int = 3) -> np.ndarray:
    """Smooth random relief, the texture of everything that grows or erodes.

    Args:
        ground: the ground.
        wavelength: size of the largest features, metres; each further octave halves it.
        octaves: number of octaves.

    Returns:
        (C, C) float32 map with mean near 0 and standard deviation near 1.
    """
    total = np.zeros((ground.pixels, ground.pixels), np.float32)
    for octave in range(octaves):
        # The grid depends on metres only, so a finer picture shows the same place.
        knots = int(np.ceil(ground.extent / wavelength * 2**octave)) + 3
        grid = ground.rng.standard_normal((knots, knots), dtype=np.float32)
        box = (1, 1, knots - 1, knots - 1)
        layer = Image.fromarray(grid).resize((ground.pixels,) * 2, Image.Resampling.BICUBIC, box)
        total += np.asarray(layer) * 0.6**octave
    total /= max(float(total.std()), 1e-6)
    return total


def ramp(value: np.ndarray, *colours: Colour) -> np.ndarray:
    """Colours (3, C, C) for values (C, C): 0 is the first colour, 1 the last, linear in between."""
    stops = np.linspace(0, 1, len(colours))
    steps = np.linspace(0, 1, 256)
    table = np.stack([np.interp(steps, stops, channel) for channel in zip(*colours, strict=True)])
    return table.astype(np.float32).take((np.clip(value, 0, 1) * 255).astype(np.uint8), axis=1)


def vary(rng: np.random.Generator, colour: Colour, spread: float = 0.06) -> Colour:
    """A colour lighter or darker, and a little warmer or cooler, than the given one."""
    lighter, *warmer = rng.standard_normal(4).tolist()
    change = [1 + spread * lighter + 0.4 * spread * one for one in warmer]
    return tuple(min(max(part * factor, 0.02), 0.98) for part, factor in zip(colour, change, strict=True))


def textured(colour: Colour, texture: np.ndarray) -> np.ndarray:
    """A colour made lighter or darker by a relative change (C, C): (3, C, C)."""
    return np.float32(colour)[:, None, None] * (1 + texture.astype(np.float32, copy=False))


def paint(ground: Ground, cover: np.ndarray, colour) -> None:
    """Lay a colour, (3,) or (3, C, C), over the ground where `cover` (C, C) in 0..1 says so."""
    colour = np.asarray(colour, np.float32)
    cover = cover.astype(np.float32, copy=False)
    ground.rgb *= 1 - cover
    ground.rgb += cover * (colour.reshape(3, 1, 1) if colour.ndim == 1 else colour)


def define(ground: Ground, cover: np.ndarray) -> None:
    """Add the pixels covered by more than half to the scene-defining object."""
    ground.mask |= cover > 0.5


def lay(ground: Ground, value: np.ndarray, *colours: Colour) -> None:
    """Cover the whole ground with the ramp of colours at `value` (C, C)."""
    ground.rgb = ramp(value, *colours)


def lift(ground: Ground, cover: np.ndarray, height) -> None:
    """Set the height, metres, where `cover` (C, C) is more than half."""
    ground.height = np.where(cover > 0.5, np.float32(height), ground.height)


def above(ground: Ground, value: np.ndarray, threshold: float = 0.0) -> np.ndarray:
    """Soft cover (C, C) in 0..1 of `value > threshold`, for a value that changes one per metre."""
    return np.clip((value - threshold) / ground.pixel + 0.5, 0, 1)


def band(ground: Ground, v: np.ndarray, width: float) -> np.ndarray:
    """Soft cover (C, C) of a strip `width` metres wide around v = 0; thin strips fade, never vanish."""
    half = max(width / 2, 0)
    return np.clip((half - np.abs(v)) / ground.pixel + 0.5, 0, min(1.0, width / ground.pixel))


def box(ground: Ground, u: np.ndarray, v: np.ndarray, length: float, width: float) -> np.ndarray:
    """Soft cover (C, C) of a rectangle of length x width metres around u = v = 0."""
    return band(ground, u, length) * band(ground, v, width)


def dashes(ground: Ground, u: np.ndarray, period: float, share: float) -> np.ndarray:
    """Cover (C, C) of stripes that repeat every `period` metres along u and fill `share` of it."""
    return band(ground, np.mod(u, period) - period / 2, period * share)


# ---------------------------------------------------------------- things with a height


def regions(ground: Ground, polygons, fine: int = 1) -> np.ndarray:
    """Number of the last polygon (K, 2) over each pixel, from 1, 0 where there is none.

    Returns:
        (fine * C, fine * C) int32 map.
    """
    sheet = Image.new("I", (ground.pixels * fine,) * 2)
    pen = ImageDraw.Draw(sheet)
    corners = (np.concatenate(polygons) + ground.extent / 2) * (fine / ground.pixel) - 0.5
    numbers, first = corners.ravel().tolist(), 0
    for number, points in enumerate(polygons, 1):
        last = first + 2 * len(points)
        pen.polygon(numbers[first:last], fill=number)
        first = last
    return np.asarray(sheet)


def draw(ground: Ground, shapes: list[Shape], defining: bool = False) -> None:
    """Draw shapes in the given order, twice as finely as the ground so that edges stay smooth.

    Args:
        ground: the ground.
        shapes: the shapes; heights replace those of the ground below.
        defining: True if the shapes belong to the scene-defining object.
    """
    if not shapes:
        return
    ids = regions(ground, [s.points for s in shapes], fine=2)
    table = np.zeros((4, len(shapes) + 1), np.float32)
    table[:3, 1:], table[3, 1:] = np.transpose([s.colour for s in shapes]), 1
    quarter = [ids[i::2, j::2] for i in (0, 1) for j in (0, 1)]
    touched = np.nonzero(quarter[0] | quarter[1] | quarter[2] | quarter[3])
    layer = sum(table.take(part[touched], axis=1) for part in quarter) / 4
    for sheet, colour in zip(ground.rgb, layer[:3], strict=True):
        sheet[touched] = sheet[touched] * (1 - layer[3]) + colour
    ids = quarter[3]
    hit = np.nonzero(ids)
    which = ids[hit] - 1
    height = np.array([s.height for s in shapes], float)[which]
    slope = np.array([s.slope for s in shapes])
    pitched = np.flatnonzero(slope.any(1)[which])
    if len(pitched):
        counts = np.array([len(s.points) for s in shapes])
        sums = np.add.reduceat(np.concatenate([s.points for s in shapes]), np.cumsum(counts) - counts)
        face = which[pitched]
        spot = (np.stack(hit[::-1], 1)[pitched] + 0.5) * ground.pixel - ground.extent / 2
        height[pitched] += ((spot - (sums / counts[:, None])[face]) * slope[face]).sum(1)
    ground.height[hit] = height
    if defining:
        ground.mask[hit] = True


def roof(centre, angle: float, length: float, width: float, eaves: float, colour: Colour, hip=0.0) -> list:
    """The faces of a pitched roof as four shapes.

    Args:
        centre: (2,) metres.
        angle: direction of the ridge, radians.
        length: along the ridge, metres.
        width: across the ridge, metres.
        eaves: height of the lower edge, metres.
        colour: of the tiles.
        hip: 0 for a gable, 1 for a hipped roof whose end faces are as steep as its sides.
    """
    end = 0.5 - 0.5 * hip * min(width / length, 0.98)
    corners = [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5), (-end, 0), (end, 0)]
    points = outline(centre, angle, corners, length, width)  # a, b, c, d and the ends of the ridge, west and east
    pitch, rise = 0.6, 0.3 * width
    along, up = pitch * turn(angle)  # up from the edge ab to the ridge
    shapes = [
        Shape(points[[0, 1, 5, 4]], colour, eaves + rise / 2, up),
        Shape(points[[2, 3, 4, 5]], colour, eaves + rise / 2, -up),
    ]
    if hip:
        shapes.append(Shape(points[[1, 2, 5]], colour, eaves + rise / 3, -along))
        shapes.append(Shape(points[[3, 0, 4]], colour, eaves + rise / 3, along))
    return shapes


def plant(
    ground: Ground,
    points: np.ndarray,
    radius,
    colour=(0.2, 0.28, 0.14),
    defining=False,
    spread=0.14,
    ragged=0.22,
):
    """Tree or shrub crowns: ragged domes, each with its own shade of colour.

    Args:
        ground: the ground.
        points: (N, 2) metres, positions of the stems.
        radius: metres, one number or (N,).
        colour: of the leaves.
        defining: True if the crowns belong to the scene-defining object; else they hide it.
        spread: relative variation of brightness between crowns.
        ragged: how far the rim strays, relative to the radius.
    """
    radius = np.broadcast_to(np.asarray(radius, np.float32), len(points))
    leaf_rng = fork(ground.rng)
    tint = 1 + spread * leaf_rng.standard_normal((1, len(points)))
    tint = tint + 0.3 * spread * leaf_rng.standard_normal((3, len(points)))
    rim = ragged * noise(ground, 3.0, 1)
    cell = np.floor((points + ground.extent / 2) / ground.pixel).astype(int)
    seen = ((cell >= 0) & (cell < ground.pixels)).all(1)
    if not seen.any():
        return
    cell, radius, tint = cell[seen], radius[seen], tint[:, seen].astype(np.float32)
    owner = np.full((ground.pixels, ground.pixels), -1, np.int32)
    owner[cell[:, 1], cell[:, 0]] = np.arange(len(cell))
    near = ndimage.distance_transform_edt(owner < 0, return_distances=False, return_indices=True)
    owner = owner[near[0], near[1]]
    down, right = near[0] - np.arange(ground.pixels)[:, None], near[1] - np.arange(ground.pixels)
    distance = np.sqrt(down**2 + right**2).astype(np.float32)
    reach = radius[owner]
    span = distance * ground.pixel + reach * rim
    cover = above(ground, reach - span)
    leafy = np.nonzero(cover)
    owner, reach, span, cover = owner[leafy], reach[leafy], span[leafy], cover[leafy]
    dome = np.sqrt(np.clip(1 - (span / reach) ** 2, 0, 1))
    leaves = (np.float32(colour)[:, None] * tint).take(owner, axis=1) * (0.72 + 0.38 * dome)
    share = np.float32(cover)
    for sheet, leaf in zip(ground.rgb, np.float32(leaves), strict=True):
        sheet[leafy] = sheet[leafy] * (1 - share) + share * leaf
    tops = np.zeros(ground.mask.shape, dome.dtype)
    tops[leafy] = np.where(cover > 0.3, reach * (0.9 + 0.8 * dome), 0)
    ground.height = np.maximum(ground.height, tops)
    ground.mask[leafy] = (ground.mask[leafy] | (cover > 0.5)) if defining else ground.mask[leafy] & (cover <= 0.5)


def overlay(ground: Ground, other: Ground, cover: np.ndarray) -> None:
    """Let another ground replace this one where `cover` (C, C) says so; it hides the defining object."""
    paint(ground, cover, other.rgb)
    lift(ground, cover, other.height)
    ground.mask &= cover <= 0.5


def sunlight(ground: Ground, azimuth: float, elevation: float) -> np.ndarray:
    """Light the ground with a sun: slopes facing it are brighter, everything high casts a shadow.

    Args:
        ground: the painted ground.
        azimuth: direction towards the sun in the picture, radians.
        elevation: of the sun above the horizon, radians.

    Returns:
        (3, C, C) float32 lit picture; flat ground in the sun keeps its surface colour.
    """
    pixel = ground.pixel
    height = ndimage.gaussian_filter(ground.height, 0.6)  # no staircases along slanted walls
    step = np.array([np.cos(azimuth), np.sin(azimuth)])
    slope_y, slope_x = np.gradient(height, pixel)
    facing = np.clip(-(slope_x * step[0] + slope_y * step[1]), -0.9, 0.9)
    slant = 1 / np.sqrt(1 + np.clip(slope_x**2 + slope_y**2, 0, 1))
    direct = np.clip((1 + facing / np.tan(elevation)) * slant, 0.1, 1.7)

    horizon = np.zeros_like(height)
    longest = float(height.max()) / np.tan(elevation)
    for k in range(1, int(min(longest, 120.0) / pixel) + 2):
        dx, dy = np.round(step * k).astype(int)  # the surface k pixels towards the sun
        to_y, from_y = _overlap(-dy, ground.pixels)
        to_x, from_x = _overlap(-dx, ground.pixels)
        ray = height[from_y, from_x] - np.float32(k * pixel * np.tan(elevation))
        np.maximum(horizon[to_y, to_x], ray, out=horizon[to_y, to_x])
    shadow = np.clip((horizon - height) / max(0.8, pixel), 0, 1)
    sky = np.float32([0.36, 0.39, 0.46]).reshape(3, 1, 1)  # shadows are lit by the blue sky
    lit = (1 - sky) * (direct * (1 - shadow))
    lit += sky
    lit *= ground.rgb
    return lit


def _overlap(shift: int, length: int) -> tuple[slice, slice]:
    """Slices that move a line of `length` pixels by `shift`: (where to, where from)."""
    if abs(shift) >= length:
        return slice(0, 0), slice(0, 0)
    if shift >= 0:
        return slice(shift, length), slice(0, length - shift)
    return slice(0, length + shift), slice(-shift, length)
