"""Finished runs: found in the cache, or trained now, by chapters, command line and cluster jobs alike.

What a run says is read without PyTorch, which takes seconds to load; to train or to open one loads it.

Chapter: Recognising with one and two senses.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partialmethod
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from tqdm import tqdm

from advance_lib.cache import UserError, build_folder, code_digest, code_of, cores, digest, entry, registered, remove
from advance_lib.data.dataset import Dataset
from advance_lib.data.splits import Split
from advance_lib.experiments.cells import ALPHA, BETA, CELLS, L_S_CELLS, Cell
from advance_lib.experiments.prepared import Prepared, prepared
from advance_lib.experiments.profiles import PROFILES, Profile
from advance_lib.experiments.settings import RENDERED, Settings, Sources
from advance_lib.models.weights import WEIGHTS
from advance_lib.training.devices import accelerator, effective_precision, processes
from advance_lib.transfer.recipe import CHECKPOINT, Recipe

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from advance_lib.models.audiovisual import AudiovisualNet
    from advance_lib.training.inputs import Inputs

SPLITS_BY_LOCATION = (0, 1, 2)  # the first is the tables' own, unless the dataset brings one


@dataclass(frozen=True)
class Request:
    """Which run is wanted.

    Attributes:
        settings: data, sizes, choices and networks; its seeds are not looked at.
        cell: senses and approach.
        seed: of initialisation, order and jitter.
        alpha: α, the weight of the transfer.
        beta: β, the weight of L_E2 within L_E.

    Raises:
        UserError: the cell's transfer is not registered.
    """

    settings: Settings
    cell: Cell
    seed: int
    alpha: float = ALPHA
    beta: float = BETA

    def __post_init__(self):
        if (name := self.cell.transfer) is None or self.cell.name in CELLS:
            return
        from advance_lib.transfer.objectives import TRANSFERS

        if name not in TRANSFERS:
            raise UserError(
                f"no approach '{name}'; choose Ls or one of {', '.join(TRANSFERS)}, or register your own in "
                "objectives.TRANSFERS"
            )

    @property
    def recipe(self) -> Recipe:
        """What to train."""
        cell, preset, sources, sizes = self.cell, self.settings.preset, self.settings.sources, self.settings.sizes
        schedule = replace(
            sizes.training,
            decay="stepped" if preset.learning_rate == "stepped" else sizes.training.decay,
            reshuffle=preset.order == "reshuffled",
            keep_after=5 if preset.tested == "best and five after" else 0,
        )
        on_na = (cell.transfer or "").endswith("|Na")
        return Recipe(
            cell.senses,
            sources.visual_backbone(sizes),
            sources.audio_backbone(sizes),
            schedule,
            pretrained=cell.pretrained,
            new_event_head=on_na and (sources.new_event_head or preset.event_head == "fresh"),
            transfer=cell.transfer,
            supervised=cell.supervised,
            alpha=self.alpha,
            beta=self.beta,
            preset=preset,
        )

    @property
    def shared(self) -> Prepared:
        """Data, networks, inputs and knowledge."""
        return prepared(self.settings)

    def require(self) -> None:
        """Refuse what cannot be had.

        Raises:
            UserError: data, split or weights are not there.
        """
        prepared(self.settings)
        self.settings.sources.require(self.cell.pretrained, self.cell.transfer is not None)

    def key(self) -> str:
        """Return the hash of all that determines the run: recipe, seed, data, networks, arithmetic, code."""
        recipe = self.recipe
        own = [registered("advance_lib.models.audiovisual.BACKBONES", name) for name in (recipe.visual, recipe.audio)]
        own.append(registered("advance_lib.transfer.objectives.TRANSFERS", recipe.transfer))
        return digest(
            asdict(recipe),
            self.seed,
            self.shared.key(recipe),
            effective_precision(self.settings.device, recipe.schedule.precision),
            code_digest("advance_lib.experiments.one_run"),
            code_digest("advance_lib.data.features"),
            [code_of(thing) for thing in own],
        )

    def train(self, folder: Path) -> None:
        """Train the run and leave its files in a folder."""
        from advance_lib.experiments.one_run import train_run

        recipe, shared = self.recipe, self.shared
        data, networks = shared.key(recipe)[:2]
        request = asdict(self) | {"cell": self.cell.name}
        about = {"request": request, "data": data, "pretrained": networks}
        train_run(recipe, shared.given(recipe), shared.data.pairs, self.seed, about, folder)


class Answers(NamedTuple):
    """What a run says of the pairs of a split.

    Attributes:
        truth: (pairs,) codes of the true scenes.
        probabilities: (pairs, scenes).
        locations: (pairs,) names.
        scenes: their names, in the order of their codes.
    """

    truth: np.ndarray
    probabilities: np.ndarray
    locations: np.ndarray
    scenes: list[str]


class Opened(NamedTuple):
    """What one needs to ask a finished run something new.

    Attributes:
        fabric: its device.
        network: in evaluation mode.
        data: the dataset.
        inputs: of the dataset, without the sense that the run lacks.
    """

    fabric: Fabric
    network: AudiovisualNet
    data: Dataset
    inputs: Inputs


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        request: what was asked for.
        folder: holds ``config.json``, ``metrics.json``, ``predictions.parquet`` and ``model.safetensors``; no network
            where `answers.restore` made it.
    """

    request: Request
    folder: Path

    @property
    def cell(self) -> str:
        """The name of its cell."""
        return self.request.cell.name

    @property
    def seed(self) -> int:
        """Its training seed."""
        return self.request.seed

    @property
    def checkpoint(self) -> Path:
        """Its network, as `one_run.load_checkpoint` reads it; trained again where its answers alone were kept."""
        path = self.folder / CHECKPOINT
        if not path.exists() and (self.folder / "metrics.json").exists():
            remove([self.folder])
            entry("runs", self.folder.name, self.request.train)
            for read in ("metrics", "config", "predictions"):  # of another training
                self.__dict__.pop(read, None)
        return path

    @cached_property
    def metrics(self) -> dict:
        """Scores in percent for each split, also by tested epoch, the selected epoch and the training's history."""
        return json.loads((self.folder / "metrics.json").read_text())

    @cached_property
    def config(self) -> dict:
        """Everything that made the run: request, recipe, keys of data and pre-trained networks, versions."""
        return json.loads((self.folder / "config.json").read_text())

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """One row per validation, test and exam pair: id, scene, location, split, and p(scene) of each scene."""
        return pd.read_parquet(self.folder / "predictions.parquet")

    def answers(self, split: str) -> Answers:
        """Return the run's probabilities for the pairs of a split, beside the truth."""
        table = self.predictions[self.predictions["split"] == split]
        scenes = self.config["scenes"]
        probabilities = table[[f"p({scene})" for scene in scenes]].to_numpy()
        truth = pd.Categorical(table["scene"], scenes).codes
        return Answers(truth, probabilities, table["location"].to_numpy(), scenes)

    def fscore(self, split: str) -> float:
        """Return its weighted F-score on a split, in percent."""
        return self.metrics["scores"][split]["fscore"]

    def open(self) -> Opened:
        """Return the run's network on its device, with the data that it was trained on."""
        import torch

        from advance_lib.experiments.one_run import load_checkpoint
        from advance_lib.training.fabric import start
        from advance_lib.transfer.recogniser import without_sense

        fabric = start(self.request.settings.device, "32-true")
        network, _, _ = load_checkpoint(self.checkpoint)
        network = network.to(fabric.device, memory_format=torch.channels_last)
        shared = self.request.shared
        return Opened(fabric, network, shared.data, without_sense(self.request.cell.senses, shared.inputs))


