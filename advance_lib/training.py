"""One training loop for everything.

Chapter: Recognising with one and two senses.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from advance_lib.cache import UserError, remove, written_whole
from advance_lib.inputs import Batch, Inputs
from advance_lib.progress import progress

EVALUATION_BATCH = 128
STEPS = (0.3, 0.6, 0.9)  # official-code: epochs 30, 60 and 90 of a hundred


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train.

    Attributes:
        epochs: passes over the training rows.
        batch_size: samples a step; a last, smaller batch is left out, batch norm needs company.
        learning_rate: Adam's.
        weight_decay: Adam's.
        decay: ``"constant"``, ``"cosine"`` to fall to zero along a cosine, or ``"stepped"`` to fall to a tenth
            after each of the shares `STEPS`.
        precision: Lightning Fabric's name of the arithmetic.
        reshuffle: a new order every epoch, instead of always the same.
        keep_after: epochs after the best whose weights are kept as well.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float = 1e-4
    decay: str = "constant"
    precision: str = "32-true"
    reshuffle: bool = True
    keep_after: int = 0

    def learning_rate_of(self, progress: float) -> float:
        """Return the learning rate after a share ``progress`` (0 to 1) of all steps."""
        if self.decay == "constant":
            return self.learning_rate
        if self.decay == "stepped":
            return self.learning_rate * 0.1 ** sum(progress >= step for step in STEPS)
        return self.learning_rate * 0.5 * (1 + np.cos(np.pi * progress))


def accelerator(device: str) -> str:
    """Return ``"cpu"`` or ``"cuda"`` for a device setting.

    Raises:
        UserError: CUDA was asked for and is not there, or the setting is unknown.
    """
    if device not in ("cpu", "cuda", "auto"):
        raise UserError(f"no device '{device}'; choose cpu, cuda or auto")
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("device 'cuda': no CUDA device is visible here; choose cpu or auto")
    return "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"


def effective_precision(device: str, precision: str) -> str:
    """Return the arithmetic that is really used: a CPU always computes in float32."""
    return precision if accelerator(device) == "cuda" else "32-true"


def start(device: str, precision: str) -> Fabric:
    """Return a Fabric on ``cpu``, ``cuda`` or ``auto``; on a CPU with one thread.

    One thread a process, because as many processes run as there are cores, and so that a seed gives the
    same numbers whatever else the machine does.
    """
    if accelerator(device) == "cpu":
        torch.set_num_threads(1)
    return Fabric(accelerator=accelerator(device), devices=1, precision=effective_precision(device, precision))


def _save_state(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, history: list[dict]) -> None:
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"adam.{index}.{name}": value for name, value in state.items()}
    with written_whole(path) as partial:
        save_file({k: v.contiguous() for k, v in tensors.items()}, partial, {"history": json.dumps(history)})


def _load_state(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> list[dict]:
    with safe_open(path, "pt") as file:
        history = json.loads(file.metadata()["history"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    model.load_state_dict({k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")})
    adam: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("adam."):
            _, index, field = name.split(".")
            adam.setdefault(int(index), {})[field] = value
    optimizer.load_state_dict({"state": adam, "param_groups": optimizer.state_dict()["param_groups"]})
    return history


def fit(
    fabric: Fabric,
    model: nn.Module,
    inputs: Inputs,
    rows: np.ndarray,
    loss: Callable[[nn.Module, Batch], Tensor],
    validate: Callable[[nn.Module], float],
    schedule: Schedule,
    seed: int,
    folder: Path,
    label: str,
) -> list[dict]:
    """Train, keep the epoch with the best validation score, and be able to go on after an interruption.

    Every epoch draws its order and jitter from (seed, epoch) alone, so a resumed training equals an
    uninterrupted one. The best weights are left in ``folder/best.safetensors``, those of the epochs after it
    that the schedule keeps in ``folder/best+1.safetensors`` and so on.

    Args:
        fabric: device and precision.
        model: on return it carries the weights of the best epoch.
        inputs: arrays and how they become batches.
        rows: (samples,) indices of the training samples.
        loss: objective of a batch, a scalar in nats.
        validate: score of the model, higher is better; called after each epoch in evaluation mode.
        schedule: epochs, batch size and learning rate.
        seed: of order and jitter.
        folder: where the state of the training is kept.
        label: for the progress bar.

    Returns:
        One dictionary an epoch: ``epoch``, ``loss``, ``validation``.
    """
    raw = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(raw.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay)
    model, optimizer = fabric.setup(raw, optimizer)
    state_file, history = folder / "state.safetensors", []
    if state_file.exists():
        history = _load_state(state_file, raw, optimizer.optimizer)
    size = min(schedule.batch_size, len(rows))
    steps = len(rows) // size
    for epoch in progress(range(len(history), schedule.epochs), label):
        drawn = torch.Generator().manual_seed(seed * 10_000 + (epoch if schedule.reshuffle else 0))
        order = rows[torch.randperm(len(rows), generator=drawn).numpy()]
        torch.manual_seed(seed * 10_000 + epoch)  # of the jitter
        total = torch.zeros((), device=fabric.device)
        model.train()
        for step in range(steps):
            optimizer.param_groups[0]["lr"] = schedule.learning_rate_of((epoch + step / steps) / schedule.epochs)
            batch = inputs.batch(order[step * size : (step + 1) * size], augment=True)
            value = loss(model, fabric.to_device(batch))
            optimizer.zero_grad()
            fabric.backward(value)
            optimizer.step()
            total += value.detach()
        model.eval()
        score = validate(model)
        history.append({"epoch": epoch, "loss": float(total) / steps, "validation": score})
        after = epoch - best_epoch(history)
        if after == 0:
            remove(folder.glob("best+*.safetensors"))
        if after <= schedule.keep_after:
            with written_whole(weights_file(folder, after)) as partial:
                save_file({k: v.contiguous() for k, v in raw.state_dict().items()}, partial)
        _save_state(state_file, raw, optimizer.optimizer, history)
    raw.load_state_dict(load_file(weights_file(folder)))
    model.eval()
    return history


def best_epoch(history: list[dict]) -> int:
    """Return the epoch with the best validation score, the first of several."""
    return max(history, key=lambda past: past["validation"])["epoch"]


def weights_file(folder: Path, after: int = 0) -> Path:
    """Return where `fit` leaves the weights of the best epoch, or of one some epochs after it."""
    return folder / (f"best+{after}.safetensors" if after else "best.safetensors")


def predictions(
    fabric: Fabric,
    model: nn.Module,
    inputs: Inputs,
    rows: np.ndarray,
    activation: Callable[[Tensor], Tensor],
    augment: bool = False,
) -> np.ndarray:
    """Return the activated first output of a model for some rows, (rows, outputs) float32.

    Args:
        fabric: device and precision.
        model: takes (image, log_mel) and returns a tuple.
        inputs: arrays and how they become batches.
        rows: (rows,) indices.
        activation: of the first output.
        augment: jitter the photographs, as the official code does even in validation and test.
    """

    def chunks() -> Iterator[np.ndarray]:
        for first in range(0, len(rows), EVALUATION_BATCH):
            batch = fabric.to_device(inputs.batch(rows[first : first + EVALUATION_BATCH], augment))
            with torch.inference_mode(), fabric.autocast():
                outputs = model(batch.image, batch.log_mel)
            # A network without any per-sample input answers once for all.
            yield activation(outputs[0].float()).expand(len(batch.target), -1).cpu().numpy()

    return np.concatenate(list(chunks()))
