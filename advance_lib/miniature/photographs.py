"""Aerial photographs of the thirteen scenes of ADVANCE, and of more for a pre-training set.

Every category is one function that paints a `Ground`; all lengths are metres. `render_place` chooses
where the object lies, lets neighbouring land grow into the picture, lights it and takes the photograph.
"""

from dataclasses import dataclass

import numpy as np

from advance_lib.miniature.painting import (
    Ground,
    Shape,
    above,
    axes,
    band,
    box,
    dashes,
    define,
    draw,
    fork,
    lay,
    lift,
    noise,
    outline,
    overlay,
    paint,
    plant,
    ramp,
    rectangle,
    regions,
    roof,
    rows,
    sample,
    scatter,
    sunlight,
    textured,
    vary,
    world,
)
from advance_lib.miniature.sensor import expose

GRASS = (0.38, 0.43, 0.25)
LEAVES = (0.22, 0.30, 0.16)
STRAW = (0.60, 0.56, 0.38)
SOIL = (0.52, 0.43, 0.32)
SAND = (0.82, 0.75, 0.60)
ASPHALT = (0.42, 0.42, 0.43)
CONCRETE = (0.69, 0.68, 0.64)
WATER = (0.17, 0.27, 0.29)
WHITE = (0.92, 0.92, 0.90)
ROOFS = [(0.62, 0.36, 0.27), (0.50, 0.31, 0.26), (0.45, 0.44, 0.44), (0.58, 0.52, 0.45), (0.70, 0.68, 0.65)]
HALLS = [(0.74, 0.75, 0.76), (0.60, 0.62, 0.64), (0.50, 0.58, 0.66), (0.66, 0.60, 0.52), (0.84, 0.84, 0.83)]
CARS = [(0.88, 0.88, 0.88), (0.16, 0.17, 0.19), (0.55, 0.56, 0.58), (0.55, 0.14, 0.13), (0.17, 0.24, 0.42)]

SEAS = [(0.10, 0.30, 0.38), (0.12, 0.36, 0.42), (0.20, 0.33, 0.36), (0.16, 0.27, 0.33)]
# No water is greener than blue: the dry season would turn it into meadow.
RIVERS = [WATER, (0.20, 0.27, 0.28), (0.27, 0.29, 0.28), (0.14, 0.24, 0.29)]
LAKES = [WATER, (0.11, 0.19, 0.22), (0.16, 0.29, 0.30), (0.16, 0.29, 0.34), (0.21, 0.27, 0.27)]
HULLS = [WHITE, WHITE, WHITE, (0.75, 0.74, 0.70), (0.20, 0.26, 0.40)]
WAGONS = [WHITE, (0.62, 0.15, 0.14), (0.25, 0.35, 0.50), (0.45, 0.36, 0.30), (0.72, 0.73, 0.74)]
BUSHES = (0.30, 0.31, 0.20)
GREEN_CROPS = [(0.40, 0.47, 0.24), (0.31, 0.42, 0.20), (0.50, 0.52, 0.28)]
CROPS = [*GREEN_CROPS, (0.64, 0.58, 0.36), (0.55, 0.46, 0.33), (0.45, 0.36, 0.27), (0.70, 0.66, 0.46)]


@dataclass(frozen=True)
class Place:
    """A photographed place.

    Args:
        canvas: (C, C, 3) uint8 photograph.
        mask: (C, C) bool, pixels of the object or land cover that gives the scene its name.
    """

    canvas: np.ndarray
    mask: np.ndarray


# ---------------------------------------------------------------- land covers shared by the scenes


def choose(rng, palette, spread=0.06):
    """One colour of a palette, a little varied."""
    return vary(rng, palette[rng.integers(len(palette))], spread)


def meadow(g, cover=None, lush=None):
    """Grass with drier patches over the ground, or where `cover` says so."""
    lush = g.rng.uniform(0.2, 0.9) if lush is None else lush
    dry, green, deep = vary(g.rng, STRAW), vary(g.rng, GRASS), vary(g.rng, (0.27, 0.35, 0.18))
    value = lush + 0.16 * noise(g, 70, 5)
    paint(g, np.ones_like(g.height) if cover is None else cover, ramp(value, dry, green, deep))


def water(g, cover, colour=WATER, depth=None):
    """Water with faint ripples; `depth` (C, C) in 0..1 goes from the shallows to the colour itself."""
    colour = vary(g.rng, colour, 0.09)
    shallow = tuple(0.55 * np.asarray(colour) + (0.19, 0.19, 0.17))
    depth = 0.8 + 0.1 * noise(g, 120, 2) if depth is None else depth
    paint(g, cover, ramp(depth, shallow, colour) * (1 + 0.03 * noise(g, 9, 3)))
    lift(g, cover, 0)


def woods(g, cover, spacing=7.0, radius=None, defining=False, colour=LEAVES):
    """Closed canopy where `cover` is more than half."""
    radius = spacing * 0.62 if radius is None else radius
    stems = scatter(g, spacing)
    sizes = radius * g.rng.uniform(0.6, 1.35, len(stems))
    keep = sample(g, cover, stems) > 0.5
    paint(g, cover, vary(g.rng, (0.16, 0.20, 0.12)))
    plant(g, stems[keep], sizes[keep], vary(g.rng, colour, 0.1), defining)


def lone_trees(g, density, cover=None, radius=3.5):
    """Single trees, in groups, over the open part of the ground; density 0..1."""
    stems = scatter(g, 11)
    clumps = sample(g, noise(g, 90, 3), stems)
    keep = g.rng.random(len(stems)) < density * np.clip(0.5 + 0.5 * clumps, 0.05, 1)
    if cover is not None:
        keep &= sample(g, cover, stems) > 0.5
    sizes = radius * g.rng.uniform(0.6, 1.4, len(stems))
    plant(g, stems[keep], sizes[keep], vary(g.rng, LEAVES, 0.12))


def road(g, u, v, width=8.0, colour=ASPHALT, lanes=True):
    """A road along v = 0 with verges and lane markings."""
    paint(g, 0.6 * band(g, v, width * 1.5), vary(g.rng, SOIL))
    paint(g, band(g, v, width), vary(g.rng, colour))
    if lanes:
        paint(g, 0.7 * band(g, v, 0.35) * dashes(g, u, 12, 0.5), WHITE)


def cars(g, centres, angle, share=1.0):
    """Parked or driving cars on some share of the spots (N, 2)."""
    rng = fork(g.rng)
    spots = [c for c in centres if rng.random() < share]
    draw(g, [Shape(rectangle(c, 4.4, 1.9, angle), choose(rng, CARS), 1.4) for c in spots])