def requests_for(settings: Settings, *cells: str, **changes: object) -> list[Request]:
    """Return the requests for some cells and every seed of a setting.

    Args:
        settings: for all of them.
        cells: by name.
        changes: ``alpha`` and ``beta``, where they are not the paper's.
    """
    return [Request(settings, Cell.named(cell), seed, **changes) for cell in cells for seed in settings.seeds]


def runs_for(settings: Settings, *cells: str) -> list[Run]:
    """Return the finished runs of some cells for every seed of a setting, training those that are missing."""
    return finished(requests_for(settings, *cells))


def requests_of_splits(settings: Settings) -> list[Request]:
    """Return the runs of the L_s cells on several splits by location, one training seed each."""
    one = replace(settings, seeds=settings.seeds[:1])
    on_splits = [replace(one, split=Split("location", seed)) for seed in SPLITS_BY_LOCATION]
    return [request for setting in on_splits for request in requests_for(setting, *L_S_CELLS)]


def requests_of_book(settings: Settings) -> list[Request]:
    """Return every run that the chapters show, so that a graph can train them beforehand."""
    wanted = requests_for(settings, *CELLS)
    for by in ("location", "pair"):
        wanted += requests_for(replace(settings, split=Split(by)), "image+sound/Ls")
    wanted += requests_of_splits(settings)
    if real := with_real_network(settings):
        averaged = replace(real, preset=replace(real.preset, sq_reduction="mean"))
        wanted += requests_for(real, *CELLS)
        wanted += requests_for(averaged, "image+sound/SQ|Na", "image+sound/SQ|Nv+a")
    return wanted


