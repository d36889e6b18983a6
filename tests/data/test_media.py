import io
import re
import struct
import subprocess
import sys
import warnings

import numpy as np
import pytest
import soundfile
from PIL import Image

from advance_lib.data import media
from advance_lib.data.media import (
    MediaError,
    MediaWarning,
    not_read,
    read_clip,
    read_image,
    read_sound,
    sound_length,
    ten_seconds,
)
from tests.data import PEAK_MEMORY


@pytest.fixture
def photograph(tmp_path):
    path = tmp_path / "photo.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 48, 3), np.uint8)).save(path)
    return path


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "sound.wav"
    soundfile.write(path, np.sin(np.arange(40_000) / 10) * 0.5, 8000, subtype="PCM_16")
    return path


def test_image_is_rgb(photograph):
    assert read_image(photograph).shape == (64, 48, 3)


@pytest.mark.parametrize("mode", ["CMYK", "L", "P"])
def test_other_colour_models_are_converted(tmp_path, photograph, mode):
    path = tmp_path / ("other.png" if mode == "P" else "other.jpg")
    Image.open(photograph).convert(mode).save(path)
    image = read_image(path)
    assert image.shape == (64, 48, 3) and image.dtype == np.uint8


def test_sixteen_bits_are_scaled_not_clipped(tmp_path):
    grey = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    path = tmp_path / "deep.png"
    Image.fromarray(grey).save(path)
    image = read_image(path)
    assert image.min() == 0 and image.max() == 255 and abs(image.mean() - 127.5) < 1


