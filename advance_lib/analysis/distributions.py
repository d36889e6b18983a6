"""Which events a trained network expects, pair by pair, and how far these distributions tell scenes apart (Fig. 7).

Chapter: Scenes in the space of events.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.manifold import TSNE
from sklearn.metrics import pairwise_distances, silhouette_samples

from advance_lib.analysis.claims import codes
from advance_lib.analysis.events import event_responses
from advance_lib.experiments.runs import Run
from advance_lib.transfer.knowledge import sigmoid

# The three of Fig. 7, in its order.
SHOWN = ("image+sound/SQ|Na", "image+sound/SQ|Nv+a", "image+sound/E")


def compound_of(run: Run, split: str, posteriors: np.ndarray) -> np.ndarray:
    """Return p(e) = Σ_k p(s_k) p(e|s_k), equation 7, of a run's scene probabilities, (pairs, events)."""
    return codes(run, split)[1] @ posteriors


def event_distribution(run: Run, split: str, posteriors: np.ndarray, device: str = "auto") -> np.ndarray:
    """Return the events that a finished run predicts (section 5.3, Fig. 7), (pairs, events) probabilities.

    |Na and |Nv+a answer with their event heads; L_E has none, its events are the compound p(e).

    Args:
        run: with a transfer.
        split: of its dataset.
        posteriors: p(e|s_k), (scenes, events).
        device: ``"cpu"``, ``"cuda"`` or ``"auto"``.
    """
    if run.request.recipe.events_on:
        return sigmoid(event_responses(run, split, device))
    return compound_of(run, split, posteriors)


def embedded(points: np.ndarray, perplexity: float = 30, seed: int = 0) -> np.ndarray:
    """Return the points on a plane, (n, 2), by t-SNE from their first two principal components (Fig. 7).

    Args:
        points: (n, dimensions).
        perplexity: about how many neighbours count; fewer where there are fewer than three times as many points.
        seed: of the optimisation.
    """
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
    scenes, locations = np.asarray(scenes), np.asarray(locations)
    distances = pairwise_distances(points.astype(np.float64))
    elsewhere = locations[:, None] != locations[None]
    same = scenes[:, None] == scenes[None]
    nearest = np.where(elsewhere, distances, np.inf).argmin(axis=1)
    return pd.DataFrame(
        {
            "silhouette": silhouette_samples(distances, scenes, metric="precomputed"),
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
        about = {"cell": run.request.cell, "seed": run.request.seed, "location": pairs["location"].to_numpy()}
        found.append(table.assign(**about, sample=range(len(table))))
    return pd.concat(found, ignore_index=True)
