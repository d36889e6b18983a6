import gzip
import json
import logging
import resource
import socket
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from threading import Thread
from time import monotonic, sleep

import pytest

from advance_lib.cache import UserError
from advance_lib.construct import fetching
from advance_lib.construct.fetching import FetchError, Patience, fetch, fetch_file, fetch_json

TOKEN = "s3cret-t0ken"
QUICK = Patience(attempts=4, first_wait=0.1, longest_wait=0.3)
HURRIED = replace(QUICK, timeout=0.4)  # for a server that is slow on purpose


def answer(body=b"fine", status=200, **headers):
    """The bytes of an answer, its true length among the headers unless another one is given."""
    headers = {"Content-Length": len(body)} | {name.replace("_", "-"): value for name, value in headers.items()}
    headers = {name: str(value) for name, value in headers.items()}
    lines = [
        f"HTTP/1.1 {status} Because",
        *(f"{name}: {value}" for name, value in headers.items()),
        "Connection: close",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Script:
    """A server that plays one answer a connection, the last one for ever, and writes down what it was asked.

    An answer is bytes, or a function that is given the connection.
    """

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.thread = Thread(target=self.play)
        self.thread.start()

    def play(self):
        while True:
            connection, _ = self.socket.accept()
            with connection:
                request = connection.recv(65536).decode()
                if not request:  # the test is over
                    return
                if request.startswith("POST") and request.endswith("\r\n\r\n"):  # the form may come later
                    request += connection.recv(65536).decode()
                self.asked.append(request)
                todo = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                with suppress(OSError):  # the other side has given up
                    todo(connection) if callable(todo) else connection.sendall(todo)

    def close(self):
        socket.create_connection(self.socket.getsockname()).close()
        self.thread.join()
        self.socket.close()


@pytest.fixture
def script(monkeypatch):
    """A function that starts a server with answers to play."""
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    running = []

    def start(*answers):
        running.append(Script(*answers))
        return running[-1]

    yield start
    for server in running:
        server.close()


@pytest.fixture
def naps(monkeypatch):
    """The waits between requests, which are not waited for."""
    waits = []
    monkeypatch.setattr(fetching, "sleep", waits.append)
    return waits


def dribble(connection):
    """A body that comes byte by byte, never silent for long, and would take half a minute."""
    connection.sendall(answer(b"", Content_Length=600))
    for _ in range(600):
        connection.sendall(b"x")
        sleep(0.05)


def silence(connection):
    connection.recv(1)


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def test_asks_with_a_name_parameters_and_a_secret(script):
    server = script(answer())
    body = fetch(f"{server.address}/a", parameters={"q": "sea & wind"}, secret=("Authorization", f"Token {TOKEN}"))
    assert body == b"fine"
    request = server.asked[0]
    assert request.startswith("GET /a?q=sea+%26+wind HTTP/1.1\r\n")
    assert "User-Agent: advance-companion/" in request and f"Authorization: Token {TOKEN}" in request


def test_a_form_is_posted(script):
    server = script(answer())
    assert fetch(server.address, data={"data": "[out:json];"}) == b"fine"
    assert server.asked[0].startswith("POST / HTTP/1.1\r\n") and server.asked[0].endswith("data=%5Bout%3Ajson%5D%3B")


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (answer(b"", 500), "answered 500"),
        (answer(b"", 503), "answered 503"),
        (answer(b"", 429, Retry_After=0), "answered 429"),
        (answer(b"half", Content_Length=8), r"no whole answer \(IncompleteRead\(4 bytes read, 4 more expected\)\)"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nhalf", "no whole answer"),
        (b"not HTTP at all\r\n\r\n", "no whole answer"),
        (b"", r"no whole answer \(Remote end closed connection without response\)"),
        (reset, r"no whole answer \(Connection reset by peer\)"),
        (silence, r"no whole answer \(timed out\)"),
        (dribble, "too slow"),
        (answer(b"odd"), "not what was asked for: not fine"),
    ],
)  # fmt: skip
def test_asked_again_and_given_up(script, naps, caplog, fault, words):
    """Every passing fault is survived, and a lasting one ends after so many requests, in one line."""

    def check(body):
        if body != b"fine":
            raise ValueError("not fine")

    patience = HURRIED if fault in (silence, dribble) else QUICK
    passing, lasting = script(fault, fault, answer()), script(fault)
    assert fetch(f"{passing.address}/a", patience=patience, check=check) == b"fine"
    assert len(passing.asked) == 3 and len(caplog.messages) == 2
    start = monotonic()
    with pytest.raises(FetchError, match=words) as caught:
        fetch(f"{lasting.address}/a?key={TOKEN}", patience=patience, check=check)
    assert monotonic() - start < 20  # the body that dribbles would take half a minute, four times
    assert len(lasting.asked) == QUICK.attempts
    message = str(caught.value)
    assert message.startswith(f"{lasting.address}/a: ") and "\n" not in message
    assert message.endswith(", 4 times; try again later; what was fetched is kept")


