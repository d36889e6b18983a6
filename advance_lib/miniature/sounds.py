"""Sound events of AudioSet as small synthetic instruments, and the field recordings mixed from them.

An instrument is a function (rng, seconds, rate) -> (round(seconds * rate),) float32. It draws its own pitch,
tempo, density and timbre, so that two takes of an event differ as two recordings would, and it sounds at
least every five seconds. `synthesise` brings takes to a common loudness; `mix` makes a recording of several.

How likely an event is in a scene is not invented: `published.advance_posteriors` has p(event | scene), published with
the official code.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd
from numpy.random import Generator

from advance_lib.data.published import advance_posteriors
from advance_lib.miniature.synthesis import (
    bandpass,
    buzz,
    decay,
    fade,
    glide,
    muffled,
    noise,
    onsets,
    resonate,
    reverberant,
    scatter,
    sparks,
    struck,
    tone,
    voices,
    wander,
)

LOUDNESS = 0.1  # RMS of a take, -20 dBFS
AH, EH, EE, OH, OO = [
    [730, 1090, 2440],
    [530, 1840, 2480],
    [270, 2290, 3010],
    [500, 900, 2400],
    [310, 870, 2240],
]
VOWELS = np.array([AH, EH, EE, OH, OO])  # formants of an adult voice in Hz


# --- people -------------------------------------------------------------------------------------------------


def _syllables(rng, count, pitch, rate):
    """A bank of spoken syllables around a pitch in Hz (a number or one per syllable)."""
    contour = np.multiply(pitch, rng.uniform(0.8, 1.25, count))[:, None] * rng.uniform(0.85, 1.15, (count, 3))
    throat = 1 + 0.2 * np.clip((np.mean(pitch) - 120) / 120, -0.3, 1.2)  # high voices have short throats
    shapes = VOWELS[rng.integers(0, len(VOWELS), (count, 2))] * throat
    return voices(rng, contour, rng.uniform(0.14, 0.26), rate, shapes, rng.uniform(0.1, 0.6))


def _phrases(rng, seconds, tempo, pause):
    """Times of the syllables of a talker: `tempo` per second, with pauses of up to `pause` seconds."""
    gaps = rng.uniform(0.7, 1.3, int(2 * seconds * tempo)) / tempo
    gaps[rng.random(len(gaps)) < 0.12] += rng.uniform(0.3, pause)
    gaps[0] = rng.uniform(0, 0.5)
    times = np.cumsum(gaps)
    return times[times < seconds]


def speech(rng, seconds, rate):
    """One talker or two who take turns, with hissed consonants."""
    y, talkers = 0, rng.integers(1, 3)
    m = round(0.09 * rate)
    hiss = noise(rng, m, rate, 2500, 7000, 2) * fade(m, rate, 0.02, 0.04)
    times = _phrases(rng, seconds, rng.uniform(3.2, 6.5), 1.2)
    for k in range(talkers):
        turn = times[(times // 2.5).astype(int) % talkers == k]
        y = y + scatter(rng, _syllables(rng, 30, rng.uniform(85, 260), rate), turn, 0.3, seconds, rate)
    lisps = times[rng.random(len(times)) < 0.4]
    y += rng.uniform(0.02, 0.2) * scatter(rng, [hiss], np.maximum(lisps - 0.06, 0), 0.3, seconds, rate)
    return reverberant(rng, y, rate, rng.uniform(0.2, 1), rng.uniform(0, 0.5))


def chatter(rng, seconds, rate):
    """A few people talking at once."""
    y = 0
    for _ in range(rng.integers(3, 8)):
        bank = _syllables(rng, 12, rng.uniform(90, 320), rate)
        times = _phrases(rng, seconds, rng.uniform(3, 6.5), 1.5)
        y = y + rng.uniform(0.2, 1) * scatter(rng, bank, times, 0.3, seconds, rate)
    return reverberant(rng, y, rate, rng.uniform(0.3, 1.5), rng.uniform(0.1, 0.8))


def crowd(rng, seconds, rate):
    """So many voices that only a murmur is left."""
    n = round(seconds * rate)
    bank = _syllables(rng, 40, rng.uniform(100, 330, 40), rate)
    times = rng.uniform(0, seconds, int(seconds * rng.uniform(30, 90)))
    y = reverberant(rng, scatter(rng, bank, times, 0.02, seconds, rate), rate, rng.uniform(0.8, 2.5), 1.5)
    murmur = resonate(noise(rng, n, rate, 200, 4000, 2), rate, [500, 1200, 2600], 500)
    return (y / y.std() + rng.uniform(0.1, 0.8) * murmur / murmur.std()) * wander(rng, n, rate, 3, 0.6, 1)


def cheering(rng, seconds, rate):
    """Shouts of "yeah" at high pitch over applause, in waves."""
    n = round(seconds * rate)
    pitch = rng.uniform(220, 700, (20, 1)) * rng.uniform(0.7, 1.3, (20, 4))
    bank = voices(rng, pitch, rng.uniform(0.5, 0.9), rate, 1.15 * VOWELS[[2, 0]], 0.6)
    times = rng.uniform(0, seconds, int(seconds * rng.uniform(5, 25)))
    y = scatter(rng, bank, times, 0.05, seconds, rate)
    claps = resonate(sparks(rng, n, rate, rng.uniform(60, 800)), rate, [1200, 2600], 900)
    y = y / y.std() + rng.uniform(0.1, 1.3) * claps / claps.std()
    return reverberant(rng, y * wander(rng, n, rate, 1.5, 0.3, 1), rate, rng.uniform(0.5, 2), rng.uniform(0.2, 1))


def run(rng, seconds, rate):
    """Running feet on a hard, a soft or a gravelly ground."""
    m, tempo, steps = round(0.16 * rate), rng.uniform(2.2, 3.6), []
    hard, gravel, low = rng.uniform(0, 1), rng.uniform(0, 0.5), rng.uniform(60, 140)
    for _ in range(8):
        thump = struck(m, rate, low * rng.uniform(0.9, 1.1) * np.array([1, 1.9, 3.1]), 0.025, [1, 0.6, 0.3])
        heel = struck(m, rate, rng.uniform(500, 1500, 3), 0.008, hard)
        steps.append(thump + heel + gravel * noise(rng, m, rate, 700, 6000) * fade(m, rate, 0.015, 0.12))
    times = rng.uniform(0.05, 0.4) + np.arange(0, seconds, 1 / tempo)
    return scatter(rng, steps, times + rng.uniform(-0.02, 0.02, len(times)), 0.5, seconds, rate)


def whistle(rng, seconds, rate):
    """Somebody who whistles a tune, or a referee with a pea whistle."""
    if rng.random() < 0.4:
        m = round(rng.uniform(0.2, 1.2) * rate)
        trill = 1 + 0.02 * tone(rng.uniform(20, 45), m, rate)
        call = tone(rng.uniform(2000, 3800) * trill, m, rate, [1, 0.15]) * (0.6 + 20 * (trill - 1))
        times = onsets(rng, seconds, m / rate + 0.2, m / rate + rng.uniform(0.5, 2.5))
        return scatter(rng, [call * fade(m, rate, 0.02, 0.04)], times, 0.6, seconds, rate)
    notes, scale = [], rng.uniform(700, 1700) * 2 ** (np.array([0, 2, 4, 5, 7, 9, 12]) / 12)
    slow = rng.uniform(0.7, 1.6)
    for target in rng.choice(scale, 10):
        m = round(slow * rng.uniform(0.15, 0.5) * rate)
        vibrato = 1 + 0.01 * tone(rng.uniform(4, 7), m, rate)
        note = tone(glide([target * rng.uniform(0.8, 1), target, target], m) * vibrato, m, rate, [1, 0.05])
        notes.append(note * fade(m, rate, 0.05, 0.08))
    return scatter(rng, notes, onsets(rng, seconds, 0.25 * slow, 0.7 * slow), 0.5, seconds, rate)


# --- animals ------------------------------------------------------------------------------------------------


def _bouts(rng, seconds, longest, calls, gap):
    """Times of calls in bouts, at most `longest` seconds apart, of `calls` (from, below) `gap` s apart."""
    bouts = onsets(rng, seconds, longest / 2.5, longest)
    return np.concatenate([b + gap * rng.uniform(0.85, 1.15) * np.arange(rng.integers(*calls)) for b in bouts])


def clip_clop(rng, seconds, rate):
    """A horse on a hard road: hollow knocks in pairs."""
    m, body, hooves = round(0.12 * rate), rng.uniform(500, 1300), []
    for shift in rng.uniform(0.8, 1.25, 4):
        modes = body * shift * np.array([1, 1.52, 2.4, 3.7])
        knock = struck(m, rate, modes, [0.022, 0.016, 0.01, 0.006], rng.uniform(0.3, 1, 4))
        hooves.append(knock + rng.uniform(0.05, 0.3) * noise(rng, m, rate, 1500, 7000) * decay(m, rate, 0.01))
    stride, lag = 1 / rng.uniform(1.3, 2.8), rng.uniform(0.3, 0.5)
    times = (np.arange(0.05, seconds, stride)[:, None] + [0, lag * stride]).ravel()
    times += rng.uniform(-0.015, 0.015, len(times))
    return reverberant(rng, scatter(rng, hooves, times, 0.4, seconds, rate), rate, 0.4, rng.uniform(0, 0.6))


def fowl(rng, seconds, rate):
    """Hens: short clucks, now and then a drawn-out cackle."""
    pitch, body = rng.uniform(300, 700), rng.uniform([[800, 1800]], [[1400, 2900]])
    rough = rng.uniform(0.2, 1)
    clucks = pitch * np.array([0.8, 1.15, 0.75]) * rng.uniform(0.85, 1.15, (9, 1))
    cackle = pitch * np.array([[1, 1.7, 1.6, 1.2]]) * rng.uniform(0.8, 1.1)
    bank = [
        *voices(rng, clucks, rng.uniform(0.05, 0.1), rate, body, rough, -0.4, 500, (0.008, 0.03)),
        *voices(rng, cackle, rng.uniform(0.25, 0.6), rate, body, rough, -0.3, 500, (0.03, 0.1)),
    ]
    times = _bouts(rng, seconds, rng.uniform(1.2, 3.2), (2, 7), rng.uniform(0.16, 0.4))
    return scatter(rng, bank, times, 0.3, seconds, rate)


def crowing(rng, seconds, rate):
    """A rooster's four notes, the last one long and falling."""
    pitch, body = rng.uniform(420, 800), rng.uniform([[800, 1800]], [[1400, 2900]])
    slow, rough, gap, crows = rng.uniform(0.7, 1.3), rng.uniform(0.05, 0.4), np.zeros(round(0.06 * rate)), []
    notes = [
        (0.22, [0.75, 1, 0.95]),
        (0.13, [1.05, 1.1]),
        (0.28, [1, 1.35, 1.3]),
        (0.9, [1, 1.25, 1.2, 0.95, 0.6]),
    ]
    for _ in range(2):
        cry = []
        for length, contour in notes[rng.integers(0, 2) :]:
            shape = pitch * np.array([contour]) * rng.uniform(0.93, 1.07, len(contour))
            length *= slow * rng.uniform(0.8, 1.2)
            cry += [voices(rng, shape, length, rate, body, rough, -0.4, 500, (0.02, 0.08))[0], gap]
        crows.append(np.concatenate(cry))
    y = scatter(rng, crows, onsets(rng, seconds, 2.6, 4.4), 0.5, seconds, rate)
    return reverberant(rng, y, rate, rng.uniform(0.4, 1.5), rng.uniform(0, 0.6))


