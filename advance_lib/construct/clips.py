"""One random clip of ten seconds from each recording (section 3 of the paper).

Recordings under two seconds are dropped, those of two to ten are repeated, as a whole, until they last longer than
ten, and one window of ten seconds is drawn at random. The window follows from the seed and the pair's id alone, so
order and interruptions do not matter, and siblings of one recording get windows of their own.

Chapter: Building a dataset.
"""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from advance_lib.cache import digest, written_whole
from advance_lib.data.media import CLIP_SECONDS, SHORTEST_SECONDS, MediaError, opened, read_sound, sound_length


@dataclass(frozen=True)
class Window:
    """Which ten seconds of a recording a clip is.

    Attributes:
        start: sample at which it begins, in the recording or in its repetition.
        rate: sampling rate of the recording in Hz.
        repeated: the recording is repeated before the clip is cut.
    """

    start: int
    rate: int
    repeated: bool

    @property
    def seconds(self) -> float:
        """Second at which the clip begins."""
        return self.start / self.rate


def draw_window(recording: Path, seed: int, pair_id: str) -> Window:
    """Draw the ten seconds of one pair.

    Args:
        recording: file of any length and rate.
        seed: the dataset's.
        pair_id: such as ``"1234"``, or ``"1234_2"`` for a sibling.

    Raises:
        MediaError: the file cannot be decoded, or lasts less than two seconds.
    """
    frames, rate = sound_length(recording)
    if frames < SHORTEST_SECONDS * rate:
        raise MediaError(
            f"{recording}: lasts {frames / rate:.2f} s; recordings under {SHORTEST_SECONDS} s are not used"
        )
    length = CLIP_SECONDS * rate
    repeated = frames <= length
    if repeated:
        frames *= length // frames + 1  # whole copies, more than ten seconds
    generator = np.random.default_rng(int(digest("clip", seed, pair_id), 16))
    return Window(int(generator.integers(frames - length + 1)), rate, repeated)


def cut_clip(recording: Path, window: Window) -> np.ndarray:
    """Cut a clip out of a recording.

    Returns:
        (10 * rate,) int16; the channels are mixed down, and what exceeds full scale is clipped.

    Raises:
        MediaError: the file cannot be decoded there.
    """
    length = CLIP_SECONDS * window.rate
    if window.repeated:
        whole, _ = read_sound(recording)
        samples = whole[(window.start + np.arange(length)) % len(whole)]
    else:
        samples = _part(recording, window.start, length)
    return np.round(samples * 2**15).clip(-(2**15), 2**15 - 1).astype(np.int16)


def _part(recording: Path, start: int, length: int) -> np.ndarray:
    """Return some samples of a recording without decoding hours of it: (length,) float32, mixed down."""
    with opened(recording) as (file, _):
        rate = file.samplerate
        try:
            file.seek(start)
            samples = file.read(length, dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, RuntimeError, ValueError) as error:
            why = getattr(error, "error_string", error)
            raise MediaError(f"{recording}: cannot be read at sample {start} ({why})") from None
    if len(samples) < length:
        raise MediaError(f"{recording}: truncated after {(start + len(samples)) / rate:.2f} s")
    if not np.isfinite(samples).all():
        raise MediaError(f"{recording}: holds samples that are not finite numbers")
    return samples.mean(axis=1)


def write_clip(path: Path, samples: np.ndarray, rate: int) -> None:
    """Write a clip, int16 at some rate in Hz, as 16-bit PCM, whole or not at all."""
    wave = io.BytesIO()  # libsndfile would not notice that a disk is full
    soundfile.write(wave, samples, rate, format="WAV", subtype="PCM_16")
    with written_whole(path) as partial:
        partial.write_bytes(wave.getvalue())
