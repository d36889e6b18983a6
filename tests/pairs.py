"""Pairs of files, and distances, that tests of several rooms make."""

import zlib
from math import asin, cos, radians, sin, sqrt

import numpy as np
import soundfile
from PIL import Image


def write_pair(folder, scene, pair_id, colour=(0, 128, 0), hertz=440.0, seconds=2.0, rate=8000, side=24):
    """Write one photograph of a colour and one tone."""
    for sense in ("vision", "sound"):
        (folder / sense / scene).mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(zlib.crc32(f"{scene}/{pair_id}".encode()))
    noise = generator.integers(0, 40, (side, side, 3))
    picture = (np.array(colour) + noise).clip(0, 255).astype(np.uint8)
    Image.fromarray(picture).save(folder / "vision" / scene / f"{pair_id}.jpg")
    time = np.arange(int(seconds * rate)) / rate
    tone = 0.3 * np.sin(2 * np.pi * hertz * time) + 0.01 * generator.standard_normal(len(time))
    soundfile.write(folder / "sound" / scene / f"{pair_id}.wav", tone, rate)


def haversine(first, second):
    """Metres along a great circle of the mean Earth between two places in degrees."""
    (south, west), (north, east) = (map(radians, place) for place in (first, second))
    return (
        2
        * 6371008.8
        * asin(sqrt(sin((north - south) / 2) ** 2 + cos(south) * cos(north) * sin((east - west) / 2) ** 2))
    )