def with_real_network(settings: Settings) -> Settings | None:
    """Return a setting with mn04 as N_a(0).

    None for the miniature, where other networks were asked for, or where mn04 was not downloaded.
    """
    if settings.dataset == "miniature" or settings.sources != RENDERED or not WEIGHTS["mn04"].path.is_file():
        return None
    return replace(settings, sources=Sources(audio="mn04"))


def finished(requests: Sequence[Request], jobs: int | None = None) -> list[Run]:
    """Return runs, training those that are not in the cache.

    Args:
        requests: which runs, all for one device.
        jobs: processes to train in; by default as many as there are cores, and one for a GPU.

    Returns:
        Finished runs, in the order of the requests.

    Raises:
        UserError: data, split or weights of a setting are not there; said before anything is made.
    """
    for request in requests:
        request.require()
    keys = [request.key() for request in requests]
    runs = build_folder() / "runs"
    missing = {key: request for key, request in zip(keys, requests, strict=True) if not (runs / key).exists()}
    device = requests[0].settings.device if requests else "cpu"
    if math.prod(processes()) > 1:
        from advance_lib.training.fabric import start

        missing = start(device, "32-true", together=True).broadcast(missing)  # all are to see the same ones
        for key, request in missing.items():
            _train_together(key, request)
    else:
        workers = min(jobs or (1 if accelerator(device) == "cuda" else cores()), len(missing))
        (_train_side_by_side if workers > 1 else _train_in_turn)(missing, workers)
    return [Run(request, runs / key) for request, key in zip(requests, keys, strict=True)]


def in_groups(groups: dict[object, list[Request]]) -> dict[object, list[Run]]:
    """Finish the requests of all groups at once, and hand the runs back group by group."""
    runs = iter(finished([request for requests in groups.values() for request in requests]))
    return {name: [next(runs) for _ in requests] for name, requests in groups.items()}


def _train_in_turn(missing: dict[str, Request], _: int) -> None:
    for key, request in missing.items():
        entry("runs", key, request.train)


def _registries() -> tuple[dict, ...]:
    from advance_lib.models.audiovisual import BACKBONES
    from advance_lib.transfer.objectives import TRANSFERS

    return PROFILES, BACKBONES, TRANSFERS


def _train_side_by_side(missing: dict[str, Request], workers: int) -> None:
    for request in missing.values():  # features and knowledge once, before the workers ask for them
        request.shared.given(request.recipe)
    # What a notebook has registered, the workers do not know.
    added = [
        {name: entry for name, entry in registry.items() if isinstance(entry, Profile) or code_of(entry)}
        for registry in _registries()
    ]
    trained = Parallel(n_jobs=workers, return_as="generator_unordered", initializer=_without_bars)(
        delayed(_train_in_worker)(key, request, added) for key, request in missing.items()
    )
    with warnings.catch_warnings():
        # joblib renews a worker that has grown; nothing is lost by it.
        warnings.filterwarnings("ignore", message="A worker stopped")
        for _ in tqdm(trained, "training", len(missing), leave=False):
            pass


def _without_bars() -> None:
    """Show no bars in this worker, for the parent has one."""
    tqdm.set_lock(RLock())  # its own would be a semaphore, of which Python complains when the worker is stopped
    tqdm.__init__ = partialmethod(tqdm.__init__, disable=True)


def _train_in_worker(key: str, request: Request, added: list[dict]) -> None:
    for registry, entries in zip(_registries(), added, strict=True):
        registry.update(entries)
    entry("runs", key, request.train)


def _train_together(key: str, request: Request) -> None:
    """Let the first process ask the cache; the others train with it where there is something to train."""
    from advance_lib.training.fabric import start

    fabric = start(request.settings.device, "32-true", together=True)
    if fabric.is_global_zero:
        trained = []

        def make(folder: Path) -> None:
            trained.append(fabric.broadcast(folder))
            request.train(folder)

        entry("runs", key, make)
        if not trained:
            fabric.broadcast(None)
    elif folder := fabric.broadcast(None):
        request.train(folder)
    fabric.barrier()