def test_waits_double_up_to_the_longest(script, naps):
    with pytest.raises(FetchError):
        fetch(script(answer(b"", 502)).address, patience=QUICK)
    assert naps == [0.1, 0.2, 0.3]


def test_the_wait_that_a_server_asks_for(script, naps):
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    asks = [answer(b"", 429, Retry_After=7), answer(b"", 503, Retry_After=date), answer(b"", 429), answer()]
    assert fetch(script(*asks).address, patience=Patience(longest_wait=120)) == b"fine"
    assert naps == [7, pytest.approx(90, abs=3), 120]  # no wait given: most likely a limit by the minute


@pytest.mark.parametrize("asked", ["3600", "Wed, 21 Oct 2999 07:28:00 GMT"])
def test_a_wait_that_is_too_long(script, naps, asked):
    server = script(answer(b'{"detail": "exceeding a request limit rate (2000/day)"}', 429, Retry_After=asked))
    with pytest.raises(
        FetchError, match=r"answered 429 \(exceeding .* \(2000/day\)\), and asks to wait \d{4,} s"
    ) as error:
        fetch(server.address)
    assert error.value.status == 429 and len(server.asked) == 1 and not naps


@pytest.mark.parametrize(
    ("status", "remedy"),
    [(401, "the token or key is missing, wrong or expired; get another one"), (403, "read its terms"),
     (404, "there is nothing at this address"), (204, "check the address"), (400, "check the address")],
)  # fmt: skip
def test_not_asked_again(script, naps, status, remedy):
    server = script(answer(b'{"detail": "so it is"}' if status != 204 else b"", status))
    with pytest.raises(FetchError, match=remedy) as caught:
        fetch(f"{server.address}/a")
    assert caught.value.status == status and len(server.asked) == 1 and not naps
    assert str(caught.value).startswith(f"{server.address}/a: answered {status}")


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_without_a_network_one_line_at_once(naps):
    for host, reason in ((f"127.0.0.1:{closed_port()}", "Connection refused"), ("nowhere.invalid", ".*")):
        with pytest.raises(FetchError, match=rf"^{host}: cannot be reached \({reason}\); this step needs the network$"):
            fetch(f"http://{host}/a")
    assert not naps


def test_a_server_that_went_away_may_come_back(script, naps):
    server = script(answer())
    fetch(server.address)
    fetching._answered.add(host := f"127.0.0.1:{closed_port()}")
    with pytest.raises(FetchError, match=rf"^{host}: cannot be reached .* this step needs the network$"):
        fetch(f"http://{host}")
    assert len(naps) == 4
    assert server.address.removeprefix("http://") in fetching._answered


def test_compressed_and_chunked_answers(script):
    packed = gzip.compress(b"fine" * 50_000)
    parts = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (packed[:100], packed[100:]))
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n" + parts + b"0\r\n\r\n"
    assert fetch(script(answer(packed, Content_Encoding="gzip")).address) == b"fine" * 50_000
    assert fetch(script(chunked).address) == b"fine" * 50_000


