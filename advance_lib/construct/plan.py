"""What is to be built: the plan of a dataset, kept in its folder from the first start on.

Chapter: Building a dataset.
"""

import json
import platform
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date as Date
from importlib.metadata import version
from math import isfinite
from pathlib import Path

from advance_lib import __version__
from advance_lib.cache import UserError, write_json
from advance_lib.construct.area import Area
from advance_lib.construct.overpass import OVERPASS
from advance_lib.construct.recordings import FREESOUND

PACKAGES = ("numpy", "pillow", "requests", "scipy", "shapely", "soundfile", "xyzservices")
KEY_IN_ADDRESS = re.compile(
    r"[?&/]((?:(?:api|access|subscription)?[-_]?(?:key|token))|app[-_]?id|sig|signature|secret|password)=[^{&]+"
    r"|//([^/@]+)@",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Plan:
    """All that determines a dataset, besides what the servers answer and what people say about the labels.

    Attributes:
        area: where the recordings were made.
        queries: what Freesound is asked for, one search each; ``""`` is all recordings of the area.
        imagery: name in xyzservices, or template of tile addresses.
        metres_per_pixel: ground resolution of the photographs.
        side: of the photographs in pixels (paper: 512).
        seed: of the clips.
        smallest_scene: scenes with fewer pairs are dropped (paper: 10).
        shift_below: scenes with fewer pairs get four shifted photographs of each place (paper: 100).
        shift: distance to these, as a share of a photograph's side (the paper says "a small offset").
        same_place: recordings nearer than so many metres share a location, which a split keeps together.
        freesound: address of the API.
        overpass: address of the API.

    Raises:
        UserError: names the field that cannot be used.
    """

    area: Area
    queries: tuple[str, ...] = ("",)
    imagery: str = "Esri.WorldImagery"
    metres_per_pixel: float = 0.5
    side: int = 512
    seed: int = 0
    smallest_scene: int = 10
    shift_below: int = 100
    shift: float = 0.25
    same_place: float = 100.0
    freesound: str = FREESOUND
    overpass: str = OVERPASS

    def __post_init__(self):
        limits = {
            "queries": bool(self.queries) and len(set(self.queries)) == len(self.queries),
            "metres_per_pixel": isfinite(self.metres_per_pixel) and self.metres_per_pixel > 0,
            "side": self.side >= 32,
            "seed": self.seed >= 0,
            "smallest_scene": self.smallest_scene >= 1,
            "shift_below": self.shift_below >= 0,
            "shift": 0 < self.shift <= 1,
            "same_place": isfinite(self.same_place) and self.same_place >= 0,
        }
        for name, fits in limits.items():
            if not fits:
                raise UserError(f"{name} {getattr(self, name)!r}: not a value that it can have")
        for name in ("imagery", "freesound", "overpass"):
            if found := KEY_IN_ADDRESS.search(getattr(self, name)):
                remedy = (
                    f"write {found[1] or 'key'}={{apiKey}} and set $TILES_APIKEY"
                    if name == "imagery"
                    else "leave it out"
                )
                raise UserError(f"{name}: its address holds a key, which would be written into the dataset; {remedy}")

    @property
    def metres(self) -> float:
        """Side of a photograph on the ground."""
        return self.side * self.metres_per_pixel


@dataclass(frozen=True)
class Beginning:
    """A plan and when it was first followed.

    Attributes:
        plan: what is built.
        date: of the first start, year-month-day.
        versions: of this library and of the packages that it built with, by name.
    """

    plan: Plan
    date: str
    versions: dict[str, str]


def _file(out: Path) -> Path:
    return out / "construction" / "plan.json"


def _as_json(plan: Plan) -> dict:
    return asdict(plan) | {"queries": list(plan.queries)}


def _read(out: Path) -> dict | None:
    try:
        content = json.loads(_file(out).read_text(encoding="utf-8"))
        return {name: content[name] for name in ("plan", "date", "versions")}
    except FileNotFoundError:
        return None
    except (ValueError, LookupError, TypeError):
        raise UserError(f"{_file(out)}: not a plan; remove it and give the same options again") from None


def plan_for(out: Path, options: Mapping[str, object]) -> Plan:
    """Return the plan that a folder was begun with, or a new one, changed by some options.

    Args:
        out: the dataset's folder.
        options: values of fields of `Plan`.

    Raises:
        UserError: an option that there is not, or no area.
    """
    known = [field.name for field in fields(Plan)]
    if unknown := [name for name in options if name not in known]:
        raise UserError(f"no option '{unknown[0]}'; there are {', '.join(known)}")
    stored = (_read(out) or {}).get("plan", {})
    if stored:
        stored = {name: value for name, value in stored.items() if name in known}
        stored |= {"area": Area(**stored["area"]), "queries": tuple(stored["queries"])}
    values = stored | dict(options)
    if "area" not in values:
        raise UserError(f"{out}: nothing was begun there; give an area, west,south,east,north in degrees")
    return Plan(**values)


def begin(plan: Plan, out: Path, date: str | None = None) -> Beginning:
    """Return how a dataset was begun, after writing it down where nothing was found there yet.

    Args:
        plan: what is to be built.
        out: the dataset's folder.
        date: of the first start; None for today.

    Raises:
        UserError: the folder belongs to another plan (names the fields), or holds a dataset from elsewhere.
    """
    stored, given = _read(out), _as_json(plan)
    earlier = stored["plan"] if stored else given
    differing = [name for name in given | earlier if given.get(name) != earlier.get(name)]
    if differing and (_file(out).parent / "found.csv").exists():
        listing = "; ".join(f"{name} {earlier.get(name)!r}, now {given.get(name)!r}" for name in differing)
        raise UserError(f"{out}: was begun with another plan ({listing}); keep to it, or choose another folder")
    if stored is None and ((out / "vision").exists() or (out / "sound").exists()):
        raise UserError(f"{out}: holds a dataset that was not constructed here; choose another folder")
    if stored is None or differing:  # a plan that has found nothing binds nobody
        versions = {"advance-companion": __version__, "python": platform.python_version()}
        versions |= {name: version(name) for name in PACKAGES}
        stored = {"plan": given, "date": date or Date.today().isoformat(), "versions": versions}
        write_json(_file(out), stored)
    return Beginning(plan, stored["date"], stored["versions"])
