"""Archives that are whole, broken, or made to do harm."""

import io
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import zipfile
import zlib

import numpy as np
import pytest

from advance_lib.cache import UserError, remove
from advance_lib.data import archives as module
from advance_lib.data.archives import ArchiveError, extract

PHOTO = np.random.default_rng(0).bytes(50_000)
FILES = {"vision/lake/00001.jpg": PHOTO, "vision/lake/00002.jpg": PHOTO[::-1], "vision/beach/00003.jpg": b"sand" * 9000}


def zipped(path, files, compression=zipfile.ZIP_DEFLATED):
    """Write a zip file of names or ZipInfos → contents."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def member(name, mode=0):
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def everything(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def refused(archive, words):
    """The archive is refused in one line that names it, and nothing at all was written."""
    place = archive.parent / "place"
    place.mkdir()
    before = everything(archive.parent)
    with pytest.raises(ArchiveError, match=words) as caught:
        extract(archive, place / "out")
    assert str(caught.value).startswith(f"{archive}: ") and "\n" not in str(caught.value)
    assert everything(archive.parent) == before


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_what_was_packed_is_there(tmp_path, compression):
    archive = zipped(tmp_path / "a.zip", FILES | {"vision/empty/": b"", "vision/nothing.txt": b""}, compression)
    out = extract(archive, tmp_path / "new" / "out")
    assert contents(out) == FILES | {"vision/nothing.txt": b""}
    assert everything(tmp_path / "new") == sorted(["out", *(f"out/{name}" for name in everything(out))])


def test_an_empty_archive_is_an_empty_folder(tmp_path):
    assert everything(extract(zipped(tmp_path / "a.zip", {}), tmp_path / "out")) == []


def test_a_folder_that_is_there_is_left_alone(tmp_path):
    (tmp_path / "out").mkdir()
    assert extract(tmp_path / "nowhere.zip", tmp_path / "out") == tmp_path / "out" and not contents(tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../outside.jpg", "'../outside.jpg' leads out of the folder"),
        ("vision/../../outside.jpg", "leads out of the folder"),
        ("vision/..", "leads out of the folder"),
        ("..\\outside.jpg", "leads out of the folder"),
        ("/tmp/outside.jpg", "'/tmp/outside.jpg' has an absolute path"),
        ("//server/share/x.jpg", "has an absolute path"),
        ("C:/outside.jpg", "has an absolute path"),
        ("C:outside.jpg", "has an absolute path"),
        ("\\outside.jpg", "has an absolute path"),
        ("vision\\lake\\00001.jpg", "has no usable name"),
        (".", "has no usable name"),
        ("", "has no usable name"),
        ("VISION/lake/00001.JPG", "occurs twice"),
    ],
)
def test_names_that_do_not_belong_are_refused(tmp_path, name, words):
    refused(zipped(tmp_path / "a.zip", FILES | {member(name): b"harm"}), words)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_links_and_devices_are_refused(tmp_path, kind):
    refused(zipped(tmp_path / "a.zip", FILES | {member("vision/x", kind | 0o777): b"/etc"}), "is a link or a device")


def test_a_link_to_write_through_is_refused(tmp_path):
    (tmp_path / "target").mkdir()
    link = member("vision", stat.S_IFLNK | 0o777)
    refused(zipped(tmp_path / "a.zip", {link: str(tmp_path / "target")} | FILES), "'vision' is a link")
    assert everything(tmp_path / "target") == []


def test_permissions_are_those_of_new_files(tmp_path):
    archive = zipped(tmp_path / "a.zip", {member("run", stat.S_IFREG | stat.S_ISUID | 0o777): b"#!"})
    (tmp_path / "new").touch()
    mode = (extract(archive, tmp_path / "out") / "run").stat().st_mode
    assert mode == (tmp_path / "new").stat().st_mode


def test_encrypted_members_are_refused(tmp_path):
    data = bytearray(zipped(tmp_path / "a.zip", {"a.jpg": PHOTO}).read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    refused(tmp_path / "a.zip", "'a.jpg' is encrypted")


def test_a_file_that_is_a_folder_too(tmp_path):
    archive = zipped(tmp_path / "a.zip", {"a": b"", "a/b": b""})
    with pytest.raises(UserError, match=r"a\.zip: cannot be unpacked to .*out \((File exists|Not a directory)\)"):
        extract(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kept", [0, 1, 100, 0.3, 0.999])
def test_a_truncated_archive(tmp_path, kept):
    data = zipped(tmp_path / "a.zip", FILES).read_bytes()
    (tmp_path / "a.zip").write_bytes(data[: kept if isinstance(kept, int) else int(kept * len(data))])
    refused(tmp_path / "a.zip", r"a damaged or truncated archive .*; remove it and fetch it again")


def test_a_hole_in_the_middle(tmp_path):
    """The list at the end is whole, what it lists is not."""
    archive = zipped(tmp_path / "a.zip", FILES)
    data = bytearray(archive.read_bytes())
    data[60_000:90_000] = bytes(30_000)
    archive.write_bytes(data)
    with pytest.raises(ArchiveError, match="damaged or truncated"):
        extract(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def declaring(path, content, size, checksum):
    """A zip file of one member that declares another size and checksum than those of its content."""
    data = bytearray(zipped(path, {"bomb.jpg": content}).read_bytes())
    for signature, offset in ((b"PK\x03\x04", 14), (b"PK\x01\x02", 16)):
        start = data.index(signature) + offset
        data[start : start + 4] = checksum.to_bytes(4, "little")
        data[start + 8 : start + 12] = size.to_bytes(4, "little")
    path.write_bytes(data)
    return path


def test_a_member_that_holds_more_than_it_declares(tmp_path):
    """Not a byte more is written: a larger file could not be, under this limit, and the message would say so."""
    bomb = bytes(50_000_000)
    archive = declaring(tmp_path / "a.zip", bomb, 1000, zlib.crc32(bomb))
    assert archive.stat().st_size < 60_000
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(ArchiveError, match=r"damaged or truncated archive \(Bad CRC-32 for file 'bomb.jpg'\)"):
            extract(archive, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not (tmp_path / "out").exists()


def test_a_member_that_holds_less_than_it_declares(tmp_path):
    archive = declaring(tmp_path / "a.zip", PHOTO, len(PHOTO) + 1, zlib.crc32(PHOTO))
    with pytest.raises(ArchiveError, match=r"'bomb\.jpg' holds less than it declares"):
        extract(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_disk_that_is_too_small_for_what_is_declared(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    needed = sum(map(len, FILES.values()))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=needed - 1))
    archive = zipped(tmp_path / "a.zip", FILES)
    with pytest.raises(UserError, match=r"unpacking a\.zip needs 0\.00 GB, the disk has 0\.00 GB; free some space"):
        extract(archive, tmp_path / "out")
    assert everything(tmp_path) == ["a.zip"]
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=needed))
    assert contents(extract(archive, tmp_path / "out")) == FILES


def test_a_disk_that_fills_up_on_the_way(tmp_path):
    archive = zipped(tmp_path / "a.zip", FILES)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, limits[1]))  # writing fails here as on a full disk
    try:
        with pytest.raises(UserError, match=r"a\.zip: cannot be unpacked to .*out \(File too large\)"):
            extract(archive, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not (tmp_path / "out").exists()
    assert contents(extract(archive, tmp_path / "out")) == FILES


def test_killed_in_the_middle_it_goes_on_where_it_stopped(tmp_path, monkeypatch):
    archive = zipped(tmp_path / "a.zip", FILES)
    script = """
