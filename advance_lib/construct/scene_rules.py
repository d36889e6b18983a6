"""From what the map knows about a photograph's ground to one of ADVANCE's scenes: a table of rules (section 3).

The paper labels "according to the annotations from OpenStreetMap" and does not print its rules, so these are our own.
A rule asks how much of the photograph some tags cover, how long their lines run, or how often they occur. Among the
scenes with a rule that holds, those of the first priority count: what is built for a purpose and defines a place
although it covers little of it, before what covers the ground. Where two of them are about as strong, or where no rule
holds, nothing is suggested: people decide.

Tags: https://wiki.openstreetmap.org/wiki/Map_features.

Chapter: Building a dataset.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import cos, pi, radians

import shapely

from advance_lib.construct.area import EARTH_RADIUS, Area
from advance_lib.construct.overpass import Feature

TIE = 1.25  # the strongest scene of a priority must be this many times as strong as the next one


@dataclass(frozen=True)
class Rule:
    """One reason to suggest a scene.

    Attributes:
        scene: one of ADVANCE's.
        priority: 1 comes before 2.
        measure: ``"area"``, a share of the photograph; ``"length"``, in sides of the photograph; or ``"count"``.
        at_least: the rule holds from here on; the strength of a scene is how many times this is reached.
        tags: ``"key=value"`` or ``"key=*"``, any of which counts.
        without: a feature with one of these does not count.
        beside: where this is given, the photograph must show one of these as well.
    """

    scene: str
    priority: int
    measure: str
    at_least: float
    tags: tuple[str, ...]
    without: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()


UNDERGROUND = ("tunnel=*", "station=subway", "location=underground", "railway=proposed", "railway=construction")
WATER = (  # or every flyover of a city would be a bridge
    "natural=water", "natural=coastline", "natural=bay", "natural=strait", "waterway=river", "waterway=canal",
    "landuse=reservoir",
)  # fmt: skip
FLOWING = ("water=river", "water=canal", "water=stream", "water=ditch", "water=moat", "water=wastewater")
NOT_HOMES = (
    "building=industrial", "building=warehouse", "building=retail", "building=commercial", "building=hangar",
    "building=train_station", "building=transportation", "building=greenhouse", "building=barn",
)  # fmt: skip

RULES = (
    Rule("airport", 1, "area", 0.20, ("aeroway=aerodrome", "aeroway=apron", "aeroway=runway", "aeroway=terminal")),
    Rule("airport", 1, "length", 0.40, ("aeroway=runway", "aeroway=taxiway")),
    Rule("train station", 2, "count", 1, ("railway=station", "railway=halt", "building=train_station"), UNDERGROUND),
    Rule("train station", 2, "length", 0.25, ("railway=platform",), UNDERGROUND),
    Rule("train station", 2, "area", 0.25, ("landuse=railway",)),
    Rule("harbour", 2, "area", 0.10, ("leisure=marina", "landuse=harbour", "industrial=port", "harbour=*")),
    Rule("harbour", 2, "length", 0.60, ("man_made=pier", "man_made=quay")),
    Rule("harbour", 2, "count", 1, ("amenity=ferry_terminal", "seamark:type=harbour", "waterway=dock")),
    Rule("bridge", 3, "length", 0.20, ("bridge=*",), ("bridge=boardwalk",), beside=WATER),
    Rule("bridge", 3, "area", 0.02, ("man_made=bridge",), beside=WATER),
    Rule(
        "sports land", 3, "area", 0.08,
        ("leisure=pitch", "leisure=stadium", "leisure=track", "leisure=sports_centre", "landuse=recreation_ground"),
    ),
    Rule("beach", 4, "area", 0.05, ("natural=beach", "leisure=beach_resort")),
    Rule("orchard", 4, "area", 0.20, ("landuse=orchard", "landuse=vineyard")),
    Rule("lake", 5, "area", 0.25, ("natural=water", "landuse=reservoir", "landuse=basin"), FLOWING),
    Rule("forest", 5, "area", 0.30, ("natural=wood", "landuse=forest")),
    Rule("farmland", 5, "area", 0.30, ("landuse=farmland", "landuse=farmyard", "landuse=greenhouse_horticulture")),
    Rule("grassland", 5, "area", 0.30, ("natural=grassland", "landuse=meadow", "landuse=grass")),
    Rule("sparse shrub land", 5, "area", 0.30, ("natural=scrub", "natural=heath", "natural=shrubbery")),
    Rule("residential", 5, "area", 0.30, ("landuse=residential",)),
    Rule("residential", 5, "area", 0.08, ("building=*",), NOT_HOMES),
)  # fmt: skip


@dataclass(frozen=True)
class Suggestion:
    """What the rules say about one photograph.

    Attributes:
        scene: one of ADVANCE's, or None where people must decide.
        reason: the tags that led to it, with what they cover.
        review: ``"tie"``, ``"no match"``, or ``""`` where a scene is suggested.
    """

    scene: str | None
    reason: str
    review: str = ""


@dataclass(frozen=True)
class Evidence:
    """How far one rule is met.

    Attributes:
        rule: which one.
        amount: in the unit of the rule's measure.
        tags: those that were met.
    """

    rule: Rule
    amount: float
    tags: tuple[str, ...]

    @property
    def strength(self) -> float:
        """How many times the rule's threshold is reached."""
        return self.amount / self.rule.at_least

    def __str__(self) -> str:
        amount = {
            "area": f"on {self.amount:.0%} of the photograph",
            "length": f"along {self.amount:.2f} times its side",
            "count": f"× {self.amount:g}",
        }[self.rule.measure]
        return f"{', '.join(self.tags)} {amount}"


