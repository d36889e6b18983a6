"""Aerial photographs of places, stitched from the tiles of a map server (section 3).

Chapter: Building a dataset.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from itertools import product
from math import ceil, floor
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import xyzservices.providers
from PIL import Image, UnidentifiedImageError

from advance_lib.cache import UserError, digest
from advance_lib.construct.area import ground_resolution, to_pixel, zoom_for
from advance_lib.data.fetching import USUAL, FetchError, Patience, fetch_file

WEB_MERCATOR = "EPSG:3857"
PLACEHOLDER = re.compile(r"\{(-y|\w+)\}")
OTHER_BRACES = re.compile(r"\$\{[^}]*\}?|\{(?!(?:-y|\w+)\})[^}]*\}?")  # how other programs write addresses
SIDES = range(64, 4097)  # of tiles, in pixels
TERMS = {"Esri.WorldImagery": "https://www.arcgis.com/home/item.html?id=10df2279f9684e4a9f6a7f08febac2a9"}
COARSEST = 2  # a photograph is not enlarged more than this


class MissingImagery(UserError):
    """A place of which the map server has no photograph; the caller leaves it out and says so."""


@dataclass(frozen=True)
class Imagery:
    """A map server with aerial photographs.

    Attributes:
        name: for captions and the datasheet.
        url: address of a tile with ``{z}``, ``{x}``, ``{y}`` and the names of keys in braces; ``{-y}`` counts rows from
            the south (TMS).
        attribution: who must be named beside a photograph.
        terms: address or sentence that says what one may do with them.
        deepest_zoom: the last zoom that it has.
        tile: usual side of a tile in pixels; `photograph` looks at the tiles.
        keys: values of the keys, which are never shown.
    """

    name: str
    url: str
    attribution: str
    terms: str
    deepest_zoom: int = 19
    tile: int = 256
    keys: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)


def imagery_named(name: str, **keys: str) -> Imagery:
    """Return a map server by its name in xyzservices, such as ``"Esri.WorldImagery"``, or by a template of addresses.

    A key that is not given is taken from the environment: ``{apiKey}`` from ``$TILES_APIKEY``. In a template, write
    ``{key}`` in place of the key itself, so that it is written nowhere.

    Args:
        name: or template with ``{z}``, ``{x}``, and ``{y}`` or ``{-y}``.
        keys: values of other names in braces.

    Raises:
        UserError: neither a name nor a template, not in Web Mercator, or a key is missing.
    """
    known = {"url": name} if "{" in name else _provider(name)
    if odd := OTHER_BRACES.search(known["url"]):
        raise UserError(f"imagery '{name}': {odd[0]} is not understood; {_remedy(odd[0])}")
    given = {word: str(value) for word, value in known.items() if not str(value).startswith("<insert")}
    fixed = given | {"s": known.get("subdomains", "a")[0], "r": "", "x": "{x}", "z": "{z}"}
    fixed["y"] = "{-y}" if known.get("tms") else "{y}"
    url = PLACEHOLDER.sub(lambda match: fixed.get(match[1], match[0]), known["url"])
    words = set(PLACEHOLDER.findall(url))
    if not ({"x", "z"} <= words and {"y", "-y"} & words):
        raise UserError(f"imagery '{name}': an address of tiles has {{z}}, {{x}} and {{y}}")
    host = _host(url)
    if not host:
        raise UserError(f"imagery '{name}': no address; it begins with https:// and the name of a server")
    title = known.get("name", host)
    found = {word: keys.get(word) or os.environ.get(f"TILES_{word.upper()}") for word in words - {"x", "y", "-y", "z"}}
    if missing := sorted(word for word in found if not found[word]):
        variables = " and ".join(f"$TILES_{word.upper()}" for word in missing)
        raise UserError(f"imagery {title}: its server wants a key; get one there and set {variables}")
    links = re.findall(r'href="([^"]+)"', known.get("html_attribution", ""))
    return Imagery(
        name=title,
        url=url,
        attribution=known.get("attribution", f"imagery of {host}"),
        terms=TERMS.get(title) or ", ".join(links) or f"ask {host} before you publish photographs",
        deepest_zoom=known.get("max_zoom", Imagery.deepest_zoom),
        tile=known.get("tileSize", Imagery.tile),
        keys=found,
    )


def _remedy(braces: str) -> str:
    """Return what to write in place of braces that are not understood."""
    if braces.startswith("$"):
        return f"write {braces[1:]}"
    if braces.startswith("{switch:"):
        return f"write one of {braces[len('{switch:') :].rstrip('}')} in its place"
    return "an address of tiles has {z}, {x} and {y}, or {-y} where rows count from the south"


def _host(url: str) -> str | None:
    """Return the server of an address, or None for what is no address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return parts.hostname if parts.scheme in ("http", "https") else None


def _provider(name: str) -> Mapping[str, object]:
    """Return what xyzservices knows about a map server."""
    try:
        known = xyzservices.providers.query_name(name)
    except ValueError:
        raise UserError(
            f"imagery '{name}': neither a name in xyzservices, such as Esri.WorldImagery, nor an address with {{z}}, "
            "{x} and {y}"
        ) from None
    if known.get("crs", WEB_MERCATOR) != WEB_MERCATOR:
        raise UserError(f"imagery {known.name}: its tiles are in {known.crs}, not in Web Mercator; choose another")
    return known


