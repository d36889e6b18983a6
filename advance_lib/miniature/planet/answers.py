"""What the planet's two interfaces answer: Freesound's search and the Overpass API, in their own formats.

Only what a collector needs is understood; anything else is refused, as the real services refuse what is malformed.
Freesound: https://freesound.org/docs/api/resources_apiv2.html. Overpass:
https://wiki.openstreetmap.org/wiki/Overpass_API/Overpass_QL and https://dev.overpass-api.de/output_formats.html.

Chapter: Building a dataset.
"""

import re
from urllib.parse import urlencode

from shapely.geometry import LineString, Point, Polygon, box
from shapely.ops import polygonize, unary_union

from advance_lib.miniature.planet.map import elements_near
from advance_lib.miniature.planet.planet import Planet, eastwards
from advance_lib.miniature.planet.sounds import FORMATS, Sound

CITE = "https://miniature.invalid"  # a host that can never exist: no invented sound points at a real one
PAGE, LARGEST_PAGE = 15, 150
DEFAULT_FIELDS = "id,name,tags,username,license"
NUMBER = r"\s*(-?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)\s*"


class Refused(Exception):
    """A request that the service does not understand (its answer has status 400)."""


# ---------------------------------------------------------------- Freesound


def _fields(sound: Sound, address: str) -> dict:
    """All fields of a sound that the interface knows."""
    stem = f"{address}/data/previews/{sound.id // 1000}/{sound.id}_1"
    previews = {
        f"preview-{quality}-{suffix}": f"{stem}-{quality}.{suffix}" for quality in ("hq", "lq") for suffix in FORMATS
    }
    return {
        "id": sound.id,
        "url": f"{CITE}/people/{sound.author}/sounds/{sound.id}/",
        "name": sound.name,
        "tags": list(sound.tags),
        "description": "A recording of the miniature planet.",
        "geotag": None if sound.latitude is None else f"{sound.latitude} {sound.longitude}",
        "created": "2020-08-23T12:00:00",
        "license": sound.licence,
        "type": "wav",
        "channels": sound.channels,
        "bitdepth": 16,
        "duration": sound.seconds,
        "samplerate": float(sound.rate),
        "username": sound.author,
        "previews": previews,
    }


def _matches(sound: Sound, query: str) -> bool:
    """Whether a sound has all words of a query in its name or tags, and none of those with a minus."""
    words = " ".join(re.findall(r"\w+", " ".join([sound.name, *sound.tags]).lower()))
    for sign, phrase, word in re.findall(r'([-+]?)(?:"([^"]*)"|(\S+))', query.lower()):
        wanted = " ".join(re.findall(r"\w+", phrase or word))
        if (f" {wanted} " in f" {words} ") == (sign == "-") and wanted:
            return False
    return True


def _passes(sound: Sound, conditions: str) -> bool:
    """Whether a sound passes a filter made of a geotag rectangle, a range of durations, or both."""
    left = conditions
    if match := re.search(rf'geotag:"Intersects\({NUMBER} {NUMBER} {NUMBER} {NUMBER}\)"', left):
        west, south, east, north = map(float, match.groups())
        left = left.replace(match[0], "")
        if sound.latitude is None or not south <= sound.latitude <= north:
            return False
        if eastwards(west, sound.longitude) > eastwards(west, east):
            return False
    if match := re.search(r"duration:\[(\S+) TO (\S+)\]", left):
        left = left.replace(match[0], "")
        low, high = (float(text.replace("*", "inf")) for text in match.groups())
        if not (low == float("inf") or low <= sound.seconds) or sound.seconds > high:
            return False
    if left.replace("AND", "").strip():
        raise Refused(f"Malformed filter: {left.strip()}")
    return True


