"""One photograph and one recording, by a trained recogniser: which scene, which events, and where the evidence lies.

Chapter: Recognising with one and two senses.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from advance_lib.activation import activation_map, overlay
from advance_lib.cache import UserError, written_whole
from advance_lib.features import log_mel, resized
from advance_lib.inputs import Inputs
from advance_lib.media import read_clip, read_image
from advance_lib.models import BACKBONES, AudiovisualNet
from advance_lib.pretraining import FirstOf, Pretrained
from advance_lib.recogniser import Recipe, seen_by
from advance_lib.runs import load_checkpoint, recipe_in
from advance_lib.training import predictions, start


def _opened(checkpoint: Path, image: Path | str, sound: Path | str) -> tuple[AudiovisualNet, Recipe, Inputs, dict]:
    model, normaliser, config = load_checkpoint(checkpoint)
    recipe = recipe_in(config)
    inputs = Inputs(
        resized(read_image(image), config["image_side"])[None],
        log_mel(*read_clip(sound), recipe.preset.front_end)[None],
        np.zeros(1, np.int64),
        normaliser,
    )
    return model, recipe, inputs, config


def recognise(checkpoint: Path, image: Path | str, sound: Path | str) -> pd.Series:
    """Return p(scene) for one photograph and one recording, highest first.

    Args:
        checkpoint: ``model.safetensors`` of a run.
        image: photograph.
        sound: recording of at least two seconds; the first ten are used.
    """
    model, recipe, inputs, config = _opened(checkpoint, image, sound)
    inputs = seen_by(recipe.senses, inputs)
    found = predictions(start("cpu", "32-true"), model, inputs, np.arange(1), nn.Softmax(dim=1))
    return pd.Series(found[0], index=config["scenes"], name="p(scene)").sort_values(ascending=False)


def events_heard(checkpoint: Path, image: Path | str, sound: Path | str, network: Pretrained) -> pd.Series:
    """Return y(a) = σ(f_e(a, N_a(0))), the soft responses to one recording, highest first (section 4.2).

    Args:
        checkpoint: ``model.safetensors`` of a run, whose normaliser and front end the network is given.
        image: photograph.
        sound: recording of at least two seconds; the first ten are used.
        network: N_a(0) of the run's profile.
    """
    _, recipe, inputs, _ = _opened(checkpoint, image, sound)
    teacher = BACKBONES[recipe.audio](len(network.classes))
    teacher.load_state_dict(load_file(network.weights))
    sounds = replace(inputs, images=None)
    found = predictions(start("cpu", "32-true"), FirstOf(teacher).eval(), sounds, np.arange(1), nn.Sigmoid())
    return pd.Series(found[0], index=list(network.classes), name="y").sort_values(ascending=False)


def write_activation(checkpoint: Path, image: Path | str, sound: Path | str, scene: str, path: Path) -> None:
    """Write the class activation map of a scene over the photograph, in the photograph's own size.

    Args:
        checkpoint: ``model.safetensors`` of a run with an image input.
        image: photograph.
        sound: recording of at least two seconds.
        scene: whose evidence is asked for.
        path: picture to write; its suffix says the format.

    Raises:
        UserError: the recogniser sees nothing, or the format is not known.
    """
    model, recipe, inputs, config = _opened(checkpoint, image, sound)
    if "image" not in recipe.senses:
        raise UserError(f"{checkpoint}: recognises sounds only, so there is no activation map; leave --map out")
    batch = inputs.batch(np.arange(1), augment=False)
    with torch.inference_mode():
        found = activation_map(model, batch.image, torch.tensor([config["scenes"].index(scene)]))[0].numpy()
    photograph = read_image(image)
    height, width = photograph.shape[:2]
    enlarged = np.asarray(Image.fromarray(found).resize((width, height), Image.Resampling.BILINEAR))
    try:
        with written_whole(path) as partial:
            overlay(photograph, enlarged).save(partial)
    except ValueError:
        raise UserError(f"{path}: no known format of pictures; name it .jpg or .png") from None
