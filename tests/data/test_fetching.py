"""Servers on the loopback interface that break off, lie, or ignore what they are asked: small answers, large files."""

import gzip
import json
import logging
import resource
import shutil
import signal
import socket
import stat
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from threading import Thread
from time import monotonic, sleep

import numpy as np
import pytest
import requests

from advance_lib.cache import UserError
from advance_lib.data import fetching
from advance_lib.data.fetching import (
    FetchError,
    Patience,
    RemoteFile,
    ask,
    ask_json,
    download,
    extract,
    fetch_file,
    require_space,
    zenodo_files,
)
from tests.file_server import file_server, md5

TOKEN = "s3cret-t0ken"
QUICK = Patience(attempts=4, first_wait=0.1, longest_wait=0.3)
HURRIED = replace(QUICK, timeout=0.4)  # for a server that is slow on purpose
CONTENT = np.random.default_rng(0).bytes(16 * fetching.CHUNK)  # 1,048,576 bytes
HALF = len(CONTENT) // 2


@pytest.fixture
def naps(monkeypatch):
    """The waits between requests, which are not waited for."""
    waits = []
    monkeypatch.setattr(fetching, "sleep", waits.append)
    return waits


# --- small answers ---


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
    body = ask(f"{server.address}/a", parameters={"q": "sea & wind"}, secret=("Authorization", f"Token {TOKEN}"))
    assert body == b"fine"
    request = server.asked[0]
    assert request.startswith("GET /a?q=sea+%26+wind HTTP/1.1\r\n")
    assert "User-Agent: advance-companion/" in request and f"Authorization: Token {TOKEN}" in request


def test_a_form_is_posted(script):
    server = script(answer())
    assert ask(server.address, data={"data": "[out:json];"}) == b"fine"
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
    assert ask(f"{passing.address}/a", patience=patience, check=check) == b"fine"
    assert len(passing.asked) == 3 and len(caplog.messages) == 2
    start = monotonic()
    with pytest.raises(FetchError, match=words) as caught:
        ask(f"{lasting.address}/a?key={TOKEN}", patience=patience, check=check)
    assert monotonic() - start < 20  # the body that dribbles would take half a minute, four times
    assert len(lasting.asked) == QUICK.attempts
    message = str(caught.value)
    assert message.startswith(f"{lasting.address}/a: ") and "\n" not in message
    assert message.endswith(", 4 times; try again later; what was fetched is kept")


def test_waits_double_up_to_the_longest(script, naps):
    with pytest.raises(FetchError):
        ask(script(answer(b"", 502)).address, patience=QUICK)
    assert naps == [0.1, 0.2, 0.3]


def test_the_wait_that_a_server_asks_for(script, naps):
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    asks = [answer(b"", 429, Retry_After=7), answer(b"", 503, Retry_After=date), answer(b"", 429), answer()]
    assert ask(script(*asks).address, patience=Patience(longest_wait=120)) == b"fine"
    assert naps == [7, pytest.approx(90, abs=3), 120]  # no wait given: most likely a limit by the minute


@pytest.mark.parametrize("asked", ["3600", "Wed, 21 Oct 2999 07:28:00 GMT"])
def test_a_wait_that_is_too_long(script, naps, asked):
    server = script(answer(b'{"detail": "exceeding a request limit rate (2000/day)"}', 429, Retry_After=asked))
    with pytest.raises(
        FetchError, match=r"answered 429 \(exceeding .* \(2000/day\)\), and asks to wait \d{4,} s"
    ) as error:
        ask(server.address)
    assert error.value.status == 429 and len(server.asked) == 1 and not naps


@pytest.mark.parametrize(
    ("status", "remedy"),
    [(401, "the token or key is missing, wrong or expired; get another one"), (403, "read its terms"),
     (404, "there is nothing at this address"), (204, "check the address"), (400, "check the address")],
)  # fmt: skip
def test_not_asked_again(script, naps, status, remedy):
    server = script(answer(b'{"detail": "so it is"}' if status != 204 else b"", status))
    with pytest.raises(FetchError, match=remedy) as caught:
        ask(f"{server.address}/a")
    assert caught.value.status == status and len(server.asked) == 1 and not naps
    assert str(caught.value).startswith(f"{server.address}/a: answered {status}")


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_without_a_network_one_line_at_once(naps):
    for host, reason in ((f"127.0.0.1:{closed_port()}", "Connection refused"), ("nowhere.invalid", ".*")):
        with pytest.raises(FetchError, match=rf"/a: cannot be reached \({reason}\), and this step needs the network"):
            ask(f"http://{host}/a")
    assert not naps


