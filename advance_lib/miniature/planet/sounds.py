"""The planet's recordings: what their authors tell of them, and the previews, the same bytes on every request.

Chapter: Building a dataset.
"""

import io
import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import soundfile

from advance_lib.miniature.sounds import draw_events, mix

ODDS = 10.0  # factor on the published odds of the events
LENGTHS = ((0.6, 1.9), (2.2, 9.6), (10.5, 16.0))  # seconds: too short, to be repeated, to be cut
LENGTH_SHARES = (0.08, 0.37, 0.55)
RATES = (16_000, 22_050, 44_100, 48_000)  # Hz
RATE_SHARES = (0.25, 0.5, 0.2, 0.05)
AUTHORS = ("alder", "brook", "cove", "dune", "ember", "fern", "gale", "heath", "inlet", "jetty", "kelp", "loam")
LICENCES = {
    "http://creativecommons.org/licenses/by/3.0/": 0.3,
    "https://creativecommons.org/licenses/by/4.0/": 0.25,
    "http://creativecommons.org/publicdomain/zero/1.0/": 0.3,
    "http://creativecommons.org/licenses/by-nc/3.0/": 0.15,
}
TAGS = {"field-recording": 0.85, "ambience": 0.6}  # tag: share of the recordings that have it
FORMATS = {"ogg": ("OGG", "VORBIS", "audio/ogg"), "mp3": ("MP3", "MPEG_LAYER_III", "audio/mpeg")}
_MIRROR = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True)
class Sound:
    """A recording as its author uploaded it.

    Attributes:
        seed: of the planet.
        id: as on Freesound, unique.
        place: number of the place, or None where the recording is from somewhere else.
        latitude: of the geotag in degrees, or None where there is no geotag.
        longitude: of the geotag in degrees, or None.
        seconds: duration.
        rate: samples per second.
        channels: 1 or 2.
        name: title.
        tags: words of the author's.
        author: user name.
        licence: address of the licence.
        events: what sounds, events of AudioSet (truth: not told by the server).
    """

    seed: int
    id: int
    place: int | None
    latitude: float | None
    longitude: float | None
    seconds: float
    rate: int
    channels: int
    name: str
    tags: tuple[str, ...]
    author: str
    licence: str
    events: tuple[str, ...]


def draw_sound(
    seed: int, number: int, scene: str, place: int | None = None, where: tuple[float, float] | None = None
) -> Sound:
    """Draw all about a recording but its samples.

    Args:
        seed: of the planet.
        number: its id.
        scene: what sounds are heard.
        place: number of the place where it was made, or None.
        where: (latitude, longitude) of the geotag in degrees, or None.
    """
    rng = np.random.default_rng((seed, number, 5))
    events = draw_events(scene, rng, ODDS)
    shortest, longest = LENGTHS[rng.choice(len(LENGTHS), p=LENGTH_SHARES)]
    time = str(rng.choice(["dawn", "morning", "noon", "evening", "night"]))
    tags = [tag for tag, share in TAGS.items() if rng.random() < share]
    tags += [event.split(",")[0].lower().replace(" ", "-") for event in events if rng.random() < 0.7]
    says_scene = rng.random() < 0.5
    return Sound(
        seed=seed,
        id=number,
        place=place,
        latitude=where[0] if where else None,
        longitude=where[1] if where else None,
        seconds=round(float(rng.uniform(shortest, longest)), 3),
        rate=int(rng.choice(RATES, p=RATE_SHARES)),
        channels=1 + int(rng.random() < 0.3),
        name=f"{scene if says_scene else 'take'} {time} {number % 100:02d}.wav",
        tags=(*tags, scene.replace(" ", "-")) if says_scene else tuple(tags),
        author=str(rng.choice(AUTHORS)),
        licence=str(rng.choice(list(LICENCES), p=list(LICENCES.values()))),
        events=tuple(events),
    )


def samples(sound: Sound) -> np.ndarray:
    """Return a recording: (samples, channels) float32; the second channel hears it a little later and weaker."""
    rng = np.random.default_rng((sound.seed, sound.id, 7))
    first = mix(list(sound.events), rng, sound.seconds, sound.rate)
    second = 0.8 * np.roll(first, round(0.0004 * sound.rate))
    return np.stack([first, second][: sound.channels], 1)


def _page_checksum(page: bytes) -> int:
    """CRC-32 of an Ogg page: zlib's, with the bits of every byte and of the result the other way round."""
    mirrored = zlib.crc32(page.translate(_MIRROR), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)


def _with_serial(ogg: bytes, serial: int) -> bytes:
    """Give all pages of an Ogg stream a serial number; the library draws one from the clock."""
    result, start = [], 0
    while start < len(ogg):
        lacing = ogg[start + 27 : start + 27 + ogg[start + 26]]
        end = start + 27 + len(lacing) + sum(lacing)
        page = ogg[start : start + 14] + struct.pack("<I", serial) + ogg[start + 18 : start + 22]
        rest = ogg[start + 26 : end]
        result.append(page + struct.pack("<I", _page_checksum(page + bytes(4) + rest)) + rest)
        start = end
    return b"".join(result)


@lru_cache(maxsize=512)
def preview(sound: Sound, suffix: str = "ogg") -> bytes:
    """Return a recording as a compressed file.

    Args:
        sound: the recording.
        suffix: ``"ogg"`` (Vorbis) or ``"mp3"``.
    """
    kind, coding, _ = FORMATS[suffix]
    file = io.BytesIO()
    soundfile.write(file, samples(sound), sound.rate, format=kind, subtype=coding)
    return _with_serial(file.getvalue(), sound.id) if suffix == "ogg" else file.getvalue()
