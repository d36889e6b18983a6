"""Any names in ADVANCE's layout, any `pairs.csv`, and damaged WAV and JPEG files: found, or refused by name.

``ADVANCE_FUZZ=10000`` tries that many damaged files instead of 500.
"""

import csv
import faulthandler
import io
import os
import resource
import subprocess
import sys
import tempfile
import unicodedata
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from advance_lib.data.catalogue import COLUMNS, DatasetError, read_catalogue
from advance_lib.data.media import MediaError, read_clip, read_image

FILES = int(os.environ.get("ADVANCE_FUZZ", "500"))
SECONDS = 30  # for one file; most take a few milliseconds
MEMORY = 4 << 30  # bytes of address space

SUFFIXES = {"vision": {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp"}, "sound": {".wav", ".flac", ".ogg", ".mp3"}}
SUBTYPES = ("PCM_16", "PCM_24", "PCM_U8", "FLOAT", "DOUBLE", "ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM", "GSM610")


def wav_file(subtype="PCM_16", channels=1, container="WAV", rate=8000):
    buffer = io.BytesIO()
    samples = 0.3 * np.sin(np.arange(int(2.1 * rate) * channels) / 7).reshape(-1, channels)
    soundfile.write(buffer, samples, rate, subtype, format=container)
    return buffer.getvalue()


def jpeg_file(mode="RGB", **options):
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (40, 56, 3), np.uint8)
    Image.fromarray(pixels).convert(mode).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def originals():
    """Whole files of each kind, suffix → contents."""
    sounds = [wav_file(subtype) for subtype in SUBTYPES]
    sounds += [wav_file("PCM_16", 2), wav_file("FLOAT", 2, "WAVEX"), wav_file("PCM_24", 1, "RF64")]
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated
    pictures = [jpeg_file(), jpeg_file("L"), jpeg_file("CMYK"), jpeg_file(progressive=True), jpeg_file(exif=exif)]
    pictures += [jpeg_file(subsampling=0, optimize=True), jpeg_file(restart_marker_blocks=2)]
    return {".wav": sounds, ".jpg": pictures}


def damaged(whole, others, generator):
    """Return a copy of a file with one to six changes, half of them in the first hundred bytes."""
    data = bytearray(whole)
    for _ in range(generator.integers(1, 7)):
        end = len(data) if generator.random() < 0.5 else min(100, len(data))
        at, length = int(generator.integers(max(end, 1))), int(generator.integers(1, 200))
        extreme = [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x7f\xff\xff\xff", b"\1\0\0\0", b"\0\0\0\1"]
        match generator.integers(9):
            case 0:
                data[at : at + 1] = bytes([generator.integers(256)])
            case 1 if at < len(data):
                data[at] ^= 1 << generator.integers(8)
            case 2:
                number = extreme[generator.integers(len(extreme))]
                data[at : at + len(number)] = number
            case 3:
                data[at : at + 2] = extreme[generator.integers(len(extreme))][:2]
            case 4:
                del data[at : at + length]
            case 5:
                data[at:at] = generator.bytes(length)
            case 6:
                data[at:at] = data[at : at + length]
            case 7:
                other = others[generator.integers(len(others))]
                data[at:] = other[min(at, len(other)) :]
            case 8 if generator.random() < 0.3:
                del data[at:]
    return bytes(data)


def read_damaged(folder, first, last):
    """Read damaged files of some seeds; the offender is still there after a crash or a hang.

    Returns:
        (how many were read, how many were refused).
    """
    kinds, read, refused = originals(), 0, 0
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for seed in range(first, last):
        generator = np.random.default_rng(seed)
        suffix = (".wav", ".jpg")[seed % 2]
        whole = kinds[suffix][generator.integers(len(kinds[suffix]))]
        path = folder / f"{seed}{suffix}"
        path.write_bytes(damaged(whole, kinds[suffix], generator))
        handles = len(os.listdir("/dev/fd"))
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        try:
            if suffix == ".jpg":
                image = read_image(path)
                assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
            else:
                samples, rate = read_clip(path)
                assert rate > 0 and samples.shape == (10 * rate,) and np.isfinite(samples).all()
            read += 1
        except MediaError as error:
            assert str(path) in str(error), error
            refused += 1
        faulthandler.cancel_dump_traceback_later()
        assert len(os.listdir("/dev/fd")) == handles, "a file is still open"
        path.unlink()
    return read, refused


def test_damaged_files_are_read_or_refused_by_name(tmp_path):
    """In a process of their own, since a decoder that fails badly takes its process with it."""
    done = subprocess.run(
        [sys.executable, __file__, tmp_path, "0", str(FILES)], capture_output=True, text=True, errors="replace"
    )
    assert done.returncode == 0 and not list(tmp_path.iterdir()), f"{list(tmp_path.iterdir())}\n{done.stderr[-3000:]}"
    read, refused = map(int, done.stdout.split())
    assert read + refused == FILES and read > FILES // 20 and refused > FILES // 20  # both ways are taken
    print(f"{FILES} damaged files: {read} read, {refused} refused by name")


# Names as people, archives and other systems make them; no byte 0 and no slash, which no file system has.
LETTERS = st.characters(codec="utf-8", exclude_characters="/\0")
NAMES = st.one_of(
    st.from_regex(r"[0-9]{5}(_[0-9]{1,2})?", fullmatch=True),
    st.sampled_from(
        ["00001", "00001_1", "nan", "NA", "None", "a.b", ".hidden", "x" * 60, " ", "é", "e\u0301", "A", "a"]
    ),
    st.text(LETTERS, min_size=1, max_size=20),
).filter(lambda name: name.strip(".") and len(name.encode()) < 200)
ENDINGS = st.sampled_from([".jpg", ".wav", ".JPG", ".Wav", ".jpeg", ".png", ".flac", ".txt", "", ".csv", ".jpg.jpg"])
CONTENTS = st.sampled_from(["whole", "whole", "whole", "empty", "garbage"])
ENTRIES = st.lists(
    st.tuples(
        st.sampled_from(["vision", "sound", "both", "both"]),
        st.sampled_from(["lake", "nan", "a b", "ö", "1"]) | NAMES,
        NAMES,
        ENDINGS,
        CONTENTS,
    ),
    max_size=12,
)
GENEROUS = settings(
    derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # the machine may be busy
WHOLE = {"vision": jpeg_file(), "sound": wav_file()}


@contextmanager
def dataset(entries):
    """A folder with these files, or with a photograph and a recording; two entries of one name are one file."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder) / "data"
        for sense in ("vision", "sound"):
            (folder / sense).mkdir(parents=True)
        for sense, scene, name, ending, content in entries:
            for side, usual in (("vision", ".jpg"), ("sound", ".wav")):
                if sense in (side, "both"):
                    path = folder / side / scene / f"{name}{usual if sense == 'both' else ending}"
                    path.parent.mkdir(exist_ok=True)
                    path.write_bytes({"whole": WHOLE[side], "empty": b"", "garbage": b"\xff\xd8 RIFF"}[content])
        yield folder


def expected(folder):
    """Return (pairs that are to be found, files that are to be found or named), by the rules in words.

    A file counts if neither it nor its scene is hidden and it ends as a photograph or a recording. A pair is found if
    its scene and id have one file on either side, and both are whole.
    """
    sides = {}
    for sense, suffixes in SUFFIXES.items():
        sides[sense] = {}
        for scene in os.listdir(folder / sense):
            for name in os.listdir(folder / sense / scene):
                stem, ending = os.path.splitext(name)
                if not name.startswith(".") and not scene.startswith(".") and ending.lower() in suffixes:
                    sides[sense].setdefault((scene, stem), []).append(folder / sense / scene / name)
    found = {
        pair
        for pair, files in sides["vision"].items()
        if len(files) == len(sides["sound"].get(pair, ())) == 1
        and files[0].read_bytes() == WHOLE["vision"]
        and sides["sound"][pair][0].read_bytes() == WHOLE["sound"]
    }
    return found, {file: pair for side in sides.values() for pair, files in side.items() for file in files}


def read(folder, skip_broken):
    """Return (pairs found, all that was said)."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            table = read_catalogue(folder, skip_broken)
            assert list(table.columns) == COLUMNS and not table.isna().any(axis=None)
            found = set(zip(table["scene"], table["id"], strict=True))
            assert len(found) == len(table)
            error = ""
        except DatasetError as refusal:
            found, error = set(), str(refusal)
    return found, "\n".join([error, *(str(warning.message) for warning in caught)])


def without_files(folder):
    """Return the visible scenes of which a side has files, and none that counts; they may be said to lose them."""
    counted = {(file.parent.parent.name, file.parent.name) for file in expected(folder)[1]}
    held = {(file.parent.parent.name, file.parent.name) for file in folder.glob("*/*/*")}
    return {scene for _, scene in held - counted if not scene.startswith(".")}


def looks(pair):
    return [" ".join(unicodedata.normalize("NFKD", name).casefold().split()) for name in pair]


def named(file, pair, files, lost, said):
    """Return whether a file is named, its scene is said to be lost, or it is one of those whose partner looks alike."""
    alike = [other for other in files if other.parts[-3] != file.parts[-3] and looks(files[other]) == looks(pair)]
    return (
        file.name in said
        or (pair[0] in lost and "loses all its files" in said)
        or (alike and "names that differ" in said)
    )


@settings(GENEROUS, max_examples=FILES // 10)
@given(ENTRIES)
def test_every_pair_is_found_or_named(entries):
    with dataset(entries) as folder:
        pairs, files = expected(folder)
        amiss, lost = {file: pair for file, pair in files.items() if pair not in pairs}, without_files(folder)
        found, said = read(folder, skip_broken=True)
        assert found == pairs
        assert all(named(file, pair, files, lost, said) for file, pair in amiss.items())
        strict, said = read(folder, skip_broken=False)
        if pairs and not amiss and "loses all its files" not in said:
            assert strict == pairs
        else:
            assert not strict and (amiss or lost or not pairs)
            assert all(named(file, pair, files, lost, said) for file, pair in amiss.items())


PLACES = st.text(LETTERS, min_size=1, max_size=12) | st.sampled_from(["NA", "null", "None"])
TABLE_PAIRS = [("lake", "00001"), ("lake", "00001_1"), ("ö", "x"), ("ö", "00001")]


@settings(GENEROUS, max_examples=FILES // 20)
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode) | st.text(',"\n1x', max_size=30).map(str.encode))
def test_a_table_of_any_bytes_is_read_or_refused(content):
    with dataset([("both", *pair, "", "whole") for pair in TABLE_PAIRS]) as folder:
        for head in (b"", b"id,location\n", b"scene,id,split\n"):
            (folder / "pairs.csv").write_bytes(head + content)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    assert len(read_catalogue(folder)) == len(TABLE_PAIRS)
                except DatasetError as refusal:
                    assert "pairs.csv" in str(refusal) and "\n" not in str(refusal)


@settings(GENEROUS, max_examples=FILES // 20)
@given(st.lists(PLACES, min_size=4, max_size=4))
def test_a_location_that_was_written_is_read(locations):
    with dataset([("both", *pair, "", "whole") for pair in TABLE_PAIRS]) as folder:
        with open(folder / "pairs.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["scene", "id", "location"])
            writer.writerows([*pair, location] for pair, location in zip(TABLE_PAIRS, locations, strict=True))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one photograph for all
            table = read_catalogue(folder).set_index(["scene", "id"])["location"]
        assert [table[pair] for pair in TABLE_PAIRS] == [
            location.strip() or usual
            for location, usual in zip(locations, ["00001", "00001", "x", "00001"], strict=True)
        ]


if __name__ == "__main__":
    print(*read_damaged(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