def test_compressed_and_chunked_answers(script):
    packed = gzip.compress(b"fine" * 50_000)
    parts = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (packed[:100], packed[100:]))
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n" + parts + b"0\r\n\r\n"
    assert ask(script(answer(packed, Content_Encoding="gzip")).address) == b"fine" * 50_000
    assert ask(script(chunked).address) == b"fine" * 50_000


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
        ask_json(
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
        ask("http://127.0.0.1:9/a", secret=("Authorization", token))
    assert TOKEN not in str(caught.value) and caught.value.__context__ is None


def test_a_secret_does_not_follow_to_another_host(script):
    other = script(answer())
    first = script(answer(b"", 302, Location=other.address.replace("127.0.0.1", "localhost")))
    assert ask(first.address, secret=("Authorization", f"Token {TOKEN}")) == b"fine"
    assert TOKEN in first.asked[0] and TOKEN not in other.asked[0]


@pytest.mark.parametrize("address", ["", "nothing", "http://", "ftp://host/a", "http://[::1/a", "http://a b/"])
def test_what_is_no_address(naps, address):
    with pytest.raises(FetchError, match=r"cannot be asked for \(\w+\); check the address$"):
        ask(address)
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
    assert ask_json(server.address, check=check) == {"a": 1} and len(server.asked) == 2
    with pytest.raises(FetchError, match=words) as caught:
        ask_json(script(answer(body)).address, check=check)
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
        with pytest.raises(
            UserError, match=rf"^{path}: cannot be written \(.+\); make room, or mend permissions, then run"
        ):
            fetch_file(server.address, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())
    assert len(fetch_file(server.address, path).read_bytes()) == 100_000


def test_a_folder_that_cannot_be_made(script, tmp_path):
    (tmp_path / "taken").touch()
    with pytest.raises(UserError, match=r"taken/file: cannot be written"):
        fetch_file(script(answer()).address, tmp_path / "taken" / "file")


# --- large files ---


@pytest.fixture
def server(monkeypatch, naps):
    with file_server(monkeypatch) as server:
        yield server


@pytest.fixture
def file(server):
    return RemoteFile(server.add("/files/set.zip", CONTENT), "set.zip", md5(CONTENT), len(CONTENT))


def visible(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def part_in(folder):
    """The one file that holds what has arrived."""
    return next(folder.glob(".set.zip.*.partial"))


def ranges(server):
    return [asked for _, asked in server.asked]


def test_fetched_once_and_found_again(server, file, tmp_path):
    for _ in range(2):
        assert download(file, tmp_path / "new", QUICK) == tmp_path / "new" / "set.zip"
    assert (tmp_path / "new" / "set.zip").read_bytes() == CONTENT
    assert visible(tmp_path / "new") == ["set.zip"] and ranges(server) == [None]


@pytest.mark.parametrize("size", [len(CONTENT), None])
def test_a_broken_download_goes_on_where_it_stopped(server, file, tmp_path, size):
    server.faults = ["break", "break"]
    file = RemoteFile(file.url, file.name, file.checksum, size)
    assert download(file, tmp_path, QUICK).read_bytes() == CONTENT
    first, second, third = ranges(server)
    assert first is None and second == "bytes=524288-" and third == "bytes=786432-"
    assert server.sent == len(CONTENT)  # nothing was sent twice


def test_a_killed_download_goes_on_where_it_stopped(server, file, tmp_path):
    script = """
import os, signal, sys
from pathlib import Path
import advance_lib.data.fetching as fetching

class Bar:
    def __init__(self, **options): self.bytes = 0
    def __enter__(self): return self
    def __exit__(self, *error): pass
    def update(self, count):
        self.bytes += count
        if self.bytes > 300_000: os.kill(os.getpid(), signal.SIGKILL)

fetching.tqdm = Bar
fetching.download(fetching.RemoteFile(sys.argv[1], "set.zip", sys.argv[2], int(sys.argv[3])), Path(sys.argv[4]))
"""
    command = [sys.executable, "-c", script, file.url, file.checksum, str(file.size), str(tmp_path)]
    assert subprocess.run(command, timeout=60).returncode == -signal.SIGKILL
    have = part_in(tmp_path).stat().st_size
    assert 200_000 < have < 500_000 and visible(tmp_path) == []
    assert download(file, tmp_path, QUICK).read_bytes() == CONTENT
    assert ranges(server) == [None, f"bytes={have}-"]


def test_a_server_without_ranges_sends_all_again(server, file, tmp_path):
    server.faults = ["break", "whole"]
    assert download(file, tmp_path, QUICK).read_bytes() == CONTENT
    assert ranges(server) == [None, f"bytes={HALF}-"]


def test_a_server_without_ranges_that_always_breaks_is_left(server, file, tmp_path):
    server.faults = ["half of the whole"] * 50
    with pytest.raises(FetchError, match=r"no whole answer .*, 4 times"):
        download(file, tmp_path, QUICK)
    assert len(server.asked) == 1 + 4


def test_new_bytes_bring_new_patience(server, file, tmp_path):
    server.faults = [500] * 3 + ["break"] + [500] * 9
    with pytest.raises(FetchError, match="answered 500, 4 times"):
        download(file, tmp_path, QUICK)
    assert len(server.asked) == 3 + 1 + 4


def test_another_part_than_asked_for_is_not_appended(server, file, tmp_path):
    server.faults = ["break", "other part"]
    assert download(file, tmp_path, QUICK).read_bytes() == CONTENT
    assert ranges(server) == [None, f"bytes={HALF}-", None]


def test_pieces_of_different_files_are_not_kept(server, file, tmp_path):
    server.faults = ["break"]
    download(file, tmp_path, QUICK)
    (tmp_path / "set.zip").unlink()
    part = tmp_path / f".set.zip.{file.checksum[4:12]}.partial"
    part.write_bytes(b"x" * 400_000)  # as of a file that the server had before
    server.asked.clear()
    assert download(file, tmp_path, QUICK).read_bytes() == CONTENT
    assert ranges(server) == ["bytes=400000-", None]


@pytest.mark.parametrize("length", [len(CONTENT), len(CONTENT) + 7])
@pytest.mark.parametrize("size", [len(CONTENT), None])
def test_nothing_left_to_fetch(server, file, tmp_path, length, size):
    file = RemoteFile(file.url, file.name, file.checksum, size)
    (tmp_path / f".set.zip.{file.checksum[4:12]}.partial").write_bytes((CONTENT + b"further")[:length])
    assert download(file, tmp_path, QUICK).read_bytes() == CONTENT
    assert server.sent == (0 if length == len(CONTENT) else len(CONTENT))


def test_another_checksum(server, file, tmp_path):
    server.files["/files/set.zip"] = CONTENT[:-1] + b"?"
    with pytest.raises(FetchError) as caught:
        download(file, tmp_path, QUICK)
    message = str(caught.value)
    assert message.startswith(f"{file.url}: what the server sends has another checksum; ")
    assert f"by hand as {tmp_path / 'set.zip'} (md5 {file.checksum[4:]})" in message and "\n" not in message
    assert not visible(tmp_path) and not list(tmp_path.glob(".*.partial")) and len(server.asked) == 1


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("short page", "sends 26 bytes instead of 1048576"),
        ("endless", "sends more than the 1048576 bytes of the file"),
        (500, "answered 500"),
    ],
)
def test_a_server_that_goes_on_misbehaving_is_left(server, file, tmp_path, fault, words):
    server.faults = ["break"] + [fault] * 20
    with pytest.raises(FetchError, match=words):
        download(file, tmp_path, Patience(attempts=3, first_wait=0.0))
    assert len(server.asked) <= 8 and visible(tmp_path) == []
    if fault in ("short page", 500):
        assert part_in(tmp_path).stat().st_size == HALF  # what was there is still there
    server.faults = []
    assert download(file, tmp_path, QUICK).read_bytes() == CONTENT


