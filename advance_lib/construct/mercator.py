"""Web Mercator, the projection of map tiles: degrees to pixels, pixels to degrees, metres to a pixel.

At zoom z the world is a square of 2^z × 2^z tiles; global pixels count from its upper left corner, at 180° west and
85.05° north. Formulas: EPSG 3857; https://wiki.openstreetmap.org/wiki/Slippy_map_tilenames.

Chapter: Building a dataset.
"""

from math import asinh, atan, ceil, cos, degrees, log2, pi, radians, sinh, tan

EARTH_RADIUS = 6378137.0  # metres, the equator of WGS 84
NORTHERN_EDGE = degrees(atan(sinh(pi)))  # where the square world ends, 85.05°


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
