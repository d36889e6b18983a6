"""What the planet's mappers have drawn: tagged nodes, ways and relations, as imperfect as a real map.

Outlines follow what is painted on the ground, so a map laid over the photograph fits. The tags are those that
OpenStreetMap's mappers use (https://wiki.openstreetmap.org/wiki/Map_features), with the faults of a real map at stated
rates: what the place is may be missing or mapped as something like it, the neighbour is mapped too, and roads, benches
and power towers are everywhere.

Chapter: Building a dataset.
"""

from collections.abc import Iterator
from functools import cache
from itertools import count

import numpy as np

from advance_lib.miniature.photographs import NEIGHBOURS
from advance_lib.miniature.planet.land import paint
from advance_lib.miniature.planet.planet import EXTENT, Place, Planet, eastwards, offset

UNMAPPED = 0.12  # of the places lack what would tell their scene
MISTAKEN = 0.08  # of the places are mapped as a scene that they resemble
NEIGHBOUR_MAPPED = 0.8  # of the neighbours
SPLIT = 0.25  # of the areas are multipolygons with their rim in two ways
ENDS = (("min", min), ("max", max))
PIXELS = 120  # side of the coarse picture that outlines are taken from

# scene: (shape, tags or several to choose from, share of the places that have it); the first tells the scene.
MAPPED = {
    "airport": [
        ("area", {"aeroway": "aerodrome"}, 1.0),
        ("line", {"aeroway": "runway", "surface": "asphalt"}, 0.8),
        ("line", {"aeroway": "taxiway"}, 0.6),
        ("node", {"aeroway": "gate"}, 0.5),
    ],
    "beach": [
        ("area", {"natural": "beach", "surface": "sand"}, 1.0),
        ("line", {"natural": "coastline"}, 0.8),
        ("node", {"amenity": "shower"}, 0.2),
    ],
    "bridge": [
        ("line", [{"highway": "secondary", "bridge": "yes", "layer": "1"}, {"railway": "rail", "bridge": "yes"}], 1.0),
        ("cross", {"waterway": "river"}, 0.9),
        ("strip", {"natural": "water", "water": "river"}, 0.7),
        ("area", {"man_made": "bridge"}, 0.4),
    ],
    "farmland": [
        ("area", {"landuse": "farmland"}, 1.0),
        ("line", {"highway": "track"}, 0.7),
        ("buildings", {"building": "farm_auxiliary"}, 0.2),
    ],
    "forest": [
        ("area", [{"landuse": "forest"}, {"natural": "wood"}], 1.0),
        ("line", {"highway": "path"}, 0.5),
    ],
    "grassland": [
        ("area", [{"natural": "grassland"}, {"landuse": "meadow"}], 1.0),
        ("line", {"highway": "path"}, 0.4),
    ],
    "harbour": [
        ("area", [{"leisure": "marina"}, {"landuse": "harbour"}], 1.0),
        ("tracks", {"man_made": "pier"}, 0.7),
        ("strip", {"natural": "water"}, 0.4),
        ("node", {"seamark:type": "harbour"}, 0.3),
    ],
    "lake": [
        ("area", [{"natural": "water", "water": "lake"}, {"natural": "water"}], 1.0),
        ("line", {"highway": "path"}, 0.3),
    ],
    "orchard": [
        ("area", {"landuse": "orchard"}, 1.0),
        ("line", {"highway": "track"}, 0.5),
    ],
    "residential": [
        ("area", {"landuse": "residential"}, 1.0),
        ("buildings", {"building": "house"}, 0.8),
        ("streets", {"highway": "residential"}, 0.9),
    ],
    "sparse shrub land": [
        ("area", [{"natural": "scrub"}, {"natural": "heath"}], 1.0),
        ("line", {"highway": "track"}, 0.3),
    ],
    "sports land": [
        ("area", [{"leisure": "pitch", "sport": "soccer"}, {"leisure": "sports_centre"}], 1.0),
        ("area", {"leisure": "pitch", "sport": "tennis"}, 0.5),
        ("line", {"leisure": "track"}, 0.2),
    ],
    "train station": [
        ("tracks", {"railway": "rail"}, 1.0),
        ("node", {"railway": "station"}, 0.8),
        ("area", {"public_transport": "platform", "railway": "platform"}, 0.6),
        ("buildings", {"building": "train_station"}, 0.4),
    ],
}
STRAYS = [  # whatever the scene
    ("through", {"highway": "unclassified"}, 0.5),
    ("node", {"amenity": "bench"}, 0.3),
    ("node", {"natural": "tree"}, 0.3),
    ("node", {"power": "tower"}, 0.3),
    ("buildings", {"building": "yes"}, 0.2),
]


