"""What networks hear: how far trained ones are from N_a(0), how events tell scenes apart, what real ears hear.

Chapters: Preserving what the audio network knows; One representation, two tasks; Events in different scenes; Scenes
in the space of events; Real photographs, real recordings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from advance_lib.data.dataset import Dataset
from advance_lib.data.given import given_columns
from advance_lib.experiments.runs import Run
from advance_lib.models.audioset import event_names

if TYPE_CHECKING:
    from torch import Tensor, nn

    from advance_lib.training.inputs import Batch
    from advance_lib.transfer.knowledge import Knowledge

# The three of Fig. 7, in its order.
SHOWN = ("image+sound/SQ|Na", "image+sound/SQ|Nv+a", "image+sound/E")


def event_responses(run: Run, split: str = "test") -> np.ndarray:
    """Return f_e of a finished run for the pairs of a split, before the sigmoid.

    A network with an event head on the concatenation answers with that; any other with the classifier of its N_a,
    which L_s alone has never touched.

    Args:
        run: with a sound input, unless its event head is on the concatenation.
        split: of the run's dataset.

    Returns:
        (pairs, events) float32.
    """
    from advance_lib.training.loop import predictions

    fabric, network, data, inputs = run.open()
    joint = run.request.recipe.events_on == "Nv+a"

    def read(model: nn.Module, batch: Batch) -> Tensor:
        return model(batch.image, batch.log_mel).events if joint else model.audio(batch.log_mel)

    return predictions(fabric, network, inputs if joint else replace(inputs, images=None), data.rows()[split], read)


def divergence(student: np.ndarray, teacher: np.ndarray) -> np.ndarray:
    """Return Σ_i C(y_i ‖ σ_i(f_e)) of each clip, the summand of equations (3), (5) and (8).

    Args:
        student: f_e, (clips, events) or (events,) for one answer to all clips.
        teacher: f_e(a, N_a(0)), (clips, events).

    Returns:
        (clips,) float64, in nats.
    """
    from advance_lib.transfer.knowledge import sigmoid

    s, t = np.asarray(student, np.float64), np.asarray(teacher, np.float64)
    return (sigmoid(t) * (t - s) + np.logaddexp(0, s) - np.logaddexp(0, t)).sum(axis=1)


def logit(p: np.ndarray) -> np.ndarray:
    """Return σ⁻¹(p), with p kept as far from 0 and 1 as the objectives keep it."""
    import torch

    from advance_lib.transfer.objectives import FAINTEST

    return torch.from_numpy(np.asarray(p, np.float64)).clamp(FAINTEST, 1 - FAINTEST).logit().numpy()


def e1_of_mixtures(mixtures: np.ndarray, teacher: np.ndarray, posteriors: np.ndarray) -> np.ndarray:
    """Return L_E1, equation (8), of each clip for each answer p(s): Σ_i C(y_i ‖ p(e_i)), p(e) = Σ_k p(s_k) p(e|s_k).

    Args:
        mixtures: p(s), (answers, scenes).
        teacher: f_e(a, N_a(0)), (clips, events).
        posteriors: p(e|s_k), (scenes, events).

    Returns:
        (clips, answers), in nats.
    """
    from scipy.special import expit

    t, expected = np.asarray(teacher, np.float64), logit(mixtures @ np.asarray(posteriors, np.float64))
    y = expit(t)
    entropy = (np.logaddexp(0, t) - y * t).sum(axis=1, keepdims=True)
    return np.logaddexp(0, expected).sum(axis=1) - y @ expected.T - entropy


def divergence_from_scenes(teacher: np.ndarray, posteriors: np.ndarray) -> np.ndarray:
    """Return Σ_i C(y_i ‖ p(e_i|s_k)) of each clip and each scene: L_E1 where p(s) is sure of s_k.

    Args:
        teacher: f_e(a, N_a(0)), (clips, events).
        posteriors: p(e|s_k), (scenes, events).

    Returns:
        (clips, scenes), in nats.
    """
    return e1_of_mixtures(np.eye(len(posteriors)), teacher, posteriors)


def distances(runs: Sequence[Run], known: Knowledge, split: str = "test") -> pd.DataFrame:
    """Return how far each run's event responses are from the teacher's, on average over the clips of a split.

    Args:
        runs: as for `event_responses`, all on one dataset.
        known: f_e(a, N_a(0)) of that dataset.
        split: of the dataset.

    Returns:
        One row per run: ``cell``, ``seed``, ``nats`` per clip, and ``points``, the mean absolute difference of an
        event's probability in percentage points.
    """
    from advance_lib.transfer.knowledge import sigmoid

    rows = []
    for run in runs:
        teacher = known.pre_activations[run.request.shared.data.rows()[split]]
        student = event_responses(run, split)
        points = 100 * np.abs(sigmoid(student) - sigmoid(teacher)).mean()
        rows.append((run.cell, run.seed, divergence(student, teacher).mean(), points))
    return pd.DataFrame(rows, columns=["cell", "seed", "nats", "points"])


def nearest_posterior(run: Run, split: str) -> np.ndarray:
    """Return the scene whose posterior is nearest to what was heard: argmin over k of Σ_i C(y_i ‖ p(e_i|s_k)).

    The L_E1 of one-hot scene probabilities is least there. Nothing is trained, and no photograph is looked at.

    Args:
        run: says which dataset, teacher and posteriors.
        split: of its dataset.

    Returns:
        (pairs,) codes of scenes.
    """
    shared = run.request.shared
    known = shared.knowledge
    return divergence_from_scenes(known.pre_activations[shared.data.rows()[split]], known.posteriors).argmin(axis=1)


def compound_of(run: Run, split: str, posteriors: np.ndarray) -> np.ndarray:
    """Return p(e) = Σ_k p(s_k) p(e|s_k), equation 7, of a run's scene probabilities, (pairs, events)."""
    return run.answers(split)[1] @ posteriors


