"""Any photograph with any recording: the scene head is linear, so its two parts can be added up anew.

A recogniser never saw such a pair in training; what it answers shows what each sense is worth to it.

Chapter: What the sound decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import softmax

from advance_lib.analysis.robustness import STRENGTHS, degraded
from advance_lib.analysis.senses import contributions, parts
from advance_lib.experiments.cells import ALPHA, BETA
from advance_lib.experiments.runs import Run

WORSE = "haze"  # how photographs are made worse
ALONE = "image/Ls"


@dataclass(frozen=True)
class Suggestion:
    """A mixture worth a look.

    Attributes:
        name: what it is an example of.
        photograph: index into the mixer's pairs.
        recording: the same.
    """

    name: str
    photograph: int
    recording: int


@dataclass(frozen=True)
class Mixer:
    """What is needed to put any of some photographs together with any of the same pairs' recordings.

    Attributes:
        pairs: (n,) columns ``id``, ``scene``, ``image``, ``sound``.
        scenes: (K,) names.
        cells: approaches.
        seen: (cells, 1 + levels, n, K) W_v N_v(v) of the photographs as they are and under each level of `WORSE`.
        heard: (cells, n, K) W_a N_a(a).
        bias: (cells, K).
        events: names.
        teacher: f_e(a, N_a(0)) of the recordings, (n, events).
        posteriors: p(e|s_k), (K, events).
        relevance: d_k, (K, events).
        approach: the cell that the presets were chosen for.
        presets: those that there are.
    """

    pairs: pd.DataFrame
    scenes: list[str]
    cells: list[str]
    seen: np.ndarray
    heard: np.ndarray
    bias: np.ndarray
    events: tuple[str, ...]
    teacher: np.ndarray
    posteriors: np.ndarray
    relevance: np.ndarray
    approach: str
    presets: list[Suggestion]


class Mixture(NamedTuple):
    """What an approach makes of a photograph and a recording.

    Attributes:
        scenes: p(s), (K,).
        events: p(e) = Σ_k p(s_k) p(e|s_k), (events,), equation (7).
        scene_loss: L_s, equation (1), where the photograph's scene is the true one.
        e1: L_E1, equation (8).
        e2: L_E2, equation (9), for the photograph's scene.
        from_scenes: αL_E1, what L_s is weighed against in equation (2).
        from_direction: αβL_E2.
    """

    scenes: np.ndarray
    events: np.ndarray
    scene_loss: float
    e1: float
    e2: float
    from_scenes: float
    from_direction: float


def mixture(mixer: Mixer, cell: str, photograph: int, recording: int, volume: float = 1.0, level: int = 0) -> Mixture:
    """Put a photograph and a recording together: f_s = seen + volume · heard + bias.

    Args:
        mixer: the parts.
        cell: one of its approaches.
        photograph: index into its pairs.
        recording: the same.
        volume: a factor on what was heard; 1 is the network as it was trained.
        level: of `WORSE`, 0 for the photograph as it is.
    """
    import torch

    from advance_lib.transfer.objectives import compound, e1, e2, scene_loss

    which = mixer.cells.index(cell)
    logits = mixer.seen[which, level, photograph] + volume * mixer.heard[which, recording] + mixer.bias[which]
    f_s, posteriors, relevance, teacher = (
        torch.from_numpy(np.asarray(x, np.float64))
        for x in (logits[None], mixer.posteriors, mixer.relevance, mixer.teacher[recording][None])
    )
    target = torch.tensor([mixer.scenes.index(mixer.pairs["scene"].iloc[photograph])])
    one, two = float(e1(f_s, teacher, posteriors)), float(e2(f_s, target, posteriors, relevance))
    return Mixture(
        f_s.softmax(dim=1)[0].numpy(), compound(f_s, posteriors)[0].numpy(), float(scene_loss(f_s, target)),
        one, two, ALPHA * one, ALPHA * BETA * two,
    )  # fmt: skip


def rescue_and_misleading(truth: np.ndarray, alone: np.ndarray, both: np.ndarray) -> dict[str, tuple[int, int]]:
    """Return the pair whose sound rescues most, and the one whose sound misleads most, as (photograph, recording).

    Args:
        truth: (pairs,) codes of the true scenes.
        alone: p(scene) from photographs alone, (pairs, scenes).
        both: p(scene) from both senses, (pairs, scenes).

    Returns:
        "A rescue": the photograph alone is wrong, both are right, and the true scene gains most. "A misleading sound":
        the opposite. A name is missing where no pair fits.
    """
    every = np.arange(len(truth))
    gain = both[every, truth] - alone[every, truth]
    right_alone, right = alone.argmax(axis=1) == truth, both.argmax(axis=1) == truth
    fitting = {"A rescue": (~right_alone & right, gain), "A misleading sound": (right_alone & ~right, -gain)}
    found = {name: int(np.where(fits, by, -np.inf).argmax()) for name, (fits, by) in fitting.items() if fits.any()}
    return {name: (pair, pair) for name, pair in found.items()}


def sounds_like(
    truth: np.ndarray, seen: np.ndarray, heard: np.ndarray, bias: np.ndarray, looks: int, sounds: int
) -> tuple[int, int] | None:
    """Return a photograph of one scene and a recording of another that together are taken for the other.

    Of the photographs that are named right with their own recording, and of all recordings of the other scene, it is
    the pair that makes the other scene most probable.

    Args:
        truth: (pairs,) codes of the true scenes.
        seen: (pairs, scenes).
        heard: (pairs, scenes).
        bias: (scenes,).
        looks: code of the photograph's scene.
        sounds: code of the recording's scene.

    Returns:
        (photograph, recording), or None where no pair is taken for the other scene.
    """
    right = (seen + heard + bias).argmax(axis=1) == truth
    photographs, recordings = np.flatnonzero(right & (truth == looks)), np.flatnonzero(truth == sounds)
    if not len(photographs) or not len(recordings):
        return None
    p = softmax(seen[photographs][:, None] + heard[recordings][None] + bias, axis=-1)
    photograph, recording = np.unravel_index(p[..., sounds].argmax(), p.shape[:2])
    if p[photograph, recording].argmax() != sounds:
        return None
    return int(photographs[photograph]), int(recordings[recording])


def typical_first(sure: np.ndarray, scenes: Sequence[str]) -> np.ndarray:
    """Return an order of pairs: one of each scene, then another of each, and so on, those in its middle first.

    Args:
        sure: p(true scene), (pairs,).
        scenes: (pairs,) names.
    """
    table = pd.DataFrame({"scene": scenes, "sure": sure})
    by_scene = table.groupby("scene")["sure"]
    table["off"] = (by_scene.rank(method="first") - 1 - by_scene.transform("size") // 2).abs()
    table["round"] = table.groupby("scene")["off"].rank(method="first")
    return table.sort_values(["round", "scene"]).index.to_numpy()


def mixer(
    runs: Sequence[Run],
    split: str,
    approach: str,
    looks_and_sounds: tuple[str, str] = ("harbour", "train station"),
    count: int = 24,
) -> Mixer:
    """Take finished runs apart for some pairs of a split.

    The pairs are those of the presets; the others are taken scene by scene, each time the one whose true scene has
    the most ordinary probability from the photograph alone.

    Args:
        runs: one of each cell, all with the same seed; `ALONE` and ``approach`` among them.
        split: of their dataset.
        approach: the cell that presets are chosen for.
        looks_and_sounds: scenes of `sounds_like`.
        count: of pairs.
    """
    shared = runs[0].request.shared
    data, inputs, known = shared.data, shared.inputs, shared.knowledge
    rows, scenes = data.rows()[split], list(data.scenes)
    truth = inputs.targets[rows]
    taken_apart = {run.cell: contributions(run, split) for run in runs}
    alone, both = (softmax(sum(taken_apart[cell]), axis=-1) for cell in (ALONE, approach))
    found = rescue_and_misleading(truth, alone, both)
    if set(looks_and_sounds) <= set(scenes):
        looks, sounds = looks_and_sounds
        confused = sounds_like(truth, *taken_apart[approach], scenes.index(looks), scenes.index(sounds))
        if confused:
            found[f"A {looks} that sounds like a {sounds}"] = confused
    usual = typical_first(alone[np.arange(len(truth)), truth], data.pairs["scene"].iloc[rows].to_numpy())
    wanted = list(dict.fromkeys([*(index for pair in found.values() for index in pair), *usual]))[:count]
    chosen = np.sort(wanted)  # pairs are sorted by their scenes
    place = {int(index): number for number, index in enumerate(chosen)}
    seen, heard, bias = zip(*taken_apart.values(), strict=True)
    return Mixer(
        pairs=data.pairs.iloc[rows[chosen]],
        scenes=scenes,
        cells=list(taken_apart),
        seen=np.stack([_seen(run, own[chosen], rows[chosen]) for run, own in zip(runs, seen, strict=True)]),
        heard=np.stack(heard)[:, chosen],
        bias=np.stack(bias),
        events=known.events,
        teacher=known.pre_activations[rows[chosen]],
        posteriors=known.posteriors,
        relevance=known.relevance,
        approach=approach,
        presets=[Suggestion(name, place[one], place[other]) for name, (one, other) in found.items()],
    )


def _seen(run: Run, as_they_are: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return what a run sees in some photographs under every level of `WORSE`, (1 + levels, rows, scenes)."""
    from advance_lib.training.loop import predictions

    fabric, network, _, inputs = run.open()
    found = [as_they_are]
    for level in range(1, len(STRENGTHS[WORSE]) + 1):
        images = degraded(inputs.images[rows], WORSE, level)
        worse = replace(inputs, images=images, log_mels=None, targets=inputs.targets[rows])
        found.append(predictions(fabric, network, worse, np.arange(len(rows)), parts)[:, 0])
    return np.stack(found)