def sheds(g, cover, count, low=12.0, high=40.0, palette=HALLS, angle=0.0):
    """Flat or slightly pitched halls at random places of `cover`, all with the same orientation."""
    places = scatter(g, 28)
    rng = fork(g.rng)
    rng.shuffle(places)
    shapes = []
    for place in places[sample(g, cover, places) > 0.9][:count]:
        length, width = rng.uniform(low, high), rng.uniform(0.32, 0.56) * rng.uniform(low, high)
        shapes += roof(place, angle, length, width, rng.uniform(4, 9), choose(rng, palette))
    draw(g, shapes)


def parcels(g, angle, size):
    """Rectangular fields, corners (4, 2) each, that split the ground over and over to `size` metres."""
    reach = g.extent * 0.75 + np.abs(g.centre).max()
    open_, done = [(-reach, -reach, reach, reach)], []
    while open_:
        x0, y0, x1, y1 = open_.pop()
        long = max(x1 - x0, y1 - y0)
        cut = g.rng.uniform(0.35, 0.65)
        if long < size * g.rng.uniform(0.8, 1.8):
            done.append(world(g, [(x0, y0), (x1, y0), (x1, y1), (x0, y1)], angle))
        elif x1 - x0 > y1 - y0:
            x = x0 + cut * (x1 - x0)
            open_ += [(x0, y0, x, y1), (x, y0, x1, y1)]
        else:
            y = y0 + cut * (y1 - y0)
            open_ += [(x0, y0, x1, y), (x0, y, x1, y1)]
    return done


def plough(g, fields, angle, palette):
    """Colour every field with a crop and its furrows; returns the number of the field under each pixel."""
    ids = regions(g, fields)
    count = len(fields) + 1
    colours = np.transpose([choose(g.rng, palette, 0.09) for _ in range(count)]).astype(np.float32)
    across = g.rng.random(count) < 0.5
    strength = g.rng.uniform(0.0, 0.12, count).astype(np.float32)
    period = g.rng.uniform(2.5, 7.0, count).astype(np.float32)
    u, v = axes(g, angle)
    furrow = np.sin(np.where(across[ids], u, v) * (2 * np.pi / period)[ids]) * strength[ids]
    g.rgb = colours.take(ids, axis=1) * (1 + furrow + 0.05 * noise(g, 60, 5))
    return ids


def house(g, centre, angle, length, width, hip=0.7):
    """The roof of a dwelling."""
    return roof(centre, angle, length, width, g.rng.uniform(3, 5.5), choose(g.rng, ROOFS, 0.1), hip)


# ---------------------------------------------------------------- the thirteen scenes


def airport(g, d):
    """Runway, taxiway and an apron with aircraft in front of a terminal."""
    angle, shift = g.rng.uniform(0, np.pi), g.rng.uniform(-95, 80)
    u, v = axes(g, angle)
    v = v - shift
    meadow(g, lush=g.rng.uniform(0.1, 0.7))
    tar, slab = vary(g.rng, (0.36, 0.36, 0.37), 0.12), vary(g.rng, CONCRETE)
    runway, end = 44 * g.size, g.rng.uniform(-190, -40)
    pave = band(g, v + 90, runway) * above(g, u, end)
    paint(g, band(g, v + 90, runway + 14) * above(g, u, end - 12), vary(g.rng, (0.50, 0.49, 0.46)))
    paint(g, pave, textured(tar, 0.05 * noise(g, 40, 4)))
    paint(g, 0.35 * pave * band(g, v + 90, runway * 0.3), (0.2, 0.2, 0.2))  # rubber
    paint(g, band(g, v + 90, 1.2) * dashes(g, u, 50, 0.6) * above(g, u, end + 50), WHITE)
    paint(g, band(g, u - end - 20, 28) * dashes(g, v + 90, 5.5, 0.5) * band(g, v + 90, runway - 6), WHITE)
    paint(g, band(g, np.abs(v + 90) - runway / 2 + 2, 0.9) * above(g, u, end), WHITE)
    ties = band(g, np.mod(u - end, 150) - 12, 22) * band(g, v + 40, 102 - runway)  # runway to taxiway
    taxi = np.maximum(band(g, v, 22), ties)
    apron = above(g, v, 28) * above(g, 118 - v)
    paint(g, np.maximum(taxi, apron), slab)
    paint(g, 0.5 * apron * np.maximum(dashes(g, u, 7.5, 0.06), dashes(g, v, 7.5, 0.06)), (0.5, 0.5, 0.48))
    paint(g, band(g, v, 0.9), (0.80, 0.68, 0.25))
    define(g, np.maximum(np.maximum(pave, taxi), apron))
    beyond = above(g, v, 118)
    paint(g, beyond, vary(g.rng, ASPHALT))
    halls = [world(g, (x, 132 + shift), angle) for x in np.arange(-200, 201, 98) if g.rng.random() < 0.8]
    draw(g, [Shape(rectangle(h, 88, 30, angle), choose(g.rng, HALLS), 14) for h in halls], defining=True)
    draw(g, _aircraft(g, angle, shift, 0.85 - 0.4 * d * g.rng.random()), defining=True)
    lone_trees(g, 0.1 + 0.3 * d, above(g, -v, 130))


def _aircraft(g, angle, shift, share):
    """Parked aircraft, nose towards the terminal, and sometimes one on the taxiway."""
    half = [(-0.5, 0.02), (-0.47, 0.17), (-0.42, 0.17), (-0.38, 0.05), (-0.12, 0.06)]  # tail, fuselage
    half += [(-0.2, 0.5), (-0.12, 0.5), (0.12, 0.06), (0.42, 0.05), (0.5, 0.0)]  # wing, nose
    body = half + [(x, -y) for x, y in half[::-1]]
    shapes = []
    for x in np.arange(-220, 221, 46):
        if g.rng.random() < share:
            length = g.rng.uniform(30, 42) * g.size
            spot = world(g, (x + g.rng.uniform(-4, 4), 92 + shift), angle)
            heading = angle + np.pi / 2
            shapes.append(Shape(outline(spot, heading, body, length, length), vary(g.rng, WHITE, 0.04), 5))
    if g.rng.random() < 0.5:
        spot = world(g, (g.rng.uniform(-100, 100), shift), angle)
        shapes.append(Shape(outline(spot, angle, body, 36 * g.size, 36 * g.size), WHITE, 5))
    return shapes


