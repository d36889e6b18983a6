"""One pre-training, and the files that it leaves behind.

Chapters: Hearing, Seeing.
"""

from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import average_precision_score
from torch import Tensor, nn
from torch.nn import functional

from advance_lib.cache import remove, write_json
from advance_lib.models.audiovisual import BACKBONES
from advance_lib.training.fabric import start
from advance_lib.training.feeding import on_device
from advance_lib.training.inputs import Batch, Inputs, Normaliser
from advance_lib.training.loop import STATE, best_weights_file, fit, predictions
from advance_lib.training.schedule import Schedule


def pretrain(
    kind: str,
    backbone: str,
    classes: int,
    images: np.ndarray | None,
    log_mels: np.ndarray | None,
    targets: np.ndarray,
    raw_colours: bool,
    schedule: Schedule,
    device: str,
    folder: Path,
) -> None:
    """Train a network on nine tenths of some samples and leave its best epoch, by the others, in ``folder``.

    Args:
        kind: ``"visual"`` or ``"audio"``, for the progress bar.
        backbone: name in `audiovisual.BACKBONES`.
        classes: its outputs.
        images: (samples, side, side, 3) uint8, or None.
        log_mels: (samples, T, F) in dB, or None.
        targets: (samples,) classes, or (samples, classes) presences.
        raw_colours: leave colours between 0 and 255.
        schedule: epochs and learning rate.
        device: ``"cpu"``, ``"cuda"`` or ``"auto"``.
        folder: gets ``history.json`` and ``network.safetensors``.
    """
    held_out, rows = _held_out_and_rest(len(targets))
    inputs = Inputs(images, log_mels, targets, Normaliser.of(images, log_mels, rows, raw_colours))
    multi_label = targets.ndim == 2

    def score(truth: np.ndarray, outputs: np.ndarray) -> float:
        if multi_label:
            seen = truth.any(axis=0)
            return 100 * float(average_precision_score(truth[:, seen], outputs[:, seen]))
        return 100 * float((outputs.argmax(1) == truth).mean())

    def outputs_of(model: nn.Module, batch: Batch) -> Tensor:
        return model(batch.log_mel if batch.image is None else batch.image)

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        outputs = outputs_of(model, batch)
        if multi_label:
            return functional.binary_cross_entropy_with_logits(outputs, batch.target)
        return functional.cross_entropy(outputs, batch.target)

    def read(model: nn.Module, batch: Batch) -> Tensor:
        outputs = outputs_of(model, batch).float()
        return outputs.sigmoid() if multi_label else outputs.softmax(dim=1)

    torch.manual_seed(0)
    fabric = start(device, schedule.precision)
    model, fed = BACKBONES[backbone](classes), on_device(inputs, fabric.device)

    def validate(model: nn.Module) -> float:
        return score(targets[held_out], predictions(fabric, model, fed, held_out, read))

    history = fit(fabric, model, fed, rows, loss, validate, schedule, 0, folder, f"pre-training {kind}")
    best = max(history, key=lambda past: past["validation"])
    write_json(folder / "history.json", {"score": best["validation"], "history": history})
    best_weights_file(folder).replace(folder / "network.safetensors")
    remove([folder / STATE, *folder.glob(".*")])


def _held_out_and_rest(samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a tenth of the samples, drawn once and for all, and the others."""
    order = np.random.default_rng(0).permutation(samples)
    return np.sort(order[: samples // 10]), np.sort(order[samples // 10 :])
