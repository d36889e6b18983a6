"""Finished runs: found in the cache, or trained now, by chapters, command line and cluster jobs alike.

Chapter: Recognising with one and two senses.
"""

import inspect
import json
import os
import platform
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from advance_lib import __version__
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
from advance_lib.datasets import THE_SPLIT, Split, inputs_of, open_dataset
from advance_lib.experiments import recipe_of
from advance_lib.features import PAPER_FRONT_END, log_mel, resized
from advance_lib.inputs import Inputs, Normaliser
from advance_lib.media import read_clip, read_image
from advance_lib.metrics import weighted_scores
from advance_lib.miniature.world import render_aerial_set, render_event_set
from advance_lib.models import BACKBONES, AudiovisualNet
from advance_lib.pretraining import Pretrained, pretrain_audio, pretrain_visual
from advance_lib.profiles import Profile, get_profile
from advance_lib.progress import progress
from advance_lib.training import (
    Schedule,
    accelerator,
    effective_precision,
    predictions,
    seen_by,
    start,
    train_recogniser,
)

PACKAGES = (
    "torch",
    "torchvision",
    "torchaudio",
    "lightning-fabric",
    "numpy",
    "scikit-learn",
)


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
    """

    cell: str
    seed: int
    dataset: str = "miniature"
    profile: str = "mini"
    split: Split = THE_SPLIT
    skip_broken: bool = False


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
        """Scores in percent for each split, the selected epoch and the history of the training."""
        return json.loads((self.folder / "metrics.json").read_text())

    @cached_property
    def config(self) -> dict:
        """Everything that made the run: request, recipe, keys of data and pre-trained networks, versions."""
        return json.loads((self.folder / "config.json").read_text())

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """One row per validation, test and exam pair: id, scene, location, split, and p(scene) of each scene."""
        return pd.read_parquet(self.folder / "predictions.parquet")


def environment(device: str) -> dict[str, str]:
    """Return versions and device, as every run and every chapter records them."""
    name = torch.cuda.get_device_name() if accelerator(device) == "cuda" else f"CPU ({platform.machine()})"
    ours = {"device": name, "python": platform.python_version(), "advance-companion": __version__}
    return ours | {name: version(name) for name in PACKAGES}


def _pretraining_schedule(profile: Profile) -> Schedule:
    return Schedule(
        profile.pretrain_epochs,
        profile.batch_size,
        profile.pretrain_learning_rate,
        profile.weight_decay,
        "cosine",
        profile.precision,
    )


def render_pretraining_sets(profile: Profile) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the miniature's AID and its AudioSet, rendering them where they are missing."""
    return render_aerial_set(profile.aerial_pictures, profile.image_side), render_event_set(profile.event_clips)


@cache
def pretrained_visual(profile: Profile, device: str = "auto") -> Pretrained:
    """Return N_v(0) of a profile, trained where it is missing."""
    pictures = render_aerial_set(profile.aerial_pictures, profile.image_side)
    return pretrain_visual(pictures, profile.image_side, profile.visual, _pretraining_schedule(profile), device)


@cache
def pretrained_audio(profile: Profile, device: str = "auto") -> Pretrained:
    """Return N_a(0) of a profile, trained where it is missing."""
    return pretrain_audio(render_event_set(profile.event_clips), profile.audio, _pretraining_schedule(profile), device)


def _key(request: Request, networks: tuple[Pretrained, Pretrained] | None, device: str) -> str:
    profile = get_profile(request.profile)
    dataset = open_dataset(request.dataset, profile, request.split, request.skip_broken)
    return digest(
        asdict(recipe_of(request.cell, profile)),
        request.seed,
        dataset.key(),
        profile.image_side,
        asdict(PAPER_FRONT_END),
        [network.key for network in networks] if networks else None,
        effective_precision(device, profile.precision),
        code_digest("advance_lib.training"),
        code_digest("advance_lib.features"),
        CODE_OF_A_RUN,
    )