def beach(g, d):
    """Sea, surf, sand and what lies behind it."""
    u, v = axes(g, g.rng.uniform(0, 2 * np.pi))
    v = v + 12 * noise(g, 160, 2) + 1.5 * noise(g, 25, 3)
    wide = g.rng.uniform(45, 85) * g.size
    meadow(g)
    behind = above(g, v, wide)
    if g.rng.random() < 0.5:
        woods(g, behind * above(g, noise(g, 60, 3) + 0.4), 8)
    else:
        paint(g, behind, ramp(0.5 + 0.3 * noise(g, 25, 4), SAND, STRAW, GRASS))
        lone_trees(g, 0.7, behind, 2.5)
    if g.rng.random() < 0.6:
        road(g, u, v - wide - 16, 8)
        sheds(g, above(g, v, wide + 30), 14, 10, 26, ROOFS)
    grains = 0.55 + 0.12 * noise(g, 40, 5) + 0.1 * np.sin(v / 9)
    sand = above(g, v) * above(g, wide - v)
    paint(g, sand, ramp(grains, vary(g.rng, (0.70, 0.62, 0.48)), vary(g.rng, SAND), (0.90, 0.85, 0.73)))
    paint(g, sand * np.clip(1 - v / 14, 0, 1), vary(g.rng, (0.55, 0.48, 0.38)))  # wet sand
    lift(g, sand, 0)
    sea = above(g, -v)
    water(g, sea, choose(g.rng, SEAS), np.clip(-v / 90, 0, 1) ** 0.6 + 0.05 * noise(g, 40, 3))
    surf = sum(np.exp(-(((v + at + 5 * noise(g, 50, 3)) / (1.2 + at / 14)) ** 2)) for at in (2, 15, 34))
    paint(g, sea * np.clip(surf * (0.75 + 0.35 * noise(g, 12, 3)), 0, 0.95), WHITE)
    define(g, sand * above(g, v) + sea * above(g, v, -45))
    if g.rng.random() < 0.5 - 0.2 * d:
        spots = scatter(g, 9)
        spots = spots[np.abs(sample(g, v, spots) - 0.45 * wide) < 6]
        draw(g, [Shape(rectangle(s, 2.6, 2.6, 0.7), choose(g.rng, CARS + ROOFS), 2) for s in spots])


def bridge(g, d):
    """A road or railway carried over a river."""
    angle = g.rng.uniform(0, np.pi)
    along = angle + np.pi / 2 + g.rng.uniform(-0.35, 0.35)  # direction of the bridge
    _, across = axes(g, angle)
    bend = 14 * noise(g, 260, 2)
    wide = g.rng.uniform(70, 150) * g.size
    meadow(g)
    bank = np.abs(across + bend) - wide / 2
    lone_trees(g, 0.9, above(g, bank, 2) * above(g, 30 - bank), 4)
    if g.rng.random() < 0.6:
        sheds(g, above(g, bank, 35), 10, 10, 34, ROOFS + HALLS, angle)
    paint(g, above(g, 3 - bank - 3 * noise(g, 50, 2)), choose(g.rng, [SOIL, CONCRETE, GRASS]))
    water(g, above(g, -bank), choose(g.rng, RIVERS))
    u, v = axes(g, along)
    deck, high = g.rng.uniform(15, 27) * g.size, g.rng.uniform(9, 16)
    paint(g, band(g, v, deck * 1.4) * above(g, bank), vary(g.rng, SOIL))
    cover = band(g, v, deck)
    paint(g, cover, vary(g.rng, CONCRETE))
    paint(g, band(g, v, deck - 4), vary(g.rng, ASPHALT))
    paint(g, 0.8 * band(g, np.abs(v) - deck / 4 + 1, 0.4) * dashes(g, u, 12, 0.5), WHITE)
    paint(g, band(g, v, 0.8), WHITE)
    ramped = np.clip(1 - np.clip(bank, 0, None) / 70, 0, 1)
    lift(g, cover, high * ramped)
    define(g, cover * above(g, 15 - bank))
    kind = g.rng.random()
    if kind < 0.35:  # truss
        ribs = band(g, np.abs(v) - deck / 2 + 1, 1.2) + cover * dashes(g, u, 11, 0.14)
        ribs = np.clip(ribs, 0, 1) * above(g, 4 - bank)
        paint(g, ribs, choose(g.rng, [WHITE, (0.45, 0.5, 0.52), (0.40, 0.28, 0.22)]))
        lift(g, ribs, high + 7)
    elif kind < 0.6:  # pylons
        feet = [world(g, (x, y), along) for x in (-0.28 * wide, 0.28 * wide) for y in (-deck / 2, deck / 2)]
        draw(g, [Shape(rectangle(foot, 5, 4, along), WHITE, 45) for foot in feet], defining=True)
    _traffic(g, along, deck)


def _traffic(g, angle, deck):
    """Cars on both lanes of a deck, at its height."""
    rng = fork(g.rng)
    spots = np.stack([rng.uniform(-180, 180, 26), rng.choice([-1, 1], 26) * deck / 6], 1)
    spots = world(g, spots, angle)
    tops = zip(spots, sample(g, g.height, spots) + 1, strict=True)
    draw(g, [Shape(rectangle(spot, 5, 2, angle), choose(rng, CARS), top) for spot, top in tops])


def farmland(g, d):
    """Fields with furrows, tracks and hedges."""
    angle = g.rng.uniform(0, np.pi)
    fields = parcels(g, angle, g.rng.uniform(55, 130) * g.size**0.5)
    ids = plough(g, fields, angle, CROPS)
    u, v = axes(g, angle)
    edges = _rim(ids, 0.5 / g.pixel)
    paint(g, 0.75 * edges, vary(g.rng, STRAW))
    if g.rng.random() < 0.15:  # centre pivot
        r = np.hypot(u, v) - 95 * g.size
        paint(g, above(g, -r), textured(choose(g.rng, GREEN_CROPS), 0.05 * np.sin(r / 2)))
        edges &= r > 0
    g.mask[:] = True
    if g.rng.random() < 0.5:
        road(g, u, v - g.rng.uniform(-60, 60) + 6 * noise(g, 200, 1), 5, choose(g.rng, [ASPHALT, SAND]), False)
    hedge = scatter(g, 6)
    hedge = hedge[sample(g, edges, hedge) & (sample(g, noise(g, 120, 1), hedge) > 0.3 - d * 0.5)]
    plant(g, hedge, 3 * g.rng.uniform(0.7, 1.3, len(hedge)), LEAVES)


def forest(g, d):
    """Closed canopy, perhaps with a clearing, a track or a stream."""
    meadow(g)
    species = choose(g.rng, [LEAVES, (0.26, 0.34, 0.17), (0.17, 0.25, 0.15), (0.33, 0.34, 0.18)], 0.1)
    gaps = noise(g, 90, 3)
    cover = above(g, 1.9 - 0.9 * d * g.rng.random() - gaps)
    woods(g, cover, g.rng.uniform(5, 8.5), defining=True, colour=species)
    g.rgb *= 1 + 0.07 * noise(g, 80, 2)
    g.mask |= cover > 0.5
    if g.rng.random() < 0.35:
        _, v = axes(g, g.rng.uniform(0, np.pi))
        v = v + 14 * noise(g, 130, 2)
        paint(g, band(g, v, 5), choose(g.rng, [SAND, ASPHALT, SOIL, WATER]))
        g.height[np.abs(v) < 3] = 0
        g.mask[np.abs(v) < 3] = False


