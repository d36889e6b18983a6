"""The dataset ADVANCE in miniature, fetched from a record on the loopback interface."""

import io
import shutil
import zipfile

import pandas as pd
import pytest

from advance_lib.cache import UserError
from advance_lib.cli import main
from advance_lib.data import advance as getting_advance
from advance_lib.data import fetching as download
from advance_lib.data.advance import ARCHIVES, RECORD, deviations, fetch_advance
from advance_lib.data.catalogue import DatasetError
from advance_lib.data.fetching import Patience
from tests.file_server import file_server, md5
from tests.pairs import write_pair

QUICK = Patience(attempts=2, first_wait=0.0, timeout=5.0)
PAIRS = {("lake", "00001"), ("lake", "00001_1"), ("train station", "00002")}


@pytest.fixture
def original(tmp_path):
    """What the archives hold."""
    folder = tmp_path / "original"
    for scene, pair_id in PAIRS:
        write_pair(folder, scene, pair_id)
    return folder


@pytest.fixture
def target(tmp_path, monkeypatch):
    monkeypatch.setenv("ADVANCE_DATA", str(tmp_path / "data" / "ADVANCE"))
    return tmp_path / "data" / "ADVANCE"


@pytest.fixture
def server(monkeypatch):
    with file_server(monkeypatch) as server:
        yield server


