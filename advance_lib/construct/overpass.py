"""What OpenStreetMap knows about an area, through the Overpass API or from a file.

Query language: https://wiki.openstreetmap.org/wiki/Overpass_API/Overpass_QL.

Chapter: Building a dataset.
"""

import bz2
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from xml.etree import ElementTree

from shapely import MultiLineString, line_merge

from advance_lib.cache import UserError
from advance_lib.construct.area import Area
from advance_lib.construct.entries import OddEntry, field, on_earth, shown, typed
from advance_lib.data.fetching import USUAL, Patience, ask_json

OVERPASS = "https://overpass-api.de/api/interpreter"


@dataclass(frozen=True)
class Feature:
    """A thing on the map with tags.

    Attributes:
        kind: ``"node"``, ``"way"`` or ``"relation"``.
        id: its number among its kind.
        tags: what it is.
        outlines: points (latitude, longitude) in degrees: a ring, whose last point is its first, for what is closed;
            a line for an open way; one point for a node. Of a relation, its outer rings.
    """

    kind: str
    id: int
    tags: dict[str, str]
    outlines: tuple[tuple[tuple[float, float], ...], ...]


def features_in(
    area: Area, server: str = OVERPASS, patience: Patience = USUAL, left: dict[str, str] | None = None
) -> list[Feature]:
    """Return what lies in an area or reaches into it, and what its centre lies in, ordered by kind and number.

    A box alone does not find what encloses it, such as a wide field: ``is_in`` does, as far as the server keeps areas
    (closed ways, but not every multipolygon without a name; https://dev.overpass-api.de/blog/way_based_areas.html).

    Args:
        area: in degrees.
        server: address of the API.
        patience: how long to go on asking.
        left: takes the reasons for what is left out, such as a relation without members, by kind and number.

    Raises:
        FetchError: no answer, or one that tells of an error.
    """
    query = _query(area, ceil(patience.timeout))
    answer = ask_json(server, data={"data": query}, patience=patience, check=_check)
    return _features(answer["elements"], {} if left is None else left)


def _query(area: Area, seconds: int) -> str:
    """Return the question in Overpass QL; the server gives up after some seconds."""
    box = f"{area.south:.6f},{area.west:.6f},{area.north:.6f},{area.east:.6f}"
    latitude, longitude = area.centre
    return (
        f"[out:json][timeout:{seconds}];"
        f"is_in({latitude:.6f},{longitude:.6f})->.around;"
        f'(node[~"."~"."]({box});way({box});relation[type=multipolygon]({box});'  # of nodes, those with a tag
        "way(pivot.around);relation[type=multipolygon](pivot.around););out geom;"
    )


def _check(answer: object) -> None:
    """Raise ValueError for an answer without a list of elements, or with a remark about an error."""
    if not isinstance(answer, dict) or not isinstance(answer.get("elements"), list):
        raise ValueError("no list of elements")
    if "error" in str(answer.get("remark")):  # with status 200: out of time or memory, and only some of the elements
        raise ValueError(answer["remark"])


def features_of_file(path: Path | str) -> list[Feature]:
    """Return what an extract holds, ordered by kind and number.

    Ways are drawn as far as their nodes are in the extract, relations as far as their ways are.

    Args:
        path: of OpenStreetMap XML, ``.osm`` or ``.osm.bz2``.

    Raises:
        UserError: not such a file.
    """
    try:
        with (bz2.open if Path(path).suffix == ".bz2" else open)(path, "rb") as file:
            root = ElementTree.parse(file).getroot()
        if root.tag != "osm":
            raise ValueError(f"it begins with <{root.tag}>")
        return _features(_elements(root), {})
    except (OSError, EOFError, ValueError, TypeError, ElementTree.ParseError) as error:
        raise UserError(f"{path}: not an OpenStreetMap extract ({error}); give a whole .osm or .osm.bz2 file") from None


def _elements(root: ElementTree.Element) -> Iterable[dict]:
    """Yield the elements of an extract in the form that Overpass gives them."""
    places = {
        node.get("id"): {"lat": float(node.get("lat")), "lon": float(node.get("lon"))} for node in root.iter("node")
    }
    lines = {
        way.get("id"): [places[nd.get("ref")] for nd in way.iter("nd") if nd.get("ref") in places]
        for way in root.iter("way")
    }
    for element in root:
        if element.tag in ("node", "way", "relation"):
            number = element.get("id")
            members = [
                {"type": m.get("type"), "role": m.get("role"), "geometry": lines.get(m.get("ref"), [])}
                for m in element.iter("member")
            ]
            tags = {tag.get("k"): tag.get("v") for tag in element.iter("tag")}
            common = {"type": element.tag, "id": int(number), "tags": tags, "members": members}
            yield common | places.get(number, {}) | {"geometry": lines.get(number, [])}


def _features(elements: Iterable[object], left: dict[str, str]) -> list[Feature]:
    """Return the elements that have tags and a place, in the order of kinds and numbers, none twice."""
    found = {}
    for count, element in enumerate(elements, 1):
        name = f"element {count}"
        try:
            kind, number = field(element, "type", str), field(element, "id", int)
            if kind not in DRAWN:
                raise OddEntry(f"type is {shown(kind)}, not one of {', '.join(DRAWN)}")
            name = f"{kind} {number}"
            tags = field(element, "tags", dict) if "tags" in element else {}
            for key, value in tags.items():
                typed(value, str, f"the tag {shown(typed(key, str, 'a tag'))}")
            if tags:  # else a corner of what has tags
                found[kind, number] = Feature(kind, number, tags, DRAWN[kind](element))
        except OddEntry as error:
            left[name] = str(error)
    return [found[key] for key in sorted(found)]


def _place(point: object) -> tuple[float, float]:
    typed(point, dict, "a point")
    return on_earth(field(point, "lat", float), field(point, "lon", float))


def _line(element: object) -> tuple[tuple[float, float], ...]:
    return tuple(_place(point) for point in field(element, "geometry", list))


def _of_node(element: dict) -> tuple[tuple[tuple[float, float], ...], ...]:
    return ((_place(element),),)


def _of_way(element: dict) -> tuple[tuple[tuple[float, float], ...], ...]:
    line = _line(element)
    if len(line) < 2:
        raise OddEntry("its geometry has fewer than two points")
    return (line,)


def _of_relation(element: dict) -> tuple[tuple[tuple[float, float], ...], ...]:
    """Return the outer ways of a relation, joined to rings."""
    members = [typed(member, dict, "a member") for member in field(element, "members", list)]
    ways = [member for member in members if field(member, "type", str) == "way"]
    outer = [_line(way) for way in ways if field(way, "role", str) in ("outer", "")]
    joined = line_merge(MultiLineString([line for line in outer if len(line) > 1]))
    outlines = tuple(tuple(line.coords) for line in getattr(joined, "geoms", [joined]) if not line.is_empty)
    if not outlines:
        raise OddEntry("its members have no outer way")
    return outlines


DRAWN = {"node": _of_node, "way": _of_way, "relation": _of_relation}  # where an element of Overpass's JSON lies