def grassland(g, d):
    """Open grass with soft patches, a few paths and hardly a tree."""
    value = g.rng.uniform(0.3, 0.75) + 0.2 * noise(g, 130, 4) + 0.07 * noise(g, 6, 3)
    tones = [vary(g.rng, c) for c in (STRAW, (0.50, 0.51, 0.30), GRASS, (0.30, 0.38, 0.19))]
    lay(g, value, *tones)
    g.mask[:] = True
    for _ in range(g.rng.integers(0, 3)):
        _, v = axes(g, g.rng.uniform(0, np.pi))
        paint(g, 0.7 * band(g, v + 12 * noise(g, 120, 3), 1.6), vary(g.rng, SAND))
    lone_trees(g, 0.02 + 0.12 * d * g.rng.random())


def harbour(g, d):
    """A basin with boats at pontoons, behind a quay with sheds."""
    angle = g.rng.uniform(0, 2 * np.pi)
    u, v = axes(g, angle)
    quay = g.rng.uniform(-95, -45)
    water(g, np.ones_like(v), choose(g.rng, LAKES))
    land = above(g, quay - v)
    paint(g, land, ramp(0.5 + 0.2 * noise(g, 50, 3), vary(g.rng, ASPHALT), vary(g.rng, CONCRETE)))
    paint(g, band(g, v - quay, 4), vary(g.rng, CONCRETE))
    green = land * above(g, 8 * noise(g, 110, 2), 4) * above(g, quay - 10 - v)
    meadow(g, green)
    lone_trees(g, 0.7, green)
    sheds(g, above(g, quay - 22 - v), 12, 14, 44, HALLS + ROOFS, angle)
    mole = g.rng.uniform(95, 150)
    if g.rng.random() < 0.6:
        wall = band(g, v - mole - 8 * np.sin(u / 60), 9)
        paint(g, wall, ramp(0.5 + 0.4 * noise(g, 4, 1), (0.4, 0.38, 0.36), CONCRETE))
        lift(g, wall, 3)
    pontoon, gap = g.rng.uniform(90, 150) * g.size, g.rng.uniform(36, 52)
    busy, length = 0.92 - 0.55 * d * g.rng.random(), g.rng.uniform(8, 15)
    piers, boats = [], []
    for x in np.arange(-5, 6) * gap:
        if abs(x) < 190 * g.size:
            pier = rectangle(world(g, (x, quay + pontoon / 2), angle), 2.5, pontoon, angle)
            piers.append(Shape(pier, CONCRETE, 1))
            boats += _boats(g, angle, x, np.arange(quay + 8, quay + pontoon, length * 0.36 + 0.8), length, busy)
    draw(g, piers + boats, defining=True)


def _boats(g, angle, x, berths, length, busy):
    """Hulls with cabins on both sides of a pontoon at x; a share `busy` of the berths is taken."""
    hull = [(-0.5, -0.4), (-0.5, 0.4), (0.1, 0.5), (0.5, 0.0), (0.1, -0.5)]
    shapes = []
    for y in berths:
        for side in (-1, 1):
            if g.rng.random() < busy:
                here = length * g.rng.uniform(0.7, 1.15)
                spot = world(g, (x + side * (2 + here / 2), y), angle)
                heading = angle + (np.pi if side > 0 else 0)
                shapes.append(Shape(outline(spot, heading, hull, here, here * 0.3), choose(g.rng, HULLS), 1.5))
                cabin = rectangle(spot, here * 0.35, here * 0.16, heading)
                shapes.append(Shape(cabin, choose(g.rng, [(0.3, 0.36, 0.45), CONCRETE, SOIL]), 2.5))
    return shapes


def lake(g, d):
    """Still water with a natural shore."""
    u, v = axes(g, g.rng.uniform(0, np.pi))
    radius = g.rng.uniform(75, 125) * g.size
    shore = np.hypot(u, v * g.rng.uniform(1.0, 1.7)) + 22 * noise(g, 130, 4) - radius
    meadow(g)
    if g.rng.random() < 0.7:
        woods(g, above(g, shore, 6) * above(g, noise(g, 100, 3) + g.rng.uniform(-0.5, 1.2)), 7)
    else:
        lone_trees(g, 0.7, above(g, shore, 4))
    rim = shore - 3 * noise(g, 60, 2)  # mud and reed, wide in some places only
    paint(g, above(g, 3 - rim), ramp(0.5 + 0.3 * noise(g, 30, 3), choose(g.rng, [STRAW, GRASS]), SOIL))
    g.height[shore < 4] = 0
    water(g, above(g, -shore), choose(g.rng, LAKES), np.clip(-shore / 30, 0, 1) ** 0.5 * 0.9)
    define(g, above(g, -shore))


def orchard(g, d):
    """Fruit trees in rows."""
    angle = g.rng.uniform(0, np.pi)
    fields = parcels(g, angle, g.rng.uniform(110, 190) * g.size**0.5)
    ids = plough(g, fields, angle, [SOIL, STRAW, GRASS, (0.45, 0.47, 0.29)])
    spacing = g.rng.uniform(5.5, 9.5)
    interval = spacing * g.rng.uniform(0.55, 1.0)
    stems = rows(g, spacing, interval, angle)
    stems = stems + 0.35 * g.rng.standard_normal(stems.shape)
    nearest = np.argsort([np.hypot(*(f.mean(0) - g.centre)) for f in fields])
    planted = np.zeros(len(fields) + 1, bool)
    planted[1:] = g.rng.random(len(fields)) < 0.9 - 0.45 * d
    planted[nearest[0] + 1] = True
    keep = planted[sample(g, ids, stems)] & ~sample(g, _rim(ids, 4.0 / g.pixel), stems)
    keep &= g.rng.random(len(stems)) < 0.97 - 0.12 * d
    sizes = 0.43 * interval * (1 - 0.15 * d * g.rng.random()) * g.rng.uniform(0.8, 1.25, len(stems))
    plant(g, stems[keep], sizes[keep], vary(g.rng, LEAVES, 0.12), defining=True, ragged=0.14)


def _rim(ids, reach):
    """Pixels within `reach` pixels of another region."""
    step = max(round(reach), 1)
    moved = [np.roll(ids, s, a) != ids for a in (0, 1) for s in (-step, step)]
    return np.logical_or.reduce(moved)