def test_a_connection_that_is_lost_for_a_while_is_sought_again(server, file, tmp_path, naps, monkeypatch):
    server.faults = ["break"]
    real, calls = requests.Session.request, []

    def request(self, method, url, **options):
        calls.append(url)
        return real(self, method, "http://127.0.0.1:9/" if len(calls) in (2, 3) else url, **options)

    monkeypatch.setattr(requests.Session, "request", request)
    assert download(file, tmp_path, QUICK).read_bytes() == CONTENT and len(calls) == 4


def test_a_full_disk_is_noticed_before_anything_is_written(server, file, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=len(CONTENT) - 1))
    with pytest.raises(UserError, match=r"the rest of set\.zip needs 0\.00 GB, the disk has 0\.00 GB; free some space"):
        download(file, tmp_path, QUICK)
    assert not visible(tmp_path) and not list(tmp_path.glob(".*.partial"))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=len(CONTENT)))
    assert download(file, tmp_path, QUICK).read_bytes() == CONTENT


def test_space_is_that_of_the_folder_that_will_hold_it(tmp_path):
    require_space(tmp_path / "not" / "yet", 1, "a byte")
    with pytest.raises(UserError, match=r"not/yet: a lot needs .* the disk has"):
        require_space(tmp_path / "not" / "yet", shutil.disk_usage(tmp_path).total * 2, "a lot")
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fills_up_on_the_way_loses_nothing(server, file, tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, limits[1]))  # writing fails here as on a full disk
    try:
        with pytest.raises(UserError, match=r"set\.zip: cannot be written \(File too large\); .* run the same command"):
            download(file, tmp_path, QUICK)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    have = part_in(tmp_path).stat().st_size
    assert 200_000 < have <= 300_000
    assert download(file, tmp_path, QUICK).read_bytes() == CONTENT and ranges(server)[1] == f"bytes={have}-"


