"""What N_a(0) knows of the sounds: soft responses, posteriors p(e|s) and event relevance d (sections 4.2, 4.4).

Posteriors and relevance are measured on the training split alone, by default. The paper says "all samples"; what is
learned from test recordings would come back as test scores.

Chapter: The knowledge of sounds.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from advance_lib.cache import code_digest, digest, entry, write_json, written_whole
from advance_lib.models.pretrained import Pretrained
from advance_lib.training.fabric import start
from advance_lib.training.inputs import Batch, Inputs
from advance_lib.training.loop import predictions
from advance_lib.transfer.presets import PAPER, Preset


@dataclass(frozen=True)
class Knowledge:
    """Sound-event knowledge about a dataset.

    Attributes:
        events: names of the events.
        pre_activations: f_e(a, N_a(0)), (samples, events) float32, of every sample.
        posteriors: p(e|s_k), (scenes, events) float32.
        relevance: d_k, (scenes, events) float32, unit vectors.
    """

    events: tuple[str, ...]
    pre_activations: np.ndarray
    posteriors: np.ndarray
    relevance: np.ndarray

    @property
    def soft_responses(self) -> np.ndarray:
        """y = σ(f_e(a, N_a(0))), (samples, events)."""
        return sigmoid(self.pre_activations)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """σ, safe for large arguments of either sign."""
    return torch.from_numpy(np.asarray(x)).sigmoid().numpy()


def posteriors(soft_responses: np.ndarray, targets: np.ndarray, scenes: int) -> np.ndarray:
    """Return p(e|s_k), the mean soft response over the samples of each scene (section 4.4).

    Args:
        soft_responses: y, (samples, events).
        targets: (samples,) scene indices; every scene occurs.
        scenes: number of scenes.

    Returns:
        (scenes, events) float64.
    """
    return np.stack([soft_responses[targets == k].mean(axis=0, dtype=np.float64) for k in range(scenes)])


def event_relevance(soft_responses: np.ndarray, targets: np.ndarray, scenes: int, centred: bool = False) -> np.ndarray:
    """Return d_k, the eigenvector of the largest eigenvalue of P(e|s_k)ᵀP(e|s_k) (section 4.4).

    An eigenvector has no sign of its own: here its largest component is positive.

    Args:
        soft_responses: y, (samples, events); the rows of a scene are P(e|s_k).
        targets: (samples,) scene indices.
        scenes: number of scenes.
        centred: subtract each scene's mean first and keep the sign of the decomposition: the first principal
            component of the official code.

    Returns:
        (scenes, events) float64, unit vectors.
    """
    found = []
    for k in range(scenes):
        p = soft_responses[targets == k].astype(np.float64)
        if centred:
            p = p - p.mean(axis=0)
        d = np.linalg.eigh(p.T @ p)[1][:, -1]  # eigenvalues come in rising order
        found.append(d if centred else d * np.sign(d[np.abs(d).argmax()]))
    return np.stack(found)


def knowledge_of(
    network: Pretrained,
    inputs: Inputs,
    data_key: str,
    rows: np.ndarray,
    scenes: int,
    preset: Preset = PAPER,
    device: str = "auto",
) -> Knowledge:
    """Return what a pre-trained audio network knows of a dataset, computed where it is missing.

    Args:
        network: N_a(0).
        inputs: of the dataset; teacher and student see the same normalised spectrograms.
        data_key: hash of the dataset's files and split.
        rows: of the samples that posteriors and relevance are measured on, see `splits.posterior_rows`.
        scenes: number of scenes.
        preset: says what relevance is.
        device: ``"cpu"``, ``"cuda"`` or ``"auto"``.
    """
    bands = [inputs.normaliser.band_mean.tolist(), inputs.normaliser.band_std.tolist()]
    heard = digest(network.key, data_key, bands, code_digest("advance_lib.transfer.knowledge"))

    def hear(folder) -> None:
        fabric = start(device, "32-true")
        listener = fabric.setup_module(network.open())
        sounds = Inputs(None, inputs.log_mels, inputs.targets, inputs.normaliser)
        every = np.arange(len(inputs.targets))

        def read(model: nn.Module, batch: Batch) -> Tensor:
            return model(batch.log_mel)

        with written_whole(folder / "pre_activations.npy") as partial, open(partial, "wb") as file:
            np.save(file, predictions(fabric, listener, sounds, every, read))

    def measure(folder) -> None:
        y, targets = sigmoid(pre_activations[rows]), inputs.targets[rows]
        found = {
            "posteriors": posteriors(y, targets, scenes),
            "relevance": event_relevance(y, targets, scenes, centred=preset.relevance == "pca"),
        }
        for name, values in found.items():
            table = pd.DataFrame(values.astype(np.float32), columns=list(network.classes))
            with written_whole(folder / f"{name}.parquet") as partial:
                table.to_parquet(partial)
        write_json(folder / "samples.json", {"samples": len(rows), "pre_activations": heard})

    pre_activations = np.load(entry("features", f"knowledge-{heard}", hear) / "pre_activations.npy")
    known = digest(heard, rows.tolist(), inputs.targets.tolist(), preset.relevance)
    folder = entry("features", f"posteriors-{known}", measure)
    tables = [pd.read_parquet(folder / f"{name}.parquet").to_numpy() for name in ("posteriors", "relevance")]
    return Knowledge(network.classes, pre_activations, *tables)