def residential(g, d):
    """Houses with gardens along streets."""
    angle, block = g.rng.uniform(0, np.pi), g.rng.uniform(58, 76)
    swing, wave, plot = g.rng.uniform(0, 14), g.rng.uniform(45, 80), g.rng.uniform(17, 25)
    u, v = axes(g, angle)
    meadow(g)
    across = np.mod(v - swing * np.sin(u / wave) + block / 2, block) - block / 2
    cross, every = g.rng.uniform(0, 170), g.rng.uniform(130, 210)
    along = np.mod(u - cross + every / 2, every) - every / 2
    street, walk = vary(g.rng, ASPHALT), vary(g.rng, CONCRETE)
    for width, colour in ((11, walk), (7, street)):
        paint(g, np.maximum(band(g, across, width), band(g, along, width)), colour)
    roofs, yard = [], []
    scale = g.rng.uniform(0.85, 1.15) * g.size**0.5
    for x in np.arange(-260, 261, plot):
        if abs((x - cross + every / 2) % every - every / 2) < 13:  # the crossing street
            continue
        turn = angle + np.arctan(swing / wave * np.cos(x / wave))
        for street_v in np.arange(-5, 6) * block + swing * np.sin(x / wave):
            for side in (-1, 1):
                seen = np.abs(world(g, (x, street_v), angle)).max() < g.extent / 2 + 35
                if seen and g.rng.random() > 0.05 + 0.3 * d:
                    _plot(g, (x, street_v), side, plot, angle, turn, scale, walk, roofs, yard)
    draw(g, yard)
    draw(g, roofs, defining=True)
    yards = above(g, np.abs(across), 6) * above(g, np.abs(along), 6) * (g.height < 1)
    lone_trees(g, g.rng.uniform(0.3, 0.9) + 0.3 * d, yards, 3.2)


def _plot(g, kerb, side, plot, angle, turn, scale, walk, roofs, yard):
    """A house with its drive, and perhaps a wing or a pool, on one side of a street at `kerb`."""
    x, y = kerb[0], kerb[1] + side * (16 + g.rng.uniform(-1.5, 3))
    length, width = scale * g.rng.uniform(12, 17), scale * g.rng.uniform(8.5, 12)
    drive = world(g, (x + plot * 0.38, y - side * 5), angle)
    yard.append(Shape(rectangle(drive, 3.2, 15, turn), walk))
    spot = world(g, (x + g.rng.uniform(-1.5, 1.5), y), angle)
    roofs += house(g, spot, turn, length, width, g.rng.uniform(0, 1))
    if g.rng.random() < 0.5:
        wing = world(g, (x + 0.25 * length, y + side * 4), angle)
        roofs += house(g, wing, turn + np.pi / 2, width, length * 0.5)
    elif g.rng.random() < 0.12:
        pool = world(g, (x, y + side * 13), angle)
        yard.append(Shape(rectangle(pool, 8, 4, turn), (0.35, 0.65, 0.72)))


def sparse_shrub_land(g, d):
    """Dry open ground dotted with shrubs."""
    value = 0.5 + 0.22 * noise(g, 140, 5)
    tones = [vary(g.rng, c) for c in ((0.55, 0.43, 0.31), (0.66, 0.56, 0.41), (0.73, 0.66, 0.51))]
    if g.rng.random() < 0.4:
        tones[0] = vary(g.rng, (0.50, 0.48, 0.32))
    lay(g, value, *tones)
    _, v = axes(g, g.rng.uniform(0, np.pi))
    wash = v + 35 * noise(g, 150, 4)
    paint(g, 0.6 * band(g, wash, 7), vary(g.rng, (0.80, 0.73, 0.60)))
    stems = scatter(g, g.rng.uniform(5, 8))
    dense = g.rng.uniform(0.3, 0.6) + 0.28 * sample(g, noise(g, 110, 3), stems)
    keep = (g.rng.random(len(stems)) < dense) & (np.abs(sample(g, wash, stems)) > 4)
    sizes = g.rng.uniform(0.6, 1.9, len(stems)) * g.rng.uniform(0.9, 1.3)
    plant(g, stems[keep], sizes[keep], vary(g.rng, BUSHES, 0.1), spread=0.2)
    g.mask[:] = True


def sports_land(g, d):
    """A stadium, football pitches, tennis courts or a baseball diamond."""
    angle = g.rng.uniform(0, np.pi)
    u, v = axes(g, angle)
    meadow(g, lush=g.rng.uniform(0.5, 0.9))
    lone_trees(g, 0.3 + 0.5 * d, above(g, np.hypot(u, v), 100 * g.size), 4)
    kind = g.rng.random()
    if kind < 0.4:
        _track(g, u, v)
    elif kind < 0.6:
        for shift in (-38, 38):
            _pitch(g, u, v - shift * g.size, 96 * g.size, 62 * g.size)
    elif kind < 0.8:
        _courts(g, u, v)
    else:
        _diamond(g, u, v)
    if g.rng.random() < 0.6 - 0.3 * d:  # a second ground next to the first
        _courts(g, u - 30 * g.size, v - 105 * g.size) if kind < 0.5 else _pitch(g, u, v - 100, 96, 60)
    side = -95 * g.size - 20
    lot = box(g, u, v - side, 90, 34)
    paint(g, lot, vary(g.rng, ASPHALT))
    spots = [world(g, (x, side + y), angle) for x in np.arange(-42, 43, 3) for y in (-11, 0, 11)]
    cars(g, spots, angle + np.pi / 2, g.rng.uniform(0.1, 0.7))
    sheds(g, above(g, -v, 65 * g.size) * above(g, 85 - np.abs(u)) * (1 - lot), 3, 14, 36, HALLS, angle)


def _pitch(g, u, v, length, width):
    """A football pitch with mown stripes and lines."""
    turf = box(g, u, v, length + 8, width + 8)
    green = choose(g.rng, [(0.30, 0.47, 0.22), (0.25, 0.42, 0.24), (0.40, 0.48, 0.25)])
    stripes = 0.07 * np.sign(np.sin(2 * np.pi * u / (length / 9)))
    paint(g, turf, textured(green, stripes + 0.04 * noise(g, 30, 4)))
    frame = box(g, u, v, length, width) - box(g, u, v, length - 1, width - 1)
    lines = frame + band(g, u, 0.5) * band(g, v, width) + band(g, np.hypot(u, v) - 9 * width / 64, 0.5)
    for long, wide in ((0.31, 0.63), (0.11, 0.29)):
        ends = np.abs(u) - length / 2
        lines = lines + box(g, ends, v, length * long, width * wide) * box(g, u, v, length, width)
        inner = box(g, ends, v, length * long - 1, width * wide - 1) * box(g, u, v, length, width)
        lines = lines - inner
    paint(g, 0.85 * np.clip(lines, 0, 1), WHITE)
    define(g, turf)


