"""An area of the Earth between two meridians and two parallels, the square around a place, and map tiles' pixels.

Map tiles are in Web Mercator: at zoom z the world is a square of 2^z × 2^z tiles; global pixels count from its upper
left corner, at 180° west and 85.05° north. Formulas: EPSG 3857; https://wiki.openstreetmap.org/wiki/Slippy_map_tilenames.

Chapter: Building a dataset.
"""

from dataclasses import astuple, dataclass
from math import asinh, atan, ceil, cos, degrees, isfinite, log2, pi, radians, sinh, tan

from advance_lib.cache import UserError

EARTH_RADIUS = 6378137.0  # metres, the equator of WGS 84
NORTHERN_EDGE = degrees(atan(sinh(pi)))  # where the square world ends, 85.05°


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


def to_pixel(latitude: float, longitude: float, zoom: int, tile: int = 256) -> tuple[float, float]:
    """Return the global pixel (x to the right, y down) of a place.

    Args:
        latitude: in degrees, between the edges of the map at ±85.05.
        longitude: in degrees.
        zoom: of the tiles.
        tile: side of a tile in pixels.
    """
    world = tile * 2**zoom
    return (longitude + 180) / 360 * world, (1 - asinh(tan(radians(latitude))) / pi) / 2 * world


def to_degrees(x: float, y: float, zoom: int, tile: int = 256) -> tuple[float, float]:
    """Return latitude and longitude, in degrees, of a global pixel."""
    world = tile * 2**zoom
    return degrees(atan(sinh(pi * (1 - 2 * y / world)))), x / world * 360 - 180


def ground_resolution(latitude: float, zoom: int, tile: int = 256) -> float:
    """Return how many metres on the ground a pixel spans at a latitude in degrees."""
    return 2 * pi * EARTH_RADIUS * cos(radians(latitude)) / (tile * 2**zoom)


def zoom_for(latitude: float, metres_per_pixel: float, tile: int = 256) -> int:
    """Return the first zoom whose pixels are at least as fine as some metres a pixel at a latitude in degrees."""
    coarsest = ground_resolution(latitude, 0, tile)
    return max(0, ceil(log2(coarsest / metres_per_pixel) - 1e-9))  # rounding must not cost a zoom