def archive(folder, top, extra=()):
    """A zip file of a folder under another name, stored so that its size is that of its contents."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as zipped:
        for path in sorted(folder.rglob("*.*")):
            zipped.write(path, f"{top}{path.relative_to(folder)}")
        for name in extra:
            zipped.writestr(name, b"")
    return buffer.getvalue()


@pytest.fixture
def publish(server, original, monkeypatch):
    """A function that puts both archives into the record, below the given top folders."""

    def put(vision="vision/", sound="sound/", extra=()):
        files = {
            ARCHIVES[sense][0]: archive(original / sense, top, extra)
            for sense, top in (("vision", vision), ("sound", sound))
        }
        server.add_record(RECORD, files)
        for sense, (name, _) in ARCHIVES.items():
            monkeypatch.setitem(getting_advance.ARCHIVES, sense, (name, md5(files[name])))
        return files

    return put


def same(folder, original):
    """The folder holds vision and sound as they were, and nothing else that shows."""
    found, expected = (
        {path.relative_to(root): path.read_bytes() for path in root.rglob("*.*") if not path.name.startswith(".")}
        for root in (folder, original)
    )
    return found == expected


def test_the_published_archives():
    assert RECORD == 3828124
    assert dict(ARCHIVES.values()) == {
        "ADVANCE_vision.zip": "md5:a9e8748219ef5864d3b5a8979a67b471",
        "ADVANCE_sound.zip": "md5:a2d12f2d2a64f5c3d3a9d8c09aaf1c31",
    }


@pytest.mark.parametrize(
    ("vision", "sound", "extra"),
    [
        ("vision/", "sound/", ()),
        ("", "", ()),
        ("ADVANCE_vision/", "ADVANCE_sound/", ("ADVANCE_vision/", "__MACOSX/._x", ".DS_Store")),
        ("ADVANCE/vision/", "ADVANCE/sound/", ("ADVANCE/.DS_Store",)),
    ],
)
def test_fetched_and_unpacked_whatever_the_folder_on_top(server, publish, original, target, vision, sound, extra):
    publish(vision, sound, extra)
    assert fetch_advance(QUICK) == target and same(target, original)
    assert {path.name for path in target.iterdir() if path.is_dir()} == {"vision", "sound"}
    asked = len(server.asked)
    assert fetch_advance(QUICK) == target and len(server.asked) == asked == 3  # the record and two archives, once


def test_a_single_scene_is_a_scene(publish, original, target):
    for sense in ("vision", "sound"):
        shutil.rmtree(original / sense / "lake")
    publish()
    assert same(fetch_advance(QUICK), original)


def test_one_sense_that_is_there_stays(server, publish, original, target):
    publish()
    (target / "vision" / "mine").mkdir(parents=True)
    fetch_advance(QUICK)
    assert [path.name for path in (target / "vision").iterdir()] == ["mine"]
    assert not any("vision" in path for path, _ in server.asked)


def test_archives_put_there_by_hand_need_no_network_and_stay(server, publish, original, target):
    files = publish()
    target.mkdir(parents=True)
    for name, content in files.items():
        (target / name).write_bytes(content)
    assert fetch_advance(QUICK) == target and not server.asked
    assert all((target / name).read_bytes() == content for name, content in files.items())
    for name in files:
        (target / name).unlink()
    assert same(target, original)


def test_an_interrupted_download_goes_on(server, publish, original, target):
    files = publish()
    sizes = {name: len(content) for name, content in files.items()}
    server.faults = [None, None, 404]  # the record, the photographs, and then no recordings
    with pytest.raises(UserError, match=r"ADVANCE_sound\.zip/content: answered 404; .*by hand as"):
        fetch_advance(QUICK)
    assert (target / "vision" / "lake").is_dir() and not (target / "sound").exists()
    assert fetch_advance(QUICK) == target and same(target, original)
    assert server.sent < sum(sizes.values()) + 2 * len(server.files[f"/api/records/{RECORD}"]) + 1


def test_a_fetched_archive_that_was_not_unpacked_is_not_fetched_again(server, publish, original, target, monkeypatch):
    publish()
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(getting_advance, "extract", lambda archive, folder: 1 / 0)
        fetch_advance(QUICK)
    fetch_advance(QUICK)
    assert same(target, original) and sum("vision" in path for path, _ in server.asked) == 1


def test_a_record_with_another_archive_is_refused(server, publish, target):
    publish()
    server.add_record(RECORD, {"ADVANCE_vision.zip": b"another", "ADVANCE_sound.zip": b"one"})
    with pytest.raises(
        UserError, match=r"record 3828124: has no ADVANCE_vision\.zip with md5 \w{32} any more; see http"
    ):
        fetch_advance(QUICK)
    server.add_record(RECORD, {"README.md": b""})
    with pytest.raises(UserError, match=r"has no ADVANCE_vision\.zip"):
        fetch_advance(QUICK)


def test_without_network_there_is_one_line(monkeypatch, target):
    monkeypatch.setattr(download, "ZENODO", "http://127.0.0.1:9/api")
    with pytest.raises(UserError) as caught:
        fetch_advance()
    message = str(caught.value)
    assert message.startswith(
        "http://127.0.0.1:9/api/records/3828124: cannot be reached (Connection refused), and this step needs"
    )
    assert message.endswith(f"put the files of https://zenodo.org/records/3828124 into {target}")
    assert "\n" not in message


def test_room_is_made_sure_of_before_it_starts(server, publish, target, monkeypatch):
    sizes = [len(content) for content in publish().values()]
    needed = sum(sizes) + max(sizes)
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=needed - 1))
    with pytest.raises(UserError, match=r"fetching and unpacking ADVANCE needs .* the disk has"):
        fetch_advance(QUICK)
    assert len(server.asked) == 1  # the record alone
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=needed))
    fetch_advance(QUICK)


def test_a_place_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "taken").touch()
    monkeypatch.setenv("ADVANCE_DATA", str(tmp_path / "taken"))
    with pytest.raises(UserError, match=r"taken: cannot be written \(File exists\); set ADVANCE_DATA"):
        fetch_advance(QUICK)


def test_every_deviation_from_the_published_counts_is_said(original, monkeypatch):
    """Three pairs against 5,075."""
    write_pair(original, "volcano", "00009")
    found = deviations(original)
    assert len(found) == 2 * 15  # thirteen scenes, one more, and all together
    assert "lake: pairs 2, published 357" in found and "lake: locations 1, published 73" in found
    assert "residential: pairs 0, published 1,056" in found and "volcano: pairs 1, published 0" in found
    assert found[-2:] == ["all scenes: pairs 4, published 5,075", "all scenes: locations 3, published 2,696"]


def test_no_deviation_where_the_counts_are_those_published(original, monkeypatch):
    counts = pd.DataFrame({"pairs": [2, 1], "locations": [1, 1]}, index=["lake", "train station"])
    monkeypatch.setattr(getting_advance, "advance_counts", lambda: counts)
    assert deviations(original) == []
    (original / "vision" / "lake" / "00001_1.jpg").write_bytes(b"broken")
    with pytest.warns(UserWarning, match=r"00001_1\.jpg: not a whole picture"):
        assert deviations(original) == ["lake: pairs 1, published 2", "all scenes: pairs 2, published 3"]


def test_no_dataset_at_all(tmp_path):
    with pytest.raises(DatasetError):
        deviations(tmp_path)


def test_the_command(server, publish, target, capsys, monkeypatch):
    publish()
    assert main(["download", "advance"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{target}\nairport: pairs 0, published 185\n")
    assert out.endswith("all scenes: pairs 3, published 5,075\nall scenes: locations 2, published 2,696\n")
    counts = pd.DataFrame({"pairs": [2, 1], "locations": [1, 1]}, index=["lake", "train station"])
    monkeypatch.setattr(getting_advance, "advance_counts", lambda: counts)
    assert main(["download", "advance"]) == 0
    assert capsys.readouterr().out == f"{target}\n5,075 pairs of 13 scenes at 2,696 locations, as published\n"
