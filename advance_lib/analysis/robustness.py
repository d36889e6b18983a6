"""Photographs made worse, step by step, and what the sound saves (the motivation in the paper's section 1).

Sensors, light, orientation and season change a photograph and leave the sound as it is. The paper says so and does not
measure it. Nothing is trained here: finished runs meet the worse photographs at the test alone.

Chapter: When the photograph is bad.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from advance_lib.analysis.senses import contributions, parts
from advance_lib.analysis.statistics import estimates, holm, location_confusions, resampled_f
from advance_lib.cache import code_digest, digest, entry
from advance_lib.experiments.prepared import Prepared
from advance_lib.experiments.runs import Run

if TYPE_CHECKING:
    import torch
    from torch import Tensor

# Five strengths of each; fixed before any recogniser was tested with them.
STRENGTHS: dict[str, tuple[float, ...]] = {
    "haze": (0.15, 0.3, 0.45, 0.6, 0.75),  # share of the light that is scattered in
    "low light": (0.6, 0.4, 0.25, 0.15, 0.08),  # share of the light that is left, with a sensor's noise
    "blur": (0.005, 0.01, 0.015, 0.02, 0.03),  # standard deviation of a Gaussian, in sides of the photograph
    "colour shift": (0.1, 0.2, 0.3, 0.4, 0.5),  # red is raised and blue lowered by this share
    "rotation": (18, 36, 54, 72, 90),  # degrees
}
HAZE = (0.86, 0.89, 0.92)  # the colour of light scattered by air
NOISE = 0.02  # a sensor's, in shares of full scale


def degraded(images: np.ndarray, kind: str, level: int, seed: int = 0) -> np.ndarray:
    """Return photographs made worse.

    Args:
        images: (n, side, side, 3) uint8.
        kind: in `STRENGTHS`.
        level: 0, which changes nothing, to 5.
        seed: of the noise.

    Returns:
        (n, side, side, 3) uint8.

    Raises:
        KeyError: unknown kind.
    """
    import torch

    strengths = STRENGTHS[kind]
    if level == 0:
        return images
    x = torch.from_numpy(np.array(images)).permute(0, 3, 1, 2) / 255  # a copy: what lies on disk cannot be written to
    worse = _WORSE[kind](x, strengths[level - 1], torch.Generator().manual_seed(seed))
    return (255 * worse).clamp(0, 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


def _hazy(x: Tensor, scattered: float, _: torch.Generator) -> Tensor:
    return (1 - scattered) * x + scattered * x.new_tensor(HAZE)[:, None, None]


def _dark(x: Tensor, left: float, generator: torch.Generator) -> Tensor:
    import torch

    return left * x + NOISE * torch.randn(x.shape, generator=generator)


def _blurred(x: Tensor, width: float, _: torch.Generator) -> Tensor:
    from torchvision.transforms.v2 import functional

    sigma = width * x.shape[-1]
    return functional.gaussian_blur(x, 2 * int(3 * sigma + 0.5) + 1, sigma)


def _shifted(x: Tensor, share: float, _: torch.Generator) -> Tensor:
    return x * x.new_tensor([1 + share, 1, 1 - share])[:, None, None]


def _rotated(x: Tensor, degrees: float, _: torch.Generator) -> Tensor:
    from torchvision.transforms.v2 import InterpolationMode, functional

    side = x.shape[-1]
    around = functional.pad(x, side // 4, padding_mode="reflect")  # so that no corner stays empty
    return functional.center_crop(functional.rotate(around, degrees, InterpolationMode.BILINEAR), [side, side])


_WORSE = {"haze": _hazy, "low light": _dark, "blur": _blurred, "colour shift": _shifted, "rotation": _rotated}
CONDITIONS = [(kind, level) for kind, strengths in STRENGTHS.items() for level in range(1, len(strengths) + 1)]


@lru_cache(maxsize=1)
def _degraded_split(shared: Prepared, split: str) -> list[np.ndarray]:
    """Return the photographs of a split under every condition: the same for all runs on a dataset."""
    images = shared.inputs.images[shared.data.rows()[split]]
    return [degraded(images, *condition) for condition in CONDITIONS]


def guesses(run: Run, split: str) -> np.ndarray:
    """Return the scenes that a finished run names under every condition, computed where they are missing.

    The sound is the same under all conditions, so its part of the scene head's output is computed once.

    Args:
        run: with an image input.
        split: of its dataset.

    Returns:
        (1 + conditions, pairs) codes of scenes; the first row is for the photographs as they are.
    """

    def make(folder) -> None:
        from advance_lib.training.loop import predictions

        seen, heard, bias = contributions(run, split)
        fabric, network, data, inputs = run.open()
        rows = data.rows()[split]
        named = [(seen + heard + bias).argmax(1)]
        for images in _degraded_split(run.request.shared, split):
            worse = replace(inputs, images=images, log_mels=None, targets=inputs.targets[rows])
            found = predictions(fabric, network, worse, np.arange(len(rows)), parts)
            named.append((found[:, 0] + heard + bias).argmax(1))
        np.save(folder / "guesses.npy", np.stack(named).astype(np.int16))

    key = digest(run.folder.name, split, STRENGTHS, code_digest("advance_lib.analysis.robustness"))
    return np.load(entry("features", f"guesses-{key}", make) / "guesses.npy")


def confusions_under(runs: Sequence[Run], split: str) -> np.ndarray:
    """Return (seeds, 1 + conditions, locations, K, K) confusions of one cell's runs, in the order of their seeds."""
    found = []
    for run in sorted(runs, key=lambda run: run.seed):
        truth, probabilities, locations, _ = run.answers(split)
        scenes = probabilities.shape[1]
        found.append([location_confusions(truth, g, locations, scenes) for g in guesses(run, split)])
    return np.array(found)


