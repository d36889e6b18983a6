"""One training loop for everything, and what one run of a recogniser is.

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

from advance_lib.cache import UserError, written_whole
from advance_lib.inputs import Batch, Inputs
from advance_lib.metrics import weighted_scores
from advance_lib.models import BACKBONES, AudiovisualNet
from advance_lib.objectives import scene_loss
from advance_lib.progress import progress

EVALUATION_BATCH = 128


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train.

    Attributes:
        epochs: passes over the training rows.
        batch_size: samples a step; a last, smaller batch is left out, batch norm needs company.
        learning_rate: Adam's.
        weight_decay: Adam's.
        decay: ``"constant"``, or ``"cosine"`` to fall to zero along a cosine.
        precision: Lightning Fabric's name of the arithmetic.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float = 1e-4
    decay: str = "constant"
    precision: str = "32-true"

    def learning_rate_of(self, progress: float) -> float:
        """Return the learning rate after a share ``progress`` (0 to 1) of all steps."""
        if self.decay == "constant":
            return self.learning_rate
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
    uninterrupted one. The best weights are left in ``folder/best.safetensors``.

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
    state_file, best_file, history = folder / "state.safetensors", folder / "best.safetensors", []
    if state_file.exists():
        history = _load_state(state_file, raw, optimizer.optimizer)
    size = min(schedule.batch_size, len(rows))
    steps = len(rows) // size
    for epoch in progress(range(len(history), schedule.epochs), label):
        torch.manual_seed(seed * 10_000 + epoch)
        order = rows[torch.randperm(len(rows)).numpy()]
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
        if all(score > past["validation"] for past in history):
            with written_whole(best_file) as partial:
                save_file({k: v.contiguous() for k, v in raw.state_dict().items()}, partial)
        history.append({"epoch": epoch, "loss": float(total) / steps, "validation": score})
        _save_state(state_file, raw, optimizer.optimizer, history)
    raw.load_state_dict(load_file(best_file))
    model.eval()
    return history


def predictions(
    fabric: Fabric, model: nn.Module, inputs: Inputs, rows: np.ndarray, activation: Callable[[Tensor], Tensor]
) -> np.ndarray:
    """Return the activated first output of a model for some rows, (rows, outputs) float32, without jitter."""

    def chunks() -> Iterator[np.ndarray]:
        for first in range(0, len(rows), EVALUATION_BATCH):
            batch = fabric.to_device(inputs.batch(rows[first : first + EVALUATION_BATCH], augment=False))
            with torch.inference_mode(), fabric.autocast():
                outputs = model(batch.image, batch.log_mel)
            # A network without any per-sample input answers once for all.
            yield activation(outputs[0].float()).expand(len(batch.target), -1).cpu().numpy()

    return np.concatenate(list(chunks()))


@dataclass(frozen=True)
class Recipe:
    """Everything that makes a recogniser, but for its data and its seed.

    Attributes:
        senses: ``"image"``, ``"sound"`` or ``"image+sound"``; the missing one is set to zero.
        visual: name of N_v in `models.BACKBONES`.
        audio: name of N_a there.
        schedule: epochs and learning rate.
        pretrained: start from the pre-trained networks; False is the paper's †.
    """

    senses: str
    visual: str
    audio: str
    schedule: Schedule
    pretrained: bool = True


def build(recipe: Recipe, scenes: int, image_side: int, visual: Path | None, audio: Path | None) -> AudiovisualNet:
    """Build N_v+a and fill in the pre-trained weights, but for their classifiers.

    Args:
        recipe: names the backbones.
        scenes: outputs of the scene head.
        image_side: pixels.
        visual: safetensors file of N_v(0), or None to start at random.
        audio: the same of N_a(0).
    """
    backbones = []
    for name, weights in ((recipe.visual, visual), (recipe.audio, audio)):
        state = load_file(weights) if weights else {}
        backbone = BACKBONES[name](len(state["fc.bias"]) if state else 1)
        if state:
            backbone.load_state_dict(state)
        backbones.append(backbone)
    return AudiovisualNet(*backbones, scenes, image_side)


def train_recogniser(
    recipe: Recipe,
    inputs: Inputs,
    splits: dict[str, np.ndarray],
    scenes: int,
    seed: int,
    weights: tuple[Path | None, Path | None],
    folder: Path,
    device: str,
) -> tuple[AudiovisualNet, Fabric, list[dict]]:
    """Train one recogniser on ``splits["train"]`` and select its epoch on ``splits["validation"]``.

    Args:
        recipe: what to train.
        inputs: both senses of the dataset; the one that the recipe leaves out is dropped here.
        splits: rows of each split.
        scenes: number of scenes.
        seed: of initialisation, order and jitter.
        weights: files of N_v(0) and N_a(0), None for random initialisation.
        folder: state and weights are kept here.
        device: ``"cpu"``, ``"cuda"`` or ``"auto"``.

    Returns:
        The network with the weights of its best epoch, its Fabric, and the history of the epochs.
    """
    fabric = start(device, recipe.schedule.precision)
    torch.manual_seed(seed)
    model = build(recipe, scenes, inputs.images.shape[1], *weights)
    inputs = seen_by(recipe.senses, inputs)
    rows = splits["validation"]

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        return scene_loss(model(batch.image, batch.log_mel).scenes, batch.target)

    def validate(model: nn.Module) -> float:
        guessed = predictions(fabric, model, inputs, rows, torch.nn.Softmax(dim=1)).argmax(1)
        return weighted_scores(inputs.targets[rows], guessed)["fscore"]

    label = f"{recipe.senses} seed {seed}"
    history = fit(fabric, model, inputs, splits["train"], loss, validate, recipe.schedule, seed, folder, label)
    return model, fabric, history


def seen_by(senses: str, inputs: Inputs) -> Inputs:
    """Return the inputs without the sense that a unimodal network does not get."""
    return Inputs(
        inputs.images if "image" in senses else None,
        inputs.log_mels if "sound" in senses else None,
        inputs.targets,
        inputs.normaliser,
    )