def turkey(rng, seconds, rate):
    """A gobble: a fast falling rattle of some ten yelps."""
    pitch, speed = rng.uniform(450, 1000), rng.uniform(9, 17)
    yelps = pitch * np.array([1.2, 0.9, 0.6]) * rng.uniform(0.85, 1.15, (8, 1))
    body = rng.uniform([[800, 1600]], [[1400, 2500]])
    bank = voices(rng, yelps, 0.85 / speed, rate, body, rng.uniform(0.1, 0.6), -0.5, 500, (0.006, 0.02))
    return scatter(rng, bank, _bouts(rng, seconds, 4, (6, 16), 1 / speed), 0.4, seconds, rate)


def goose(rng, seconds, rate):
    """One goose or a small flock, honking through the nose."""
    y = 0
    for _ in range(rng.integers(1, 5)):
        honks = rng.uniform(280, 600) * np.array([0.75, 1, 1.02, 0.9, 0.6]) * rng.uniform(0.9, 1.1, (4, 1))
        body = rng.uniform([[900, 2100]], [[1600, 3100]])
        bank = voices(rng, honks, rng.uniform(0.18, 0.45), rate, body, rng.uniform(0.1, 0.5), -0.15, 500)
        times = _bouts(rng, seconds, rng.uniform(1.5, 4), (1, 5), rng.uniform(0.4, 0.8))
        y = y + rng.uniform(0.3, 1) * scatter(rng, bank, times, 0.5, seconds, rate)
    return reverberant(rng, y, rate, rng.uniform(0.3, 1.5), rng.uniform(0, 0.5))