import os, shutil, signal, sys
from pathlib import Path
from advance_lib.data.archives import extract

copy, files = shutil.copyfileobj, []

def copy_and_die(source, out):
    files.append(source)
    if len(files) < 3: return copy(source, out)
    out.write(source.read()[:1000]); out.flush()
    os.kill(os.getpid(), signal.SIGKILL)

shutil.copyfileobj = copy_and_die
extract(Path(sys.argv[1]), Path(sys.argv[2]))
"""
    command = [sys.executable, "-c", script, archive, tmp_path / "out"]
    assert subprocess.run(command, timeout=60).returncode == -signal.SIGKILL
    assert not (tmp_path / "out").exists()
    written = []
    monkeypatch.setattr(
        module.shutil, "copyfileobj", lambda source, out: written.append(source.name) or out.write(source.read())
    )
    assert contents(extract(archive, tmp_path / "out")) == FILES
    assert written == ["vision/beach/00003.jpg"]  # the one that was half there
    assert everything(tmp_path) == sorted(["a.zip", "out", *(f"out/{name}" for name in everything(tmp_path / "out"))])


def test_damage_of_any_kind_is_said_in_one_line(tmp_path):
    """400 archives with changed, lost or added bytes: unpacked, or refused; nothing ever lies beside them."""
    formats = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
    originals = [
        zipped(tmp_path / "a.zip", {"vision/ü.jpg": PHOTO[:500], "b/": b""}, kind).read_bytes() for kind in formats
    ]
    refusals = 0
    for seed in range(400):
        generator = np.random.default_rng(seed)
        data = bytearray(originals[seed % 4])
        at = int(generator.integers(len(data)))
        change = [
            data[at : at + 1],
            bytes([data[at] ^ 1 << generator.integers(8)]),
            b"\xff\xff\xff\xff",
            b"",
            data[at:] * 2,
        ]
        data[at : at + 1] = change[seed % 5]
        (tmp_path / "a.zip").write_bytes(data[:at] if seed % 7 == 0 else data)
        try:
            extract(tmp_path / "a.zip", tmp_path / "out")
        except UserError as error:
            refusals += 1
            assert "\n" not in str(error)
        assert {name.split("/")[0].split(".")[1 if name[0] == "." else 0] for name in everything(tmp_path)} <= {
            "a",
            "out",
        }
        remove(tmp_path.glob("*out*"))
    assert 200 < refusals < 400


def test_zip_files_with_anything_before_and_after_are_zip_files(tmp_path):
    """What self-extracting archives are; a check of our forged ones: the untouched copy is accepted."""
    buffer = io.BytesIO(b"#!/bin/sh\n")
    buffer.seek(0, os.SEEK_END)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("a.jpg", PHOTO)
    (tmp_path / "a.zip").write_bytes(buffer.getvalue())
    assert contents(extract(tmp_path / "a.zip", tmp_path / "out")) == {"a.jpg": PHOTO}
    same = declaring(tmp_path / "b.zip", PHOTO, len(PHOTO), zlib.crc32(PHOTO))
    assert contents(extract(same, tmp_path / "same")) == {"bomb.jpg": PHOTO}
