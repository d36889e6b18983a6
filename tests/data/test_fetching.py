"""Downloads from a real server on the loopback interface, which breaks off, lies, or ignores what it is asked."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import numpy as np
import pytest

from advance_lib.cache import UserError
from advance_lib.data import fetching as module
from advance_lib.data.fetching import DownloadError, RemoteFile, download, require_space, zenodo_files
from advance_lib.data.patience import Patience
from tests.file_server import file_server, md5

CONTENT = np.random.default_rng(0).bytes(16 * module.CHUNK)  # 1,048,576 bytes
HALF = len(CONTENT) // 2
QUICK = Patience(first_wait=0.0, timeout=5.0)
NEVER_TWICE = Patience(first_wait=1000.0)  # a test that waits here does not end


@pytest.fixture
def server(monkeypatch):
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
import advance_lib.data.fetching as module

class Bar:
    def __init__(self, **options): self.bytes = 0
    def __enter__(self): return self
    def __exit__(self, *error): pass
    def update(self, count):
        self.bytes += count
        if self.bytes > 300_000: os.kill(os.getpid(), signal.SIGKILL)

module.tqdm = Bar
module.download(module.RemoteFile(sys.argv[1], "set.zip", sys.argv[2], int(sys.argv[3])), Path(sys.argv[4]))
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
    with pytest.raises(DownloadError, match=r"connection broke .*, 5 times in a row"):
        download(file, tmp_path, QUICK)
    assert len(server.asked) == 1 + 5


def test_new_bytes_bring_new_patience(server, file, tmp_path):
    server.faults = [500] * 4 + ["break"] + [500] * 9
    with pytest.raises(DownloadError, match=r"answers 500 .*, 5 times in a row"):
        download(file, tmp_path, QUICK)
    assert len(server.asked) == 4 + 1 + 5


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
    with pytest.raises(DownloadError) as caught:
        download(file, tmp_path, QUICK)
    message = str(caught.value)
    assert message.startswith(f"{file.url}: what the server sends has another checksum; ")
    assert f"by hand as {tmp_path / 'set.zip'} (md5 {file.checksum[4:]})" in message and "\n" not in message
    assert not visible(tmp_path) and not list(tmp_path.glob(".*.partial")) and len(server.asked) == 1


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_server_that_asks_for_a_long_pause_is_left(server, file, tmp_path, form):
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    in_an_hour = "3600" if form == "seconds" else date
    server.faults = ["break", (429, in_an_hour)]
    with pytest.raises(DownloadError, match=r"answers 429 .* and asks to wait 3[56]\d\d s; try again later"):
        download(file, tmp_path, QUICK)
    assert part_in(tmp_path).stat().st_size == HALF and len(server.asked) == 2


def test_a_short_pause_is_kept(server, file, tmp_path, monkeypatch):
    pauses = []
    monkeypatch.setattr(module.time, "sleep", pauses.append)
    past = format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)
    server.faults = [(503, "7"), (429, past), (429, "soon"), 502]
    assert download(file, tmp_path, Patience(first_wait=2.0)).read_bytes() == CONTENT
    assert pauses == [7.0, 0.0, 8.0, 16.0]


def test_pauses_grow_up_to_the_longest(server, file, tmp_path, monkeypatch):
    pauses = []
    monkeypatch.setattr(module.time, "sleep", pauses.append)
    server.faults = [500] * 9
    with pytest.raises(DownloadError, match="7 times in a row"):
        download(file, tmp_path, Patience(attempts=7, first_wait=1.0, longest_wait=10.0))
    assert pauses == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("short page", "sends 26 bytes instead of 1048576"),
        ("endless", "sends more than the 1048576 bytes of the file"),
        (500, "answers 500"),
    ],
)
def test_a_server_that_goes_on_misbehaving_is_left(server, file, tmp_path, fault, words):
    server.faults = ["break"] + [fault] * 20
    with pytest.raises(DownloadError, match=words):
        download(file, tmp_path, Patience(attempts=3, first_wait=0.0))
    assert len(server.asked) <= 8 and visible(tmp_path) == []
    if fault in ("short page", 500):
        assert part_in(tmp_path).stat().st_size == HALF  # what was there is still there
    server.faults = []
    assert download(file, tmp_path, QUICK).read_bytes() == CONTENT


def test_what_will_not_pass_is_not_tried_again(server, file, tmp_path):
    for status in (403, 404):
        server.faults = [status]
        with pytest.raises(DownloadError, match=f"answers {status}"):
            download(file, tmp_path, NEVER_TWICE)


def test_no_connection_is_said_at_once(file, server, tmp_path):
    for url in ("http://127.0.0.1:9/set.zip", "http://no-such-host.invalid/set.zip"):
        with pytest.raises(DownloadError) as caught:
            download(RemoteFile(url, "set.zip", md5(CONTENT), len(CONTENT)), tmp_path, NEVER_TWICE)
        message = str(caught.value)
        assert message.startswith(f"{url}: no connection, and this step needs the network (")
        assert "object at" not in message and "\n" not in message


def test_a_connection_that_is_lost_for_a_while_is_sought_again(server, file, tmp_path, monkeypatch):
    server.faults = ["break"]
    real, calls = module.requests.get, []

    def get(url, **options):
        calls.append(url)
        return real("http://127.0.0.1:9/" if len(calls) in (2, 3) else url, **options)

    monkeypatch.setattr(module.requests, "get", get)
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


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_cannot_be_written(file, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="cannot be written"):
        download(file, tmp_path / "new", QUICK)


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
        (b"<html>maintenance</html>", r"the answer is no record with files \(JSONDecodeError\), 2 times in a row"),
        (b"{}", r"no record with files \(KeyError\)"),
        (b"[]", r"no record with files \(TypeError\)"),
        ({"key": "../outside"}, r"the record has a file '\.\./outside'"),
        ({"key": ".."}, r"the record has a file '\.\.'"),
        ({"key": "/etc/passwd"}, "the record has a file '/etc/passwd'"),
        ({"checksum": "crc:17"}, "with checksum 'crc:17'"),
        ({"size": "large"}, r"no record with files \(ValueError\)"),
        (None, "answers 404"),
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
    with pytest.raises(DownloadError, match=words) as caught:
        zenodo_files(17, tmp_path, Patience(attempts=2, first_wait=0.0))
    message = str(caught.value)
    assert message.startswith(server.address("/api/records/17: "))
    assert message.endswith(f"try again later, or put the files of https://zenodo.org/records/17 into {tmp_path}")