def search(planet: Planet, parameters: dict[str, str], address: str, path: str) -> dict:
    """Answer a text search with one page of sounds.

    Args:
        planet: the planet.
        parameters: of the request: query, filter, fields, page, page_size.
        address: of the server, for the links.
        path: of the resource.

    Raises:
        Refused: a filter or a number that is not understood.
        LookupError: a page beyond the last.
    """
    query, conditions = parameters.get("query", ""), parameters.get("filter", "")
    found = [sound for sound in planet.sounds if _passes(sound, conditions) and _matches(sound, query)]
    page, size = parameters.get("page", "1"), parameters.get("page_size", str(PAGE))
    if not (page.isdecimal() and size.isdecimal() and int(size)):
        raise Refused("page and page_size are positive numbers")
    page, size = int(page), min(int(size), LARGEST_PAGE)
    pages = max(1, -(-len(found) // size))
    if not 1 <= page <= pages:
        raise LookupError("Invalid page.")

    def link(number: int) -> str | None:
        kept = {key: value for key, value in parameters.items() if key != "token"}
        return f"{address}{path}?{urlencode({**kept, 'page': number})}" if 1 <= number <= pages else None

    wanted = parameters.get("fields", DEFAULT_FIELDS).split(",")
    results = [_fields(sound, address) for sound in found[(page - 1) * size : page * size]]
    return {
        "count": len(found),
        "next": link(page + 1),
        "results": [{field: value for field, value in sound.items() if field in wanted} for sound in results],
        "previous": link(page - 1),
    }


# ---------------------------------------------------------------- Overpass

BOX = re.compile(rf"{NUMBER},{NUMBER},{NUMBER},{NUMBER}")
WHOLE = re.compile(rf"\[\s*bbox\s*:{BOX.pattern}\]")
INSIDE = re.compile(rf"\bis_in\s*\({NUMBER},{NUMBER}\)(?:\s*->\s*\.\w+)?\s*;")
TAGGED = r"((?:\s*\[[^\]]*\])*)\s*"
STATEMENT = re.compile(rf"\b(nwr|nw|nr|wr|node|way|rel(?:ation)?)\b{TAGGED}(?:\(([^()]*)\))?{TAGGED};")
CONDITION = re.compile(r'\[\s*(~?)\s*"?([\w:.^$|*+-]+)"?\s*(?:(!?=|!?~)\s*"?([^"\]]*)"?\s*)?\]')
OTHERS = re.compile(r"\[\s*(?:out\s*:\s*json|(?:timeout|maxsize)\s*:\s*\d+)\s*\]|\bout\b[\w\s]*;|[\s();]+")
KINDS = {"n": "node", "w": "way", "r": "relation"}


def _geometry(element: dict, middle: float):
    """The shape of an element, its longitudes within half a turn of the middle of the area asked for."""

    def line(points: list[dict]) -> list[tuple[float, float]]:
        return [((point["lon"] - middle + 180) % 360 - 180, point["lat"]) for point in points]

    if element["type"] == "node":
        return Point(*line([element]))
    parts = [element["geometry"]] if element["type"] == "way" else [m["geometry"] for m in element["members"]]
    return unary_union([LineString(line(part)) for part in parts])


def _encloses(element: dict, latitude: float, longitude: float) -> bool:
    rim = _geometry(element, longitude)
    return any(Polygon(face.exterior).contains(Point(0, latitude)) for face in polygonize(rim)) if rim.length else False


def _tagged(element: dict, conditions: str) -> bool:
    """Whether an element's tags meet conditions such as ``["highway"]``, ``[natural=wood]`` or ``["name"~"^A"]``."""
    for wild, key, sign, value in CONDITION.findall(conditions):
        own = [text for name, text in element["tags"].items() if (re.search(key, name) if wild else name == key)]
        if any(not sign or (text == value if "=" in sign else re.search(value, text)) for text in own) == ("!" in sign):
            return False
    return True


def overpass(planet: Planet, query: str) -> dict:
    """Answer a query for elements in bounding boxes, or around a point (``is_in`` with ``pivot``).

    As on the real service, a way is in a box only if its line reaches into it: an area that encloses the whole box
    is found by ``is_in`` alone.

    Args:
        planet: the planet.
        query: Overpass QL with ``[out:json]`` and ``out geom``.

    Raises:
        Refused: a query that is not understood.
    """
    query = re.sub(r"//[^\n]*|/\*.*?\*/", "", query, flags=re.DOTALL)
    if not re.search(r"\[\s*out\s*:\s*json\s*\]", query) or not re.search(r"\bout\b[\w\s]*\bgeom\b", query):
        raise Refused("parse error: this server answers [out:json] and 'out geom;' only")
    statements, whole, inside = STATEMENT.findall(query), WHOLE.search(query), INSIDE.search(query)
    left = query
    for known in (STATEMENT, WHOLE, INSIDE, OTHERS):
        left = known.sub("", left)
    if left or not statements:
        raise Refused(f"parse error: {left or 'the lack of a statement'!r} is not understood")
    found = {}
    for kind, before, place, after in statements:
        conditions = before + after
        if CONDITION.sub("", conditions).strip():
            raise Refused(f"parse error: {conditions!r} is not understood")
        kinds = [KINDS[letter] for letter in (kind if kind in ("nwr", "nw", "nr", "wr") else kind[0])]
        if place.strip().startswith("pivot") and inside:
            latitude, longitude = map(float, inside.groups())
            near = elements_near(planet, longitude, latitude, longitude, latitude)
            chosen = [element for element in near if _encloses(element, latitude, longitude)]
        elif match := BOX.fullmatch(place) or (whole if not place else None):
            south, west, north, east = map(float, match.groups())
            turn = eastwards(west, east)
            area = box(-turn / 2, south, turn / 2, north)
            near = elements_near(planet, west, south, east, north)
            chosen = [element for element in near if _geometry(element, west + turn / 2).intersects(area)]
        else:
            raise Refused(f"parse error: '{kind}({place})' is not understood")
        chosen = [element for element in chosen if element["type"] in kinds and _tagged(element, conditions)]
        found.update(((element["type"], element["id"]), element) for element in chosen)
    order = list(KINDS.values())
    return {
        "version": 0.6,
        "generator": "miniature planet",
        "osm3s": {
            "timestamp_osm_base": "2020-08-23T12:00:00Z",
            "copyright": "An invented map of the miniature planet, not OpenStreetMap data.",
        },
        "elements": [found[key] for key in sorted(found, key=lambda key: (order.index(key[0]), key[1]))],
    }