def _frame(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The pixels of a mask (N, 2) in metres east and south, their middle (2,), their long axis (2,) and that across."""
    points = np.argwhere(mask)[:, ::-1] * (EXTENT / PIXELS) + (EXTENT / PIXELS - EXTENT) / 2
    middle = np.median(points, axis=0)
    axis = np.linalg.svd(points - points.mean(0), full_matrices=False)[2][0]
    return points, middle, axis, np.array([-axis[1], axis[0]])


def _ring(points: np.ndarray, middle: np.ndarray, sectors: int = 24) -> np.ndarray:
    """A closed outline (sectors + 1, 2) of points around their middle: how far they reach in every direction."""
    apart = points - middle
    distance = np.hypot(*apart.T)
    sector = ((np.arctan2(apart[:, 1], apart[:, 0]) / (2 * np.pi) + 0.5) * sectors).astype(int) % sectors
    reach = [np.quantile(distance[sector == k], 0.92) if (sector == k).any() else 6.0 for k in range(sectors)]
    angle = ((np.arange(sectors) + 0.5) / sectors - 0.5) * 2 * np.pi
    ring = middle + np.maximum(reach, 6.0)[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    return np.clip(np.vstack([ring, ring[:1]]), -EXTENT / 2, EXTENT / 2)


def _lines(shape: str, mask: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """The lines (K, 2), metres east and south of a place's middle, of a shape over a mask."""
    points, middle, axis, across = _frame(mask)
    low, high = np.quantile((points - middle) @ axis, [0.02, 0.98])
    if shape == "area":
        return [_ring(points, middle)]
    if shape == "node":
        return [points[rng.integers(len(points))][None]]
    if shape == "buildings":
        corners = np.array([(-6, -4), (6, -4), (6, 4), (-6, 4), (-6, -4)])
        return [point + corners for point in points[rng.integers(len(points), size=rng.integers(3, 16))]]
    if shape == "strip":
        long, wide = EXTENT / 2 * across, 0.5 * (high - low) * axis
        return [middle + np.array([long + wide, long - wide, -long - wide, -long + wide, long + wide])]
    if shape == "through":
        angle, shift = rng.uniform(0, np.pi), rng.uniform(-150, 150, 2)
        return [shift + EXTENT * np.outer([-1, 1], [np.cos(angle), np.sin(angle)])]
    if shape == "cross":
        return [middle + EXTENT / 2 * np.outer([-1, 0, 1], across)]
    steps = {"tracks": (-9, 0, 9), "streets": (-70, 0, 70), "line": (rng.uniform(-5, 5),)}[shape]
    return [middle + np.outer([low, (low + high) / 2, high], axis) + step * across for step in steps]


def _points(place: Place, line: np.ndarray) -> list[dict]:
    spots = (offset(place.latitude, place.longitude, east, -south) for east, south in line)
    return [{"lat": round(latitude, 7), "lon": round(longitude, 7)} for latitude, longitude in spots]


def _element(points: list[dict], tags: dict[str, str], split: bool, number: Iterator[int]) -> dict:
    """A node (one point), a way, or a relation whose rim is split into two ways, as Overpass JSON."""
    if len(points) == 1:
        return {"type": "node", "id": next(number), **points[0], "tags": tags}
    bounds = {f"{end}{key}": pick(point[key] for point in points) for end, pick in ENDS for key in ("lat", "lon")}
    if split:
        half = len(points) // 2
        members = [
            {"type": "way", "ref": next(number), "role": "outer", "geometry": part}
            for part in (points[: half + 1], points[half:])
        ]
        tags = {"type": "multipolygon", **tags}
        return {"type": "relation", "id": next(number), "bounds": bounds, "members": members, "tags": tags}
    nodes = [next(number) for _ in points]
    nodes[-1] = nodes[0] if points[0] == points[-1] else nodes[-1]
    return {"type": "way", "id": next(number), "bounds": bounds, "nodes": nodes, "geometry": points, "tags": tags}


@cache
def elements_of(place: Place) -> tuple[dict, ...]:
    """Return what is mapped at a place, as elements of Overpass JSON with geometry (``out geom``)."""
    rng = place.stream(8)
    ground, next_door = paint(place, PIXELS)
    fate, scene, elements, number = rng.random(), place.scene, [], count(10_000_000 + 1000 * place.number)
    if UNMAPPED <= fate < UNMAPPED + MISTAKEN:
        scene = str(rng.choice([name for name in NEIGHBOURS[scene] if name in MAPPED]))
    drawn = [(shape, tags, share, ground.mask) for shape, tags, share in MAPPED[scene][fate < UNMAPPED :]]
    if next_door.sum() > 20 and rng.random() < NEIGHBOUR_MAPPED:
        drawn += [(shape, tags, share, next_door) for shape, tags, share in MAPPED[place.neighbour]]
    drawn += [(shape, tags, share, np.ones_like(ground.mask)) for shape, tags, share in STRAYS]
    for shape, tags, share, mask in drawn:
        if rng.random() >= share or not mask.any():
            continue
        chosen = tags if isinstance(tags, dict) else tags[rng.integers(len(tags))]
        for line in _lines(shape, mask, rng):
            split = shape == "area" and rng.random() < SPLIT
            elements.append(_element(_points(place, line), chosen, split, number))
    return tuple(elements)


def elements_near(planet: Planet, west: float, south: float, east: float, north: float) -> list[dict]:
    """Return all that is mapped at the places whose land may reach into an area in degrees (west > east allowed)."""
    reach, found = 2 * EXTENT, []  # some lines run out of their place
    for place in planet.places:
        low, left = offset(place.latitude, place.longitude, -reach, -reach)
        high, right = offset(place.latitude, place.longitude, reach, reach)
        beside = eastwards(west, left) > eastwards(west, east) and eastwards(left, west) > eastwards(left, right)
        if low <= north and high >= south and not beside:
            found += elements_of(place)
    return found
