"""Building blocks of synthetic sound: noises, tones, envelopes, resonances, voices and clouds of grains.

Plain functions of arrays. Randomness enters only through the `rng` passed in, signals are float32 with time
on the last axis, `n` counts samples and `rate` samples per second. Loops run over grains, never over samples.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.random import Generator
from scipy import fft, signal

TABLE = 8192  # points in one period of a tone: enough to look samples up without interpolation


# --- colours of noise ---------------------------------------------------------------------------------------


def _band(frequency, low, high, order, slope=0.0):
    """Amplitude at `frequency` in Hz of a band with Butterworth-like skirts, `slope` dB per octave inside."""
    f = np.maximum(frequency, 1.0)
    skirts = np.sqrt((1 + (low / f) ** (2 * order)) * (1 + (f / high) ** (2 * order)))
    return ((np.maximum(f, 20) / 1000) ** (slope / 6.02) if slope else 1) / skirts


def noise(rng: Generator, n: int, rate: int, low: float, high: float, order: float = 1, slope: float = 0) -> np.ndarray:
    """Gaussian noise in a band, drawn in the frequency domain.

    Args:
        rng: source of randomness.
        n: number of samples.
        rate: samples per second.
        low: lower edge of the band in Hz.
        high: upper edge in Hz.
        order: steepness; outside the band the level falls by 6 * order dB per octave.
        slope: dB per octave inside the band; negative is darker.

    Returns:
        (n,) float32 with RMS 1.
    """
    size = fft.next_fast_len(n, real=True)
    spectrum = rng.standard_normal(2 * (size // 2 + 1), dtype=np.float32).view(np.complex64)
    spectrum *= _band(fft.rfftfreq(size, 1 / rate), low, high, order, slope).astype(np.float32)
    x = fft.irfft(spectrum, size)[:n]
    x /= np.sqrt(np.mean(x**2) + 1e-20)
    return x


def bandpass(x: np.ndarray, rate: int, low: float, high: float) -> np.ndarray:
    """Keep a band of a signal, with skirts of 6 dB per octave.

    Args:
        x: (n,) signal.
        rate: samples per second.
        low: lower edge in Hz.
        high: upper edge in Hz.

    Returns:
        (n,) float32.
    """
    size = fft.next_fast_len(len(x), real=True)
    gain = _band(fft.rfftfreq(size, 1 / rate), low, high, 1).astype(np.float32)
    return fft.irfft(fft.rfft(x, size) * gain, size)[: len(x)]


def resonate(x: np.ndarray, rate: int, centres: Sequence[float] | np.ndarray, width: float) -> np.ndarray:
    """Pass a signal through parallel resonances: the formants of a throat, the body of a box.

    Args:
        x: (..., n) signals.
        rate: samples per second.
        centres: (..., K) Hz; each resonance is 5 dB weaker than the one before, as in a voice.
        width: bandwidth in Hz.

    Returns:
        (..., n) float32.
    """
    n = x.shape[-1]
    size = fft.next_fast_len(n, real=True)
    frequency, centres = fft.rfftfreq(size, 1 / rate), np.asarray(centres)
    gain = 0
    for k, weaker in enumerate(10 ** (-5 * np.arange(centres.shape[-1]) / 20)):
        distance = frequency - centres[..., k, None]
        distance /= width / 2
        distance *= distance
        distance += 1
        gain += weaker / np.sqrt(distance, out=distance)
    spectrum = fft.rfft(x, size)
    spectrum *= gain.astype(np.float32)
    return fft.irfft(spectrum, size)[..., :n]


def sparks(rng: Generator, n: int, rate: int, per_second: float) -> np.ndarray:
    """Single-sample clicks at random times and of random height: drops, crackle and claps before filtering.

    Args:
        rng: source of randomness.
        n: number of samples.
        rate: samples per second.
        per_second: mean number of clicks in a second.

    Returns:
        (n,) float32.
    """
    y = np.zeros(n, np.float32)
    count = rng.poisson(per_second * n / rate) + 1
    y[rng.integers(0, n, count)] = rng.uniform(0.1, 1, count) * rng.choice([-1, 1], count)
    return y


# --- curves in time -----------------------------------------------------------------------------------------


def glide(points: Sequence[float] | np.ndarray, n: int) -> np.ndarray:
    """Straight lines through equally spaced points: a pitch contour or an envelope.

    Args:
        points: (..., K) values; with K = n they are returned as they are.
        n: number of samples.

    Returns:
        (..., n) float32 from the first point to the last.
    """
    points = np.asarray(points, np.float32)
    if points.shape[-1] in (1, n):
        return np.broadcast_to(points, (*points.shape[:-1], n))
    position = np.linspace(0, points.shape[-1] - 1, n, dtype=np.float32)
    pieces = np.arange(points.shape[-1] - 1)
    lengths = np.diff(np.searchsorted(position, pieces[1:].astype(np.float32)), prepend=0, append=n)  # in samples
    y = (position - np.repeat(pieces, lengths)) * np.repeat(np.diff(points), lengths, -1)
    y += np.repeat(points[..., :-1], lengths, -1)
    return y


def wander(rng: Generator, n: int, rate: int, every: float, low: float, high: float) -> np.ndarray:
    """A curve that drifts at random between two values.

    Args:
        rng: source of randomness.
        n: number of samples.
        rate: samples per second.
        every: seconds between turning points.
        low: lowest value.
        high: highest value.

    Returns:
        (n,) float32 in low..high.
    """
    return glide(rng.uniform(low, high, int(n / rate / every) + 3), n)


def fade(n: int, rate: int, attack: float, release: float) -> np.ndarray:
    """An envelope that rises and falls along half cosines.

    Args:
        n: number of samples.
        rate: samples per second.
        attack: seconds of rise.
        release: seconds of fall.

    Returns:
        (n,) float32 in 0..1.
    """
    t = (np.arange(n, dtype=np.float32) + 0.5) / rate
    return np.sin(np.pi / 2 * np.minimum(1, np.minimum(t / attack, (n / rate - t) / release))) ** 2


def decay(n: int, rate: int, seconds: float) -> np.ndarray:
    """An exponential decay.

    Args:
        n: number of samples.
        rate: samples per second.
        seconds: time in which the amplitude falls to 1/e.

    Returns:
        (n,) float32 from 1 down.
    """
    return np.exp(np.arange(n, dtype=np.float32) / np.float32(-rate * seconds))


# --- tones --------------------------------------------------------------------------------------------------


def tone(
    pitch: float | Sequence[float] | np.ndarray,
    n: int,
    rate: int,
    partials: Sequence[float] | np.ndarray = (1,),
) -> np.ndarray:
    """A harmonic tone on a pitch contour, read from a table that holds one period.

    Args:
        pitch: fundamental in Hz: a number, or (..., K) equally spaced points of a contour (see `glide`).
        n: number of samples.
        rate: samples per second.
        partials: amplitudes of the harmonics 1, 2, ...; those above half the rate are left out.

    Returns:
        (..., n) float32.
    """
    frequency = glide(np.atleast_1d(pitch), n)
    table = _period(tuple(partials[: max(1, int(rate / 2 / frequency.max()))]))
    position = np.cumsum(frequency, axis=-1, dtype=float)
    position /= rate / TABLE  # points of the table
    index = position.astype(np.int64)
    index &= TABLE - 1
    return table.take(index)


@lru_cache(maxsize=64)  # a bank of notes has the same partials
def _period(partials):
    """One period of a tone: (TABLE,) float32."""
    spectrum = np.zeros(TABLE // 2 + 1, complex)
    spectrum[1 : len(partials) + 1] = -0.5j * TABLE * np.asarray(partials)
    return fft.irfft(spectrum, TABLE).astype(np.float32)


def buzz(exponent: float, count: int) -> np.ndarray:
    """Harmonics of a source that closes once a period (throat, reed, cylinder).

    Args:
        exponent: roll-off; 0 is a train of pulses, -1 a sawtooth, -2 a soft reed.
        count: number of harmonics.

    Returns:
        (count,) amplitudes.
    """
    return np.arange(1, count + 1) ** float(exponent)


def struck(n: int, rate: int, modes: np.ndarray, decays: np.ndarray, amplitudes: np.ndarray) -> np.ndarray:
    """A struck body: the sum of its damped modes.

    Args:
        n: number of samples.
        rate: samples per second.
        modes: (K,) Hz, below half the rate.
        decays: (K,) seconds in which a mode falls to 1/e, or one for all.
        amplitudes: (K,) or one for all.

    Returns:
        (n,) float32.
    """
    t = np.arange(n) / rate
    modes, decays, amplitudes = (np.asarray(v, float)[..., None] for v in (modes, decays, amplitudes))
    return (amplitudes * np.exp(-t / decays) * np.sin(2 * np.pi * modes * t)).sum(0).astype(np.float32)


def voices(
    rng: Generator,
    pitch: np.ndarray,
    seconds: float,
    rate: int,
    formants: np.ndarray,
    breath: float = 0.3,
    bright: float = -0.6,
    width: float = 110,
    edges: tuple[float, float] = (0.03, 0.08),
) -> np.ndarray:
    """A bank of syllables or animal cries: a buzz on a pitch contour, in a throat that changes its shape.

    Args:
        rng: source of randomness.
        pitch: (G, K) points of the pitch contour of each grain in Hz.
        seconds: length of a grain.
        rate: samples per second.
        formants: (..., V, F) Hz, broadcast over grains; the throat moves from the first shape to the last.
        breath: RMS of the noise mixed into the buzz.
        bright: exponent of the harmonics, see `buzz`.
        width: bandwidth of the formants in Hz.
        edges: seconds of rise and fall.

    Returns:
        (G, round(seconds * rate)) float32 with unit peaks.
    """
    n = round(seconds * rate)
    source = tone(pitch, n, rate, buzz(bright, 40))
    source += np.float32(breath) * rng.standard_normal(source.shape, dtype=np.float32)
    formants = np.asarray(formants, float)
    grains = resonate(source, rate, formants[..., 0, :], width)
    if formants.shape[-2] > 1:
        grains += (resonate(source, rate, formants[..., -1, :], width) - grains) * glide([0, 1], n)
    grains *= fade(n, rate, *edges)
    return grains / np.abs(grains).max(-1, keepdims=True)


# --- grains in time -----------------------------------------------------------------------------------------


def onsets(rng: Generator, seconds: float, shortest: float, longest: float) -> np.ndarray:
    """Times at which something happens again and again.

    Args:
        rng: source of randomness.
        seconds: length of the recording.
        shortest: shortest gap in seconds.
        longest: longest gap in seconds; the first time comes within half of it.

    Returns:
        (K,) rising times in seconds, K >= 1, all before `seconds`.
    """
    gaps = rng.uniform(shortest, longest, int(seconds / shortest) + 1)
    times = rng.uniform(0, min(longest, seconds) / 2) + np.r_[0, np.cumsum(gaps)]
    return times[times < seconds]


def scatter(
    rng: Generator,
    grains: Sequence[np.ndarray],
    times: np.ndarray,
    quietest: float,
    seconds: float,
    rate: int,
) -> np.ndarray:
    """Lay grains into silence, one per time and taken in turn, each at its own random gain.

    Args:
        rng: source of randomness.
        grains: grains of any lengths.
        times: (K,) onsets in seconds, not negative; what passes the end is cut.
        quietest: gains are uniform from this factor to 1.
        seconds: length of the recording.
        rate: samples per second.

    Returns:
        (round(seconds * rate),) float32.
    """
    y = np.zeros(round(seconds * rate), np.float32)
    gains = rng.uniform(quietest, 1, len(times)).astype(np.float32)
    for k, start in enumerate((times * rate).astype(int)):
        piece = grains[k % len(grains)][: max(0, len(y) - start)]
        y[start : start + len(piece)] += gains[k] * piece
    return y


# --- space --------------------------------------------------------------------------------------------------


def muffled(x: np.ndarray, rate: int, cutoff: float) -> np.ndarray:
    """Second-order low-pass: the air and the obstacles between a source and the microphone.

    Args:
        x: (n,) signal.
        rate: samples per second.
        cutoff: Hz; from 0.45 * rate up nothing is changed.

    Returns:
        (n,) float32.
    """
    if cutoff >= 0.45 * rate:
        return x
    return signal.lfilter(*signal.butter(2, cutoff, fs=rate), x).astype(np.float32)


def reverberant(rng: Generator, x: np.ndarray, rate: int, seconds: float, wet: float) -> np.ndarray:
    """Add the diffuse tail of a room, a yard or a valley: the signal convolved with dark, dying noise.

    Args:
        rng: source of randomness.
        x: (n,) signal.
        rate: samples per second.
        seconds: time in which the tail falls by 60 dB.
        wet: RMS of the tail relative to the signal's.

    Returns:
        (n,) float32.
    """
    m = round(seconds * rate)
    tail = noise(rng, m, rate, 80, 3500) * decay(m, rate, seconds / 6.9)
    echo = signal.oaconvolve(x, tail)[: len(x)].astype(np.float32)
    return x + echo * np.float32(wet * np.sqrt(np.mean(x**2) / (np.mean(echo**2) + 1e-20)))
