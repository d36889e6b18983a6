"""Finished runs: found in the cache, or trained now, by chapters, command line and cluster jobs alike.

Chapter: Recognising with one and two senses.
"""

import inspect
import json
import math
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache, cached_property, partialmethod
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed
from lightning_fabric import Fabric
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tqdm import tqdm

from advance_lib.cache import (
    UserError,
    build_folder,
    code_digest,
    cores,
    digest,
    entry,
    remove,
    syntax_digest,
    write_json,
    written_whole,
)
from advance_lib.data.dataset import THE_SPLIT, Dataset, Split, inputs_of, open_dataset
from advance_lib.data.published import METRICS
from advance_lib.experiments.cells import ALPHA, BETA, recipe_of
from advance_lib.experiments.profiles import Profile, get_profile
from advance_lib.experiments.sources import RENDERED, Networks, Sources, pretrained_audio, pretrained_visual
from advance_lib.models.audiovisual import BACKBONES, AudiovisualNet, partly_fixed
from advance_lib.training.devices import accelerator, effective_precision, environment, processes, start
from advance_lib.training.feeding import on_device
from advance_lib.training.inputs import Inputs, Normaliser
from advance_lib.training.loop import STATE, Schedule, best_epoch, best_weights_file
from advance_lib.training.metrics import weighted_scores
from advance_lib.transfer.knowledge import Knowledge, knowledge_of
from advance_lib.transfer.presets import PAPER, Preset
from advance_lib.transfer.recogniser import Recipe, scene_probabilities, seen_by, train_recogniser