def terms_of(imagery: Imagery) -> str:
    """Return what a user should read before the first download: server, attribution and terms."""
    return f"{imagery.name}: {imagery.attribution}\nTerms of use: {imagery.terms}"


def photograph(
    imagery: Imagery,
    latitude: float,
    longitude: float,
    metres_per_pixel: float,
    side: int = 512,
    *,
    tiles: Path,
    patience: Patience = USUAL,
) -> np.ndarray:
    """Return the photograph with a place in its centre.

    Args:
        imagery: where the tiles come from.
        latitude: of the place in degrees.
        longitude: of the place in degrees.
        metres_per_pixel: ground resolution of the photograph.
        side: of the photograph in pixels.
        tiles: folder that keeps tiles, so that none is fetched twice.
        patience: how long to go on asking.

    Returns:
        (side, side, 3) uint8, RGB, north up.

    Raises:
        MissingImagery: the server has no tile there, a blank one, or one that is no picture.
        FetchError: the server cannot be asked.
        UserError: the server's finest tiles are far coarser than what is asked for.
    """
    if not metres_per_pixel > 0:
        raise UserError(f"ground resolution {metres_per_pixel:g}: give metres a pixel, more than 0")
    here = f"{imagery.name} at {latitude:.5f}, {longitude:.5f}"
    x, y = to_pixel(latitude, longitude, 0, 1)
    reach = (side / 2 + COARSEST) * metres_per_pixel / ground_resolution(latitude, 0, 1)  # with a margin, as below
    if not reach <= y <= 1 - reach:
        raise MissingImagery(f"{here}: beyond the edge of the map")

    def tile_at(zoom: int, column: int, row: int) -> Image.Image:
        try:
            return _tile(imagery, zoom, column % 2**zoom, row, tiles, patience)  # around the antimeridian
        except _Blank as error:
            raise MissingImagery(f"{here}: no photograph ({error})") from None

    zoom = min(zoom_for(latitude, metres_per_pixel, imagery.tile), imagery.deepest_zoom)
    tile = tile_at(zoom, floor(x * 2**zoom), floor(y * 2**zoom)).width
    zoom = min(zoom_for(latitude, metres_per_pixel, tile), imagery.deepest_zoom)
    finest = ground_resolution(latitude, zoom, tile)
    if finest > COARSEST * metres_per_pixel:
        raise UserError(
            f"{here}: its finest tiles have {finest:.2g} m a pixel, too coarse for {metres_per_pixel:g}; "
            f"ask for {finest / COARSEST:.2g} or more, or choose other imagery"
        )
    x, y = to_pixel(latitude, longitude, zoom, tile)
    half = side / 2 * metres_per_pixel / finest
    left, top = (floor((middle - half - 1) / tile) for middle in (x, y))  # 1: a margin for rounding
    right, bottom = (ceil((middle + half + 1) / tile) for middle in (x, y))
    mosaic = Image.new("RGB", ((right - left) * tile, (bottom - top) * tile))
    owner = {}
    for column, row in product(range(left, right), range(top, bottom)):
        picture, place = tile_at(zoom, column, row), (column % 2**zoom, row)
        if picture.width != tile:
            raise MissingImagery(f"{here}: no photograph (tiles of {tile} and of {picture.width} pixels)")
        if owner.setdefault(picture.tobytes(), place) != place:
            raise MissingImagery(f"{here}: no photograph (the same tile twice)")
        mosaic.paste(picture, ((column - left) * tile, (row - top) * tile))
    x, y = x - left * tile, y - top * tile
    return np.asarray(mosaic.resize((side, side), Image.Resampling.BICUBIC, (x - half, y - half, x + half, y + half)))


class _Blank(Exception):
    """There is no tile, or one without a picture."""


def _tile(imagery: Imagery, zoom: int, column: int, row: int, folder: Path, patience: Patience) -> Image.Image:
    """Return one tile, fetched if the folder does not have it; a blank one is not kept."""
    words = {**imagery.keys, "z": zoom, "x": column, "y": row, "-y": 2**zoom - 1 - row}
    url = PLACEHOLDER.sub(lambda match: str(words[match[1]]), imagery.url)
    path = folder / digest(imagery.url) / f"{zoom}-{column}-{row}"
    try:
        fetch_file(url, path, hidden=imagery.keys.values(), patience=patience, check=_picture)
    except FetchError as error:
        if not error.alone:
            raise
        raise _Blank(f"no tile: {str(error).partition('; ')[0]}") from None
    try:
        return _picture(path.read_bytes())
    except ValueError as error:
        raise UserError(f"{path}: {error}; remove it, and it is fetched again") from None


def _picture(body: bytes) -> Image.Image:
    """Return a tile decoded; raise ValueError for what is no square picture, _Blank for a blank one."""
    try:
        with Image.open(BytesIO(body)) as picture:
            width, height = picture.size
            square = width == height <= SIDES[-1]
            picture = picture.convert("RGBA") if square else None
    except UnidentifiedImageError:  # whose own words differ at every run
        raise ValueError("no picture (of no known format)") from None
    except Exception as error:  # decoders raise whatever a broken file makes of them
        raise ValueError(f"no picture ({error})") from None
    if not square:
        raise ValueError(f"a picture of {width} × {height} pixels")
    *colours, (opacity, _) = picture.getextrema()
    if opacity < 255 or all(darkest == lightest for darkest, lightest in colours):
        raise _Blank("a blank tile")
    if width not in SIDES:
        raise ValueError(f"a picture of {width} × {height} pixels")
    return picture.convert("RGB")