def bird(rng, seconds, rate):
    """One to three songbirds, each with a motif of whistled notes, chirps and trills."""
    y = np.zeros(round(seconds * rate), np.float32)
    for _ in range(rng.integers(1, 4)):
        centre, song = rng.uniform(1800, 5500), []
        for _ in range(rng.integers(1, 5)):
            m = round(rng.uniform(0.03, 0.25) * rate)
            contour = np.minimum(centre * rng.uniform(0.7, 1.4, rng.integers(2, 5)), 0.42 * rate)
            note = tone(contour, m, rate, [1, rng.uniform(0, 0.15)]) * fade(m, rate, 0.01, 0.02)
            song += [np.pad(note, (0, round(rng.uniform(0.01, 0.08) * rate)))] * rng.choice([1, 1, 2, 7])
        song = np.concatenate(song)
        length = len(song) / rate
        times = onsets(rng, seconds, length + 0.1, length + rng.uniform(0.3, 2.5))
        y += rng.uniform(0.2, 1) * scatter(rng, [song], times, 0.4, seconds, rate)
    return reverberant(rng, y, rate, rng.uniform(0.3, 1.5), rng.uniform(0, 0.4))


def owl(rng, seconds, rate):
    """Soft hoots in a fixed rhythm, the last one long."""
    partials, hoots = [1, rng.uniform(0.02, 0.3), rng.uniform(0, 0.1)], []
    rhythm = np.cumsum([0, *rng.uniform(0.25, 0.7, rng.integers(1, 4))])
    contour = rng.uniform(240, 550) * np.array([0.93, 1.02, 1, 0.9])
    for length in [*rng.uniform(0.12, 0.25, len(rhythm) - 1), rng.uniform(0.4, 0.9)]:
        m = round(length * rate)
        hoots.append(tone(contour, m, rate, partials) * fade(m, rate, 0.05, length / 2))
    times = (onsets(rng, seconds, 2.2, 4.2)[:, None] + rhythm).ravel()
    y = scatter(rng, hoots, times, 0.7, seconds, rate)
    return reverberant(rng, y, rate, rng.uniform(0.5, 2), rng.uniform(0.1, 0.6))


