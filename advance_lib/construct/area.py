"""An area of the Earth between two meridians and two parallels, and the square around a place.

Chapter: Building a dataset.
"""

from dataclasses import astuple, dataclass
from math import cos, degrees, isfinite, radians

from advance_lib.cache import UserError
from advance_lib.construct.mercator import EARTH_RADIUS, NORTHERN_EDGE


@dataclass(frozen=True)
class Area:
    """A box in degrees; where west > east, it crosses the antimeridian.

    Attributes:
        west: longitude of its left side, -180 to 180.
        south: latitude of its lower side, -90 to 90.
        east: longitude of its right side, -180 to 180.
        north: latitude of its upper side, -90 to 90.

    Raises:
        UserError: no such box.
    """

    west: float
    south: float
    east: float
    north: float

    def __post_init__(self):
        whole = all(isfinite(side) for side in astuple(self))
        meridians = all(-180 <= side <= 180 for side in (self.west, self.east)) and self.west != self.east
        if not (whole and meridians and -90 <= self.south < self.north <= 90):
            raise UserError(
                f"area {self}: give west,south,east,north in degrees, south below north, longitudes from -180 to 180 "
                "(west > east crosses the antimeridian)"
            )

    def __str__(self) -> str:
        return ",".join(str(side) for side in astuple(self))

    @property
    def boxes(self) -> tuple["Area", ...]:
        """The area as one box, or as the two on both sides of the antimeridian, for servers that know none other."""
        if self.west < self.east:
            return (self,)
        halves = ((self.west, 180.0), (-180.0, self.east))
        return tuple(Area(west, self.south, east, self.north) for west, east in halves if west < east)

    @property
    def centre(self) -> tuple[float, float]:
        """Latitude and longitude of the middle of the area, in degrees."""
        return (self.south + self.north) / 2, _wrapped(self.west + (self.east - self.west) % 360 / 2)

    def contains(self, latitude: float, longitude: float) -> bool:
        """Return whether a place in degrees lies in the area or on its border."""
        return self.south <= latitude <= self.north and any(box.west <= longitude <= box.east for box in self.boxes)


def _wrapped(longitude: float) -> float:
    """Return a longitude from -180 up to, and without, 180."""
    return (longitude + 180) % 360 - 180


def parse_area(text: str) -> Area:
    """Return the area that a text ``"west,south,east,north"`` names, in degrees.

    Raises:
        UserError: not four numbers, or no such box.
    """
    try:
        sides = [float(side) for side in text.split(",")]
    except ValueError:
        sides = []
    if len(sides) != 4:
        raise UserError(f"area '{text}': give west,south,east,north in degrees, such as 9.9,53.5,10.1,53.6")
    return Area(*sides)


def around(latitude: float, longitude: float, metres: float) -> Area:
    """Return the square around a place.

    Args:
        latitude: of the centre in degrees.
        longitude: of the centre in degrees.
        metres: side of the square on the ground.

    Raises:
        UserError: too near a pole for Web Mercator.
    """
    if abs(latitude) > NORTHERN_EDGE:
        raise UserError(f"latitude {latitude:g}: the maps used here end at {NORTHERN_EDGE:.2f} degrees")
    half = degrees(metres / 2 / EARTH_RADIUS)
    across = half / cos(radians(latitude))
    return Area(_wrapped(longitude - across), latitude - half, _wrapped(longitude + across), latitude + half)