def _train(request: Request, networks: tuple[Pretrained, Pretrained] | None, device: str, folder: Path) -> None:
    """Train and evaluate one run, and leave its files in ``folder``."""
    profile = get_profile(request.profile)
    recipe = recipe_of(request.cell, profile)
    dataset, inputs = inputs_of(request.dataset, profile, request.split, request.skip_broken)
    rows = dataset.rows()
    weights = tuple(network.weights for network in networks) if networks else (None, None)
    began = time.perf_counter()
    model, fabric, history = train_recogniser(
        recipe, inputs, rows, len(dataset.scenes), request.seed, weights, folder, device
    )
    seconds = time.perf_counter() - began
    # The selected epoch is tested once: nothing below feeds back into the training.
    tested = {name: rows[name] for name in ("validation", "test", "exam") if name in rows}
    probabilities = predictions(
        fabric,
        model,
        seen_by(recipe.senses, inputs),
        np.concatenate(list(tested.values())),
        torch.nn.Softmax(dim=1),
    )
    table = dataset.pairs.iloc[np.concatenate(list(tested.values()))][["id", "scene", "location", "split"]]
    table = pd.concat(
        [
            table.reset_index(drop=True),
            pd.DataFrame(probabilities, columns=[f"p({s})" for s in dataset.scenes]),
        ],
        axis=1,
    )
    guessed = np.array(dataset.scenes)[probabilities.argmax(1)]
    scores = {
        name: weighted_scores(table.loc[table["split"] == name, "scene"], guessed[table["split"] == name])
        for name in tested
    }
    best = max(history, key=lambda past: past["validation"])
    config = {
        "request": asdict(request),
        "recipe": asdict(recipe),
        "scenes": dataset.scenes,
        "image_side": profile.image_side,
        "data": dataset.key(),
        "pretrained": [network.key for network in networks] if networks else None,
        "environment": environment(device),
    }
    with written_whole(folder / "predictions.parquet") as partial:
        table.to_parquet(partial)
    write_json(folder / "config.json", config)
    _save_checkpoint(model, inputs.normaliser, config, folder / "model.safetensors")
    write_json(
        folder / "metrics.json",
        {"scores": scores, "epoch": best["epoch"], "seconds": seconds, "history": history},
    )
    remove([folder / "state.safetensors", folder / "best.safetensors"])


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
        profile = get_profile(request.profile)
        networks = None
        if recipe_of(request.cell, profile).pretrained:
            networks = pretrained_visual(profile, device), pretrained_audio(profile, device)
        keys.append((_key(request, networks, device), networks))
    missing = {
        key: (request, networks)
        for request, (key, networks) in zip(requests, keys, strict=True)
        if not (build_folder() / "runs" / key).exists()
    }
    workers = min(jobs or (1 if accelerator(device) == "cuda" else cores()), len(missing))
    if workers > 1:
        for request, _ in missing.values():  # features once, before the workers ask for them
            inputs_of(request.dataset, get_profile(request.profile), request.split, request.skip_broken)
        trained = Parallel(n_jobs=workers, return_as="generator_unordered")(
            delayed(_in_worker)(key, *one, device) for key, one in missing.items()
        )
        with warnings.catch_warnings():
            # joblib renews a worker that has grown; nothing is lost by it.
            warnings.filterwarnings("ignore", message="A worker stopped")
            for _ in progress(trained, "training", len(missing)):
                pass
    else:
        for key, (request, networks) in missing.items():
            _one(key, request, networks, device)
    return [Run(request, build_folder() / "runs" / key) for request, (key, _) in zip(requests, keys, strict=True)]


def _one(key: str, request: Request, networks: tuple[Pretrained, Pretrained] | None, device: str) -> None:
    entry("runs", key, lambda folder: _train(request, networks, device, folder))


def _in_worker(key: str, request: Request, networks: tuple[Pretrained, Pretrained] | None, device: str) -> None:
    os.environ["ADVANCE_QUIET"] = "1"  # one bar, in the parent, instead of one a worker
    _one(key, request, networks, device)


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
    backbones = [BACKBONES[config["recipe"][sense]](len(state[f"{sense}.fc.bias"])) for sense in ("visual", "audio")]
    model = AudiovisualNet(*backbones, len(config["scenes"]), config["image_side"])
    model.load_state_dict(state)
    return model.eval(), normaliser, config


def recognise(checkpoint: Path, image: Path | str, sound: Path | str) -> pd.Series:
    """Return p(scene) for one photograph and one recording, highest first.

    Args:
        checkpoint: ``model.safetensors`` of a run.
        image: photograph.
        sound: recording of at least two seconds; the first ten are used.
    """
    model, normaliser, config = load_checkpoint(checkpoint)
    inputs = Inputs(
        resized(read_image(image), config["image_side"])[None],
        log_mel(*read_clip(sound))[None],
        np.zeros(1, np.int64),
        normaliser,
    )
    inputs = seen_by(config["recipe"]["senses"], inputs)
    found = predictions(start("cpu", "32-true"), model, inputs, np.arange(1), torch.nn.Softmax(dim=1))
    return pd.Series(found[0], index=config["scenes"], name="p(scene)").sort_values(ascending=False)
