"""How fast recognisers train here, beside the limit of the machine and beside a loop in the way of the authors' code.

Chapter: What it costs.
"""

import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from multiprocessing import Manager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Barrier

import numpy as np
import torch
from joblib import Parallel, delayed
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import LightningEnvironment
from torch import Tensor, nn

from advance_bench import limits, peer
from advance_bench.preparing import preparing_rates
from advance_lib.cache import cores
from advance_lib.data.dataset import Dataset
from advance_lib.data.features import PAPER_FRONT_END
from advance_lib.experiments.cells import CELLS, Cell
from advance_lib.experiments.prepared import prepared
from advance_lib.experiments.profiles import Profile, get_profile
from advance_lib.experiments.runs import Request
from advance_lib.experiments.settings import Settings
from advance_lib.models.audiovisual import AudiovisualNet
from advance_lib.training.devices import effective_precision, environment
from advance_lib.training.fabric import compile_blocks, start
from advance_lib.training.feeding import on_device
from advance_lib.training.inputs import Batch, Inputs, Normaliser, drawn_jitter
from advance_lib.training.loop import EVALUATION_BATCH, fit, predictions, set_up, step
from advance_lib.transfer.knowledge import Knowledge
from advance_lib.transfer.recogniser import Recipe, build, objective, without_sense