@pytest.mark.parametrize("content", [b"", b"just some text", None])
def test_bad_images_are_named(tmp_path, photograph, content):
    path = tmp_path / "bad.jpg"
    whole = photograph.read_bytes()
    path.write_bytes(whole[: len(whole) * 4 // 10] if content is None else content)
    with pytest.raises(MediaError, match=r"bad\.jpg.*(fetch it again|remove)"):
        read_image(path)


def test_truncated_sound_is_noticed(tmp_path, recording):
    path = tmp_path / "cut.wav"
    path.write_bytes(recording.read_bytes()[:27_001])  # the last sample is half there
    with pytest.raises(MediaError, match=r"cut\.wav: truncated after 1\.6\d s"):
        read_sound(path)


def test_sounds_without_sense_are_named(tmp_path):
    for name, content in (("empty.wav", b""), ("text.wav", b"hello")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(MediaError, match=name):
            read_sound(tmp_path / name)
    soundfile.write(tmp_path / "none.wav", np.zeros(0), 8000)
    with pytest.raises(MediaError, match="no samples"):
        read_sound(tmp_path / "none.wav")
    samples = np.zeros(30_000, np.float32)
    samples[100:105] = np.nan
    soundfile.write(tmp_path / "nan.wav", samples, 8000, subtype="FLOAT")
    with pytest.raises(MediaError, match="5 samples are not finite"):
        read_sound(tmp_path / "nan.wav")


def test_stereo_is_mixed_down(tmp_path):
    path = tmp_path / "stereo.wav"
    soundfile.write(path, np.stack([np.full(96_000, 0.5), np.full(96_000, -0.25)], axis=1), 48_000, subtype="FLOAT")
    samples, rate = read_sound(path)
    assert rate == 48_000 and samples.shape == (96_000,) and np.allclose(samples, 0.125)


def test_ten_seconds_repeats_cuts_and_refuses():
    assert np.array_equal(ten_seconds(np.arange(30, dtype=np.float32), 10), np.tile(np.arange(30), 4)[:100])
    assert np.array_equal(ten_seconds(np.arange(150, dtype=np.float32), 10), np.arange(100))
    assert len(ten_seconds(np.zeros(20, np.float32), 10)) == 100
    with pytest.raises(MediaError, match=r"1\.90 s"):
        ten_seconds(np.zeros(19, np.float32), 10)


def test_too_short_clip_is_named(tmp_path):
    soundfile.write(tmp_path / "short.wav", np.zeros(8000), 8000)
    with pytest.raises(MediaError, match=r"short\.wav"):
        read_clip(tmp_path / "short.wav")


# What a header announces, and what is there


def steps(seconds, rate=22_050):
    """Noise that is louder from second to second, so that a repetition shows."""
    noise = np.random.default_rng(0).uniform(-1, 1, round(seconds * rate))
    return 0.05 * noise * (1 + np.arange(len(noise)) // rate)


def loudness(samples, rate=22_050):
    """Return the loudness of each second."""
    return np.array([np.sqrt(np.square(second).mean()) for second in np.array_split(samples, len(samples) // rate)])


def encoded(samples, rate=22_050, **options):
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, **options)
    return bytearray(buffer.getvalue())


def mp3(seconds, mode, tag=False):
    """An MP3 file, without the first frame, which says how many follow, unless asked for."""
    data = encoded(steps(seconds), format="MP3", subtype="MPEG_LAYER_III", bitrate_mode=mode, compression_level=0.5)
    return data if tag else data[data.find(data[:2], 4) :]


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE", "AVERAGE"])
@pytest.mark.parametrize("seconds", [12.04, 8.02])
def test_an_mp3_file_that_does_not_say_its_length_is_read_whole(tmp_path, mode, seconds):
    path = tmp_path / "stream.mp3"
    path.write_bytes(mp3(seconds, mode))
    samples, rate = read_clip(path)
    expected = loudness(steps(8))
    assert (
        rate == 22_050 and np.abs(loudness(samples)[:8] / expected - 1).max() < 0.15
    )  # its highest frequencies are cut
    assert (loudness(samples)[9] > expected[7]) == (seconds > 10)  # repeated only where it ends
    assert abs(sound_length(path)[0] / rate - seconds) < 0.1


def test_tags_around_an_mp3_stream_do_not_matter(tmp_path):
    path = tmp_path / "tagged.mp3"
    path.write_bytes(mp3(8, "VARIABLE"))
    expected, _ = read_clip(path)
    path.write_bytes(b"ID3\4\0\0\0\0\x10\0" + bytes(2048) + mp3(8, "VARIABLE") + b"TAG" + bytes(125))
    assert np.array_equal(read_clip(path)[0], expected)


def test_a_second_mp3_stream_behind_the_first_counts(tmp_path):
    path = tmp_path / "joined.mp3"
    path.write_bytes(mp3(5, "CONSTANT", tag=True) * 2)
    assert abs(len(read_sound(path)[0]) / 22_050 - 10) < 0.2


def test_an_mp3_file_that_lacks_what_it_promises_is_refused(tmp_path):
    path = tmp_path / "half.mp3"
    whole = mp3(12, "CONSTANT", tag=True)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MediaError, match=r"half\.mp3: truncated after [56]\.\d\d s; fetch it again"):
        read_clip(path)
    path.write_bytes(whole[: len(whole) * 11 // 12])  # what is used is there
    read_clip(path)


def wave_file(seconds, riff, data):
    """A WAV file with these sizes in its header; None for the right ones."""
    whole = encoded(steps(seconds), format="WAV", subtype="PCM_16")
    for at, size in ((4, riff), (40, data)):
        if size is not None:
            whole[at : at + 4] = struct.pack("<I", size)
    return whole


SIZES = [
    (0x7FFFF024, 0x7FFFF000), (0xFFFFFFFF, 0xFFFFFFFF), (0x80000024, 0x80000000), (0x7FFFFFFF, 0x7FFFFFDB),
    (0xFFFFFFFF, None), (0, None), (None, 0xFFFFFFFF), (0, 0), (36, 0), (8, 0), (None, 0), (10**6, None),
]  # fmt: skip


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("seconds", [12, 5])
def test_sizes_that_a_pipe_or_a_lost_battery_left_do_not_matter(tmp_path, sizes, seconds):
    (tmp_path / "right.wav").write_bytes(wave_file(seconds, None, None))
    (tmp_path / "left.wav").write_bytes(wave_file(seconds, *sizes))
    expected, found = read_clip(tmp_path / "right.wav"), read_clip(tmp_path / "left.wav")
    assert np.array_equal(found[0], expected[0]) and found[1] == expected[1]
    assert sound_length(tmp_path / "left.wav") == (seconds * 22_050, 22_050)


def test_what_follows_no_samples_is_not_taken_for_samples(tmp_path):
    whole = encoded(np.zeros(0), format="WAV", subtype="PCM_16") + b"LIST" + struct.pack("<I", 26) + b"INFOISFT" * 3
    whole += b"ab"
    whole[4:8] = struct.pack("<I", len(whole) - 8)
    (tmp_path / "none.wav").write_bytes(whole)
    with pytest.raises(MediaError, match="holds no samples"):
        read_clip(tmp_path / "none.wav")


def test_only_the_lack_of_samples_that_are_used_matters(tmp_path):
    path = tmp_path / "cut.wav"
    path.write_bytes(wave_file(30, None, None)[: 44 + 44_100 * 11])
    assert np.array_equal(read_clip(path)[0], ten_seconds(read_sound_of(wave_file(30, None, None)), 22_050))
    path.write_bytes(wave_file(30, None, None)[: 44 + 44_100 * 9])
    with pytest.raises(MediaError, match=r"cut\.wav: truncated after 9\.00 s"):
        read_clip(path)


def test_a_file_that_ends_where_its_head_says_is_whole(tmp_path):
    path = tmp_path / "odd.wav"
    path.write_bytes(wave_file(7, None, 12 * 44_100))  # only the size of its samples is wrong
    assert np.array_equal(read_clip(path)[0], ten_seconds(read_sound_of(wave_file(7, None, None)), 22_050))


def read_sound_of(data):
    return soundfile.read(io.BytesIO(data), dtype="float32")[0]


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_an_ogg_stream_has_an_end(tmp_path, subtype):
    path = tmp_path / "stream.ogg"
    whole = encoded(steps(12, 24_000), 24_000, format="OGG", subtype=subtype)
    path.write_bytes(whole)
    expected, _ = read_clip(path)
    path.write_bytes(whole[:-1])  # within the last page; the first ten seconds are there
    assert np.array_equal(read_clip(path)[0], expected)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MediaError, match=r"stream\.ogg: truncated after \d\.\d\d s; fetch it again"):
        read_clip(path)
    path.write_bytes(encoded(steps(5, 24_000), 24_000, format="OGG", subtype=subtype)[:-1])
    with pytest.raises(MediaError, match="truncated"):
        read_clip(path)


@pytest.mark.parametrize("seconds", [12, 5])
def test_a_flac_stream_may_leave_its_length_open(tmp_path, seconds):
    path = tmp_path / "stream.flac"
    whole = encoded(steps(seconds), format="FLAC", subtype="PCM_16")
    path.write_bytes(whole)
    expected, _ = read_clip(path)
    whole[21] &= 0xF0  # the number of samples has 36 bits
    whole[22:26] = bytes(4)
    path.write_bytes(whole)
    assert np.array_equal(read_clip(path)[0], expected)
    assert sound_length(path) == (seconds * 22_050, 22_050)
    path.write_bytes(whole[: len(whole) // 3])
    with pytest.raises(MediaError, match=r"stream\.flac: (damaged|truncated) after \d\.\d\d s"):
        read_clip(path)


@pytest.mark.parametrize("subtype", ["GSM610", "G721_32", "IMA_ADPCM"])
def test_compressed_wav_files_are_read(tmp_path, subtype):
    path = tmp_path / "small.wav"
    soundfile.write(path, steps(12, 8000), 8000, subtype=subtype)
    assert np.allclose(loudness(read_clip(path)[0], 8000), loudness(steps(10, 8000), 8000), rtol=0.2)


HOURS = (
    PEAK_MEMORY
    + """
from advance_lib.data.media import read_clip
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
for path in sys.argv[1:]:
    samples, rate = read_clip(path)
    assert samples.shape == (10 * rate,)
print(peak_memory())
"""
)


def test_memory_does_not_depend_on_the_length(tmp_path):
    paths = []
    for hours, magic in ((1, b"RIFF"), (10, b"RF64")):  # the latter has room for more than 4 GiB
        size = hours * 3600 * 48_000 * 4
        riff, data = (size + 36, size) if magic == b"RIFF" else (0xFFFFFFFF, 0xFFFFFFFF)
        sizes = b"" if magic == b"RIFF" else b"ds64" + struct.pack("<IQQQI", 28, size + 72, size, size // 4, 0)
        head = magic + struct.pack("<I4s", riff, b"WAVE") + sizes
        head += b"fmt " + struct.pack("<IHHIIHH", 16, 1, 2, 48_000, 192_000, 4, 16) + b"data" + struct.pack("<I", data)
        paths.append(tmp_path / f"{hours}.wav")
        with open(paths[-1], "wb") as file:
            file.write(head + np.random.default_rng(0).bytes(1 << 20))
            file.truncate(len(head) + size)  # a hole takes no space
    paths.append(tmp_path / "hour.mp3")
    paths[-1].write_bytes(mp3(12, "VARIABLE") * 300)
    run = subprocess.run([sys.executable, "-c", HOURS, *map(str, paths)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) < 200_000


# What is whole but not read


def refusal(path, content):
    path.write_bytes(content)
    with pytest.raises(MediaError) as error:
        (read_image if path.suffix in media.IMAGE_SUFFIXES else read_clip)(path)
    assert str(error.value).startswith(f"{path}: ")
    return str(error.value)


def tiff(pixels, photometric, kind=None):
    """A TIFF file without compression: (height, width, bands) of any type."""
    height, width, bands = pixels.shape
    kind = {"u": 1, "i": 2, "f": 3}[pixels.dtype.kind] if kind is None else kind
    shorts, begin = struct.pack(f"<{bands}H", *[8 * pixels.itemsize] * bands), 8 + 2 + 12 * 10 + 4
    kinds = struct.pack(f"<{bands}H", *[kind] * bands)
    entries = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, bands, begin if bands > 2 else 8 * pixels.itemsize),
        (259, 3, 1, 1), (262, 3, 1, photometric), (273, 4, 1, begin + 4 * bands), (277, 3, 1, bands),
        (278, 4, 1, height), (279, 4, 1, pixels.nbytes), (339, 3, bands, begin + 2 * bands if bands > 2 else kind),
    ]  # fmt: skip
    directory = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, 10) + directory + bytes(4) + shorts + kinds + pixels.tobytes()


def numbers(high, bands=1, kind="<u2", low=0):
    values = np.random.default_rng(0).uniform(low, high, (40, 56, bands))
    return values.astype(kind)


MEASUREMENTS = {
    "12 bits": (tiff(numbers(4095), 1), r"numbers from \d+ to 40\d\d"),
    "reflectances": (tiff(numbers(10_000), 1), r"numbers from \d+ to (9|10)\d+"),
    "dark reflectances": (tiff(numbers(2400, low=800), 1), "numbers from 8"),
    "colours of 12 bits": (tiff(numbers(4095, 3), 2), "numbers up to about 4095"),
    "colours of 8 bits in 16": (tiff(numbers(255, 3), 2), "numbers up to about 255"),
    "signed": (tiff(numbers(4000, low=-10, kind="<i2"), 1), "numbers from -"),
    "32 bits": (tiff(numbers(4000, kind="<u4"), 1), "numbers from"),
    "floats": (tiff(numbers(1, kind="<f4"), 1), "floating-point numbers from 0"),
    "doubles": (tiff(numbers(1, kind="<f8"), 1), "1 band of floating-point numbers of 64 bits"),
    "colours of floats": (tiff(numbers(1, 3, "<f4"), 2), "3 bands of floating-point numbers of 32 bits"),
    "four bands": (tiff(numbers(4000, 4), 1), "4 bands of numbers of 16 bits"),
    "four bands of bytes": (tiff(numbers(255, 4, "u1"), 1), "4 bands of numbers of 8 bits"),
    "thirteen bands": (tiff(numbers(4000, 13), 1), "13 bands of numbers of 16 bits"),
}


@pytest.mark.parametrize("content, holds", MEASUREMENTS.values(), ids=MEASUREMENTS)
def test_measurements_are_no_photograph(tmp_path, content, holds):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        said = refusal(tmp_path / "field.tif", content)
    assert "fetch it again" not in said
    assert "convert it to 8-bit RGB" in said and "field.tif field.png" in said
    assert re.search(holds, said), said


def test_twelve_bits_in_a_png_file_are_no_photograph(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(numbers(4095)[..., 0]).save(buffer, "PNG")
    said = refusal(tmp_path / "a field.png", buffer.getvalue())
    assert "'a field.png' 'a field.jpg'" in said and "fetch" not in said


@pytest.mark.parametrize("bands", [1, 3, 4])
def test_sixteen_bits_that_are_used_are_a_photograph(tmp_path, bands):
    path = tmp_path / "deep.tif"
    pixels = numbers(65_535, bands)
    path.write_bytes(tiff(pixels, 1 if bands == 1 else 2))
    assert np.abs(read_image(path) / 255 - pixels[..., :3] / 65_535).max() < 0.005


def test_other_formats_of_pictures_say_what_they_are(tmp_path):
    heic = b"\0\0\0\x18ftypheic" + bytes(100)
    assert "HEIC is not read; convert it in its place with `magick photo.jpg photo.png`" in refusal(
        tmp_path / "photo.jpg", heic
    )
    buffer = io.BytesIO()
    Image.new("RGB", (20, 20)).save(buffer, "JPEG")
    deep = bytearray(buffer.getvalue())
    deep[deep.find(b"\xff\xc0") + 4] = 12
    assert "a JPEG of 12 bits is not read; convert it" in refusal(tmp_path / "photo.jpg", bytes(deep))
    said = refusal(tmp_path / "photo.jpg", b"<html>404 Not Found</html>")
    assert "a text" in said and "fetch it again" in said


def test_a_picture_of_196_megapixels_is_to_be_scaled_down(tmp_path):
    path = tmp_path / "huge.png"
    Image.new("1", (14_000, 14_000)).save(path)
    said = refusal(path, path.read_bytes())
    assert "14000 × 14000 pixels" in said and "scale it down" in said and "fetch" not in said


def test_a_large_picture_is_read_with_a_warning(tmp_path, monkeypatch, photograph):
    monkeypatch.setattr(media, "LARGE", 3000)
    with pytest.warns(MediaWarning, match=r"photo\.jpg: 48 × 64 pixels .*scale it down"):
        assert read_image(photograph).shape == (64, 48, 3)


@pytest.mark.parametrize("mode", ["P", "RGBA", "LA"])
def test_transparency_is_named(tmp_path, photograph, mode):
    path, colours = tmp_path / "clear.png", Image.open(photograph).convert("RGB")
    picture = colours.convert("RGBA") if mode == "RGBA" else colours.convert("L" if mode == "LA" else mode)
    if mode == "P":
        picture.save(path, transparency=bytes(range(256)))
    else:
        picture.putalpha(100)
        picture.save(path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        image = read_image(path)
    assert [str(warning.message).partition(": ")[0] for warning in caught] == [str(path)]
    assert "save it as RGB" in str(caught[0].message)
    assert np.array_equal(image, picture.convert("RGBA").convert("RGB"))


def test_an_opaque_fourth_channel_is_not_worth_a_word(tmp_path, photograph):
    path = tmp_path / "opaque.png"
    Image.open(photograph).convert("RGBA").save(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(read_image(path), read_image(photograph))


TURNED = {
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.transpose(1, 0, 2),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: image[::-1, ::-1].transpose(1, 0, 2),
    8: lambda image: np.rot90(image),
}  # by EXIF's standard


@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP", "JPEG"])
@pytest.mark.parametrize("orientation", TURNED)
def test_pictures_are_turned_upright(tmp_path, orientation, format):
    path, exif = tmp_path / f"turned.{format.lower()}", Image.Exif()
    exif[0x0112] = orientation
    pixels = np.kron(np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    options = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}.get(format, {})
    Image.fromarray(pixels).save(path, format, exif=exif, **options)
    expected, found = TURNED[orientation](pixels).astype(int), read_image(path)
    assert found.shape == expected.shape and np.abs(found - expected).max() < 10


def test_damaged_exif_is_no_matter(tmp_path, photograph):
    path, exif = tmp_path / "odd.jpg", Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    Image.open(photograph).save(path, exif=exif.tobytes()[:20])
    with warnings.catch_warnings():
        warnings.simplefilter("error", MediaWarning)
        assert read_image(path).shape in ((64, 48, 3), (48, 64, 3))


def adts(frames):
    """AAC as its streams come: frames of 300 bytes."""
    head = bytes([0xFF, 0xF1, 0x50, 0x80 | 300 >> 11, 300 >> 3 & 255, (300 & 7) << 5 | 31, 0xFC])
    return b"".join(head + np.random.default_rng(number).bytes(293) for number in range(frames))


def wave_of_codec(codec):
    whole = wave_file(3, None, None)
    whole[20:22] = struct.pack("<H", codec)
    return whole


FOREIGN = {
    "AAC": ("clip.mp3", adts(100)),
    "MP4": ("clip.mp3", b"\0\0\0\x20ftypM4A " + bytes(2000)),
    "Windows Media": ("clip.wav", bytes.fromhex("3026b2758e66cf11") + bytes(2000)),
    "AMR": ("clip.wav", b"#!AMR\n" + bytes(2000)),
    "GSM": ("clip.wav", b"".join(b"\xd5" + np.random.default_rng(number).bytes(32) for number in range(100))),
    "WAV file with AAC": ("clip.wav", wave_of_codec(0xFF)),
    "WAV file with Windows Media": ("clip.wav", wave_of_codec(0x161)),
    "WebM": ("clip.ogg", b"\x1aE\xdf\xa3" + bytes(2000)),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_other_formats_of_sound_are_to_be_converted(tmp_path, name, capfd):
    file, content = FOREIGN[name]
    said = refusal(tmp_path / file, bytes(content))
    other = "clip.flac" if file == "clip.wav" else "clip.wav"
    assert name in said and "fetch" not in said
    assert "convert it in its place with `ffmpeg" in said and f"-i {file} {other}`" in said
    assert capfd.readouterr().err == ""  # nor does a library speak up


def test_what_is_unknown_is_called_so(tmp_path, capfd):
    noise = np.random.default_rng(0).bytes(5000)
    for name in ("noise.wav", "noise.mp3"):
        assert "not a WAV, FLAC, Ogg or MP3 file; if it plays elsewhere, convert it" in refusal(tmp_path / name, noise)
    said = refusal(tmp_path / "page.mp3", b"<!DOCTYPE html><html><body>Not found</body></html>")
    assert "a text" in said and "fetch it again" in said
    assert "fetch it again" in refusal(tmp_path / "cut.wav", bytes(wave_file(3, None, None)[:30]))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "suffix, tool", [(".m4a", "ffmpeg"), (".M4A", "ffmpeg"), (".wma", "ffmpeg"), (".heic", "magick")]
)
def test_suffixes_that_are_left_aside_have_a_remedy(suffix, tool):
    said = not_read(suffix)
    assert said.startswith(f"{suffix.lower()} is not read") and f"`{tool} " in said
    assert ".wav" in not_read(".xyz") and ".jpg" in not_read("")


# What is read and probably not meant


def warned(path):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        (read_image if path.suffix in media.IMAGE_SUFFIXES else read_clip)(path)
    assert all(str(warning.message).startswith(f"{path}: ") for warning in caught)
    return " ".join(str(warning.message) for warning in caught)


def test_a_silent_clip_is_named(tmp_path):
    path = tmp_path / "still.wav"
    for samples in (np.zeros(40_000), np.full(40_000, 0.25), np.eye(1, 40_000, 7)[0] / 2**15):
        soundfile.write(path, samples, 8000, subtype="PCM_16")
        assert "is silent" in warned(path)
    soundfile.write(path, 1e-3 * steps(5, 8000), 8000, subtype="PCM_16")  # quiet, not silent
    assert warned(path) == ""


def test_channels_that_cancel_are_named(tmp_path):
    path = tmp_path / "wide.wav"
    left = steps(3, 8000)
    soundfile.write(path, np.stack([left, -left], axis=1), 8000)
    assert "channels cancel" in warned(path)
    soundfile.write(path, np.stack([left, np.roll(left, 1000)], axis=1), 8000)
    assert warned(path) == ""


def test_a_black_picture_is_named(tmp_path):
    path = tmp_path / "night.jpg"
    Image.new("RGB", (64, 64)).save(path)
    assert "black everywhere" in warned(path)
    Image.new("RGB", (64, 64), "white").save(path)
    assert "of one colour (255, 255, 255) everywhere" in warned(path)
