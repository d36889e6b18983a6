"""One run, trained and tested, and the files that it leaves behind.

What stands here, and in all that it imports, is part of every run's key.

Chapter: Recognising with one and two senses.
"""

import json
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from advance_lib.cache import UserError, remove, write_json, written_whole
from advance_lib.models.audiovisual import BACKBONES, AudiovisualNet
from advance_lib.training.devices import environment
from advance_lib.training.feeding import on_device
from advance_lib.training.inputs import Normaliser
from advance_lib.training.loop import STATE, best_epoch, best_weights_file
from advance_lib.training.metrics import METRICS, weighted_scores
from advance_lib.training.schedule import Schedule
from advance_lib.transfer.presets import Preset
from advance_lib.transfer.recipe import CHECKPOINT, Recipe
from advance_lib.transfer.recogniser import Given, scene_probabilities, train_recogniser, without_sense


def train_run(recipe: Recipe, given: Given, pairs: pd.DataFrame, seed: int, about: dict, folder: Path) -> None:
    """Train one recogniser, test it, and leave its files in ``folder``; of several processes the first one writes.

    Args:
        recipe: what to train.
        given: what to train it with.
        pairs: columns ``id``, ``scene``, ``location`` and ``split``, one row for each of the inputs.
        seed: of initialisation, order and jitter.
        about: what ``config.json`` says of the run besides its recipe, scenes, events and environment.
        folder: gets ``config.json``, ``metrics.json``, ``predictions.parquet`` and ``model.safetensors``.
    """
    began = time.perf_counter()
    model, fabric, history = train_recogniser(recipe, given, seed, folder)
    seconds = time.perf_counter() - began
    # What is tested is fixed by now: nothing below feeds back into the training.
    scenes = sorted(set(pairs["scene"]))
    tested = [name for name in ("validation", "test", "exam") if name in given.splits]
    every = np.concatenate([given.splits[name] for name in tested])
    table = pairs.iloc[every][["id", "scene", "location", "split"]].reset_index(drop=True)
    by_epoch, seen = [], on_device(without_sense(recipe.senses, given.inputs), fabric.device)
    for after in reversed(range(recipe.schedule.keep_after + 1)):  # the best epoch last, to stay in the network
        if not best_weights_file(folder, after).exists():
            continue  # the schedule ended before
        model.load_state_dict(load_file(best_weights_file(folder, after)))
        torch.manual_seed(seed)
        probabilities = scene_probabilities(recipe, fabric, model, seen, every)
        guessed = np.array(scenes)[probabilities.argmax(1)]
        found = {}
        for name in tested:
            here = table["split"] == name
            found[name] = weighted_scores(table.loc[here, "scene"], guessed[here])
        by_epoch.insert(0, found)
    if not fabric.is_global_zero:
        return
    scores = {
        name: {metric: float(np.mean([epoch[name][metric] for epoch in by_epoch])) for metric in METRICS}
        for name in tested
    }
    table = pd.concat([table, pd.DataFrame(probabilities, columns=[f"p({scene})" for scene in scenes])], axis=1)
    config = about | {
        "recipe": asdict(recipe),
        "scenes": scenes,
        "events": list(given.knowledge.events) if given.knowledge else None,
        "image_side": given.inputs.images.shape[1],
        "environment": environment(given.device) | {"processes": fabric.world_size},
    }
    with written_whole(folder / "predictions.parquet") as partial:
        table.to_parquet(partial)
    write_json(folder / "config.json", config)
    _save_checkpoint(model, given.inputs.normaliser, config, folder / CHECKPOINT)
    measured = {"scores": scores, "by_epoch": by_epoch, "epoch": best_epoch(history), "seconds": seconds}
    write_json(folder / "metrics.json", measured | {"history": history})
    halves = folder.glob(".*")  # of an end in the middle of writing
    remove([folder / STATE, *folder.glob("best*.safetensors"), *halves])


def _save_checkpoint(model: AudiovisualNet, normaliser: Normaliser, config: dict, path: Path) -> None:
    tensors = {name: value.contiguous() for name, value in model.state_dict().items()}
    tensors |= {f"normaliser.{name}": value for name, value in asdict(normaliser).items()}
    with written_whole(path) as partial:
        save_file(tensors, partial, {"config": json.dumps(config, default=str)})


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
    if "settings" not in config["request"]:  # of version 0.1, to be read for one release
        config["request"] = {"settings": config["request"], **config["request"]}
    normaliser = Normaliser(
        **{k.removeprefix("normaliser."): v for k, v in tensors.items() if k.startswith("normaliser.")}
    )
    state = {k: v for k, v in tensors.items() if not k.startswith("normaliser.")}
    recipe = recipe_in(config)
    for name in (recipe.visual, recipe.audio):
        if name not in BACKBONES:
            raise UserError(f"{path}: trained with a backbone '{name}' that is not registered in BACKBONES here")
    backbones = [BACKBONES[getattr(recipe, sense)](len(state[f"{sense}.fc.bias"])) for sense in ("visual", "audio")]
    events = len(state.get("event_head.bias", ())) or None
    scenes, side = len(config["scenes"]), config["image_side"]
    model = AudiovisualNet(*backbones, scenes, side, recipe.senses, recipe.events_on, events)
    model.load_state_dict(state)
    return model.eval(), normaliser, config


def recipe_in(config: dict) -> Recipe:
    """Return the recipe that a run's configuration describes."""
    recipe = config["recipe"]
    return Recipe(**recipe | {"schedule": Schedule(**recipe["schedule"]), "preset": Preset(**recipe["preset"])})