@dataclass(frozen=True)
class Request:
    """Which run is wanted.

    Attributes:
        cell: name in `experiments.TABLES`.
        seed: of initialisation, order and jitter.
        dataset: ``"miniature"``, ``"advance"`` or a folder.
        profile: name in `profiles.PROFILES`.
        split: of the dataset.
        skip_broken: leave unusable pairs of the dataset out.
        preset: the choices in which paper and code differ.
        alpha: α, the weight of the transfer.
        beta: β, the weight of L_E2 within L_E.
        sources: of the pre-trained networks.
    """

    cell: str
    seed: int
    dataset: str = "miniature"
    profile: str = "mini"
    split: Split = THE_SPLIT
    skip_broken: bool = False
    preset: Preset = PAPER
    alpha: float = ALPHA
    beta: float = BETA
    sources: Sources = RENDERED

    @property
    def sizes(self) -> Profile:
        """The profile itself."""
        return get_profile(self.profile)

    @property
    def recipe(self) -> Recipe:
        """What to train.

        Raises:
            UserError: unknown cell or profile.
        """
        return recipe_of(self.cell, self.sizes, self.preset, self.alpha, self.beta, self.sources)

    @property
    def data(self) -> tuple:
        """Which arrays the run is trained on: the arguments of `inputs_of` and `known_of`."""
        return self.dataset, self.sizes, self.split, self.skip_broken, self.preset, self.sources


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        request: what was asked for.
        folder: holds ``config.json``, ``metrics.json``, ``predictions.parquet`` and ``model.safetensors``.
    """

    request: Request
    folder: Path

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


def pretrained_networks(request: Request, device: str = "auto") -> Networks:
    """Return the pre-trained networks of a request, each trained where it is missing, the library's own and needed.

    A network that starts at random (†) needs none but one with blocks that are never trained; one without
    transfer would need no N_a(0) where it hears nothing, but its silent branch is part of the network.
    """
    which, sources = (request.sizes, device, request.preset), request.sources
    if not request.recipe.pretrained:
        return Networks(audio=pretrained_audio(*which, sources) if partly_fixed(request.recipe.audio) else None)
    teacher = pretrained_audio(*which, Sources(audio=sources.teaching)) if request.recipe.transfer else None
    return Networks(pretrained_visual(*which, sources), pretrained_audio(*which, sources), teacher)


@cache
def known_of(
    name: str,
    profile: Profile,
    split: Split = THE_SPLIT,
    skip_broken: bool = False,
    preset: Preset = PAPER,
    sources: Sources = RENDERED,
    device: str = "auto",
) -> Knowledge:
    """Return what the teacher knows of a dataset, computed where it is missing; arguments as for `inputs_of`."""
    teacher = Sources(audio=sources.teaching)
    dataset, inputs = inputs_of(name, profile, split, skip_broken, preset, teacher)
    network = pretrained_audio(profile, device, preset, teacher)
    data_key = digest(dataset.key(), str(teacher.ears(preset)))
    rows, scenes = dataset.rows(), len(dataset.scenes)
    return knowledge_of(network, inputs, data_key, rows, scenes, preset, device)


def _key(request: Request, networks: Networks, device: str) -> str:
    dataset = open_dataset(request.dataset, request.sizes, request.split, request.skip_broken)
    return digest(
        asdict(request.recipe),
        request.seed,
        dataset.key(),
        request.sizes.image_side,
        [network and network.key for network in networks],
        [request.sources.raw_colours(request.preset), str(request.sources.ears(request.preset))],
        effective_precision(device, request.sizes.precision),
        code_digest("advance_lib.transfer.recogniser"),
        code_digest("advance_lib.data.features"),
        CODE_OF_A_RUN,
    )


def _train(request: Request, networks: Networks, device: str, folder: Path) -> None:
    """Train and evaluate one run, and leave its files in ``folder``; of several processes the first one writes."""
    recipe = request.recipe
    dataset, inputs = inputs_of(*request.data)
    knowledge = known_of(*request.data, device) if recipe.transfer else None
    rows = dataset.rows()
    weights = tuple(network and network.weights for network in networks[:2])
    began = time.perf_counter()
    model, fabric, history = train_recogniser(
        recipe, inputs, knowledge, rows, len(dataset.scenes), request.seed, weights, folder, device
    )
    seconds = time.perf_counter() - began
    # What is tested is fixed by now: nothing below feeds back into the training.
    tested = {name: rows[name] for name in ("validation", "test", "exam") if name in rows}
    every = np.concatenate(list(tested.values()))
    table = dataset.pairs.iloc[every][["id", "scene", "location", "split"]].reset_index(drop=True)
    by_epoch, seen = [], on_device(seen_by(recipe.senses, inputs), fabric.device)
    for after in reversed(range(recipe.schedule.keep_after + 1)):  # the best epoch last, to stay in the network
        if not best_weights_file(folder, after).exists():
            continue  # the schedule ended before
        model.load_state_dict(load_file(best_weights_file(folder, after)))
        torch.manual_seed(request.seed)
        probabilities = scene_probabilities(recipe, fabric, model, seen, every)
        guessed = np.array(dataset.scenes)[probabilities.argmax(1)]
        by_epoch.insert(
            0,
            {
                name: weighted_scores(table.loc[table["split"] == name, "scene"], guessed[table["split"] == name])
                for name in tested
            },
        )
    if not fabric.is_global_zero:
        return
    scores = {
        name: {metric: float(np.mean([epoch[name][metric] for epoch in by_epoch])) for metric in METRICS}
        for name in tested
    }
    columns = [f"p({s})" for s in dataset.scenes]
    table = pd.concat([table, pd.DataFrame(probabilities, columns=columns)], axis=1)
    config = {
        "request": asdict(request),
        "recipe": asdict(recipe),
        "scenes": dataset.scenes,
        "events": list(knowledge.events) if knowledge else None,
        "image_side": request.sizes.image_side,
        "data": dataset.key(),
        "pretrained": [network and network.key for network in networks],
        "environment": environment(device) | {"processes": fabric.world_size},
    }
    with written_whole(folder / "predictions.parquet") as partial:
        table.to_parquet(partial)
    write_json(folder / "config.json", config)
    _save_checkpoint(model, inputs.normaliser, config, folder / "model.safetensors")
    write_json(
        folder / "metrics.json",
        {
            "scores": scores,
            "by_epoch": by_epoch,
            "epoch": best_epoch(history),
            "seconds": seconds,
            "history": history,
        },
    )
    halves = folder.glob(".*")  # of an end in the middle of writing
    remove([folder / STATE, *folder.glob("best*.safetensors"), *halves])


CODE_OF_A_RUN = syntax_digest(inspect.getsource(_train))  # what is measured counts as code, too


def _save_checkpoint(model: AudiovisualNet, normaliser: Normaliser, config: dict, path: Path) -> None:
    tensors = {name: value.contiguous() for name, value in model.state_dict().items()}
    tensors |= {f"normaliser.{name}": value for name, value in asdict(normaliser).items()}
    with written_whole(path) as partial:
        save_file(tensors, partial, {"config": json.dumps(config)})


def finished(requests: Sequence[Request], device: str = "auto", jobs: int | None = None) -> list[Run]:
    """Return runs, training those that are not in the cache.

    Args:
        requests: which runs.
        device: ``"cpu"``, ``"cuda"`` or ``"auto"``.
        jobs: processes to train in; by default as many as there are cores, and one for a GPU.

    Returns:
        Finished runs, in the order of the requests.

    Raises:
        UserError: dataset, cell or profile cannot be used.
    """
    keys = []
    for request in requests:
        networks = pretrained_networks(request, device)
        keys.append((_key(request, networks, device), networks))
    missing = {
        key: (request, networks)
        for request, (key, networks) in zip(requests, keys, strict=True)
        if not (build_folder() / "runs" / key).exists()
    }
    together = math.prod(processes()) > 1
    workers = min(1 if together else jobs or (1 if accelerator(device) == "cuda" else cores()), len(missing))
    if workers > 1:
        for request, _ in missing.values():  # features and knowledge once, before the workers ask for them
            inputs_of(*request.data)
            if request.recipe.transfer:
                known_of(*request.data, device)
        trained = Parallel(n_jobs=workers, return_as="generator_unordered", initializer=_without_bars)(
            delayed(_one)(key, *one, device) for key, one in missing.items()
        )
        with warnings.catch_warnings():
            # joblib renews a worker that has grown; nothing is lost by it.
            warnings.filterwarnings("ignore", message="A worker stopped")
            for _ in tqdm(trained, "training", len(missing), leave=False):
                pass
    else:
        if together:
            missing = start(device, "32-true", together=True).broadcast(missing)  # all are to see the same ones
        for key, one in missing.items():
            (_together if together else _one)(key, *one, device)
    return [Run(request, build_folder() / "runs" / key) for request, (key, _) in zip(requests, keys, strict=True)]


def _one(key: str, request: Request, networks: Networks, device: str) -> None:
    entry("runs", key, lambda folder: _train(request, networks, device, folder))


def _together(key: str, request: Request, networks: Networks, device: str) -> None:
    """Let the first process ask the cache; the others train with it where there is something to train."""
    fabric = start(device, "32-true", together=True)
    if fabric.is_global_zero:
        trained = []

        def make(folder: Path) -> None:
            trained.append(fabric.broadcast(folder))
            _train(request, networks, device, folder)

        entry("runs", key, make)
        if not trained:
            fabric.broadcast(None)
    elif folder := fabric.broadcast(None):
        _train(request, networks, device, folder)
    fabric.barrier()


def _without_bars() -> None:
    """Show no bars in this worker, for the parent has one."""
    tqdm.__init__ = partialmethod(tqdm.__init__, disable=True)


def load_checkpoint(path: Path) -> tuple[AudiovisualNet, Normaliser, dict]:
    """Load a trained recogniser from its checkpoint alone.

    Returns:
        The network in evaluation mode, the normaliser of its inputs, and the configuration of its run.

    Raises:
        UserError: the file is no checkpoint of this library.
    """
    try:
        with safe_open(path, "pt") as file:
            config = json.loads(file.metadata()["config"])
        tensors = load_file(path)
    except Exception as error:
        raise UserError(f"{path}: not a checkpoint written by 'advance train' ({error})") from None
    normaliser = Normaliser(
        **{k.removeprefix("normaliser."): v for k, v in tensors.items() if k.startswith("normaliser.")}
    )
    state = {k: v for k, v in tensors.items() if not k.startswith("normaliser.")}
    recipe = recipe_in(config)
    backbones = [BACKBONES[getattr(recipe, sense)](len(state[f"{sense}.fc.bias"])) for sense in ("visual", "audio")]
    events = len(state.get("event_head.bias", ())) or None
    scenes, side = len(config["scenes"]), config["image_side"]
    model = AudiovisualNet(*backbones, scenes, side, recipe.senses, recipe.events_on, events)
    model.load_state_dict(state)
    return model.eval(), normaliser, config


def opened(run: Run, device: str = "auto") -> tuple[Fabric, AudiovisualNet, Dataset, Inputs]:
    """Return what one needs to ask a finished run something new.

    Args:
        run: finished.
        device: ``"cpu"``, ``"cuda"`` or ``"auto"``.

    Returns:
        The Fabric, the network in evaluation mode, the dataset, and its inputs without the sense that the run lacks.
    """
    fabric = start(device, "32-true")
    network, _, _ = load_checkpoint(run.folder / "model.safetensors")
    data, inputs = inputs_of(*run.request.data)
    network = network.to(fabric.device, memory_format=torch.channels_last)
    return fabric, network, data, seen_by(run.request.recipe.senses, inputs)


def recipe_in(config: dict) -> Recipe:
    """Return the recipe that a run's configuration describes."""
    recipe = config["recipe"]
    return Recipe(**recipe | {"schedule": Schedule(**recipe["schedule"]), "preset": Preset(**recipe["preset"])})