def insect(rng, seconds, rate):
    """Cicadas and katydids: a harsh band of noise that rattles, swells or comes in bursts."""
    n, centre = round(seconds * rate), rng.uniform(2800, 6200)
    high = min(centre * rng.uniform(1.1, 1.5), 0.46 * rate)
    y = noise(rng, n, rate, centre, high, 5) * (1 + rng.uniform(0.3, 1) * tone(rng.uniform(20, 160), n, rate))
    if rng.random() < 0.4:
        y *= 0.05 + np.clip(4 * tone(rng.uniform(0.4, 3), n, rate) + rng.uniform(0, 3), 0, 1)
    return y * wander(rng, n, rate, rng.uniform(0.5, 3), 0.3, 1)


def cricket(rng, seconds, rate):
    """Crickets: chirps of a few pure pulses, or an unbroken trill."""
    y = np.zeros(round(seconds * rate), np.float32)
    for _ in range(rng.integers(1, 4)):
        m, count = round(rng.uniform(0.01, 0.025) * rate), rng.integers(2, 6)
        pulse = tone(rng.uniform(2300, 5500), m, rate, [1, 0.1]) * fade(m, rate, 0.006, 0.008)
        chirp = np.tile(np.pad(pulse, (0, round(m * rng.uniform(0.3, 1)))), count)
        gap = len(chirp) / rate if rng.random() < 0.3 else rng.uniform(0.2, 1)
        times = np.arange(rng.uniform(0, gap), seconds, max(gap, len(chirp) / rate))
        y += rng.uniform(0.2, 1) * scatter(rng, [chirp], times, 0.7, seconds, rate)
    return y


def bee(rng, seconds, rate):
    """Bees and wasps that come near and leave again: a reedy buzz around 200 Hz."""
    n, y = round(seconds * rate), 0
    for _ in range(rng.integers(1, 4)):
        pitch = rng.uniform(120, 300) * wander(rng, n, rate, 0.12, 0.95, 1.05) * wander(rng, n, rate, 1, 0.85, 1.1)
        near = wander(rng, n, rate, rng.uniform(0.3, 1.5), 0, 1) ** 2 + 0.05
        y = y + near * tone(pitch, n, rate, buzz(rng.uniform(-1.5, -0.5), 24))
    return bandpass(y, rate, 150, rng.uniform(1500, 6000))


def frog(rng, seconds, rate):
    """A pond: each frog has its own croak, a train of resonant pulses."""
    y = np.zeros(round(seconds * rate), np.float32)
    for _ in range(rng.integers(1, 6)):
        length, body = rng.uniform(0.1, 0.7), rng.uniform(300, 2200)
        ticks = np.arange(0, length, 1 / rng.uniform(20, 80))
        croak = scatter(rng, [np.ones(2, np.float32)], ticks, 0.6, length, rate)
        croak = resonate(croak, rate, [body, body * rng.uniform(1.6, 2.5)], body * rng.uniform(0.08, 0.3))
        croak *= fade(len(croak), rate, rng.uniform(0.02, 0.08), 0.05) / np.abs(croak).max()
        times = onsets(rng, seconds, length + 0.05, length + rng.uniform(0.2, 2))
        y += rng.uniform(0.2, 1) * scatter(rng, [croak], times, 0.5, seconds, rate)
    return y


# --- music --------------------------------------------------------------------------------------------------


def music(rng, seconds, rate):
    """A small band: bass, chords and a melody on a beat, plucked or bowed, with or without a hi-hat."""
    beat, root, m = 60 / rng.uniform(70, 150), rng.uniform(82, 196), round(rng.uniform(0.4, 1.2) * rate)
    minor = rng.random() < 0.4
    scale = np.array([0, 3, 5, 7, 10, 12, 15, 17] if minor else [0, 2, 4, 7, 9, 12, 14, 16])
    timbre = buzz(rng.uniform(-2.5, -0.8), 16)
    shape = fade(m, rate, rng.uniform(0.004, 0.06), 0.15) * decay(m, rate, rng.uniform(0.1, 1))

    def played(semitones):
        return tone(root * 2 ** (semitones / 12), m, rate, timbre) * shape

    beats, quavers = np.arange(0, seconds, beat), np.arange(0, seconds, beat / 2)
    quavers = quavers[rng.random(len(quavers)) < rng.uniform(0.5, 1)]
    y = scatter(rng, [played(12 + note) for note in rng.choice(scale, 16)], quavers, 0.4, seconds, rate)
    chords = [sum(played(note + step) for note in (0, 3 if minor else 4, 7)) for step in (0, 5, 7, 0)]
    y += rng.uniform(0.1, 0.6) * scatter(rng, np.repeat(chords, 4, 0), beats, 0.8, seconds, rate)
    y += rng.uniform(0.3, 1) * scatter(rng, [played(-12)], beats[::2], 0.8, seconds, rate)
    hat = noise(rng, round(0.06 * rate), rate, 5000, 10000) * decay(round(0.06 * rate), rate, 0.012)
    return y + max(rng.uniform(-0.2, 0.25), 0) * scatter(rng, [hat], quavers, 0.4, seconds, rate)