def robustness(runs: Sequence[Run], split: str, base: str = "image/Ls", resamples: int = 1000) -> pd.DataFrame:
    """Measure approaches under every condition, against one that only sees.

    Args:
        runs: of several cells with the same seeds, the base among them.
        split: of their dataset.
        base: the cell to compare with.
        resamples: of the locations.

    Returns:
        One row per cell and condition, and one per cell with the mean over all 25 conditions (``kind`` is ``"all"``,
        ``level`` −1): ``cell``, ``kind``, ``level`` (0 for photographs as they are), ``fscore`` in percent with its
        interval ``f_low``, ``f_high``, ``deviation`` over the seeds, and the ``difference`` from the base with the
        columns of `statistics.Estimate`, percentage points; ``p_holm`` for the means over all conditions, which are
        the questions.
    """
    cells = list(dict.fromkeys(run.cell for run in runs))
    counts = {cell: confusions_under([r for r in runs if r.cell == cell], split) for cell in cells}
    steps = [("none", 0, [0]), *((*c, [i + 1]) for i, c in enumerate(CONDITIONS))]
    steps.append(("all", -1, list(range(1, len(CONDITIONS) + 1))))
    resampled = {cell: resampled_f(found, resamples) for cell, found in counts.items()}
    locations = counts[base].shape[2]
    table = []
    for kind, level, which in steps:
        # Of each seed, the mean of the F-scores over the conditions.
        found = {cell: resampled[cell][:, which].mean(axis=1) for cell in cells}
        own = estimates(list(found.values()), locations)
        differences = estimates([scores - found[base] for scores in found.values()], locations)
        for (cell, scores), one, versus in zip(found.items(), own, differences, strict=True):
            deviation = np.std(scores[:, 0], ddof=1) if len(scores) > 1 else np.nan
            about = {"fscore": one.difference, "f_low": one.low, "f_high": one.high, "deviation": deviation}
            table.append({"cell": cell, "kind": kind, "level": level} | about | asdict(versus))
    table = pd.DataFrame(table)
    asked = table["p"].where((table["cell"] != base) & (table["kind"] == "all"))
    return table.assign(p_holm=holm(asked.to_numpy()))
