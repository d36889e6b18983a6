"""One photograph or one clip, from file to array; whatever is wrong with the file is said by name.

Chapter: The dataset.
"""

import logging
import os
import struct
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from shlex import quote

import numpy as np
import soundfile
from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from advance_lib.cache import UserError
from advance_lib.data.containers import NOT_READ, foreign_format, is_text, stream, to_wav, why_not_read

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp")
SOUND_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
CLIP_SECONDS = 10
SHORTEST_SECONDS = 2  # section 3: recordings under 2 s are removed
PICTURES_NOT_READ = {
    ".heic": "HEIC", ".heif": "HEIF", ".avif": "AVIF", ".jp2": "JPEG 2000", ".j2k": "JPEG 2000", ".jxl": "JPEG XL",
    ".bmp": "bitmap", ".gif": "GIF", ".pdf": "PDF", ".svg": "SVG", ".ecw": "ECW", ".psd": "Photoshop",
}  # fmt: skip
LARGE, TOO_LARGE = 90_000_000, 180_000_000  # pixels: warned of, refused
STEP = 2**-14  # full scale is 1: what stays within two steps of 16 bits is silence
CANCELLED = 1e-3  # of the channels' power is left in their mean
BLOCK = 1 << 16  # samples that are decoded at once
UNKNOWN = 2**63 - 1  # libsndfile's number of samples where a header leaves it open
ORIENTATION = 0x0112  # EXIF's number of it; 1, upright, needs nothing
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip

# Pillow's own limits and remarks name no file; what matters of them, `read_image` says with its name.
Image.MAX_IMAGE_PIXELS = None
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").addHandler(logging.NullHandler())


class MediaError(UserError):
    """A file that cannot be used as it is."""


class MediaWarning(UserWarning):
    """A file that is used, though probably not as it was meant; the text begins with its name."""


def _warn(path: Path, text: str) -> None:
    warnings.warn(MediaWarning(f"{path}: {text}"), stacklevel=3)


def _check_access(path: Path) -> None:
    if path.stat().st_size == 0:
        raise MediaError(f"{path}: the file is empty; fetch it again or remove the pair")
    if not os.access(path, os.R_OK):
        raise MediaError(f"{path}: may not be read; mend its permissions or remove the pair")


def read_image(path: Path | str) -> np.ndarray:
    """Decode a photograph and turn it upright, as its EXIF orientation says.

    CMYK, grayscale, palette and 16-bit pictures are converted; 16 bits are scaled, not clipped.

    Returns:
        (height, width, 3) uint8, RGB.

    Raises:
        MediaError: empty, truncated, too large, no picture, or measurements that no rule turns into 8-bit colours.

    Warns:
        MediaWarning: transparent, very large, or of one colour everywhere.
    """
    path = Path(path)
    _check_access(path)
    try:
        with Image.open(path) as picture:
            width, height = picture.size
            if width * height > TOO_LARGE:
                raise MediaError(f"{path}: {width} × {height} pixels are too many; scale it down or remove the pair")
            deep = ";16" in str(picture.tile) and "BGR" not in str(picture.tile)  # BGR;16 is that of bitmaps, 5+6+5
            picture.load()
            if (orientation := _orientation(picture)) in UPRIGHT:
                picture = picture.transpose(UPRIGHT[orientation])
            image = _rgb(path, picture, deep)
    except UnidentifiedImageError:
        raise MediaError(f"{path}: {_unidentified(path)}") from None
    except MemoryError:
        raise MediaError(f"{path}: too large for the memory; scale it down or remove the pair") from None
    except (OSError, ValueError, TypeError, SyntaxError, struct.error) as error:
        raise MediaError(f"{path}: not a whole picture ({error}); fetch it again or remove the pair") from None
    if width * height > LARGE:
        _warn(path, f"{width} × {height} pixels take long and much memory; scale it down")
    if _is_plain(image[::16, ::16]) and _is_plain(image):  # few pass the first
        colour = "black" if image.max(initial=0) <= 1 else f"of one colour ({', '.join(map(str, image[0, 0]))})"
        _warn(path, f"is {colour} everywhere; look at it, and replace it or remove the pair if it shows no place")
    return image


def _is_plain(image: np.ndarray) -> bool:
    return np.ptp(image, axis=(0, 1)).max() <= 1


def _orientation(picture: Image.Image) -> int:
    try:
        return picture.getexif().get(ORIENTATION, 1)
    except (OSError, ValueError, TypeError, SyntaxError, KeyError, struct.error):
        return 1  # what stands beside the picture is damaged, not the picture


