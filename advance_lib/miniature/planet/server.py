"""A loopback server of the planet: Freesound, Overpass and map tiles.

Chapter: Building a dataset.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from urllib.parse import parse_qsl, urlsplit

from advance_lib.miniature.planet.answers import Refused, overpass, search
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


NOT_FOUND = Answer(404, b"<html><body><h1>Not Found</h1></body></html>", "text/html")


@dataclass(frozen=True)
class Request:
    """A request as it came in; its service is ``""`` where none has that address."""

    service: str
    method: str
    path: str
    body: str = ""


class PlanetServer:
    """A running server.

    Attributes:
        planet: what it serves.
        address: ``http://127.0.0.1:<port>``.
        requests: all that came in so far.
        token: the one that Freesound accepts.
        freesound: address of APIv2, without a slash at the end.
        overpass: address of the interpreter.
        tiles: template with ``{z}``, ``{x}`` and ``{y}``; zoom levels up to `deepest_zoom`.
    """

    token = TOKEN
    deepest_zoom = DEEPEST_ZOOM

    def __init__(self, planet: Planet, address: str):
        self.planet, self.address = planet, address
        self.requests: list[Request] = []
        self.freesound = f"{address}/apiv2"
        self.overpass = f"{address}/api/interpreter"
        self.tiles = f"{address}/tiles/{{z}}/{{x}}/{{y}}.png"
        self.stopped = Event()
        self._answering = Lock()

    def count(self, service: str) -> int:
        """Return how many requests a service has had."""
        return sum(request.service == service for request in self.requests)

    def answer(self, service: str, path: str, parameters: dict[str, str], authorization: str) -> Answer:
        """Answer a request as the real service would.

        Args:
            service: one of ADDRESSES, or ``""``.
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


class Handler(BaseHTTPRequestHandler):
    """One connection; the planet's server hangs on the HTTP server."""

    protocol_version = "HTTP/1.1"
    timeout = 30  # seconds that an idle connection is kept
    disable_nagle_algorithm = True  # head and body go out as two packets
    running: PlanetServer

    def do_GET(self):
        self._serve("")

    def do_POST(self):
        self._serve(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())

    def log_message(self, *args):
        pass

    def _serve(self, body: str) -> None:
        parts = urlsplit(self.path)
        service = next((name for name, address in ADDRESSES.items() if address.fullmatch(parts.path)), "")
        self.running.requests.append(Request(service, self.command, self.path, body))
        parameters = dict(parse_qsl(parts.query) + parse_qsl(body))
        authorization = self.headers.get("Authorization", "")
        self.reply(service, self.running.answer(service, parts.path, parameters, authorization))

    def reply(self, service: str, answer: Answer) -> None:
        """Send the answer of a service."""
        self.send_head(answer, len(answer.body))
        self.send_body([answer.body])

    def send_head(self, answer: Answer, length: int) -> None:
        """Send all of an answer but its body, of a length in bytes."""
        self.send_response(answer.status)
        for name, value in {"Content-Type": answer.kind, "Content-Length": length, **answer.headers}.items():
            self.send_header(name, str(value))
        self.end_headers()

    def send_body(self, parts: Iterable[bytes]) -> None:
        """Send a body part by part, as long as the other side listens."""
        try:
            for part in parts:
                self.wfile.write(part)
        except OSError:  # the other side has given up
            self.close_connection = True


@contextmanager
def serve(
    planet: Planet,
    port: int = 0,
    server: Callable[[Planet, str], PlanetServer] = PlanetServer,
    handler: type[Handler] = Handler,
) -> Iterator[PlanetServer]:
    """Serve a planet on the loopback interface for as long as the context lasts.

    Args:
        planet: the planet.
        port: 0 takes any free one; the previews' addresses depend on it.
        server: makes the server of a planet and its address.
        handler: of the connections.

    Yields:
        The server, with the addresses of its services.
    """
    handler = type("Handler", (handler,), {})
    http = ThreadingHTTPServer(("127.0.0.1", port), handler)
    handler.running = running = server(planet, f"http://127.0.0.1:{http.server_port}")
    thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield running
    finally:
        running.stopped.set()
        http.shutdown()
        thread.join()
        http.server_close()
