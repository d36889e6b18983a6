"""The planet's server, misbehaving on demand: the answers that are sent in place of good ones."""

import os
import socket
import struct
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from threading import Lock

from PIL import Image

from advance_lib.miniature.planet import server
from advance_lib.miniature.planet.server import Answer, Handler, PlanetServer, json_answer

SERVICES = tuple(server.ADDRESSES)
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


class FaultyServer(PlanetServer):
    """A server with faults.

    Attributes:
        faults: those due; may be changed while it runs.
        sent: for each request, the kind of the fault that it met, or ``""``.
    """

    def __init__(self, planet, address, faults=()):
        super().__init__(planet, address)
        self.faults, self.sent = list(faults), []
        self._seen, self._noting = Counter(), Lock()

    def due(self, service):
        """Return the fault that is due at one more request to a service, or None."""
        due = None
        with self._noting:
            for fault in self.faults:
                if fault.concerns(service):
                    earlier = self._seen[fault] - fault.after
                    self._seen[fault] += 1
                    if due is None and earlier >= 0 and (fault.times is None or earlier < fault.times):
                        due = fault
            self.sent.append(due.kind if due else "")
        return due


class FaultyHandler(Handler):
    """One connection to a server with faults."""

    def reply(self, service, answer):
        fault = self.running.due(service)
        if fault is None:
            return super().reply(service, answer)
        if fault.kind == "reset":
            return self.reset()
        answer = spoilt(fault, service, answer)
        body, parts = answer.body, [answer.body]
        if fault.kind in ("truncated", "wrong-length", "slow"):
            answer = replace(answer, headers=answer.headers | {"Connection": "close"})
        if fault.kind == "truncated":
            parts = [body[: len(body) // 2]]
        if fault.kind == "slow":
            parts = self.dripping(body, fault.pause)
        self.send_head(answer, len(body) + (64 if fault.kind == "wrong-length" else 0))
        self.send_body(parts)

    def dripping(self, body, pause):
        for index in range(len(body)):
            yield body[index : index + 1]
            if self.running.stopped.wait(pause):
                return

    def reset(self):
        """Cut the connection without a word, so that the other side sees it reset."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())
        self.close_connection = True


def serve(planet, faults=(), port=0):
    """As `server.serve`, with faults."""
    return server.serve(planet, port, partial(FaultyServer, faults=faults), FaultyHandler)
