"""What the year, the air and the camera do to a picture of the ground."""

import numpy as np
from scipy import ndimage


def season(rgb: np.ndarray, dryness: float) -> np.ndarray:
    """Turn what is green towards the straw and brown of a dry or late season.

    Args:
        rgb: (3, C, C) float32 picture, 0..1.
        dryness: 0 keeps the green of early summer, 1 is the end of a dry year.

    Returns:
        (3, C, C) float32 picture.
    """
    red, green, blue = rgb
    leafy = np.clip((green - np.maximum(red, blue)) / (green + 1e-3) * 6, 0, 1) * np.float32(0.85 * dryness)
    dry = (red + green + blue) / 3 * np.float32([1.28, 1.06, 0.7]).reshape(3, 1, 1)
    dry -= rgb
    dry *= leafy
    dry += rgb
    return dry


def expose(rgb: np.ndarray, rng: np.random.Generator, difficulty: float) -> np.ndarray:
    """Take the photograph: season, light, haze, optics, sensor colour and sensor noise.

    Args:
        rgb: (3, C, C) float32 picture of the lit ground, 0..1.
        rng: source of all random choices.
        difficulty: 0 is a clear summer day and a good camera; larger values widen every effect.

    Returns:
        (C, C, 3) uint8 photograph.
    """
    dryness, light, haze, blur, contrast, grain = rng.random(6)
    warmth, tint = rng.standard_normal(2)
    rgb = season(rgb, min((0.25 + 0.75 * difficulty) * dryness, 1))

    sharpness = rgb.shape[1] / 358  # optics blur a part of the picture, not a number of pixels
    sigma = (0.45 + 0.9 * difficulty * blur**2) * sharpness
    rgb = ndimage.gaussian_filter(rgb, (0, sigma, sigma), truncate=3.0)
    # The rest is one straight line per colour: light, then haze, then contrast, then the cast.
    gain, veil = 1.08 - 0.12 * light - 0.38 * difficulty * light**2, 0.42 * difficulty * haze**1.5
    steep = 1 + (0.1 + 0.3 * difficulty) * (contrast - 0.5)
    cast = np.array([warmth, 0.4 * tint, -warmth]).reshape(3, 1, 1)  # mostly between warm and cold
    balance = 1 + (0.02 + 0.05 * difficulty) * cast
    air = np.float32([0.70, 0.73, 0.78]).reshape(3, 1, 1)
    slope = steep * (1 - veil) * gain * balance
    offset = (steep * veil * air + 0.42 * (1 - steep)) * balance
    strength = np.float32(0.008 + 0.022 * difficulty * grain)
    rgb *= np.float32(slope)
    rgb += np.float32(offset)
    rgb += strength * rng.standard_normal(rgb.shape, np.float32)
    np.clip(rgb, 0, 1, out=rgb)
    rgb *= 255
    rgb += 0.5
    return rgb.astype(np.uint8).transpose(1, 2, 0).copy()
