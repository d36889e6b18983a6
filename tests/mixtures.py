"""Random parts of scene heads, and random looks at photographs, which tests of several rooms show."""

import numpy as np

from advance_lib.analysis.looking import Look
from advance_lib.analysis.mixing import Mixer, Suggestion

CELLS = ["image/Ls", "image+sound/Ls", "image+sound/E"]
EVENTS = ("Rain, drizzle", "Wind", "Goose", "Train", "Waves, surf", "Bee", "Owl", "Speech", "Insect")


def mixer_of(pairs, seed=0):
    """Return a mixer with random parts for some pairs."""
    random, scenes = np.random.default_rng(seed), sorted(set(pairs["scene"]))
    count, k = len(pairs), len(scenes)
    relevance = np.abs(random.standard_normal((k, len(EVENTS))))
    return Mixer(
        pairs=pairs,
        scenes=scenes,
        cells=CELLS,
        seen=2 * random.standard_normal((len(CELLS), 6, count, k)),
        heard=2 * random.standard_normal((len(CELLS), count, k)),
        bias=0.1 * random.standard_normal((len(CELLS), k)),
        events=EVENTS,
        teacher=4 * random.standard_normal((count, len(EVENTS))) - 2,
        posteriors=random.random((k, len(EVENTS))) ** 4,
        relevance=relevance / np.linalg.norm(relevance, axis=1, keepdims=True),
        approach=CELLS[1],
        presets=[Suggestion("A rescue", 1, 1), Suggestion("A misleading sound", 2, 0)],
    )


def looks_at(pairs, side=16, seed=0):
    """Return random looks of three approaches, and a mask for the first photograph alone."""
    random, count = np.random.default_rng(seed), len(pairs)
    mask = np.zeros((side, side), bool)
    mask[4:8, 2:10] = True
    looks = {}
    for cell in CELLS:
        maps = random.standard_normal((count, side, side))
        highest = np.stack(np.unravel_index(maps.reshape(count, -1).argmax(axis=1), (side, side)), axis=1)
        on_object = [bool(mask[tuple(highest[0])]), *[None] * (count - 1)]
        named = [str(random.choice(sorted(set(pairs["scene"])))) for _ in range(count)]
        p = np.sort(random.random((count, 2)), axis=1)
        true = np.where(np.array(named) == pairs["scene"].to_numpy(), p[:, 1], p[:, 0])
        looks[cell] = Look(maps, highest, on_object, named, p[:, 1], true)
    return looks, [mask, *[None] * (count - 1)]