def organ(rng, seconds, rate):
    """A church organ: chords held by several stops in a large room."""
    root, stops = rng.uniform(98, 240), np.zeros(16)
    stops[[0, 1, 2, 3, 5, 7, 11, 15]] = rng.uniform(0, 1, 8)
    stops[:2] += 0.4
    times, chords = onsets(rng, seconds, 0.5, rng.uniform(1, 3)), []
    for length in np.diff([*times, seconds]):
        m = round(length * rate) + rate // 8
        steps = rng.choice([0, 2, 4, 5, 7, 9]) + rng.permutation([-12, 0, 4, 7, 12])[: rng.integers(2, 5)]
        chords.append(sum(tone(root * 2 ** (s / 12), m, rate, stops) for s in steps) * fade(m, rate, 0.05, 0.08))
    y = scatter(rng, chords, times, 0.7, seconds, rate)
    return reverberant(rng, y, rate, rng.uniform(1, 3), rng.uniform(0.3, 0.9))


def drum(rng, seconds, rate):
    """A drummer with a low drum, a high one and a snare, who repeats a bar of sixteenths."""
    m, sixteenth = round(0.35 * rate), 15 / rng.uniform(80, 160)
    skin, low = np.array([1, 1.59, 2.14, 2.3, 2.65]), rng.uniform(55, 130)
    ring = rng.uniform(0.05, 0.2) / np.array([1, 2, 3, 4, 4])
    deep = struck(m, rate, low * skin, ring, [1, 0.6, 0.4, 0.3, 0.3])
    high = struck(m, rate, low * rng.uniform(1.6, 3.5) * skin, ring / 2, [1, 0.6, 0.4, 0.3, 0.3])
    snare = 0.6 * high + 0.35 * noise(rng, m, rate, 900, 8000) * decay(m, rate, rng.uniform(0.03, 0.09))
    bar, y = np.arange(0, seconds, 16 * sixteenth)[:, None], 0
    for hit in (deep, high, snare):
        beats = rng.choice(16, rng.integers(2, 8), replace=False)
        y = y + rng.uniform(0.3, 1) * scatter(rng, [hit], (bar + beats * sixteenth).ravel(), 0.5, seconds, rate)
    return reverberant(rng, y, rate, rng.uniform(0.3, 1.2), rng.uniform(0, 0.5))


# --- wind, water and weather --------------------------------------------------------------------------------


def wind(rng, seconds, rate):
    """Gusts: dark noise at the microphone, and a howl and a hiss that rise with them."""
    n, centre = round(seconds * rate), rng.uniform(300, 900)
    gust = wander(rng, n, rate, rng.uniform(0.5, 2.5), 0.25, 1)
    howl = noise(rng, n, rate, centre, centre * rng.uniform(1.05, 1.5), 4) * gust**2
    hiss = noise(rng, n, rate, 500, rng.uniform(2000, 6000)) * gust
    body = noise(rng, n, rate, 40, rng.uniform(150, 500), slope=-4)
    return gust**2 * (body + max(rng.uniform(-0.2, 0.6), 0) * howl + rng.uniform(0.02, 0.4) * hiss)


def thunder(rng, seconds, rate):
    """Claps that crackle and roll away."""
    m, claps = 4 * rate, []
    for _ in range(3):
        roll = noise(rng, m, rate, 25, rng.uniform(100, 250)) * wander(rng, m, rate, 0.15, 0.1, 1)
        crack = noise(rng, m, rate, 100, rng.uniform(1000, 4000)) * wander(rng, m, rate, 0.03, 0, 1) ** 2
        y = roll * decay(m, rate, rng.uniform(0.7, 2)) + rng.uniform(0, 1) * crack * decay(m, rate, 0.3)
        claps.append(y * fade(m, rate, rng.uniform(0.01, 0.4), 0.5))
    return scatter(rng, claps, onsets(rng, seconds, 2, 4.5), 0.4, seconds, rate)


def rain(rng, seconds, rate):
    """A steady hiss of far drops, with near ones that patter on top."""
    n = round(seconds * rate)
    hiss = noise(rng, n, rate, rng.uniform(400, 2000), rng.uniform(6000, 12000), slope=-1)
    drops = bandpass(sparks(rng, n, rate, rng.uniform(60, 800)), rate, rng.uniform(600, 2500), 8000)
    return (hiss + rng.uniform(0.2, 1.2) * drops / drops.std()) * wander(rng, n, rate, 2, 0.6, 1)