def test_a_file_in_the_place_of_the_folder(file, tmp_path):
    (tmp_path / "taken").touch()
    with pytest.raises(UserError, match=r"set\.zip: cannot be written \(File exists\)"):
        download(file, tmp_path / "taken", QUICK)


def test_two_at_once_fetch_it_once(server, file, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        paths = list(pool.map(lambda _: download(file, tmp_path, QUICK), range(2)))
    assert paths[0].read_bytes() == CONTENT and len(server.asked) == 1


def test_a_record_lists_its_files(server, tmp_path):
    server.add_record(17, {"a.zip": b"aa", "b.pt": CONTENT})
    server.faults = [503]
    files = zenodo_files(17, tmp_path, QUICK)
    assert list(files) == ["a.zip", "b.pt"] and files["b.pt"].size == len(CONTENT)
    assert download(files["b.pt"], tmp_path, QUICK).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            b"<html>maintenance</html>",
            r"not what was asked for: no JSON, it begins '<html>.*', 2 times",
        ),
        (b"{}", r"no record with files \(KeyError\)"),
        (b"[]", r"no record with files \(TypeError\)"),
        ({"key": "../outside"}, r"the record has a file '\.\./outside'"),
        ({"key": ".."}, r"the record has a file '\.\.'"),
        ({"key": "/etc/passwd"}, "the record has a file '/etc/passwd'"),
        ({"checksum": "crc:17"}, "with checksum 'crc:17'"),
        ({"size": "large"}, r"no record with files \(ValueError\)"),
        (None, "answered 404"),
    ],
)
def test_an_answer_that_is_no_record_is_refused(server, tmp_path, answer, words):
    server.add_record(17, {"a.zip": b"aa"})
    if isinstance(answer, dict):
        record = json.loads(server.files["/api/records/17"])
        record["files"][0] |= answer
        answer = json.dumps(record).encode()
    server.files["/api/records/17"] = answer
    if answer is None:
        del server.files["/api/records/17"]
    with pytest.raises(FetchError, match=words) as caught:
        zenodo_files(17, tmp_path, Patience(attempts=2, first_wait=0.0))
    message = str(caught.value)
    assert message.startswith(server.address("/api/records/17: "))
    assert message.endswith(f"try again later, or put the files of https://zenodo.org/records/17 into {tmp_path}")


# --- archives ---


@pytest.fixture
def archive(tmp_path):
    """A function that packs names or ZipInfos → contents."""

    def pack(files):
        with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as zipped:
            for name, content in files.items():
                zipped.writestr(name, content)
        return tmp_path / "a.zip"

    return pack


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_was_packed_is_there_once_all_of_it_is(archive, tmp_path):
    files = {"vision/lake/1.jpg": CONTENT[:1000], "vision/ü.jpg": b""}
    (tmp_path / "new" / ".out.partial").mkdir(parents=True)
    (tmp_path / "new" / ".out.partial" / "of another time").touch()
    for _ in range(2):
        assert contents(extract(archive(files), tmp_path / "new" / "out")) == files
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["out"]


def test_no_member_leaves_the_folder(archive, tmp_path):
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    (tmp_path / "inside").mkdir()
    names = ["../a.jpg", "b/../../b.jpg", "/tmp/c.jpg", "//server/d.jpg", "C:/e.jpg"]
    packed = archive({link: str(tmp_path), "link2/x": b""} | dict.fromkeys(names, b"harm"))
    out = extract(packed, tmp_path / "inside" / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "inside"]
    assert [path.name for path in (tmp_path / "inside").iterdir()] == ["out"] and len(contents(out)) == 7
    assert not (out / "link").is_symlink() and not any(path.is_symlink() for path in out.rglob("*"))


def test_an_archive_that_cannot_be_unpacked(archive, tmp_path, monkeypatch):
    data = archive({"a.jpg": CONTENT[:1000]}).read_bytes()
    (tmp_path / "half.zip").write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match=r"half\.zip: a damaged archive .*; remove it and fetch it again"):
        extract(tmp_path / "half.zip", tmp_path / "out")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=999))
    with pytest.raises(UserError, match=r"unpacking a\.zip needs 0\.00 GB, the disk has 0\.00 GB"):
        extract(tmp_path / "a.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()
