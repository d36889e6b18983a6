"""What the representations of finished runs know of the scene: a linear probe on each, frozen (Heidler et al., 2023).

Ours, not the paper's. A network's own scene head says how well it recognises; the probe says what is left in the
representation of the photograph, of the sound, and of both, whoever trained it.

Chapter: After the paper.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from advance_lib.analysis.baselines import frozen, probe
from advance_lib.analysis.statistics import estimates, holm, location_confusions, resampled_f
from advance_lib.data.splits import shared_locations, split_by_location, split_by_pair
from advance_lib.experiments.prepared import Prepared
from advance_lib.experiments.runs import Run
from advance_lib.training.metrics import weighted_scores

if TYPE_CHECKING:
    from torch import Tensor

    from advance_lib.models.audiovisual import AudiovisualNet
    from advance_lib.training.inputs import Batch

# Not cells: N_v(0) beside N_a(0); and N_v of the run that only sees beside N_a of the run that only hears.
UNTRAINED, APART = "before training", "trained apart"
PARTS = ("seen", "heard", "both")
SPLITTERS = {"pair": split_by_pair, "location": split_by_location}
RANDOM_SPLITS = 5


class Represented(NamedTuple):
    """What an approach makes of the pairs of a dataset; nan for pairs that were not asked for.

    Attributes:
        seen: N_v(v), (pairs, visual features).
        heard: N_a(a), (pairs, audio features).
        scenes: p(scene) from the photograph, (pairs, scenes): the heard part of the scene head stays at its mean over
            the training pairs. None before training.
    """

    seen: np.ndarray
    heard: np.ndarray
    scenes: np.ndarray | None = None

    def part(self, name: str) -> np.ndarray:
        """Return what was seen, what was heard, or both side by side."""
        return np.concatenate(self[:2], axis=1) if name == "both" else getattr(self, name)


def represented(run: Run, tested: Sequence[str]) -> Represented:
    """Return what a finished run makes of training, validation and tested pairs.

    The sense that it lacks is represented by a constant.

    Args:
        run: finished.
        tested: splits, ``"test"`` or ``"exam"`` or both.
    """
    import torch

    from advance_lib.training.loop import predictions

    fabric, network, data, inputs = run.open()

    def read(model: AudiovisualNet, batch: Batch) -> Tensor:
        outputs = model(batch.image, batch.log_mel)
        return torch.cat([outputs.visual, outputs.audio, outputs.seen + outputs.bias, outputs.heard], dim=1)

    rows = _rows(run, tested)
    found = _placed(predictions(fabric, network, inputs, rows, read), rows, len(inputs.targets))
    sizes = [network.visual.features, network.audio.features, len(network.scene_head.bias)]
    visual, audio, seen, heard = np.split(found, np.cumsum(sizes), axis=1)
    scenes = torch.from_numpy(seen + heard[data.rows()["train"]].mean(0)).softmax(dim=1).numpy()
    return Represented(visual, audio, scenes)


def _rows(run: Run, tested: Sequence[str]) -> np.ndarray:
    rows = run.request.shared.data.rows()
    return np.concatenate([rows[split] for split in ("train", "validation", *tested)])


def _placed(found: np.ndarray, rows: np.ndarray, pairs: int) -> np.ndarray:
    everywhere = np.full((pairs, found.shape[1]), np.nan, found.dtype)
    everywhere[rows] = found
    return everywhere


def of_approaches(runs: Sequence[Run], tested: Sequence[str]) -> dict[str, dict[int, Represented]]:
    """Return the representations of several approaches, seed by seed, in the order of the runs.

    Args:
        runs: of cells with both senses; and of image/Ls and sound/Ls, if `APART` is wanted; all with the same seeds.
        tested: splits, ``"test"`` or ``"exam"`` or both.

    Returns:
        Approach to seed to `Represented`; `UNTRAINED` and `APART` come first, then the cells with both senses.
    """
    of_cell: dict[str, dict[int, Represented]] = {}
    for run in runs:
        of_cell.setdefault(run.cell, {})[run.seed] = represented(run, tested)
    rows, pairs = _rows(runs[0], tested), len(runs[0].request.shared.inputs.targets)
    before = Represented(*(_placed(part, rows, pairs) for part in frozen(runs[0], rows)))
    found = {UNTRAINED: dict.fromkeys(sorted({run.seed for run in runs}), before)}
    seeing, hearing = (of_cell.pop(f"{sense}/Ls", None) for sense in ("image", "sound"))
    if seeing and hearing:
        found[APART] = {seed: one._replace(heard=hearing[seed].heard) for seed, one in seeing.items()}
    return found | of_cell


def once_each(seeds: Mapping[int, Any], ask: Callable[[Any], Any]) -> dict[int, Any]:
    """Return what is asked of each seed's own; once where seeds share it, as they do before training."""
    answers = {id(one): ask(one) for one in {id(one): one for one in seeds.values()}.values()}
    return {seed: answers[id(one)] for seed, one in seeds.items()}