def _tags_met(tags: dict[str, str], wanted: Iterable[str]) -> list[str]:
    """Return which of the wanted tags, ``"key=value"`` or ``"key=*"``, are there; a value "no" is none."""
    pairs = (wish.partition("=")[::2] for wish in wanted)
    return [f"{key}={tags[key]}" for key, value in pairs if tags.get(key, "no") != "no" and value in ("*", tags[key])]


def _in_metres(points: Sequence[tuple[float, float]], area: Area) -> list[tuple[float, float]]:
    """Return points (x east, y north) in metres from the middle of a small area; the antimeridian is no border."""
    latitude, longitude = area.centre
    degree = EARTH_RADIUS * pi / 180
    return [
        (((lon - longitude + 180) % 360 - 180) * degree * cos(radians(latitude)), (lat - latitude) * degree)
        for lat, lon in points
    ]


def _parts(feature: Feature, measure: str, area: Area, frame: shapely.Polygon) -> list[shapely.Geometry]:
    """Return what of a feature lies in the frame, in metres, as a measure wants it: areas, lines, or anything."""
    shapes = []
    for outline in feature.outlines:
        points, closed = _in_metres(outline, area), len(outline) > 3 and outline[0] == outline[-1]
        if len(points) == 1:
            shapes += [shapely.Point(points[0])] if measure == "count" else []
        elif closed and measure != "length":
            shapes.append(shapely.make_valid(shapely.Polygon(points)))
        elif len(points) > 1 and measure != "area":
            shapes.append(shapely.LineString(points))
    return [shape.intersection(frame) for shape in shapes if shape.intersects(frame)]


def evidence(rule: Rule, features: Iterable[Feature], area: Area) -> Evidence:
    """Return how far a rule is met by what the map knows about a photograph's ground.

    Args:
        rule: of the table.
        features: what lies in the area or reaches into it.
        area: that of the photograph.
    """
    (left, bottom), (right, top) = _in_metres([(area.south, area.west), (area.north, area.east)], area)
    frame = shapely.box(left, bottom, right, top)
    inside, met, beside = [], {}, not rule.beside
    for feature in features:
        beside = beside or (_tags_met(feature.tags, rule.beside) and _parts(feature, "count", area, frame))
        tags = _tags_met(feature.tags, rule.tags)
        if not tags or _tags_met(feature.tags, rule.without):
            continue
        if parts := _parts(feature, rule.measure, area, frame):
            inside.append(shapely.union_all(parts))
            met |= dict.fromkeys(tags)
    if not beside:
        return Evidence(rule, 0.0, ())
    whole = shapely.union_all(inside)  # overlapping features count once
    amount = {
        "area": whole.area / frame.area,
        "length": whole.length / (right - left),
        "count": len(inside),
    }[rule.measure]
    return Evidence(rule, amount, tuple(met))


def _listed(found: Iterable[Evidence]) -> str:
    return "; ".join(f"{one.rule.scene}: {one}" for one in found)


def suggest(features: Sequence[Feature], area: Area, rules: Sequence[Rule] = RULES) -> Suggestion:
    """Return the scene that the rules suggest for a photograph, with the tags that led to it.

    Args:
        features: what lies in the area or reaches into it.
        area: that of the photograph.
        rules: the table.
    """
    strongest: dict[str, Evidence] = {}
    for found in sorted((evidence(rule, features, area) for rule in rules), key=lambda found: -found.strength):
        strongest.setdefault(found.rule.scene, found)
    holding = [found for found in strongest.values() if found.strength >= 1]
    if not holding:
        return Suggestion(
            None, _listed(f for f in list(strongest.values())[:3] if f.tags) or "no known tag", "no match"
        )
    first = min(found.rule.priority for found in holding)
    rivals = [found for found in holding if found.rule.priority == first]
    tied = [found for found in rivals if found.strength * TIE > rivals[0].strength]
    if len(tied) > 1:
        return Suggestion(None, _listed(tied), "tie")
    return Suggestion(rivals[0].rule.scene, str(rivals[0]))