def _track(g, u, v):
    """A running track around a football pitch, with a stand."""
    s = g.size
    edge = np.hypot(np.maximum(np.abs(u) - 42 * s, 0), v)
    lanes = above(g, 47 * s - edge)
    paint(g, lanes, choose(g.rng, [(0.62, 0.30, 0.24), (0.68, 0.38, 0.28), (0.30, 0.42, 0.60)]))
    paint(g, 0.5 * dashes(g, edge, 1.25, 0.12) * above(g, edge, 37 * s) * lanes, WHITE)
    paint(g, above(g, 37 * s - edge), vary(g.rng, GRASS))
    define(g, lanes)
    _pitch(g, u, v, 88 * s, 54 * s)
    stand = box(g, u, v + 58 * s, 90 * s, 14)
    rise = np.clip((-v - 50 * s), 0, 14)
    paint(g, stand, ramp(dashes(g, v, 1.6, 0.5), HALLS[1], HALLS[4]))
    lift(g, stand, 1 + 0.7 * rise)
    define(g, stand)


def _courts(g, u, v):
    """A block of tennis courts."""
    s = g.size
    ground, court = (
        choose(g.rng, [(0.25, 0.42, 0.33), (0.58, 0.34, 0.26), (0.35, 0.44, 0.36)]),
        choose(g.rng, [(0.22, 0.36, 0.52), (0.66, 0.42, 0.30), (0.30, 0.50, 0.38)]),
    )
    columns, lines = g.rng.integers(4, 8), g.rng.integers(2, 4)
    long, wide = columns * 18 * s, lines * 37 * s
    cell_u = np.mod(u + long / 2, 18 * s) / s - 9
    cell_v = np.mod(v + wide / 2, 37 * s) / s - 18.5
    field = box(g, u, v, long, wide)
    paint(g, field, ground)
    inside = (np.abs(cell_u) < 5.5) & (np.abs(cell_v) < 12)
    paint(g, field * inside, court)
    marks = (np.abs(np.abs(cell_u) - 5.4) < 0.3) | (np.abs(np.abs(cell_v) - 11.8) < 0.3)
    marks = marks | (np.abs(np.abs(cell_u) - 4.1) < 0.2) | (np.abs(np.abs(cell_v) - 6.4) < 0.2)
    paint(g, 0.85 * field * (marks & inside), WHITE)
    paint(g, field * (np.abs(cell_v) < 0.35) * (np.abs(cell_u) < 6.5), (0.2, 0.22, 0.22))  # nets
    define(g, field)


def _diamond(g, u, v):
    """A baseball field: a fan of turf with a dirt infield."""
    s = g.size
    u, v = (u + v) / np.sqrt(2) + 45 * s, (v - u) / np.sqrt(2) + 45 * s
    r = np.hypot(u, v)
    fan = above(g, u, -8 * s) * above(g, v, -8 * s) * above(g, 118 * s - r)
    paint(g, fan, vary(g.rng, (0.62, 0.48, 0.34)))
    turf = textured(vary(g.rng, (0.30, 0.45, 0.22)), 0.06 * np.sign(np.sin((u + v) / (6 * s))))
    grass = above(g, 112 * s - r) * above(g, u, 2 * s) * above(g, v, 2 * s)
    dirt = above(g, 46 * s - np.hypot(u - 13 * s, v - 13 * s))
    diamond = box(g, u - 14 * s, v - 14 * s, 22 * s, 22 * s) * above(g, np.hypot(u - 14 * s, v - 14 * s), 3 * s)
    paint(g, fan * np.maximum(grass * (1 - dirt), diamond), turf)
    define(g, fan)


def train_station(g, d):
    """Tracks, platforms, trains and a station building."""
    angle = g.rng.uniform(0, np.pi)
    u, v = axes(g, angle)
    v = v + g.rng.uniform(-10, 10) * np.sin(u / g.rng.uniform(120, 200))
    lay(g, 0.5 + 0.2 * noise(g, 60, 4), vary(g.rng, ASPHALT), vary(g.rng, CONCRETE))
    side = g.rng.choice([-1, 1])
    pairs = max(round(g.rng.integers(2, 5) * g.size), 1)  # two tracks and a platform each
    wide, yard = pairs * 19.0, g.rng.integers(1, 7) * 4.8  # and tracks without a platform
    if g.rng.random() < 0.6:
        meadow(g, above(g, -side * v, wide / 2 + yard + 8))
        lone_trees(g, 0.7, above(g, -side * v, wide / 2 + yard + 12))
    else:
        sheds(g, above(g, -side * v, wide / 2 + yard + 20), 9, 15, 40, ROOFS + HALLS, angle)
    bed = above(g, side * v + yard, -wide / 2 - 3) * above(g, wide / 2 + 3 - side * v)
    stones = vary(g.rng, (0.58, 0.53, 0.48))
    paint(g, bed, textured(stones, 0.08 * noise(g, 25, 4)))
    cell = np.mod(v + wide / 2, 19) - 9.5
    open_track = np.mod(side * v + wide / 2, 4.8) - 2.4
    rails = np.where(np.abs(v) < wide / 2, np.abs(cell) - 2.4, open_track)
    paint(g, 0.75 * bed * band(g, rails, 2.3), vary(g.rng, (0.30, 0.25, 0.22)))
    paint(g, 0.8 * bed * band(g, np.abs(rails) - 0.75, 0.3), (0.66, 0.64, 0.62))
    define(g, bed)
    _platforms(g, u, np.abs(cell), bed * above(g, wide / 2 - 1 - np.abs(v)))
    for track in (np.arange(pairs) + 0.5) * 19 - wide / 2:
        for offset in (-2.4, 2.4):
            if g.rng.random() < 0.6 - 0.25 * d:
                _train(g, u, v - track - offset)
    y, long = side * (wide / 2 + 22), g.rng.uniform(50, 110)
    building = roof(world(g, (0, y), angle), angle, long, 20, 9, choose(g.rng, ROOFS + HALLS))
    draw(g, building, defining=True)
    spots = [world(g, (x, y + side * z), angle) for x in np.arange(-120, 121, 3) for z in (24, 40)]
    cars(g, spots, angle + np.pi / 2, 0.4)


def _platforms(g, u, aside, inner):
    """Platforms, partly roofed, more than 5.4 m `aside` of the middle between two tracks."""
    reach = g.rng.uniform(110, 200)
    platform = inner * above(g, aside, 5.4) * above(g, reach - np.abs(u))
    paint(g, platform, vary(g.rng, CONCRETE))
    lift(g, platform, 1.0)
    covered = g.rng.uniform(0.25, 0.75) * reach
    canopy = inner * above(g, aside, 6.4) * above(g, covered - np.abs(u + g.rng.uniform(-30, 30)))
    paint(g, canopy, textured(choose(g.rng, HALLS), -0.12 * dashes(g, u, 8, 0.12)))
    lift(g, canopy, 5.0)


def _train(g, u, v):
    """A train standing on the track v = 0."""
    start, length = g.rng.uniform(-180, 60), g.rng.uniform(80, 220)
    body = band(g, v, 3.2) * band(g, u - start - length / 2, length) * (1 - dashes(g, u, 25, 0.05))
    paint(g, body, choose(g.rng, WAGONS))
    lift(g, body, 4.0)