def stream(rng, seconds, rate):
    """Running water: many bubbles, each a short tone whose pitch rises a little, in a wash of noise."""
    bubbles, top = [], rng.uniform(1200, 4000)
    for pitch in np.exp(rng.uniform(np.log(300), np.log(top), 50)):
        m = round(rng.uniform(0.02, 0.08) * rate)
        bubble = tone([pitch, pitch * rng.uniform(1, 1.5)], m, rate) * decay(m, rate, rng.uniform(4, 12) / pitch)
        bubbles.append(bubble * fade(m, rate, 0.003, 0.01))
    times = rng.uniform(0, seconds, int(seconds * np.exp(rng.uniform(np.log(50), np.log(350)))))
    y = scatter(rng, bubbles, times, 0.02, seconds, rate)
    wash = noise(rng, len(y), rate, 400, 5000, slope=rng.uniform(-3, 0)) * wander(rng, len(y), rate, 0.3, 0.7, 1)
    return y / y.std() + rng.uniform(0.3, 1.5) * wash


def waves(rng, seconds, rate):
    """Surf: every few seconds a wave swells, breaks bright and drains away."""
    n, bright = round(seconds * rate), rng.uniform(0.4, 1)
    roar, foam = noise(rng, n, rate, 60, rng.uniform(400, 1000)), noise(rng, n, rate, 500, 9000, slope=-1)
    t, y = np.arange(n, dtype=np.float32) / rate, 0.08 * foam
    for crest in np.r_[rng.uniform(-2, 0), 1 + onsets(rng, seconds, 2.5, 5)]:
        rise, fall, height = rng.uniform(0.4, 1.8), rng.uniform(0.6, 2.2), rng.uniform(0.4, 1)
        for part, late in ((roar, 0), (bright * foam, rng.uniform(0, 0.6))):
            since = t - crest - late
            y += height * part * np.exp(np.where(since < 0, -2 * (since / rise) ** 2, -since / fall))
    return y


def rumble(rng, seconds, rate):
    """A deep rumble that has no onset and no end."""
    n = round(seconds * rate)
    y = noise(rng, n, rate, 25, rng.uniform(50, 150), 2.5) * wander(rng, n, rate, rng.uniform(0.2, 2), 0.3, 1)
    return y + rng.uniform(0.01, 0.1) * noise(rng, n, rate, 50, 3000, slope=-4)


# --- traffic ------------------------------------------------------------------------------------------------


def _passing(n, rate, time, width):
    """Loudness of what drives by: nearest at `time`, a fifth at 2 * `width` seconds from it."""
    return 1 / (1 + ((np.arange(n, dtype=np.float32) / rate - time) / width) ** 2)


def boat(rng, seconds, rate):
    """A small diesel: the separate puffs of a slow engine, and water that laps at the hull."""
    n, puffs = round(seconds * rate), rng.uniform(4.5, 14)
    firing = np.maximum(tone(puffs * wander(rng, n, rate, 1, 0.94, 1.06), n, rate, buzz(-0.3, 12)), 0) ** 2
    engine = tone(puffs * rng.integers(6, 12), n, rate, buzz(-1, 12)) * firing
    engine = bandpass(engine, rate, 50, rng.uniform(200, 1000))
    laps = noise(rng, n, rate, rng.uniform(200, 700), 3000) * wander(rng, n, rate, 0.25, 0, 1) ** 3
    return engine / engine.std() + rng.uniform(0.1, 0.9) * laps


def car(rng, seconds, rate):
    """Single cars that pass: the hiss of tyres, and an engine that drops in pitch at the nearest point."""
    n = round(seconds * rate)
    tyres = noise(rng, n, rate, rng.uniform(150, 500), rng.uniform(900, 3000), 1.5)
    t, y = np.arange(n, dtype=np.float32) / rate, 0.03 * tyres
    for time in onsets(rng, seconds, 2.8, 4.8):
        engine = tone(rng.uniform(45, 140) * (1 - 0.07 * np.tanh(1.5 * (t - time))), n, rate, buzz(-0.9, 20))
        near = rng.uniform(0.5, 1) * _passing(n, rate, time, rng.uniform(0.3, 1))
        y += near * (tyres + rng.uniform(0.1, 1.4) * engine)
    return y


def traffic(rng, seconds, rate):
    """A busy road some way off: a broad roar that hides the single engines."""
    n = round(seconds * rate)
    roar = noise(rng, n, rate, 60, rng.uniform(350, 1400)) * wander(rng, n, rate, 1.5, 0.6, 1)
    hiss = noise(rng, n, rate, 600, rng.uniform(1500, 3500), 1.5) * wander(rng, n, rate, 1, 0.2, 1)
    engine = tone(rng.uniform(40, 90) * wander(rng, n, rate, 3, 0.85, 1.15), n, rate, buzz(-0.9, 12))
    return roar + rng.uniform(0.2, 0.8) * hiss + rng.uniform(0, 0.4) * engine


def train(rng, seconds, rate):
    """Wagons over rail joints: a rolling roar and the clatter of paired axles."""
    n, m = round(seconds * rate), round(0.2 * rate)
    body = rng.uniform([120, 600, 1600], [350, 1200, 2800])
    clacks = [resonate(noise(rng, m, rate, 60, 4000), rate, body, 250) * decay(m, rate, 0.03) for _ in range(4)]
    wagon, axle = rng.uniform(0.5, 1.6), rng.uniform(0.08, 0.16)
    times = (np.arange(rng.uniform(0, 0.3), seconds, wagon)[:, None] + axle * np.array([0, 1, 2.2, 3.2])).ravel()
    clatter = scatter(rng, clacks, times, 0.5, seconds, rate)
    roar = noise(rng, n, rate, 50, rng.uniform(300, 1200)) * wander(rng, n, rate, 2, 0.5, 1)
    return roar + rng.uniform(0.4, 1.5) * clatter / clatter.std()