def event_distribution(run: Run, split: str, posteriors: np.ndarray) -> np.ndarray:
    """Return the events that a finished run predicts (section 5.3, Fig. 7), (pairs, events) probabilities.

    |Na and |Nv+a answer with their event heads; L_E has none, its events are the compound p(e).

    Args:
        run: with a transfer.
        split: of its dataset.
        posteriors: p(e|s_k), (scenes, events).
    """
    from advance_lib.transfer.knowledge import sigmoid

    if run.request.recipe.events_on:
        return sigmoid(event_responses(run, split))
    return compound_of(run, split, posteriors)


def embedded(points: np.ndarray, perplexity: float = 30, seed: int = 0) -> np.ndarray:
    """Return the points on a plane, (n, 2), by t-SNE from their first two principal components (Fig. 7).

    Args:
        points: (n, dimensions).
        perplexity: about how many neighbours count; fewer where there are fewer than three times as many points.
        seed: of the optimisation.
    """
    from sklearn.manifold import TSNE

    perplexity = min(perplexity, (len(points) - 1) / 3)
    return TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(points.astype(np.float64))


def separation(points: np.ndarray, scenes: np.ndarray, locations: np.ndarray) -> pd.DataFrame:
    """Return how well scenes lie apart, in the space of events itself and not on a plane made from it.

    Args:
        points: (n, events).
        scenes: (n,) names.
        locations: (n,) names; siblings share a recording, so neighbours are sought at other locations only.

    Returns:
        One row per point: ``silhouette``, -1 to 1, between the scene's own and the nearest other scene's points;
        ``purity``, 1 where the nearest point at another location is of the same scene, else 0; ``chance``, the share
        of points at other locations that are of the same scene.
    """
    from sklearn.metrics import pairwise_distances, silhouette_samples

    scenes, locations = np.asarray(scenes), np.asarray(locations)
    apart = pairwise_distances(points.astype(np.float64))
    elsewhere = locations[:, None] != locations[None]
    same = scenes[:, None] == scenes[None]
    nearest = np.where(elsewhere, apart, np.inf).argmin(axis=1)
    return pd.DataFrame(
        {
            "silhouette": silhouette_samples(apart, scenes, metric="precomputed"),
            "purity": same[np.arange(len(scenes)), nearest].astype(float),
            "chance": (same & elsewhere).sum(axis=1) / elsewhere.sum(axis=1),
        }
    )


def separations(points: Sequence[tuple[Run, np.ndarray]], split: str) -> pd.DataFrame:
    """Return `separation` of several runs below each other, with ``cell``, ``seed``, ``location`` and ``sample``.

    Args:
        points: runs with their distributions over the split.
        split: of their dataset.
    """
    found = []
    for run, distribution in points:
        pairs = run.predictions[run.predictions["split"] == split]
        table = separation(distribution, pairs["scene"].to_numpy(), pairs["location"].to_numpy())
        about = {"cell": run.cell, "seed": run.seed, "location": pairs["location"].to_numpy()}
        found.append(table.assign(**about, sample=range(len(table))))
    return pd.concat(found, ignore_index=True)


def agreement(measured: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Return how well measured posteriors agree with published ones, scene by scene.

    Events that are frequent everywhere, speech above all, make any two scenes agree. So each scene is also compared
    with the other scenes' published posteriors, and after the mean over the scenes was taken off.

    Args:
        measured: rows are events, columns scenes.
        published: the same events and scenes.

    Returns:
        One row per scene, Spearman's rank correlations over the events: ``own`` with the same scene, ``others`` the
        mean with the other scenes, ``above`` with the same scene after the means over the scenes were taken off both;
        and ``place``, 1 where the scene's own published posterior is the nearest of all after that.
    """
    from scipy.stats import spearmanr

    events, scenes = list(published.index), list(published.columns)
    m, p = measured.loc[events, scenes].to_numpy(), published.to_numpy()
    count = len(scenes)
    raw = spearmanr(m, p).statistic[:count, count:]
    above = spearmanr(m - m.mean(1, keepdims=True), p - p.mean(1, keepdims=True)).statistic[:count, count:]
    own = np.diag(raw)
    return pd.DataFrame(
        {
            "own": own,
            "others": (raw.sum(axis=1) - own) / (count - 1),
            "above": np.diag(above),
            "place": (above >= np.diag(above)[:, None]).sum(axis=1),
        },
        index=scenes,
    )


def mixed_events(data: Dataset) -> list[list[str]] | None:
    """Return the events that were truly mixed into each clip, or None where nobody knows.

    Args:
        data: a dataset; ``pairs.csv`` beside its folders may have columns ``scene``, ``id`` and ``events``, names
            joined by ``;``.
    """
    given = given_columns(data.folder, data.catalogue)
    if "events" not in given:
        return None
    return [names.split(";") if names else [] for names in given["events"].fillna("")]


def recall_of_mixed(responses: np.ndarray, mixed: list[list[str]], top: int = 5) -> float:
    """Return for which share of the clips at least one of the events truly mixed in is among the most probable.

    Args:
        responses: (clips, 527).
        mixed: AudioSet names of each clip's events; clips without any are left out.
        top: how many of the most probable events count.
    """
    names = np.array(event_names())
    most = names[np.argsort(-responses, axis=1)[:, :top]]
    hits = [bool(set(found) & set(truth)) for found, truth in zip(most, mixed, strict=True) if truth]
    return float(np.mean(hits))