# ---------------------------------------------------------------- more categories for pre-training


def commercial(g, d):
    """A centre of large, tall buildings."""
    angle = g.rng.uniform(0, np.pi)
    paint(g, np.ones_like(g.height), vary(g.rng, ASPHALT))
    shapes = []
    for field in parcels(g, angle, 55):
        middle = field.mean(0)
        shapes.append(Shape(middle + 0.84 * (field - middle), vary(g.rng, CONCRETE)))
        high = g.rng.uniform(8, 45)
        for shrink in (0.66, 0.4)[: g.rng.integers(1, 3)]:
            shapes.append(Shape(middle + shrink * (field - middle), choose(g.rng, HALLS, 0.1), high))
            high += 5
    draw(g, shapes, defining=True)
    lone_trees(g, 0.25, (g.height < 1).astype(np.float32), 2.5)


def desert(g, d):
    """Dunes."""
    _, v = axes(g, g.rng.uniform(0, np.pi))
    crest = np.mod(v / 45 + 0.55 * noise(g, 160, 3), 1)
    g.height += np.where(crest < 0.75, crest / 0.75, (1 - crest) / 0.25) * 9 + 0.25 * noise(g, 8, 2)
    lay(g, 0.5 + 0.1 * noise(g, 60, 3), vary(g.rng, SAND), vary(g.rng, (0.78, 0.64, 0.45)))
    g.mask[:] = True


def highway(g, d):
    """Two motorways that cross, with a loop ramp."""
    angle = g.rng.uniform(0, np.pi)
    meadow(g)
    lone_trees(g, 0.4)
    u, v = axes(g, angle)
    grey = vary(g.rng, CONCRETE)
    loop = band(g, np.hypot(u - 62, v - 62) - 45, 8) + band(g, np.hypot(u + 62, v + 62) - 45, 8)
    paint(g, np.clip(loop, 0, 1), grey)
    define(g, loop)
    for along, across, high in ((u, v, 0.0), (v, u, 8.0)):
        deck = band(g, across, 32)
        paint(g, deck, grey)
        paint(g, deck * band(g, across, 2.5), GRASS)
        paint(g, 0.8 * deck * dashes(g, across + 16, 4, 0.1) * dashes(g, along, 12, 0.5), WHITE)
        lift(g, deck, high * np.clip(1.6 - np.abs(along) / 70, 0, 1))
        define(g, deck)


def industrial(g, d):
    """Large flat halls with yards."""
    angle = g.rng.uniform(0, np.pi)
    paint(
        g,
        np.ones_like(g.height),
        ramp(0.5 + 0.2 * noise(g, 50, 4), vary(g.rng, ASPHALT), vary(g.rng, CONCRETE)),
    )
    shapes = []
    for field in parcels(g, angle, 85):
        middle = field.mean(0)
        hall = middle + g.rng.uniform(0.55, 0.8) * (field - middle)
        long, wide = np.hypot(*(hall[1] - hall[0])), np.hypot(*(hall[2] - hall[1]))
        colour = choose(g.rng, HALLS)
        shapes.append(Shape(hall, colour, g.rng.uniform(7, 12)))
        for k in np.arange(-0.4, 0.41, 0.2):
            light = rectangle(middle + k * (hall[1] - hall[0]), min(long * 0.05, 4), wide * 0.7, angle)
            shapes.append(Shape(light, vary(g.rng, WHITE), 10))
    draw(g, shapes, defining=True)
    lone_trees(g, 0.2, (g.height < 1).astype(np.float32))


def mountain(g, d):
    """Bare ridges and valleys."""
    ridges = 1 - np.abs(noise(g, 230, 6))
    g.height += 26 * np.clip(ridges, -1.5, 1)
    g.height -= g.height.min()
    rock, scree, moss = (
        vary(g.rng, (0.45, 0.41, 0.37)),
        vary(g.rng, (0.62, 0.57, 0.50)),
        vary(g.rng, (0.33, 0.36, 0.23)),
    )
    lay(g, 0.5 + 0.35 * ridges + 0.1 * noise(g, 20, 3), moss, rock, scree)
    g.mask[:] = True


def parking(g, d):
    """A car park."""
    angle = g.rng.uniform(0, np.pi)
    u, v = axes(g, angle)
    meadow(g)
    lot = box(g, u, v, 210 * g.size, 150 * g.size)
    paint(g, lot, vary(g.rng, ASPHALT))
    paint(g, 0.8 * lot * dashes(g, u, 2.8, 0.1) * band(g, np.mod(v, 17) - 8.5, 10.5), WHITE)
    lines = [c for c in np.arange(-8, 9) * 17 + 8.5 if abs(c) < 70 * g.size]
    across = np.arange(-100 * g.size, 100 * g.size, 2.8)
    spots = [world(g, (x, c + o), angle) for c in lines for o in (-2.6, 2.6) for x in across]
    cars(g, spots, angle + np.pi / 2, g.rng.uniform(0.3, 0.9))
    define(g, lot)
    sheds(g, above(g, np.abs(v), 85 * g.size), 6, 25, 50, HALLS, angle)


def quarry(g, d):
    """Bare ground cut into terraces."""
    bowl = np.hypot(*axes(g)) / 16 + 1.2 * noise(g, 130, 4)
    g.height += np.clip(np.floor(bowl), 0, 7) * 5
    paint(
        g,
        np.ones_like(bowl),
        ramp(0.5 + 0.2 * noise(g, 40, 5), vary(g.rng, SOIL), vary(g.rng, (0.74, 0.68, 0.58))),
    )
    define(g, above(g, 7 - bowl))
    meadow(g, np.clip((bowl - 7.5) * 3, 0, 1))
    water(g, above(g, (1.0 - bowl) * 16), (0.30, 0.45, 0.45))


def river(g, d):
    """A river that winds through open land."""
    _, v = axes(g, g.rng.uniform(0, np.pi))
    bank = np.abs(v + 30 * noise(g, 190, 2)) - g.rng.uniform(20, 50) * g.size
    meadow(g)
    woods(g, above(g, bank, 4) * above(g, noise(g, 90, 3) + g.rng.uniform(-1, 0.5)), 7)
    paint(g, above(g, 6 - bank), vary(g.rng, SAND))
    g.height[bank < 5] = 0
    water(g, above(g, -bank), choose(g.rng, RIVERS))
    define(g, above(g, -bank))


def solar_farm(g, d):
    """Long rows of solar panels."""
    angle = g.rng.uniform(0, np.pi)
    meadow(g, lush=0.3)
    shapes = []
    for field in parcels(g, angle, 130):
        middle = field.mean(0)
        field = middle + 0.9 * (field - middle)
        along, down = field[1] - field[0], field[2] - field[1]
        count = max(int(np.hypot(*down) / 8), 1)
        for k in (np.arange(count) + 0.5) / count - 0.5:
            shapes.append(Shape(rectangle(middle + k * down, np.hypot(*along), 4.2, angle), (0.16, 0.20, 0.33), 2))
    draw(g, shapes, defining=True)