def _rgb(path: Path, picture: Image.Image, deep: bool) -> np.ndarray:
    """Return (height, width, 3) uint8 of a decoded picture; deep: Pillow made it of numbers of 16 bits."""
    if picture.mode == "F":
        low, high = picture.getextrema()
        raise MediaError(f"{path}: holds floating-point numbers from {low:g} to {high:g}; {_to_eight_bits(path)}")
    if picture.mode == "I" or picture.mode.startswith("I;16"):
        grey = np.asarray(picture)
        low, high = int(grey.min()), int(grey.max())
        # Reflectances and 12 bits would come out nearly black: hardly a pixel has one of the two highest bits.
        if low < 0 or high > 0xFFFF or (high and (grey >= 1 << 14).mean() < 0.005):
            raise MediaError(
                f"{path}: holds numbers from {low} to {high}, not the 0 to 65535 of a 16-bit photograph; "
                + _to_eight_bits(path)
            )
        return np.repeat((grey / 257).round().astype(np.uint8)[..., None], 3, axis=2)
    if picture.has_transparency_data and picture.mode in ("1", "L", "LA", "P", "PA", "RGB", "RGBA"):
        picture = picture.convert("RGBA")  # at once to RGB, Pillow complains of palettes, and names no file
        if picture.getextrema()[3][0] < 255:
            _warn(path, "has transparent parts (a fourth band), which are taken as opaque; save it as RGB without them")
    image = np.asarray(picture.convert("RGB"))
    if deep and (image >= 1 << 6).mean() < 0.005:  # of 16 bits, Pillow keeps the upper eight
        raise MediaError(
            f"{path}: holds numbers up to about {256 * int(image.max()) + 255}, not the 0 to 65535 of a 16-bit "
            f"photograph; {_to_eight_bits(path)}"
        )
    return image


def _to_eight_bits(path: Path, bands: int = 1) -> str:
    """Return what to do with measurements and more than three bands."""
    chosen = "-b 1 -b 2 -b 3 " if bands > 3 else ""
    return (
        "convert it to 8-bit RGB in its place, with one scale for all photographs (`gdal_translate -ot Byte "
        f"-scale LOW HIGH 0 255 {chosen}{_to_picture(path)}`), or remove the pair"
    )


def _to_picture(path: Path) -> str:
    """Return the end of a command that converts a picture and keeps its id."""
    return f"{quote(path.name)} {quote(path.stem + ('.jpg' if path.suffix.lower() == '.png' else '.png'))}"


