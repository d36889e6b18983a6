"""Find the sound of a photograph and the photograph of a sound: does a transfer make the two representations alike?

Ours, not the paper's: its networks have no space in common, so one is made of the events that a scene lets expect, or
by a linear map that is fitted on the training pairs. What counts as found is as much a part of the protocol as the
network: the pair itself, any pair at its location, or any pair of its scene.

Chapter: After the paper.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from advance_lib.analysis.claims import BOTH, compare_means
from advance_lib.analysis.events import e1_of_mixtures
from advance_lib.analysis.probes import UNTRAINED, Represented, once_each
from advance_lib.analysis.statistics import draw_locations, estimates, holm
from advance_lib.experiments.prepared import Prepared

RECALLS = {f"recall@{cut}": cut for cut in (1, 5, 10)}
DIRECTIONS = ("image → sound", "sound → image")
PENALTIES = (1.0, 10.0, 100.0, 1e3, 1e4, 1e5)  # of the ridge regression
BASE = f"{BOTH}Ls"
# Not approaches: any order of the items; and knowing the scene of query and items, but nothing else of them.
CHANCE, ORACLE = "chance", "the scene alone"


def relevance(locations: np.ndarray, scenes: np.ndarray) -> dict[str, np.ndarray]:
    """Return what counts as found, (pairs, pairs) bool each: the ``pair`` itself, its ``siblings`` too, its ``scene``.

    Args:
        locations: (pairs,) names; pairs at one location are siblings, cut from one recording.
        scenes: (pairs,) codes or names.
    """
    locations, scenes = np.asarray(locations), np.asarray(scenes)
    return {
        "pair": np.eye(len(scenes), dtype=bool),
        "siblings": locations[:, None] == locations[None],
        "scene": scenes[:, None] == scenes[None],
    }


def retrieved(similarity: np.ndarray, relevant: np.ndarray) -> pd.DataFrame:
    """Return how well each query finds what is relevant to it; items that tie are taken in random order.

    Args:
        similarity: (queries, items), the higher the nearer.
        relevant: (queries, items) bool, at least one of each query.

    Returns:
        One row a query: ``recall@1``, ``recall@5`` and ``recall@10``, the chance that something relevant is among so
        many items, ``rank``, the expected rank of the first, and ``ndcg@10`` (Järvelin and Kekäläinen, 2002), the gain
        discounted by rank relative to the best order.
    """
    from scipy.stats import hypergeom
    from sklearn.metrics import ndcg_score

    best = np.where(relevant, similarity, -np.inf).max(axis=1, keepdims=True)
    before, tied = (similarity > best).sum(axis=1), similarity == best
    ties, wanted = tied.sum(axis=1), (tied & relevant).sum(axis=1)
    found = {name: hypergeom.sf(0, ties, wanted, np.clip(cut - before, 0, ties)) for name, cut in RECALLS.items()}
    found["rank"] = before + (ties + 1) / (wanted + 1)
    rows = zip(relevant, similarity, strict=True)
    return pd.DataFrame(found).assign(**{"ndcg@10": [ndcg_score([of], [by], k=10) for of, by in rows]})


def by_events(scenes: np.ndarray, posteriors: np.ndarray, pre_activations: np.ndarray) -> np.ndarray:
    """Return how well the events that a photograph lets expect agree with those that are heard in a sound.

    −Σ_i C(y_i ‖ p(e_i)), with p(e) = Σ_k p(s_k) p(e|s_k) (equation 7) and the divergence of L_E1.

    Args:
        scenes: p(scene) from the photographs, (images, scenes).
        posteriors: p(e|s_k), (scenes, events).
        pre_activations: f_e(a, N_a(0)), (sounds, events).

    Returns:
        (images, sounds), in nats.
    """
    return -e1_of_mixtures(scenes, pre_activations, posteriors).T


def by_map(one: Represented, rows: Mapping[str, np.ndarray], split: str) -> np.ndarray:
    """Return how near the sound that a photograph lets expect is to each sound, in the space of N_a.

    N_a(a) is predicted from N_v(v) by a ridge regression that is fitted on training; its strength is chosen on
    validation.

    Args:
        one: what an approach makes of every pair.
        rows: of each split.
        split: to return.

    Returns:
        (images, sounds) cosines.
    """
    from sklearn.linear_model import Ridge
    from sklearn.metrics.pairwise import cosine_similarity
    from sklearn.preprocessing import StandardScaler

    train, validation = rows["train"], rows["validation"]
    seen, heard = (StandardScaler().fit(part[train]).transform(part) for part in (one.seen, one.heard))
    maps = [Ridge(alpha=penalty).fit(seen[train], heard[train]) for penalty in PENALTIES]
    errors = [((fitted.predict(seen[validation]) - heard[validation]) ** 2).mean() for fitted in maps]
    expected = maps[int(np.argmin(errors))].predict(seen[rows[split]])
    return cosine_similarity(expected, heard[rows[split]])


Similarities = dict[str, dict[int, np.ndarray]]  # approach to seed to (images, sounds)


def event_similarities(found: Mapping[str, Mapping[int, Represented]], shared: Prepared, split: str) -> Similarities:
    """Return `by_events` of every approach that names scenes, on the pairs of a split.

    Args:
        found: as from `probes.of_approaches`.
        shared: data and knowledge.
        split: ``"test"`` or ``"exam"``.
    """
    here, known = shared.data.rows()[split], shared.knowledge
    heard = known.pre_activations[here]
    return {
        approach: {seed: by_events(one.scenes[here], known.posteriors, heard) for seed, one in seeds.items()}
        for approach, seeds in found.items()
        if approach != UNTRAINED
    }


def map_similarities(found: Mapping[str, Mapping[int, Represented]], shared: Prepared, split: str) -> Similarities:
    """Return `by_map` of every approach on the pairs of a split; the arguments are those of `event_similarities`."""
    rows = shared.data.rows()
    return {approach: once_each(seeds, lambda one: by_map(one, rows, split)) for approach, seeds in found.items()}


WAYS = {"events": event_similarities, "map": map_similarities}


def retrievals(similarities: Similarities, shared: Prepared, split: str, resamples: int = 2000) -> pd.DataFrame:
    """Return retrieval scores of several approaches, by direction and by what counts as found.

    Args:
        similarities: approach to seed to (images, sounds).
        shared: data and targets.
        split: ``"test"`` or ``"exam"``.
        resamples: of the locations.

    Returns:
        One row a ``direction``, ``relevant`` and ``approach``, the last two `CHANCE` and `ORACLE`: ``recall@1`` and so
        on, the ``median rank``, ``ndcg@10`` with ``low`` and ``high``, its interval over locations and seeds, and the
        ``difference`` of it from `BASE` with ``difference_low``, ``difference_high`` and ``p_holm``, corrected over
        both directions and all approaches.
    """
    here = shared.data.rows()[split]
    locations, scenes = shared.data.pairs["location"].to_numpy()[here], shared.inputs.targets[here]
    wanted = relevance(locations, scenes)
    known = {CHANCE: {0: np.zeros(wanted["pair"].shape)}, ORACLE: {0: wanted["scene"].astype(float)}}
    tables = []
    for what, relevant in wanted.items():  # symmetric, so it serves both directions
        means, compared = {}, []
        for direction in DIRECTIONS:

            def ask(one: np.ndarray, relevant: np.ndarray = relevant, direction: str = direction) -> pd.DataFrame:
                return retrieved(one if direction == DIRECTIONS[0] else one.T, relevant)

            queries = []
            for approach, seeds in (similarities | known).items():
                each = once_each(seeds, ask)
                about = {"cell": approach, "location": locations, "sample": range(len(here))}
                queries += [of_seed.assign(seed=seed, **about) for seed, of_seed in each.items()]
            table = pd.concat(queries, ignore_index=True)
            runs = table.groupby(["cell", "seed"], sort=False)
            scores = runs[[*RECALLS, "ndcg@10"]].mean().assign(**{"median rank": runs["rank"].median()})
            means[direction] = scores.groupby("cell", sort=False).mean()
            asked = table[~table["cell"].isin(known)]
            compared.append(compare_means(asked, ("ndcg@10",), BASE, resamples).assign(direction=direction))
        estimated = pd.concat(compared, ignore_index=True)
        estimated["p_holm"] = holm(estimated["p"].where(estimated["cell"] != BASE).to_numpy())
        names = {"low": "difference_low", "high": "difference_high", "mean_low": "low", "mean_high": "high"}
        estimated = estimated.rename(columns=names)[["direction", "cell", *names.values(), "difference", "p_holm"]]
        scores = pd.concat(means, names=["direction"]).reset_index()
        tables.append(scores.merge(estimated, "left", ["direction", "cell"]).assign(relevant=what))
    return pd.concat(tables, ignore_index=True).rename(columns={"cell": "approach"})


def cka(x: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Return the linear centred kernel alignment of two representations of the same pairs (Kornblith et al., 2019).

    ‖YᵀX‖² / (‖XᵀX‖ ‖YᵀY‖), after the means were taken off: 1 for the same representation, turned and scaled as you
    like. With few pairs and many features, unrelated ones are above 0, too.

    Args:
        x: (pairs, features).
        y: (pairs, other features).
        weights: (pairs,) how often each pair counts; None for once.

    Returns:
        0 to 1; 0 where one of the two is a constant.
    """
    weights = np.ones(len(x)) if weights is None else np.asarray(weights, float)
    x, y = (np.asarray(part, np.float64) for part in (x, y))
    x, y = ((part - np.average(part, 0, weights)) * np.sqrt(weights)[:, None] for part in (x, y))
    scale = np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
    return float(np.linalg.norm(y.T @ x) ** 2 / scale) if scale else 0.0