def storage_tanks(g, d):
    """Round tanks inside bunds."""
    angle = g.rng.uniform(0, np.pi)
    paint(g, np.ones_like(g.height), ramp(0.5 + 0.2 * noise(g, 40, 4), vary(g.rng, SOIL), vary(g.rng, CONCRETE)))
    turn = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    ring = np.stack([np.cos(turn), np.sin(turn)], 1)
    shapes, gap = [], g.rng.uniform(46, 62)
    for x in np.arange(-4, 5) * gap:
        for y in np.arange(-4, 5) * gap:
            spot = world(g, (x, y), angle)
            shapes.append(Shape(rectangle(spot, gap - 6, gap - 6, angle), vary(g.rng, STRAW), 0))
            if g.rng.random() < 0.85:
                radius = g.rng.uniform(10, 0.4 * gap)
                shapes.append(Shape(spot + radius * ring, WHITE, 11))
                shapes.append(Shape(spot + 0.93 * radius * ring, choose(g.rng, [WHITE, (0.75, 0.75, 0.72)]), 11))
    draw(g, shapes, defining=True)


# ---------------------------------------------------------------- the registry


PAINTERS = {
    "airport": airport,
    "beach": beach,
    "bridge": bridge,
    "farmland": farmland,
    "forest": forest,
    "grassland": grassland,
    "harbour": harbour,
    "lake": lake,
    "orchard": orchard,
    "residential": residential,
    "sparse shrub land": sparse_shrub_land,
    "sports land": sports_land,
    "train station": train_station,
    "commercial": commercial,
    "desert": desert,
    "highway": highway,
    "industrial": industrial,
    "mountain": mountain,
    "parking": parking,
    "quarry": quarry,
    "river": river,
    "solar farm": solar_farm,
    "storage tanks": storage_tanks,
}
SCENES = tuple(PAINTERS)[:13]
EXTRA_CATEGORIES = tuple(PAINTERS)[13:]

# What lies next door, and is easily mistaken for the scene itself.
NEIGHBOURS = {
    "airport": ("grassland", "farmland", "parking", "industrial"),
    "beach": ("residential", "harbour", "grassland", "sparse shrub land"),
    "bridge": ("residential", "river", "forest", "train station", "farmland"),
    "farmland": ("grassland", "orchard", "residential", "forest", "sparse shrub land"),
    "forest": ("grassland", "sparse shrub land", "lake", "farmland", "residential"),
    "grassland": ("farmland", "sparse shrub land", "forest", "lake"),
    "harbour": ("residential", "beach", "bridge", "industrial", "lake"),
    "lake": ("forest", "grassland", "farmland", "residential", "harbour"),
    "orchard": ("farmland", "forest", "sparse shrub land", "residential"),
    "residential": ("sports land", "forest", "train station", "commercial", "farmland"),
    "sparse shrub land": ("grassland", "farmland", "forest", "desert", "orchard"),
    "sports land": ("residential", "parking", "grassland", "forest", "industrial"),
    "train station": ("industrial", "residential", "parking", "bridge", "commercial"),
}
BUILT = ("airport", "harbour", "residential", "train station", "commercial", "industrial", "parking")
ANY_NEIGHBOUR = ("grassland", "forest", "residential", "farmland")


def render_place(category: str, rng: np.random.Generator, side: int, difficulty: float = 0.5) -> Place:
    """Photograph one random place of a category from above.

    Args:
        category: one of SCENES or EXTRA_CATEGORIES.
        rng: source of all randomness; the same state gives the same bytes.
        side: edge of the crops that will be cut from the canvas, pixels. What is drawn at random is the
            length of this edge on the ground (180 to 290 m when easy, 120 to 420 m when hard), so a larger
            side shows the place more finely.
        difficulty: 0 shows the object large, centred and clear; 1 is hard; up to about 1.5.

    Returns:
        The place: canvas (C, C, 3) uint8 and mask (C, C) bool with C = round(1.4 * side).

    Raises:
        ValueError: if the category is unknown.
    """
    if category not in PAINTERS:
        raise ValueError(f"unknown category {category!r}; known are {', '.join(PAINTERS)}")
    # Separate streams: what one step draws never changes the next, whatever the difficulty.
    frame, ground_rng, next_rng, sun, sensor = (fork(rng) for _ in range(5))
    pixels = round(1.4 * side)
    metres = 225 * np.exp((0.12 + 0.2 * difficulty) * np.clip(frame.standard_normal(), -2, 2))
    centre = difficulty * 0.13 * metres * np.clip(frame.standard_normal(2), -2, 2)
    size = 1 - 0.4 * min(difficulty, 1.5) * frame.random()
    ground = Ground(pixels, 1.4 * metres, ground_rng, centre, size)
    PAINTERS[category](ground, difficulty)
    _grow_neighbour(ground, category, next_rng, frame, difficulty)
    ground.rgb *= 1 + 0.035 * noise(ground, 5, 3)
    azimuth, elevation = sun.uniform(0, 2 * np.pi), sun.uniform(58 - 30 * min(difficulty, 1.2), 64)
    lit = sunlight(ground, azimuth, np.radians(elevation))
    return Place(expose(lit, sensor, difficulty), ground.mask)


def _grow_neighbour(ground, category, rng, frame, difficulty):
    """Let a confusable kind of land enter the picture from one side, up to the object but not over it."""
    choices = NEIGHBOURS.get(category, ANY_NEIGHBOUR)
    name = choices[frame.integers(len(choices))]
    direction, share = frame.uniform(0, 2 * np.pi), min(0.6 * difficulty * frame.random(), 0.75)
    outward = np.array([np.cos(direction), np.sin(direction)])
    edge = max(ground.extent * (0.5 - share), ground.centre @ outward + 0.06 * ground.extent)
    middle = 0.5 * (edge + ground.extent / 2) * outward
    if share < 0.04:
        return
    other = Ground(ground.pixels, ground.extent, rng, middle)
    PAINTERS[name](other, 0.3)
    u, _ = axes(ground, direction, np.zeros(2))
    planned = category in BUILT or name in BUILT  # then the border is surveyed, with a hedge or a road
    u = u - edge + (0.012 if planned else 0.07) * ground.extent * noise(ground, 120, 4)
    overlay(ground, other, above(ground, u))
    if planned:
        strip = band(ground, u, 9)
        paint(ground, strip, choose(rng, [ASPHALT, GRASS, SOIL]))
        lift(ground, strip, 0)
        ground.mask &= strip <= 0.5