def squealing(rng, seconds, rate):
    """Wheel flanges in a curve, or brakes: piercing tones that slide and flutter."""
    n = round(seconds * rate)
    y = rng.uniform(0.05, 0.4) * noise(rng, n, rate, 80, rng.uniform(500, 2000))
    for pitch in rng.uniform(1500, 6500, rng.integers(2, 6)):
        swell = np.maximum(wander(rng, n, rate, rng.uniform(0.3, 1), -0.6, 1), 0)
        curve = pitch * wander(rng, n, rate, 0.8, 0.96, 1.04)
        y += swell * wander(rng, n, rate, 0.03, 0.4, 1) * tone(curve, n, rate, [1, rng.uniform(0, 0.4)])
    return y


def aircraft(rng, seconds, rate):
    """A jet: a roar whose colour sweeps as its echo from the ground shifts, with a turbine's whine."""
    n = round(seconds * rate)
    roar = noise(rng, n, rate, 70, rng.uniform(500, 2200))
    lag, far = round(rng.uniform(0.0015, 0.006) * rate), glide(rng.permutation([0, 1]), n)
    y = roar + rng.uniform(0.4, 1) * ((1 - far) * np.roll(roar, lag) + far * np.roll(roar, 3 * lag))
    whine = tone(rng.uniform(700, 2800) * (1.1 - 0.2 * far), n, rate, [1, 0.5, 0.2])
    near = 0.25 + _passing(n, rate, rng.uniform(0, 1) * seconds, rng.uniform(1.5, 6))
    return near * (y + rng.uniform(0, 0.25) * whine)


def helicopter(rng, seconds, rate):
    """Blades that slap the air ten to twenty times a second, over the noise of turbine and gear."""
    n = round(seconds * rate)
    slap = np.maximum(tone(rng.uniform(9, 23) * wander(rng, n, rate, 3, 0.97, 1.03), n, rate, buzz(-0.5, 8)), 0)
    y = noise(rng, n, rate, 50, rng.uniform(300, 1800)) * (rng.uniform(0.05, 0.3) + slap / slap.max())
    whine = tone(rng.uniform(600, 2000), n, rate, [1, 0.3])
    return (y + rng.uniform(0, 0.06) * whine) * wander(rng, n, rate, 3, 0.35, 1)


def foghorn(rng, seconds, rate):
    """A ship's horn: a deep blast of one or two reeds."""
    m, pitch = round(rng.uniform(1.2, 2.8) * rate), rng.uniform(65, 200) * np.array([0.97, 1, 1, 1, 0.93])
    blast = tone(pitch, m, rate, buzz(rng.uniform(-1.6, -0.6), 16))
    blast += rng.uniform(0, 0.6) * tone(rng.choice([1.25, 1.5]) * pitch, m, rate, buzz(-1.3, 8))
    blast *= fade(m, rate, 0.12, 0.3)
    times = onsets(rng, seconds, m / rate + 0.5, m / rate + 2)
    y = scatter(rng, [blast], times, 0.7, seconds, rate)
    return reverberant(rng, y, rate, rng.uniform(1, 3), rng.uniform(0.1, 0.8))


def fireworks(rng, seconds, rate):
    """Rockets: some whistle up, all bang, some crackle afterwards."""
    m, rockets = round(1.6 * rate), []
    for _ in range(5):
        up, start = round(rng.uniform(0.2, 0.8) * rate), rng.uniform(700, 2500)
        rise = tone([start, start * rng.uniform(1.2, 2)], up, rate, [1, 0.2]) * fade(up, rate, 0.15, 0.04)
        bang = noise(rng, m, rate, 40, rng.uniform(400, 1800)) * decay(m, rate, rng.uniform(0.05, 0.2))
        crackle = bandpass(sparks(rng, m, rate, rng.uniform(20, 200)), rate, 1000, 7000) * fade(m, rate, 0.2, 1)
        bang += max(rng.uniform(-0.5, 1), 0) * crackle / np.abs(crackle).max()
        rockets.append(np.concatenate([rng.choice([0, 0.15]) * rise, bang]))
    times = onsets(rng, seconds, 0.3, rng.uniform(0.8, 3))
    y = scatter(rng, rockets, times, 0.3, seconds, rate)
    return reverberant(rng, y, rate, rng.uniform(0.8, 2.5), rng.uniform(0.1, 0.7))


