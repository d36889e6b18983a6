"""A loopback server of the planet: Freesound, Overpass and map tiles, well behaved or at fault on demand.

Chapter: Building a dataset.
"""

import os
import re
import socket
import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from urllib.parse import parse_qsl, urlsplit

from advance_lib.miniature.planet.answers import Refused, overpass, search
from advance_lib.miniature.planet.faults import Answer, Fault, json_answer, spoilt
from advance_lib.miniature.planet.land import DEEPEST_ZOOM, tile
from advance_lib.miniature.planet.planet import Planet
from advance_lib.miniature.planet.sounds import FORMATS, preview

TOKEN = "a-token-of-the-miniature-planet"
ADDRESSES = {  # of the services
    "freesound": re.compile(r"/apiv2/search/(?:text/)?"),
    "previews": re.compile(r"/data/previews/\d+/(\d+)_\d+-[hl]q\.(ogg|mp3)"),
    "overpass": re.compile(r"/api/interpreter"),
    "tiles": re.compile(r"/tiles/(\d+)/(\d+)/(\d+)\.png"),
}

NOT_FOUND = Answer(404, b"<html><body><h1>Not Found</h1></body></html>", "text/html")


@dataclass(frozen=True)
class Request:
    """A request as it came in; its service is ``""`` where none has that address."""

    service: str
    method: str
    path: str
    body: str = ""
    fault: str = ""


class PlanetServer:
    """A running server.

    Attributes:
        planet: what it serves.
        address: ``http://127.0.0.1:<port>``.
        faults: those due; may be changed while it runs.
        requests: all that came in so far.
        token: the one that Freesound accepts.
        freesound: address of APIv2, without a slash at the end.
        overpass: address of the interpreter.
        tiles: template with ``{z}``, ``{x}`` and ``{y}``; zoom levels up to `deepest_zoom`.
    """

    token = TOKEN
    deepest_zoom = DEEPEST_ZOOM

    def __init__(self, planet: Planet, address: str, faults: Iterable[Fault] = ()):
        self.planet, self.address, self.faults = planet, address, list(faults)
        self.requests: list[Request] = []
        self.freesound = f"{address}/apiv2"
        self.overpass = f"{address}/api/interpreter"
        self.tiles = f"{address}/tiles/{{z}}/{{x}}/{{y}}.png"
        self.stopped = Event()
        self._noting, self._answering = Lock(), Lock()
        self._seen: Counter[Fault] = Counter()

    def count(self, service: str) -> int:
        """Return how many requests a service has had."""
        return sum(request.service == service for request in self.requests)

    def note(self, service: str, method: str, path: str, body: str) -> Fault | None:
        """Write a request down and return the fault that is due."""
        due = None
        with self._noting:
            for fault in self.faults:
                if fault.concerns(service):
                    earlier = self._seen[fault] - fault.after
                    self._seen[fault] += 1
                    if due is None and earlier >= 0 and (fault.times is None or earlier < fault.times):
                        due = fault
            self.requests.append(Request(service, method, path, body, due.kind if due else ""))
        return due

    def answer(self, service: str, path: str, parameters: dict[str, str], authorization: str) -> Answer:
        """Answer a request as the real service would.

        Args:
            service: one of SERVICES, or ``""``.
            path: of the resource, without a query.
            parameters: of the query or of the form.
            authorization: header of that name.
        """
        if not service:
            return NOT_FOUND
        parts = ADDRESSES[service].fullmatch(path).groups()
        with self._answering:  # one at a time, so that nothing is rendered twice
            if service == "freesound":
                return self._search(path, parameters, authorization.removeprefix("Token "))
            if service == "overpass":
                return self._map(parameters.get("data", ""))
            return self._tile(*map(int, parts)) if service == "tiles" else self._preview(int(parts[0]), parts[1])

    def _search(self, path: str, parameters: dict[str, str], token: str) -> Answer:
        token = token or parameters.get("token", "")
        if token != self.token:
            reason = "Invalid token" if token else "Authentication credentials were not provided."
            return json_answer({"detail": reason}, 401, **{"WWW-Authenticate": "Token"})
        try:
            return json_answer(search(self.planet, parameters, self.address, path))
        except Refused as error:
            return json_answer({"detail": str(error)}, 400)
        except LookupError as error:
            return json_answer({"detail": str(error)}, 404)

    def _map(self, query: str) -> Answer:
        try:
            return json_answer(overpass(self.planet, query))
        except Refused as error:
            return Answer(400, f"<html><body><p>Error: {error}</p></body></html>".encode(), "text/html")

    def _tile(self, zoom: int, column: int, row: int) -> Answer:
        try:
            return Answer(200, tile(self.planet, zoom, column, row), "image/png")
        except LookupError:
            return NOT_FOUND

    def _preview(self, number: int, suffix: str) -> Answer:
        sound = next((sound for sound in self.planet.sounds if sound.id == number), None)
        return Answer(200, preview(sound, suffix), FORMATS[suffix][2]) if sound else NOT_FOUND


class _Handler(BaseHTTPRequestHandler):
    """One connection; the planet's server hangs on the HTTP server."""

    protocol_version = "HTTP/1.1"
    timeout = 30  # seconds that an idle connection is kept
    disable_nagle_algorithm = True  # head and body go out as two packets
    planet_server: PlanetServer

    def do_GET(self):
        self._serve("")

    def do_POST(self):
        self._serve(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())

    def log_message(self, *args):
        pass

    def _serve(self, body: str) -> None:
        parts = urlsplit(self.path)
        service = next((name for name, address in ADDRESSES.items() if address.fullmatch(parts.path)), "")
        server = self.planet_server
        fault = server.note(service, self.command, self.path, body)
        if fault and fault.kind == "reset":
            return self._reset()
        parameters = dict(parse_qsl(parts.query) + parse_qsl(body))
        answer = server.answer(service, parts.path, parameters, self.headers.get("Authorization", ""))
        if fault:
            answer = spoilt(fault, service, answer)
        self._send(answer, fault)

    def _send(self, answer: Answer, fault: Fault | None) -> None:
        kind, body = fault.kind if fault else "", answer.body
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(body) + (64 if kind == "wrong-length" else 0)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if kind in ("truncated", "wrong-length", "slow"):
            self.send_header("Connection", "close")
        self.end_headers()
        try:
            if kind == "slow":
                for index in range(len(body)):
                    self.wfile.write(body[index : index + 1])
                    if self.planet_server.stopped.wait(fault.pause):
                        return
            else:
                self.wfile.write(body[: len(body) // 2] if kind == "truncated" else body)
        except OSError:  # the other side has given up
            self.close_connection = True

    def _reset(self) -> None:
        """Cut the connection without a word, so that the other side sees it reset."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())
        self.close_connection = True


@contextmanager
def serve(planet: Planet, faults: Iterable[Fault] = (), port: int = 0) -> Iterator[PlanetServer]:
    """Serve a planet on the loopback interface for as long as the context lasts.

    Args:
        planet: the planet.
        faults: how to misbehave.
        port: 0 takes any free one; the previews' addresses depend on it.

    Yields:
        The server, with the addresses of its services.
    """
    handler = type("Handler", (_Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    handler.planet_server = running = PlanetServer(planet, f"http://127.0.0.1:{server.server_port}", faults)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield running
    finally:
        running.stopped.set()
        server.shutdown()
        thread.join()
        server.server_close()