def _unidentified(path: Path) -> str:
    """Return what is known of a file that Pillow takes for no picture, with a remedy."""
    with open(path, "rb") as file:
        head = file.read(64)
        if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            try:
                file.seek(0)
                directory = ImageFileDirectory_v2(file.read(16 if head[2:3] == b"+" or head[3:4] == b"+" else 8))
                file.seek(directory.next)
                directory.load(file)
                bands, bits = directory.get(277, 1), directory.get(258, (1,))[0]
                kind = {2: "signed ", 3: "floating-point "}.get(directory.get(339, (1,))[0], "")
            except (OSError, ValueError, TypeError, SyntaxError, KeyError, IndexError, struct.error, RuntimeError):
                return "not a whole picture (a damaged TIFF file); fetch it again or remove the pair"
            if kind or bands not in (1, 3) or bits in (12, 16, 32, 64):
                return (
                    f"a TIFF file of {bands} band{'s' * (bands > 1)} of {kind}numbers of {bits} bits, which is not "
                    f"read; {_to_eight_bits(path, bands)}"
                )
    names = {b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIF", b"msf1": "HEIF"}
    name = names.get(head[8:12]) if head[4:8] == b"ftyp" else None
    if head.startswith((b"\xff\n", b"\0\0\0\x0cJXL ")):
        name = "JPEG XL"
    elif head.startswith(b"%PDF"):
        name = "PDF"
    elif head[:2] == b"\xff\xd8" and (precision := _jpeg_precision(path)) not in (0, 8):
        name = f"a JPEG of {precision} bits"
    if name:
        return f"{name} is not read; convert it in its place with `magick {_to_picture(path)}`, or remove the pair"
    if is_text(head):
        return "not a whole picture (but a text, such as a server's notice); fetch it again or remove the pair"
    return "not a whole picture, or of a format that is not read; fetch it again, convert it or remove the pair"


def not_read(suffix: str) -> str:
    """Return why files of a suffix are left aside, with a remedy, such as of ``".m4a"``."""
    name, suffix = NOT_READ.get(suffix.lower()), suffix.lower()
    if suffix in PICTURES_NOT_READ:
        return f"{suffix} is not read ({PICTURES_NOT_READ[suffix]}); convert each with `magick NAME{suffix} NAME.png`"
    if name:
        return f"{suffix} is not read ({name}); convert each with `ffmpeg -i NAME{suffix} NAME.wav`"
    read = ", ".join((*IMAGE_SUFFIXES, *SOUND_SUFFIXES))
    return f"{suffix or 'no suffix'} is not read; photographs and recordings end in {read}"


def _jpeg_precision(path: Path) -> int:
    """Return the bits of a JPEG's numbers, or 0 where it does not say."""
    with open(path, "rb") as file:
        at = 2
        while True:
            file.seek(at)
            segment = file.read(5)
            if len(segment) < 5 or segment[0] != 0xFF:
                return 0
            if 0xC0 <= segment[1] <= 0xCF and segment[1] not in (0xC4, 0xC8, 0xCC):
                return segment[4]
            at += 2 + int.from_bytes(segment[2:4], "big")


class _Forward(soundfile.SoundFile):
    """A recording that is only read on: libsndfile's seek behind each block fails where a FLAC stream is cut off."""

    def seekable(self) -> bool:
        return False


@contextmanager
def opened(path: Path | str) -> Iterator[tuple[soundfile.SoundFile, bool]]:
    """Open a recording for decoding, from its beginning on or from a sample that is sought.

    Yields:
        The recording, and whether its stream is cut off.

    Raises:
        MediaError: empty, no recording, or in a format that is not read.
    """
    path = Path(path)
    _check_access(path)
    if name := foreign_format(path):
        raise MediaError(f"{path}: {name} is not read; {to_wav(path)}, or remove the pair")
    source, cut = stream(path)
    with nullcontext() if source is path else closing(source):
        try:
            file = _Forward(source)
        except (soundfile.LibsndfileError, RuntimeError, ValueError):
            raise MediaError(f"{path}: {why_not_read(path)}") from None
        with file:
            yield file, cut


def sound_length(path: Path | str) -> tuple[int, int]:
    """Return (samples, sampling rate in Hz) of a recording; it is decoded only where its header leaves that open.

    Raises:
        MediaError: as `read_sound`.
    """
    with opened(path) as (file, _):
        if file.frames < UNKNOWN:
            return file.frames, file.samplerate
    samples, rate = read_sound(path)
    return len(samples), rate


def read_sound(path: Path | str, seconds: float | None = None) -> tuple[np.ndarray, int]:
    """Decode a recording and mix its channels down.

    A length in the header is not believed: what counts is whether the samples that are asked for can be decoded.

    Args:
        path: of the recording.
        seconds: how many from the beginning are decoded at most; None for all.

    Returns:
        ((samples,) float32, sampling rate in Hz).

    Raises:
        MediaError: empty, truncated, without samples, in a format that is not read, or with samples that are not
            finite.

    Warns:
        MediaWarning: silent, or of channels that cancel each other.
    """
    path = Path(path)
    blocks, power, length, broken, damaged = [], 0.0, 0, 0, False
    with opened(path) as (file, cut):
        rate = file.samplerate
        wanted = UNKNOWN if seconds is None else round(seconds * rate)
        announced = file.frames if file.frames < UNKNOWN else 0
        step = max(1, BLOCK // file.channels)
        while length < wanted:
            try:
                block = file.read(min(step, wanted - length), dtype="float32", always_2d=True)
            except (soundfile.LibsndfileError, RuntimeError):
                damaged = True
                break
            if not len(block):
                break
            blocks.append(block.mean(axis=1))
            if file.channels > 1:
                power += np.square(block, dtype=np.float64).sum() / file.channels
            length += len(block)
            broken += int((~np.isfinite(block)).sum())
        # What an MP3 file announces may be an estimate, and its first frames may need others before them.
        slack = 0.1 * rate if file.format == "MP3" else 0
    samples = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    if length < wanted and (damaged or cut or length < announced - slack):
        verb = "damaged" if damaged else "truncated"
        raise MediaError(f"{path}: {verb} after {length / rate:.2f} s; fetch it again or remove the pair")
    if length == 0:
        raise MediaError(f"{path}: holds no samples; fetch it again or remove the pair")
    if broken:
        raise MediaError(f"{path}: {broken} samples are not finite numbers; repair the recording or remove the pair")
    if length < SHORTEST_SECONDS * rate:
        return samples, rate  # too short for a clip, whatever it holds
    if power and np.square(samples, dtype=np.float64).sum() < CANCELLED * power:
        _warn(path, "its channels cancel each other when they are mixed; keep one of them")
    elif np.ptp(samples) <= STEP:
        _warn(path, "is silent; listen to it, and replace it or remove the pair")
    return samples, rate


def ten_seconds(samples: np.ndarray, rate: int) -> np.ndarray:
    """Cut or repeat a recording to one 10-s clip (section 3).

    Longer recordings are cut after ten seconds; those of 2 to 10 s are repeated until they fill them.

    Args:
        samples: (samples,) float32.
        rate: sampling rate in Hz.

    Returns:
        (10 * rate,) float32.

    Raises:
        MediaError: shorter than two seconds.
    """
    if len(samples) < SHORTEST_SECONDS * rate:
        raise MediaError(f"lasts {len(samples) / rate:.2f} s; recordings under {SHORTEST_SECONDS} s are not used")
    length = CLIP_SECONDS * rate
    return np.tile(samples, -(-length // len(samples)))[:length]


def read_clip(path: Path | str) -> tuple[np.ndarray, int]:
    """Decode a recording and bring it to ten seconds.

    Returns:
        ((10 * rate,) float32, rate in Hz).

    Raises:
        MediaError: as `read_sound` and `ten_seconds`, with the file's name.
    """
    samples, rate = read_sound(path, CLIP_SECONDS)
    try:
        return ten_seconds(samples, rate), rate
    except MediaError as error:
        raise MediaError(f"{path}: {error}; use a longer recording or remove the pair") from None