def alikeness(
    found: Mapping[str, Mapping[int, Represented]], shared: Prepared, split: str, resamples: int = 300
) -> pd.DataFrame:
    """Return how alike what was seen and what was heard are, approach by approach.

    Args:
        found: as from `probes.of_approaches`.
        shared: the data.
        split: ``"test"`` or ``"exam"``.
        resamples: of the locations.

    Returns:
        One row an ``approach``: ``cka`` with ``low`` and ``high``, its interval over locations and seeds, ``shuffled``,
        the mean when each photograph is given the sound of another pair, and the ``difference`` from `BASE` with
        ``difference_low``, ``difference_high`` and ``p_holm``.
    """
    here = shared.data.rows()[split]
    names, places = np.unique(shared.data.pairs["location"].to_numpy()[here], return_inverse=True)
    draws = np.concatenate([np.ones((1, len(names))), draw_locations(len(names), resamples, 0)])[:, places]
    mixed = np.random.default_rng(0).permutation(len(here))
    resampled, shuffled = {}, {}
    for approach, seeds in found.items():
        drawn = once_each(seeds, lambda one: [cka(one.seen[here], one.heard[here], weights) for weights in draws])
        resampled[approach] = np.array([drawn[seed] for seed in sorted(seeds)])
        shuffled[approach] = np.mean([cka(one.seen[here], one.heard[here][mixed]) for one in seeds.values()])
    own = estimates(list(resampled.values()), len(names))
    versus = estimates([one - resampled[BASE] for one in resampled.values()], len(names))
    rows = [
        {"approach": approach, "cka": score.difference, "low": score.low, "high": score.high}
        | {"shuffled": shuffled[approach], "difference": change.difference}
        | {"difference_low": change.low, "difference_high": change.high, "p": change.p}
        for approach, score, change in zip(resampled, own, versus, strict=True)
    ]
    table = pd.DataFrame(rows)
    asked = table["p"].where(table["approach"] != BASE)
    return table.assign(p_holm=holm(asked.to_numpy())).drop(columns="p")