INSTRUMENTS: dict[str, Callable[[Generator, float, int], np.ndarray]] = {  # in AudioSet's order
    "Speech": speech,
    "Run": run,
    "Cheering": cheering,
    "Chatter": chatter,
    "Crowd": crowd,
    "Clip-clop": clip_clop,
    "Fowl": fowl,
    "Crowing, cock-a-doodle-doo": crowing,
    "Turkey": turkey,
    "Goose": goose,
    "Bird vocalization, bird call, bird song": bird,
    "Owl": owl,
    "Insect": insect,
    "Cricket": cricket,
    "Bee, wasp, etc.": bee,
    "Frog": frog,
    "Music": music,
    "Organ": organ,
    "Drum": drum,
    "Wind": wind,
    "Thunder": thunder,
    "Rain": rain,
    "Stream": stream,
    "Waves, surf": waves,
    "Boat, Water vehicle": boat,
    "Car": car,
    "Traffic noise, roadway noise": traffic,
    "Train": train,
    "Train wheels squealing": squealing,
    "Aircraft": aircraft,
    "Helicopter": helicopter,
    "Foghorn": foghorn,
    "Whistle": whistle,
    "Fireworks": fireworks,
    "Rumble": rumble,
}
EVENTS: tuple[str, ...] = tuple(INSTRUMENTS)


# --- from events to recordings ------------------------------------------------------------------------------


def synthesise(event: str, rng: Generator, seconds: float, rate: int) -> np.ndarray:
    """Play one take of an event.

    Args:
        event: display name in AudioSet, one of EVENTS.
        rng: source of all randomness; equal states give equal samples.
        seconds: length of the take.
        rate: samples per second.

    Returns:
        (round(seconds * rate),) float32 with RMS 0.1, or less where a peak would pass 1.

    Raises:
        ValueError: if no instrument plays `event`.
    """
    if event not in INSTRUMENTS:
        raise ValueError(f"no instrument for the event {event!r}; there are {', '.join(map(repr, EVENTS))}")
    y = INSTRUMENTS[event](rng, seconds, rate)
    y = y - y.mean()
    return (y / max(np.sqrt(np.mean(y**2)) / LOUDNESS, np.abs(y).max(), 1e-9)).astype(np.float32)


@cache
def _posteriors() -> pd.DataFrame:
    return advance_posteriors().loc[list(EVENTS)]


def published_posteriors() -> pd.DataFrame:
    """Posteriors p(event | scene) of ADVANCE, rounded to four digits as published.

    Returns:
        One row per event of EVENTS, one column per scene (13).
    """
    return _posteriors().copy()


def draw_events(scene: str, rng: Generator, g: float) -> list[str]:
    """Draw the events of a recording, each on its own, with the odds p / (1 - p) of the scene times g.

    Args:
        scene: one of the 13 scenes.
        rng: source of randomness.
        g: factor on the odds; 1 is as published, more makes every event likelier.

    Returns:
        Names in AudioSet's order, at least one: if none came up, one is drawn in proportion to the odds.

    Raises:
        ValueError: if the scene is unknown or g is not positive.
    """
    table = _posteriors()
    if scene not in table.columns:
        raise ValueError(f"unknown scene {scene!r}; the scenes are {', '.join(map(repr, table.columns))}")
    if g <= 0:
        raise ValueError(f"the factor on the odds must be positive, not {g}")
    p = table[scene].to_numpy()
    odds = g * p / (1 - p)
    present = rng.random(len(odds)) < odds / (1 + odds)
    if not present.any():
        present[rng.choice(len(odds), p=odds / odds.sum())] = True
    return [event for event, drawn in zip(EVENTS, present, strict=True) if drawn]


def mix(events: list[str], rng: Generator, seconds: float, rate: int) -> np.ndarray:
    """Make a field recording: events at different loudness and distance over the noise floor of a recorder.

    Each event is up to 14 dB below the loudest one, swells slowly, and is muffled by its distance. The whole
    is sometimes reverberant and gets a level of -30 to -12 dBFS RMS, or less where a peak would clip.

    Args:
        events: names from EVENTS; may be empty, which leaves the noise floor.
        rng: source of all randomness.
        seconds: length of the recording.
        rate: samples per second.

    Returns:
        (round(seconds * rate),) float32 in -1..1.

    Raises:
        ValueError: if an event has no instrument.
    """
    n = round(seconds * rate)
    gains = rng.uniform(-14, 0, len(events))
    y = np.zeros(n, np.float32)
    for event, gain in zip(events, gains - gains.max(initial=-14), strict=True):
        take = synthesise(event, rng, seconds, rate) * wander(rng, n, rate, 4, 0.5, 1)
        cutoff = np.exp(rng.uniform(np.log(1500), np.log(20000)))  # near sources are bright, far ones dull
        y += np.float32(10 ** (gain / 20)) * muffled(take, rate, cutoff)
    if rng.random() < 0.3:
        y = reverberant(rng, y, rate, rng.uniform(0.4, 1.5), rng.uniform(0.1, 0.4))
    slope, below = rng.uniform(-6, 0), rng.uniform(24, 45)
    floor = noise(rng, n, rate, 30, rate / 2, slope=slope)
    y += np.float32(LOUDNESS * 10 ** (-below / 20)) * floor
    level = 10 ** (rng.uniform(-30, -12) / 20)
    return (y * min(level / np.sqrt(np.mean(y**2)), 0.99 / np.abs(y).max())).astype(np.float32)