EVENTS = 527  # AudioSet's, whatever the dataset's teacher knows
ADVANCE_SPLIT = {"train": 3537, "validation": 475, "test": 1063}  # official-code: data_partition.py
SEEDS = 5
MAIN = "image+sound/Ls"


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Attributes:
        steps: timed at the limit.
        warm_up: steps before.
        pairs: of an epoch; rows are repeated where the dataset has fewer.
        epochs: timed; the median counts.
        seconds: of each loop in the way of the authors' code.
        prepared: files that are made into arrays.
        cells: whose runs are timed.
        turns: in which limit, epoch and cells are timed; the median counts.
    """

    steps: int
    warm_up: int
    pairs: int
    epochs: int
    seconds: float
    prepared: int
    cells: tuple[str, ...]
    turns: int


SHORT = Effort(3, 1, 64, 2, 1.0, 4, (MAIN,), 1)
FULL = Effort(20, 5, 3537, 5, 30.0, 60, CELLS, 3)
FULL_ON_CPU = replace(FULL, pairs=640, steps=20, warm_up=2, epochs=3)


@dataclass(frozen=True)
class Ready:
    """A recogniser that is ready to be trained.

    Attributes:
        fabric: device and arithmetic.
        raw: the network itself.
        model: as Fabric wraps it.
        optimizer: Adam.
        loss: of a batch.
        inputs: that it sees.
        recipe: what it is.
    """

    fabric: Fabric
    raw: AudiovisualNet
    model: nn.Module
    optimizer: torch.optim.Optimizer
    loss: Callable[[nn.Module, Batch], Tensor]
    inputs: Inputs
    recipe: Recipe


def recipe_of(cell: str, profile: Profile) -> Recipe:
    """Return what to train for a cell with a profile of any schedule."""
    recipe = Request(Settings(profile=profile.name), Cell.named(cell), 0).recipe
    return replace(recipe, schedule=profile.training)


def ready(cell: str, profile: Profile, inputs: Inputs, scenes: int, device: str, fabric: Fabric | None = None) -> Ready:
    """Return a cell's recogniser at its start; weights and knowledge are random, which costs the same.

    Args:
        cell: name in `experiments.TABLES`.
        profile: networks and schedule.
        inputs: both senses of a dataset.
        scenes: of the dataset.
        device: ``"cpu"``, ``"cuda"`` or ``"auto"``.
        fabric: another arithmetic than the profile's.
    """
    recipe = replace(recipe_of(cell, profile), pretrained=False)
    fabric = fabric or start(device, profile.training.precision)
    torch.manual_seed(0)
    raw = build(recipe, scenes, inputs.images.shape[1], None, None, EVENTS)
    drawn = np.random.default_rng(0)
    told = drawn.normal(-4, 2, (len(inputs.targets), EVENTS)).astype(np.float32)
    posteriors, relevance = drawn.random((2, scenes, EVENTS)).astype(np.float32)
    knowledge = Knowledge(tuple(map(str, range(EVENTS))), told, posteriors, relevance)
    of_outputs = objective(recipe, knowledge, fabric.device)
    seen = replace(without_sense(recipe.senses, inputs), events=told if recipe.transfer else None)

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        return of_outputs(model(batch.image, batch.log_mel), batch)

    return Ready(fabric, *set_up(fabric, raw, recipe.schedule), loss, seen, recipe)


def _waited(device: torch.device) -> float:
    torch.get_device_module(device).synchronize()
    return time.perf_counter()


def step_rate(cell: Ready, effort: Effort, size: int) -> float:
    """Return samples/s of training on one batch that lies on the device: the limit of any training of this network.

    The median of a few groups of steps, within which nothing waits.
    """
    batch = next(on_device(cell.inputs, cell.fabric.device).batches(np.arange(size), size))
    cell.model.train()
    for _ in range(effort.warm_up):
        step(cell.fabric, cell.model, cell.optimizer, cell.loss, batch)
    marks, group = [_waited(cell.fabric.device)], max(1, effort.steps // 5)
    for _ in range(0, effort.steps, group):
        for _ in range(group):
            step(cell.fabric, cell.model, cell.optimizer, cell.loss, batch)
        marks.append(_waited(cell.fabric.device))
    return group * size / float(np.median(np.diff(marks)))


def epoch_rate(cell: Ready, rows: np.ndarray, effort: Effort) -> float:
    """Return samples/s of the library's own training over whole epochs: shuffled, jittered, everything but validation.

    The median epoch is one after which no state is written; that takes `training.SAVING_SHARE` of the time at most.
    """
    marks = []
    schedule = replace(cell.recipe.schedule, epochs=2 + effort.epochs, patience=None)
    rows = np.resize(rows, effort.pairs)

    def validate(_: nn.Module) -> float:
        marks.append(_waited(cell.fabric.device))
        return -len(marks)  # never better, so that no weights are kept

    with TemporaryDirectory() as folder:
        fit(cell.fabric, cell.raw, cell.inputs, rows, cell.loss, validate, schedule, 0, Path(folder), "bench")
    size = min(schedule.batch_size, len(rows))
    return len(rows) // size * size / float(np.median(np.diff(marks)))


def evaluation_rate(cell: Ready, effort: Effort) -> float:
    """Return samples/s of recognising."""
    rows = np.resize(np.arange(len(cell.inputs.targets)), EVALUATION_BATCH * (1 + effort.steps // 4))
    inputs = on_device(cell.inputs, cell.fabric.device)

    def read(model: nn.Module, batch: Batch) -> Tensor:
        return model(batch.image, batch.log_mel).scenes.float().softmax(dim=1)

    cell.model.eval()
    predictions(cell.fabric, cell.model, inputs, rows[:EVALUATION_BATCH], read)
    began = _waited(cell.fabric.device)
    predictions(cell.fabric, cell.model, inputs, rows, read)
    return len(rows) / (_waited(cell.fabric.device) - began)


def input_rate(inputs: Inputs, rows: np.ndarray, size: int, effort: Effort) -> float:
    """Return samples/s of making batches on one core of the CPU from the kept arrays, jitter included."""
    rows = np.resize(rows, max(effort.pairs, 4 * size))
    with limits.threads(1):
        for _ in inputs.batches(rows, size, drawn_jitter(len(rows))):
            pass  # once to have the files in memory
        began = time.perf_counter()
        for _ in inputs.batches(rows, size, drawn_jitter(len(rows))):
            pass
        return len(rows) / (time.perf_counter() - began)


def cell_seconds(training: float, recognising: float, epochs: int) -> float:
    """Return seconds of one run on ADVANCE: every epoch trained and validated, and the test in the end.

    Left out: building the network, copying the data to the device, compiling (once for all runs) and keeping the
    state (`training.SAVING_SHARE`).

    Args:
        training: samples/s.
        recognising: samples/s.
        epochs: all that the schedule has; patience may end it sooner.
    """
    pairs = ADVANCE_SPLIT
    return epochs * (pairs["train"] / training + pairs["validation"] / recognising) + pairs["test"] / recognising


def agreement(profile: Profile, inputs: Inputs, scenes: int, device: str, size: int) -> dict[str, float]:
    """Return losses of the first steps in float32 as it stands, and in bfloat16 with compiled blocks, and the time.

    Both start from the same weights and train on the same batch; float32 is not rounded to TF32.
    """
    found = {}
    where = "cuda" if start(device, "32-true").device.type == "cuda" else "cpu"
    for name, precision in (("float32", "32-true"), ("bfloat16", "bf16-mixed")):
        fabric = Fabric(accelerator=where, devices=1, precision=precision, plugins=LightningEnvironment())
        plain = replace(profile, training=replace(profile.training, compiled=False))
        cell = ready(MAIN, plain, inputs, scenes, device, fabric)
        if name == "bfloat16":
            compile_blocks(cell.raw)
        batch = next(on_device(cell.inputs, fabric.device).batches(np.arange(size), size))
        cell.model.train()
        with torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False):
            losses = [step(fabric, cell.model, cell.optimizer, cell.loss, batch) for _ in range(5)]
        found |= {f"{name}, step {number}": float(loss) for number, loss in enumerate(losses, 1)}
    return found


def _rate_beside(others: Barrier, seconds: float, profile: Profile, inputs: Inputs, scenes: int, device: str) -> float:
    """Return samples/s of one process, measured while all those at the barrier train."""
    cell = ready(MAIN, profile, inputs, scenes, device)
    size = profile.training.batch_size
    batch = next(on_device(cell.inputs, cell.fabric.device).batches(np.arange(size), size))

    def steps(count: int) -> float:
        for _ in range(count):
            step(cell.fabric, cell.model, cell.optimizer, cell.loss, batch)
        return _waited(cell.fabric.device)

    cell.model.train()
    steps(3)
    others.wait()
    began = now = time.perf_counter()
    done = 0
    while now < began + seconds:
        now, done = steps(10), done + 10
    others.wait()  # none goes away while another is still measuring
    return done * size / (now - began)


def side_by_side(
    counts: Sequence[int], seconds: float, profile: Profile, inputs: Inputs, scenes: int, device: str
) -> dict[int, float]:
    """Return samples/s of all processes together, for some numbers of processes that train at once on the device."""
    found = {}
    with Manager() as manager:
        for count in counts:
            others = manager.Barrier(count)
            task = delayed(_rate_beside)(others, seconds, profile, inputs, scenes, device)
            found[count] = sum(Parallel(n_jobs=max(2, count))([task] * count))  # with one job it would run here
    return found


def _machine(cell: Ready, rate: float, size: int, memory: int) -> dict[str, float]:
    """Return what the device can do, what a step asks of it, and which shares of both the training reaches."""
    device, precision = cell.fabric.device, cell.recipe.schedule.precision
    half = effective_precision(device.type, precision).startswith("bf16")
    batch = next(on_device(cell.inputs, device).batches(np.arange(size), size))
    plain = build(cell.recipe, cell.raw.scene_head.out_features, cell.raw.no_image.shape[-1], None, None, EVENTS)
    plain = plain.to(device)
    flops = limits.flops_of(lambda: cell.loss(plain, batch).backward())
    moved = limits.step_bytes(plain, batch.image, batch.log_mel, 2 if half else 4)
    peak = limits.matmul_rate(device, torch.bfloat16 if half else torch.float32)
    bandwidth = limits.copy_bandwidth(device)
    return {
        "GFLOP a pair": flops / size / 1e9,
        "peak GFLOP/s": peak / 1e9,
        "utilisation": flops / size * rate / peak,
        "MB a pair": moved / size / 1e6,
        "copy GB/s": bandwidth / 1e9,
        "memory bound": moved / size * rate / bandwidth,
        "peak memory GB": memory / 1e9,
        "bytes a pair kept": sum(x[:1].nbytes for x in cell.inputs.arrays if x is not None) + 4 * EVENTS,
    }


def _most_memory(device: torch.device) -> int:
    """Return the most bytes that were in use until now, on a GPU or by this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _with_peer(data: Dataset, inputs: Inputs, cell: Ready, profile: Profile, effort: Effort) -> dict[str, float]:
    """Return rates of the library and of the loop in the way of the authors' code, on the same files."""
    size, rows = profile.training.batch_size, data.rows()["train"]
    network = build(cell.recipe, len(data.scenes), profile.image_side, None, None, EVENTS)
    on_gpu = cell.fabric.device.type == "cuda"
    workers = peer.WORKERS if on_gpu else 0
    pairs = data.pairs.iloc[rows]
    batch = size if on_gpu else min(size, 16)
    ours, ends = input_rate(inputs, rows, size, effort), epoch_rate(cell, rows, effort)
    theirs = peer.input_rate(pairs, profile.image_side, 0, batch, effort.seconds)
    their_ends = peer.epoch_rate(pairs, profile.image_side, network, cell.fabric.device, workers, batch, effort.seconds)
    return {
        "input, ours": ours,
        "input, official style": theirs,
        "input, ratio": ours / theirs,
        "training, ours": ends,
        "training, official style": their_ends,
        "training, ratio": ends / their_ends,
        "workers of the official style": workers,
    }


