"""N_v(0) and N_a(0): the miniature's stand-ins for networks pre-trained on AID and on AudioSet (section 4.1).

The audio network learns to name sound events (multi-label, sigmoid), the visual network to name aerial
categories (softmax). One clip or picture in ten is held out to select the epoch.

Chapters: Hearing, Seeing.
"""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import average_precision_score
from torch import Tensor, nn
from torch.nn import functional

from advance_lib.cache import code_digest, digest, entry, remove, write_json
from advance_lib.data.features import PAPER_FRONT_END, FrontEnd, image_array
from advance_lib.models.audiovisual import BACKBONES
from advance_lib.models.pretrained import Hearing, Pretrained, Spectrograms
from advance_lib.training.devices import effective_precision, start
from advance_lib.training.feeding import on_device
from advance_lib.training.inputs import Batch, Inputs, Normaliser
from advance_lib.training.loop import STATE, best_weights_file, fit, predictions
from advance_lib.training.schedule import Schedule


def _held_out_and_rest(samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a tenth of the samples, drawn once and for all, and the others."""
    order = np.random.default_rng(0).permutation(samples)
    return np.sort(order[: samples // 10]), np.sort(order[samples // 10 :])


def _pretrain(
    kind: str,
    backbone: str,
    classes: list[str],
    inputs: Inputs,
    data_key: list[str],
    schedule: Schedule,
    device: str,
    hearing: Hearing | None = None,
) -> Pretrained:
    arithmetic = effective_precision(device, schedule.precision)
    code = code_digest("advance_lib.transfer.pretraining")
    key = digest(kind, backbone, classes, data_key, asdict(schedule), arithmetic, code)
    multi_label = inputs.targets.ndim == 2

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

    def make(folder: Path) -> None:
        torch.manual_seed(0)
        fabric = start(device, schedule.precision)
        model, fed = BACKBONES[backbone](len(classes)), on_device(inputs, fabric.device)
        held_out, rows = _held_out_and_rest(len(inputs.targets))

        def read(model: nn.Module, batch: Batch) -> Tensor:
            outputs = outputs_of(model, batch).float()
            return outputs.sigmoid() if multi_label else outputs.softmax(dim=1)

        def validate(model: nn.Module) -> float:
            return score(inputs.targets[held_out], predictions(fabric, model, fed, held_out, read))

        history = fit(fabric, model, fed, rows, loss, validate, schedule, 0, folder, f"pre-training {kind}")
        best = max(history, key=lambda past: past["validation"])
        write_json(folder / "history.json", {"score": best["validation"], "history": history})
        best_weights_file(folder).replace(folder / "network.safetensors")
        remove([folder / STATE, *folder.glob(".*")])

    folder = entry("pretrained", f"{kind}-{key}", make)
    return Pretrained(
        folder / "network.safetensors",
        tuple(classes),
        json.loads((folder / "history.json").read_text())["score"],
        key,
        backbone,
        hearing,
    )


def pretrain_audio(
    clips: pd.DataFrame,
    backbone: str,
    schedule: Schedule,
    device: str = "auto",
    front_end: FrontEnd = PAPER_FRONT_END,
) -> Pretrained:
    """Return N_a(0), trained to name the events of clips, unless it is there already.

    Args:
        clips: columns ``sound``, ``sound_sha256``, ``events`` (names joined by ``;``).
        backbone: name in `audiovisual.BACKBONES`.
        schedule: epochs and learning rate.
        device: ``"cpu"``, ``"cuda"`` or ``"auto"``.
        front_end: how a clip becomes a spectrogram; the same as in fine-tuning.
    """
    present = clips["events"].str.get_dummies(";")
    hearing = Spectrograms(front_end)
    log_mels = hearing.arrays(clips)
    rows = _held_out_and_rest(len(clips))[1]
    inputs = Inputs(None, log_mels, present.to_numpy(np.float32), Normaliser.of(None, log_mels, rows))
    data_key = [*clips["sound_sha256"], *clips["events"], str(front_end)]
    return _pretrain("audio", backbone, list(present.columns), inputs, data_key, schedule, device, hearing)


def pretrain_visual(
    pictures: pd.DataFrame,
    side: int,
    backbone: str,
    schedule: Schedule,
    device: str = "auto",
    raw_colours: bool = False,
) -> Pretrained:
    """Return N_v(0), trained to name the categories of aerial pictures, unless it is there already.

    Args:
        pictures: columns ``image``, ``image_sha256``, ``category``.
        side: of the network's input in pixels.
        backbone: name in `audiovisual.BACKBONES`.
        schedule: epochs and learning rate.
        device: ``"cpu"``, ``"cuda"`` or ``"auto"``.
        raw_colours: colours from 0 to 255; the same as in fine-tuning.
    """
    categories = sorted(set(pictures["category"]))
    targets = pictures["category"].map(categories.index).to_numpy(np.int64)
    images = image_array(pictures, side)
    rows = _held_out_and_rest(len(pictures))[1]
    inputs = Inputs(images, None, targets, Normaliser.of(images, None, rows, raw_colours))
    data_key = [*pictures["image_sha256"], *pictures["category"], str(raw_colours)]
    return _pretrain("visual", backbone, categories, inputs, data_key, schedule, device)
