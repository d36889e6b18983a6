"""The miniature planet: invented places, what was recorded there, and the truth that a construction cannot see.

The planet is round and measured in degrees like ours, so that what is tried on it works on Earth; its places are
invented, and lie by default in the Atlantic, where nobody takes them for real ones. Everything about a place is drawn
from (seed, place), so it does not matter what is asked for, or in which order.

Chapter: Building a dataset.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from advance_lib.miniature.photographs import NEIGHBOURS, SCENES
from advance_lib.miniature.planet.sounds import Sound, draw_sound

RADIUS = 6_378_137.0  # metres, of the sphere that Web Mercator maps
EXTENT = 480.0  # metres, side of a place; open land lies around it
NEIGHBOUR_SHARE = 0.4  # of the places have another scene's land on one side


@dataclass(frozen=True)
class Place:
    """A square of invented land, `EXTENT` metres wide, north up.

    Attributes:
        seed: of the planet.
        number: of the place on it.
        scene: what the middle of the place is.
        neighbour: the scene that reaches in from one side, or ``""``.
        latitude: of the middle, degrees.
        longitude: of the middle, degrees.
    """

    seed: int
    number: int
    scene: str
    neighbour: str
    latitude: float
    longitude: float

    def stream(self, purpose: int) -> np.random.Generator:
        """Return a stream of random numbers of its own for every purpose."""
        return np.random.default_rng((self.seed, self.number, purpose))


@dataclass(frozen=True)
class Planet:
    """What determines every byte that the planet's server sends.

    Attributes:
        seed: of everything.
        places: the land.
        sounds: the recordings, some of them made elsewhere or without a geotag.
        bounds: (west, south, east, north) in degrees, around all places; west > east crosses the antimeridian.
        marked: paint survey marks into the imagery (see `planet_land.survey_marks`), to measure geometry by.
    """

    seed: int
    places: tuple[Place, ...]
    sounds: tuple[Sound, ...]
    bounds: tuple[float, float, float, float]
    marked: bool = False

    def truth(self) -> pd.DataFrame:
        """Return one row for each geotagged recording at a place: id, place, scene, neighbour, coordinates, events."""
        places = {place.number: place for place in self.places}
        rows = [
            {
                "id": sound.id,
                "place": sound.place,
                "scene": places[sound.place].scene,
                "neighbour": places[sound.place].neighbour,
                "latitude": sound.latitude,
                "longitude": sound.longitude,
                "seconds": sound.seconds,
                "events": ";".join(sound.events),
            }
            for sound in self.sounds
            if sound.place is not None and sound.latitude is not None
        ]
        return pd.DataFrame(rows)


def offset(latitude: float, longitude: float, east: float, north: float) -> tuple[float, float]:
    """Return the (latitude, longitude) in degrees that lies some metres east and north of a point."""
    further = longitude + np.degrees(east / (RADIUS * np.cos(np.radians(latitude))))
    return float(latitude + np.degrees(north / RADIUS)), float((further + 180) % 360 - 180)


def eastwards(west: float, east: float) -> float:
    """Return how many degrees lie from one longitude eastwards to another: 2 from 179 to -179, 360 from -180 to 180."""
    return 360.0 if east - west >= 360 else (east - west) % 360


def _sounds_at(place: Place) -> list[Sound]:
    """One recording or two, within twenty metres of the middle of a place."""
    rng = place.stream(4)
    sounds = []
    for index in range(1 + (rng.random() < 0.2)):
        latitude, longitude = offset(place.latitude, place.longitude, *rng.uniform(-20, 20, 2))
        where = round(latitude, 6), round(longitude, 6)
        sounds.append(draw_sound(place.seed, 100_000 + 10 * place.number + index, place.scene, place.number, where))
    return sounds


def planet_of(
    seed: int = 2020,
    scenes: tuple[str, ...] = SCENES,
    places_per_scene: int = 12,
    latitude: float = 46.0,
    longitude: float = -27.0,
    span: float = 4.0,
    marked: bool = False,
) -> Planet:
    """Lay out a planet: its places on a grid that nobody sees, some with a neighbour, and what was recorded there.

    About one recording in twenty was made on the other side of the planet, and as many have no geotag.

    Args:
        seed: of everything.
        scenes: some of the 13.
        places_per_scene: how many.
        latitude: of the middle of the land, degrees.
        longitude: of the middle of the land, degrees.
        span: degrees of latitude from the southern to the northern end; as many kilometres from west to east.
        marked: paint survey marks into the imagery.

    Raises:
        ValueError: an unknown scene, or so little room that places would overlap.
    """
    unknown = set(scenes) - set(SCENES)
    if unknown:
        raise ValueError(f"unknown scenes {sorted(unknown)}; the scenes are {', '.join(SCENES)}")
    count = len(scenes) * places_per_scene
    side = int(np.ceil(np.sqrt(count)))
    metres = np.radians(span) * RADIUS
    if 0.5 * metres / side < EXTENT:  # a place strays by a quarter of its cell to each side
        raise ValueError(f"{count} places need a span of at least {np.degrees(2 * side * EXTENT / RADIUS):.4f} degrees")
    rng = np.random.default_rng(seed)
    cells = np.stack(np.divmod(rng.permutation(side * side)[:count], side), 1)
    spots = ((cells + 0.5 + rng.uniform(-0.25, 0.25, cells.shape)) / side - 0.5) * metres
    places = []
    for number, (east, north) in enumerate(spots):
        scene = scenes[number // places_per_scene]
        others = [name for name in NEIGHBOURS[scene] if name in SCENES]
        draw = np.random.default_rng((seed, number, 0))
        neighbour = str(draw.choice(others)) if draw.random() < NEIGHBOUR_SHARE else ""
        places.append(Place(seed, number, scene, neighbour, *offset(latitude, longitude, east, north)))
    sounds = [sound for place in places for sound in _sounds_at(place)]
    for index in range(1 + len(sounds) // 20):
        scene, far = scenes[index % len(scenes)], offset(-latitude, longitude + 180, 1000.0 * index, 0.0)
        sounds += [draw_sound(seed, 900_000 + index, scene, None, far), draw_sound(seed, 950_000 + index, scene)]
    south, west = offset(latitude, longitude, -metres / 2, -metres / 2)
    north, east = offset(latitude, longitude, metres / 2, metres / 2)
    return Planet(seed, tuple(places), tuple(sounds), (west, south, east, north), marked)