def _paper_networks(scenes: int, device: str, effort: Effort) -> float:
    """Return samples/s of training ResNet-101 and ResNet-50, whatever the profile, on batches that fit everywhere."""
    drawn, paper = np.random.default_rng(0), get_profile("paper")
    images = drawn.integers(0, 256, (4, paper.image_side, paper.image_side, 3), np.uint8)
    log_mels = drawn.normal(-30, 10, (4, 400, 64)).astype(np.float16)
    inputs = Inputs(images, log_mels, np.arange(4) % scenes, Normaliser.of(images, log_mels, np.arange(4)))
    few = replace(effort, steps=max(2, effort.steps // 5), warm_up=1)
    return step_rate(ready(MAIN, paper, inputs, scenes, device), few, 4)


def bench(profile_name: str, dataset: str, device: str, short: bool, say: Callable[[str], None] = print) -> dict:
    """Measure everything, tell it, and return it.

    Args:
        profile_name: networks and batch size.
        dataset: name or folder; its files are prepared first where they are not.
        device: ``"cpu"``, ``"cuda"`` or ``"auto"``.
        short: measure for seconds only, to see that everything runs.
        say: is given each figure as a line.

    Returns:
        Nested dictionaries of numbers: rates in pairs a second, times in seconds.
    """
    profile = get_profile(profile_name)
    shared = prepared(Settings(dataset, profile_name, device=device))
    data, inputs = shared.data, shared.inputs
    scenes, size, rows = len(data.scenes), profile.training.batch_size, data.rows()["train"]
    size = min(size, len(rows))
    cell = ready(MAIN, profile, inputs, scenes, device)
    on_gpu = cell.fabric.device.type == "cuda"
    effort = SHORT if short else FULL if on_gpu else FULL_ON_CPU
    found: dict = {
        "profile": profile.name,
        "dataset": data.title,
        "pairs": len(data.pairs),
        "batch size": size,
        "precision": effective_precision(device, profile.training.precision),
        "cores": cores(),
        "effort": "short" if short else "full",
        "environment": environment(device),
    }

    def tell(part: str, figures: dict) -> None:
        found[part] = figures
        for name, value in figures.items():
            say(f"{part}: {name}: {value:,.4g}")

    batches, epochs = [step_rate(cell, effort, size)], []
    for _ in range(effort.turns):  # in turns, because machines change their pace
        epochs.append(epoch_rate(cell, rows, effort))
        batches.append(step_rate(cell, effort, size))
    memory = _most_memory(cell.fabric.device)
    limit, epoch = float(np.median(batches)), float(np.median(epochs))
    tell("training", {"limit": limit, "epoch": epoch, "ratio": epoch / limit})
    tell("machine", _machine(cell, epoch, size, memory))
    tell("peer", _with_peer(data, inputs, cell, profile, effort))
    tell("preparing", asdict(preparing_rates(data.pairs, profile.image_side, PAPER_FRONT_END, effort.prepared)))
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in effort.cells}
    for name in [*effort.cells] * effort.turns:
        other = ready(name, profile, inputs, scenes, device)
        rates[name].append((step_rate(other, effort, size), evaluation_rate(other, effort)))
    cells = {}
    for name, figures in rates.items():
        training, recognising = np.median(figures, axis=0)
        cells[name] = cell_seconds(training * min(1, epoch / limit), recognising, profile.training.epochs)
    tell(f"seconds a run of {profile.training.epochs} epochs on as many pairs as ADVANCE", cells)
    if set(cells) == set(CELLS):
        tell("projection", {"hours of all cells and seeds": SEEDS * sum(cells.values()) / 3600})
    if not short:
        tell("the paper's networks, limit", {"batch of 4": _paper_networks(scenes, device, effort)})
        tell("agreement", agreement(profile, inputs, scenes, device, size))
        counts = (1, 2, 4) if on_gpu else (1, cores())
        tell("side by side", side_by_side(counts, 10.0, profile, inputs, scenes, device))
    return found
