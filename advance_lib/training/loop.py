"""One training loop for everything.

Chapter: Recognising with one and two senses.
"""

import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from safetensors.torch import save_file
from torch import Tensor, nn
from tqdm import tqdm

from advance_lib.cache import UserError, written_whole
from advance_lib.training.fabric import compile_blocks, synchronised
from advance_lib.training.feeding import Fed, on_device
from advance_lib.training.inputs import Batch, drawn_jitter
from advance_lib.training.schedule import Schedule

EVALUATION_BATCH = 128
SAVING_SHARE = 0.05  # of the time of a training may go into keeping its state
STATE = "state.ckpt"  # in the folder of a training, until it has ended


StateDict = dict[str, Tensor]


def set_up(fabric: Fabric, model: nn.Module, schedule: Schedule) -> tuple[nn.Module, nn.Module, torch.optim.Optimizer]:
    """Return a network on its device, the same as it is trained (in the schedule's arithmetic), and its optimizer."""
    raw = synchronised(model.to(memory_format=torch.channels_last), fabric)
    optimizer = torch.optim.Adam(
        raw.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay, fused=True
    )
    if schedule.compiled and fabric.device.type == "cuda":
        compile_blocks(raw)
    return raw, *fabric.setup(raw, optimizer)


def step(
    fabric: Fabric,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: Callable[[nn.Module, Batch], Tensor],
    batch: Batch,
) -> Tensor:
    """Train on one batch and return its loss, a scalar on the device, which nothing waits for."""
    value = loss(model, batch)
    optimizer.zero_grad()
    fabric.backward(value)
    optimizer.step()
    return value.detach()


