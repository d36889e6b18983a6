"""How the planet's server misbehaves on demand: the answers that are sent in place of good ones.

Chapter: Building a dataset.
"""

import json
from dataclasses import dataclass, field
from io import BytesIO

from PIL import Image

SERVICES = ("freesound", "previews", "overpass", "tiles")
# kind: the only service that can have it, or "" where all can.
FAULTS = {
    "429": "",
    "500": "",
    "reset": "",
    "slow": "",
    "truncated": "",
    "wrong-length": "",
    "html": "",
    "malformed-json": "",
    "empty": "",
    "expired-token": "freesound",
    "remark": "overpass",
    "bad-preview": "previews",
    "blank-tile": "tiles",
    "404-tile": "tiles",
}
MAINTENANCE = b"<!DOCTYPE html><html><body><h1>Down for maintenance</h1></body></html>"
TIMED_OUT = 'runtime error: Query timed out in "query" at line 1 after 26 seconds.'


@dataclass(frozen=True, eq=False)
class Fault:
    """One way to misbehave.

    ``truncated`` sends half of the body that it announces, ``wrong-length`` announces 64 bytes more than there are,
    ``slow`` sends a byte at a time; ``malformed-json`` sends half a document, or half a picture, as if it were whole.

    Attributes:
        kind: one of FAULTS.
        service: one of SERVICES, or ``""`` for all that can have the fault.
        times: for how many requests, to all services that it concerns together; None is for ever.
        after: how many of those requests are answered well before.
        retry_after: header of a 429, in seconds or as an HTTP date; ``""`` sends none.
        pause: seconds between two bytes of a slow body.
    """

    kind: str
    service: str = ""
    times: int | None = None
    after: int = 0
    retry_after: str = "0"
    pause: float = 0.05

    def __post_init__(self):
        if self.kind not in FAULTS:
            raise ValueError(f"no fault {self.kind!r}; there are {', '.join(FAULTS)}")
        if self.service not in ("", *SERVICES):
            raise ValueError(f"no service {self.service!r}; there are {', '.join(SERVICES)}")

    def concerns(self, service: str) -> bool:
        """Return whether a service has this fault."""
        return all(only in ("", service) for only in (self.service, FAULTS[self.kind]))


@dataclass(frozen=True)
class Answer:
    """Status, body and headers of an answer."""

    status: int
    body: bytes
    kind: str
    headers: dict[str, str] = field(default_factory=dict)


def json_answer(content: object, status: int = 200, **headers: str) -> Answer:
    """Return an answer in JSON."""
    return Answer(status, json.dumps(content).encode(), "application/json", headers)


def _empty(service: str, good: Answer) -> Answer:
    if service == "freesound":
        return json_answer({"count": 0, "next": None, "results": [], "previous": None})
    if service == "overpass":
        return json_answer({"version": 0.6, "generator": "miniature planet", "elements": []})
    return Answer(200, b"", good.kind)


def spoilt(fault: Fault, service: str, good: Answer) -> Answer:
    """Return the answer to send in place of a good one; faults of the transport leave it as it is."""
    match fault.kind:
        case "429":
            headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
            return json_answer({"detail": "Request was throttled"}, 429, **headers)
        case "500":
            return Answer(500, b"<html><body><h1>Server Error (500)</h1></body></html>", "text/html")
        case "html":
            return Answer(200, MAINTENANCE, "text/html; charset=utf-8")
        case "malformed-json":
            return Answer(200, good.body[: len(good.body) // 2], good.kind)
        case "empty":
            return _empty(service, good)
        case "expired-token":
            return json_answer({"detail": "Invalid token"}, 401, **{"WWW-Authenticate": "Token"})
        case "remark":
            return json_answer({"version": 0.6, "generator": "miniature planet", "elements": [], "remark": TIMED_OUT})
        case "bad-preview":
            return Answer(200, good.body[:4] + bytes(len(good.body) - 4), good.kind)
        case "blank-tile":
            file = BytesIO()
            Image.new("RGB", (256, 256), (204, 204, 204)).save(file, "PNG")
            return Answer(200, file.getvalue(), "image/png")
        case "404-tile":
            return Answer(404, b"<html><body><h1>Not Found</h1></body></html>", "text/html")
    return good