@pytest.mark.parametrize(
    "reply",
    [
        answer(TOKEN.encode(), 500),
        answer(json.dumps({"detail": TOKEN}).encode(), 401),
        answer(TOKEN.encode()),
        answer(b"", 302, Location="http://"),
    ],
)
def test_a_secret_is_not_shown(script, naps, caplog, reply):
    """Not even by a server that sends it back, nor in the finest log."""
    caplog.set_level(logging.DEBUG)
    address = script(reply).address
    with pytest.raises(FetchError) as caught:
        fetch_json(
            f"{address.replace('//', f'//me:{TOKEN}@')}/{TOKEN}/a?key={TOKEN}",
            parameters={"token": TOKEN},
            secret=("Authorization", f"Token {TOKEN}"),
            hidden=[TOKEN],
            patience=QUICK,
        )
    assert str(caught.value).startswith(f"{address}/***/a: ")
    assert TOKEN not in f"{caught.value} {caught.value!r} {caplog.text}"


@pytest.mark.parametrize("token", [f"{TOKEN}\n", f"{TOKEN}…", f"{TOKEN}\r\nEvil: yes"])
def test_a_malformed_secret_is_not_shown_either(naps, token):
    with pytest.raises(FetchError, match=r"cannot be asked for \(\w+\); check the address$") as caught:
        fetch("http://127.0.0.1:9/a", secret=("Authorization", token))
    assert TOKEN not in str(caught.value) and caught.value.__context__ is None


def test_a_secret_does_not_follow_to_another_host(script):
    other = script(answer())
    first = script(answer(b"", 302, Location=other.address.replace("127.0.0.1", "localhost")))
    assert fetch(first.address, secret=("Authorization", f"Token {TOKEN}")) == b"fine"
    assert TOKEN in first.asked[0] and TOKEN not in other.asked[0]


@pytest.mark.parametrize("address", ["", "nothing", "http://", "ftp://host/a", "http://[::1/a", "http://a b/"])
def test_what_is_no_address(naps, address):
    with pytest.raises(FetchError, match=r"cannot be asked for \(\w+\); check the address$"):
        fetch(address)
    assert not naps


@pytest.mark.parametrize(
    ("body", "words"),
    [(b"<!DOCTYPE html><html>", "no JSON, it begins '<!DOCTYPE html><html>'"), (b'{"results": [1, 2', "no JSON"),
     (b"", "it is empty"), (b"[]", "no dictionary")],
)  # fmt: skip
def test_json_or_a_clear_word(script, naps, body, words):
    def check(content):
        if not isinstance(content, dict):
            raise ValueError("no dictionary")

    server = script(answer(body), answer(b'{"a": 1}'))
    assert fetch_json(server.address, check=check) == {"a": 1} and len(server.asked) == 2
    with pytest.raises(FetchError, match=words) as caught:
        fetch_json(script(answer(body)).address, check=check)
    assert caught.value.status == 200


def test_a_file_is_fetched_once(script, tmp_path):
    server, path = script(answer()), tmp_path / "deep" / "file"
    for _ in range(2):
        assert fetch_file(server.address, path).read_bytes() == b"fine"
    assert len(server.asked) == 1


def test_no_file_of_a_fault(script, naps, tmp_path):
    with pytest.raises(FetchError):
        fetch_file(script(answer(b"half", Content_Length=8)).address, tmp_path / "file", patience=QUICK)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_said_and_leaves_nothing(script, tmp_path):
    """The system stops the writing in the midst of the file, as it does on a full disk."""
    server, path = script(answer(bytes(100_000))), tmp_path / "file"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(UserError, match=rf"^{path}: cannot be written \(.+\); make room, or mend permissions$"):
            fetch_file(server.address, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())
    assert len(fetch_file(server.address, path).read_bytes()) == 100_000


def test_a_folder_that_cannot_be_made(script, tmp_path):
    (tmp_path / "taken").touch()
    with pytest.raises(UserError, match=r"taken/file: cannot be written"):
        fetch_file(script(answer()).address, tmp_path / "taken" / "file")