def fit(
    fabric: Fabric,
    model: nn.Module,
    inputs: Fed,
    rows: np.ndarray,
    loss: Callable[[nn.Module, Batch], Tensor],
    validate: Callable[[nn.Module], float],
    schedule: Schedule,
    seed: int,
    folder: Path,
    label: str,
) -> list[dict]:
    """Train, keep the epoch with the best validation score, and be able to go on after an interruption.

    Every epoch draws its order and jitter from (seed, epoch) alone, so a resumed training equals an uninterrupted one
    (on a GPU up to rounding). The state is written after the first epoch, the last, and as many in between as
    `SAVING_SHARE` of the time allows.
    In the end the best weights are left in ``folder/best.safetensors``, those of the epochs after it that the schedule
    keeps in ``folder/best+1.safetensors`` and so on. Several processes take equal shares of each batch, and the first
    of them writes.

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

    Raises:
        UserError: a batch cannot be shared equally.
    """
    size, ranks = min(schedule.batch_size, len(rows)), fabric.world_size
    if size % ranks:
        raise UserError(f"a batch of {size} cannot be shared equally by {ranks} processes; choose another number")
    rest = 0 if schedule.reshuffle else len(rows) % size // ranks * ranks
    used = len(rows) // size * size + (rest if rest > 1 else 0)
    shares = [
        share.reshape(ranks, -1)[fabric.global_rank] for share in np.split(np.arange(used), range(size, used, size))
    ]
    mine, steps = np.concatenate(shares), len(shares)
    raw, model, optimizer = set_up(fabric, model, schedule)
    inputs = on_device(inputs, fabric.device)
    state = {"model": raw, "optimizer": optimizer, "history": [], "kept": {}}
    if fabric.broadcast((folder / STATE).exists()):  # all or none: a process that cannot see the file fails
        fabric.load(folder / STATE, state, weights_only=True)
    history: list[dict] = state["history"]
    kept: dict[int, StateDict] = state["kept"]
    saved, next_save = len(history), 0.0
    for epoch in tqdm(range(len(history), schedule.epochs), label, leave=False):
        if history and schedule.patience is not None and epoch > best_epoch(history) + schedule.patience:
            break
        drawn = torch.Generator().manual_seed(seed * 10_000 + (epoch if schedule.reshuffle else 0))
        order = rows[torch.randperm(len(rows), generator=drawn).numpy()][:used]
        jitter = drawn_jitter(len(order), torch.Generator().manual_seed(seed * 10_000 + epoch))
        total = torch.zeros((), device=fabric.device)
        torch.manual_seed(seed * 10_000 + epoch)  # of an objective that draws
        model.train()
        for done, batch in enumerate(inputs.batches(order[mine], size // ranks, jitter[mine])):
            optimizer.param_groups[0]["lr"] = schedule.learning_rate_of((epoch + done / steps) / schedule.epochs)
            total += step(fabric, model, optimizer, loss, batch) * (len(batch.target) * ranks / size)
        model.eval()
        torch.manual_seed(seed * 10_000 + epoch)  # of a validation that jitters
        score = validate(model)
        history.append({"epoch": epoch, "loss": float(fabric.all_reduce(total)) / (used / size), "validation": score})
        after = epoch - best_epoch(history)
        if after == 0:
            kept.clear()
        if after <= schedule.keep_after:
            kept[after] = {name: x.clone() for name, x in raw.state_dict().items()}
        began = time.monotonic()
        if fabric.broadcast(began >= next_save):  # the first process has the clock
            _save(fabric, folder / STATE, state)
            saved, next_save = len(history), time.monotonic() + (time.monotonic() - began) / SAVING_SHARE
    if saved < len(history):
        _save(fabric, folder / STATE, state)
    if fabric.is_global_zero:
        for after, weights in kept.items():
            with written_whole(best_weights_file(folder, after)) as partial:
                save_file({name: x.contiguous() for name, x in weights.items()}, partial)
    fabric.barrier()  # nobody reads what is not written
    raw.load_state_dict(kept[0])
    model.eval()
    return history


def _save(fabric: Fabric, path: Path, state: dict) -> None:
    """Write a state whole; of several processes, which all call this, the first one writes."""
    partial = path.with_name(f".{path.name}")
    fabric.save(partial, state)
    if fabric.is_global_zero:
        partial.replace(path)


def best_epoch(history: list[dict]) -> int:
    """Return the epoch with the best validation score, the first of several."""
    return max(history, key=lambda past: past["validation"])["epoch"]


def best_weights_file(folder: Path, after: int = 0) -> Path:
    """Return where `fit` leaves the weights of the best epoch, or of one some epochs after it."""
    return folder / (f"best+{after}.safetensors" if after else "best.safetensors")


def predictions(
    fabric: Fabric,
    model: nn.Module,
    inputs: Fed,
    rows: np.ndarray,
    read: Callable[[nn.Module, Batch], Tensor],
    augment: bool = False,
) -> np.ndarray:
    """Return what is read from a model for some rows, (rows, …) float32.

    Several processes take turns with the rows; each returns them all.

    Args:
        fabric: device and precision.
        model: in evaluation mode.
        inputs: arrays and how they become batches.
        rows: (rows,) indices.
        read: what is wanted of a batch, (batch, …), or (1, …) where a model without any input of a sample's own answers
            once for all. An activation wants float32: ``lambda model, batch: model(batch.log_mel).float().sigmoid()``.
        augment: jitter the photographs, as the official code does even in validation and test.
    """
    ranks = fabric.world_size
    draws = drawn_jitter(len(rows)) if augment else None
    # Batches of one size, as many for each process: none waits for another, and nothing is compiled again.
    count = -(-len(rows) // (EVALUATION_BATCH * ranks))
    size = -(-len(rows) // (count * ranks))
    padded = np.resize(np.arange(len(rows)), count * size * ranks)
    mine = padded[fabric.global_rank :: ranks]
    found = []
    # Trained in bfloat16 on a CPU, a network is tested in float32, as it will answer to `advance predict`.
    with torch.inference_mode(), fabric.autocast() if fabric.device.type == "cuda" else nullcontext():
        for batch in inputs.batches(rows[mine], size, None if draws is None else draws[mine]):
            batch = fabric.to_device(batch)
            answers = read(model, batch).float()
            found.append(answers.expand(len(batch.target), *answers.shape[1:]))
        every = fabric.all_gather(torch.cat(found))
    if ranks > 1:
        every = every.transpose(0, 1).flatten(0, 1)
    return every[: len(rows)].cpu().numpy()
