"""Where a scene was recognised: class activation maps, and how well they find the object that a scene is named for.

The miniature knows where that object is, so what the paper shows by example (Figs. 1 and 6) can be measured here.

Chapter: Where the networks look.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from advance_lib.experiments.runs import Run

if TYPE_CHECKING:
    from torch import Tensor

    from advance_lib.models.audiovisual import AudiovisualNet

# matplotlib's "inferno" at eleven places, 0 to 255: a library that opens one pair need not bring a plotting library.
INFERNO = (
    (0, 0, 4), (22, 11, 57), (66, 10, 104), (106, 23, 110), (147, 38, 103), (188, 55, 84), (221, 81, 58),
    (243, 120, 25), (252, 165, 10), (246, 215, 70), (252, 255, 164),
)  # fmt: skip
# Scenes named for one thing that lies somewhere in the photograph; a forest is everywhere in its own.
WITH_OBJECT = ("airport", "bridge", "harbour", "sports land", "train station")


def activation_map(network: AudiovisualNet, image: Tensor, scenes: Tensor) -> Tensor:
    """Return the class activation maps of some photographs (Zhou et al., CVPR 2016; section 5.2, Figs. 1 and 6).

    The head names a scene by W_v N_v(v) + …, and N_v(v) is the mean of the last feature map over all places; so each
    place has its own share: the map weighted with the scene's row of W_v, the visual columns of the head.

    Args:
        network: with a visual input.
        image: (batch, 3, side, side) normalised.
        scenes: (batch,) whose evidence is asked for.

    Returns:
        (batch, side, side): the evidence for the scene, enlarged bilinearly. The mean of the map before it was
        enlarged is the scene's logit, but for what comes from the sound and the bias.
    """
    import torch
    from torch.nn.functional import interpolate

    features = network.visual.feature_map(image)
    weights = network.scene_head.weight[scenes, : network.visual.features]
    maps = torch.einsum("bk,bkhw->bhw", weights, features)
    return interpolate(maps[:, None], size=image.shape[2:], mode="bilinear", align_corners=False)[:, 0]


def activation_maps(run: Run, rows: np.ndarray) -> np.ndarray:
    """Return the maps of a finished run for the true scenes of some pairs.

    Args:
        run: with an image input.
        rows: (n,) of the dataset's pairs.

    Returns:
        (n, side, side) float32.
    """
    import torch

    fabric, network, _, inputs = run.open()
    found = []
    for start in range(0, len(rows), 64):
        batch = fabric.to_device(inputs.batch(rows[start : start + 64], augment=False))
        with torch.inference_mode():
            found.append(activation_map(network, batch.image, batch.target).cpu().numpy())
    return np.concatenate(found)


def overlay(photograph: np.ndarray, activation: np.ndarray) -> Image.Image:
    """Lay a class activation map over its photograph: the more positive the evidence, the brighter.

    Args:
        photograph: (height, width, 3) uint8.
        activation: (height, width); each map has its own scale, from zero to its maximum.
    """
    strength = activation.clip(min=0) / max(float(activation.max()), 1e-12)
    places = np.linspace(0, 1, len(INFERNO))
    heat = np.stack([np.interp(strength, places, channel) for channel in zip(*INFERNO, strict=True)], axis=-1)
    share = (0.25 + 0.5 * strength)[..., None]
    grey = photograph.mean(axis=2, keepdims=True)
    return Image.fromarray(((1 - share) * grey + share * heat).astype(np.uint8))


def mask_of(image: Path | str, side: int) -> np.ndarray:
    """Return where the scene-defining object of a rendered photograph is, (side, side) bool.

    Raises:
        FileNotFoundError: the photograph has no mask beside it; only the miniature's have.
    """
    path = Path(image)
    with Image.open(path.parents[2] / "mask" / path.parent.name / f"{path.stem}.png") as picture:
        return np.asarray(ImageOps.fit(picture.convert("L"), (side, side), Image.Resampling.BILINEAR)) > 127


def pointing_game(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Return whether the highest point of each map lies on the object (Zhang et al., ECCV 2016), (n,) bool."""
    highest = maps.reshape(len(maps), -1).argmax(axis=1)
    return masks.reshape(len(masks), -1)[np.arange(len(maps)), highest]


def energy_inside(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Return the share of each map's positive evidence that lies on the object, (n,); 0 where nothing is positive."""
    positive = maps.clip(min=0)
    return (positive * masks).sum(axis=(1, 2)) / np.maximum(positive.sum(axis=(1, 2)), 1e-12)


def localisation(runs: Sequence[Run], splits: Sequence[str] = ("test", "exam")) -> pd.DataFrame:
    """Measure how well the maps of the true scene find its object.

    Args:
        runs: with an image input, on one dataset with masks.
        splits: of the dataset; one that it lacks is passed over.

    Returns:
        One row per run and pair of a scene `WITH_OBJECT`: ``cell``, ``seed``, ``sample``, ``scene``, ``location``,
        ``pointing`` and ``energy`` in percent, and ``area``, the object's share of the photograph in percent: what a
        map that knows nothing would reach in both.
    """
    _, _, data, inputs = runs[0].open()
    of_split = data.rows()
    every = np.concatenate([of_split[name] for name in splits if name in of_split])
    pairs = data.pairs
    rows = every[pairs["scene"].iloc[every].isin(WITH_OBJECT)]
    shown = pairs.iloc[rows]
    masks = np.stack([mask_of(path, inputs.images.shape[1]) for path in shown["image"]])
    found = []
    for run in runs:
        maps = activation_maps(run, rows)
        found.append(
            shown[["scene", "location"]].assign(
                cell=run.cell,
                seed=run.seed,
                sample=rows,
                pointing=100.0 * pointing_game(maps, masks),
                energy=100.0 * energy_inside(maps, masks),
                area=100.0 * masks.mean(axis=(1, 2)),
            )
        )
    return pd.concat(found, ignore_index=True)