def probed(
    found: Mapping[str, Mapping[int, Represented]], shared: Prepared, tested: Sequence[str]
) -> dict[tuple[str, str], list[dict]]:
    """Name scenes by a probe on each part of each approach.

    Args:
        found: as from `of_approaches`.
        shared: data and targets.
        tested: splits to name, ``"test"`` or ``"exam"`` or both.

    Returns:
        (approach, part) to one dictionary a seed, split to (pairs,) codes of scenes.
    """
    rows, targets = shared.data.rows(), shared.inputs.targets
    rows = {split: rows[split] for split in ("train", "validation", *tested)}
    named = {}
    for approach, seeds in found.items():
        for part in PARTS:
            of_seeds = once_each(seeds, lambda one, part=part: probe(one.part(part), targets, rows)[0])
            named[approach, part] = [of_seeds[seed] for seed in sorted(seeds)]
    return named


def probe_scores(
    named: Mapping[tuple[str, str], Sequence[Mapping[str, np.ndarray]]],
    shared: Prepared,
    split: str,
    resamples: int = 2000,
) -> pd.DataFrame:
    """Return the weighted F-scores of probes, and what training changed.

    Args:
        named: as from `probed`.
        shared: data and targets.
        split: ``"test"`` or ``"exam"``.
        resamples: of the locations.

    Returns:
        One row an approach and part: ``fscore`` with ``low`` and ``high``, its interval over locations and seeds, and
        the ``difference`` from the same part before training with ``difference_low``, ``difference_high`` and
        ``p_holm``, corrected over all rows but those before training; percent and points.
    """
    here = shared.data.rows()[split]
    truth, locations = shared.inputs.targets[here], shared.data.pairs["location"].to_numpy()[here]
    count = len(shared.data.scenes)
    scores = {
        key: resampled_f(
            np.stack([location_confusions(truth, one[split], locations, count) for one in seeds]), resamples
        )
        for key, seeds in named.items()
    }
    places = len(np.unique(locations))
    own = estimates(list(scores.values()), places)
    versus = estimates([score - scores[UNTRAINED, part] for (_, part), score in scores.items()], places)
    rows = []
    for (approach, part), score, change in zip(scores, own, versus, strict=True):
        about = {"approach": approach, "part": part, "fscore": score.difference, "low": score.low, "high": score.high}
        ends = {"difference_low": change.low, "difference_high": change.high}
        rows.append(about | {"difference": change.difference} | ends | {"p": change.p})
    table = pd.DataFrame(rows)
    asked = table["p"].where(table["approach"] != UNTRAINED)
    return table.assign(p_holm=holm(asked.to_numpy())).drop(columns="p")


def on_random_splits(run: Run, splits: int = RANDOM_SPLITS) -> pd.DataFrame:
    """Return the score of the same probe when the dataset is split at random by pair, and by location.

    N_v(0) and N_a(0) are frozen and have seen none of the pairs, so only the probe can profit from a sibling in
    training.

    Args:
        run: says which dataset and which pre-trained networks.
        splits: how many of each kind; the exam takes no part.

    Returns:
        One row a split: ``by``, ``seed``, ``fscore`` and ``siblings``, the share of the test pairs whose location also
        has pairs in training, all in percent.
    """
    shared = run.request.shared
    pairs, targets = shared.data.catalogue, shared.inputs.targets
    features = np.concatenate(frozen(run, np.arange(len(pairs))), axis=1)
    found = []
    for by, splitter in SPLITTERS.items():
        for seed in range(splits):
            split = splitter(pairs, seed)
            rows = {name: np.flatnonzero(split == name) for name in ("train", "validation", "test")}
            named, _ = probe(features, targets, rows)
            score = weighted_scores(targets[rows["test"]], named["test"])["fscore"]
            siblings = 100 * shared_locations(pairs, split)
            found.append({"by": by, "seed": seed, "fscore": score, "siblings": siblings})
    return pd.DataFrame(found)
