"""What a network that was trained on real recordings hears in a dataset, beside what was published for ADVANCE.

Chapter: Real photographs, real recordings.
"""

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from advance_lib.data.dataset import Dataset
from advance_lib.models.audioset import event_names


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
    path = data.folder / "pairs.csv"
    if not path.exists() or not {"events", "id"} <= set(table := pd.read_csv(path, dtype=str, index_col=False)):
        return None
    keys = [column for column in ("scene", "id") if column in table]
    merged = data.catalogue[["scene", "id"]].merge(table[[*keys, "events"]], how="left", on=keys)
    return [names.split(";") if names else [] for names in merged["events"].fillna("")]


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
