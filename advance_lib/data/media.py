"""One photograph or one clip, from file to array; whatever is wrong with the file is said by name.

Chapter: The dataset.
"""

import struct
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

from advance_lib.cache import UserError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp")
SOUND_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
CLIP_SECONDS = 10
SHORTEST_SECONDS = 2  # section 3: recordings under 2 s are removed


class MediaError(UserError):
    """A file that cannot be used as it is."""


def read_image(path: Path | str) -> np.ndarray:
    """Decode a photograph.

    CMYK, grayscale, palette and 16-bit pictures are converted; 16 bits are scaled, not clipped.

    Returns:
        (height, width, 3) uint8, RGB.

    Raises:
        MediaError: empty, truncated or no picture.
    """
    path = Path(path)
    if path.stat().st_size == 0:
        raise MediaError(f"{path}: the file is empty; fetch it again or remove the pair")
    try:
        with Image.open(path) as picture:
            picture.load()
            if picture.mode.startswith("I;16") or picture.mode == "I":
                grey = np.asarray(picture).astype(np.float64) / 257
                return np.repeat(grey.clip(0, 255).round().astype(np.uint8)[..., None], 3, axis=2)
            return np.asarray(picture.convert("RGB"))
    except (OSError, ValueError, TypeError, SyntaxError, MemoryError, Image.DecompressionBombError) as error:
        raise MediaError(
            f"{path}: not a whole picture ({error or 'too large'}); fetch it again or remove the pair"
        ) from None


def _announced_bytes(path: Path) -> int:
    """Return the file size that a RIFF header announces, or 0 where it makes no claim."""
    with open(path, "rb") as file:
        header = file.read(8)
    if len(header) < 8 or header[:4] != b"RIFF":
        return 0
    size = struct.unpack("<I", header[4:])[0]
    return 0 if size in (0, 0xFFFFFFFF) else size + 8  # streamed files leave the size open


def read_sound(path: Path | str) -> tuple[np.ndarray, int]:
    """Decode a recording and mix its channels down.

    Returns:
        ((samples,) float32, sampling rate in Hz).

    Raises:
        MediaError: empty, truncated, without samples, or with samples that are not finite.
    """
    path = Path(path)
    size = path.stat().st_size
    if size == 0:
        raise MediaError(f"{path}: the file is empty; fetch it again or remove the pair")
    try:
        with soundfile.SoundFile(path) as file:
            rate, announced = file.samplerate, file.frames
            samples = file.read(dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError, ValueError, MemoryError) as error:
        raise MediaError(f"{path}: not a sound file ({error}); fetch it again or remove the pair") from None
    # One byte of grace: some writers forget to count the padding of odd chunks.
    if len(samples) < announced or size + 1 < _announced_bytes(path):
        raise MediaError(f"{path}: truncated after {len(samples) / rate:.2f} s; fetch it again or remove the pair")
    if len(samples) == 0:
        raise MediaError(f"{path}: holds no samples; fetch it again or remove the pair")
    broken = int((~np.isfinite(samples)).sum())
    if broken:
        raise MediaError(f"{path}: {broken} samples are not finite numbers; repair the recording or remove the pair")
    return samples.mean(axis=1), rate


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
    samples, rate = read_sound(path)
    try:
        return ten_seconds(samples, rate), rate
    except MediaError as error:
        raise MediaError(f"{path}: {error}; use a longer recording or remove the pair") from None
