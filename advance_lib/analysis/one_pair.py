"""One photograph and one recording, by a trained recogniser: which scene, which events, and where the evidence lies.

Chapter: Recognising with one and two senses.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor, nn

from advance_lib.analysis.activation import activation_map, overlay
from advance_lib.cache import UserError, written_whole
from advance_lib.data.features import resized
from advance_lib.data.media import read_image
from advance_lib.experiments.one_run import load_checkpoint, recipe_in
from advance_lib.experiments.prepared import prepared
from advance_lib.experiments.settings import Settings, Sources
from advance_lib.models.audiovisual import AudiovisualNet
from advance_lib.models.own import register_own
from advance_lib.models.pretrained import Pretrained
from advance_lib.training.fabric import start
from advance_lib.training.inputs import Batch, Inputs, Normaliser
from advance_lib.training.loop import predictions
from advance_lib.transfer.recogniser import Recipe, without_sense


@dataclass(frozen=True)
class Recogniser:
    """A trained recogniser, opened from its checkpoint alone.

    Attributes:
        checkpoint: ``model.safetensors`` of a run.
        model: the recogniser, in evaluation mode.
        normaliser: of its inputs.
        recipe: what it was trained to be.
        sources: of its pre-trained networks.
        config: of the run.
    """

    checkpoint: Path
    model: AudiovisualNet
    normaliser: Normaliser
    recipe: Recipe
    sources: Sources
    config: dict

    def seen(self, photograph: np.ndarray) -> np.ndarray:
        """Return a photograph as the recogniser takes it, (side, side, 3) uint8."""
        return resized(photograph, self.config["image_side"])

    def heard(self, sound: Path | str) -> np.ndarray:
        """Return the first ten seconds of a recording as the recogniser takes them."""
        return self.sources.hearing(self.recipe.preset).hear(sound)

    def probabilities(self, images: np.ndarray | None, sounds: np.ndarray | None) -> np.ndarray:
        """Return p(scene) of some pairs, (pairs, scenes); a sense that the recogniser lacks may be None."""
        inputs = without_sense(self.recipe.senses, _inputs(images, sounds, self.normaliser))

        def read(model: nn.Module, batch: Batch) -> Tensor:
            return model(batch.image, batch.log_mel).scenes.softmax(dim=1)

        return _read(self.model, inputs, read)

    def soft_responses(self, sounds: np.ndarray, teacher: nn.Module) -> np.ndarray:
        """Return y(a) = σ(f_e(a, N_a(0))) of some recordings, (pairs, events) (section 4.2)."""

        def read(model: nn.Module, batch: Batch) -> Tensor:
            return model(batch.log_mel).sigmoid()

        return _read(teacher, _inputs(None, sounds, self.normaliser), read)


@dataclass(frozen=True)
class OnePair(Recogniser):
    """A photograph and a recording before a recogniser.

    Attributes:
        photograph: (height, width, 3) uint8, as it is.
        inputs: photograph and recording as the recogniser takes them, one row.
    """

    photograph: np.ndarray
    inputs: Inputs


def _inputs(images: np.ndarray | None, sounds: np.ndarray | None, normaliser: Normaliser) -> Inputs:
    rows = len(sounds if images is None else images)
    return Inputs(images, sounds, np.zeros(rows, np.int64), normaliser)


def _read(model: nn.Module, inputs: Inputs, read: Callable[[nn.Module, Batch], Tensor]) -> np.ndarray:
    return predictions(start("cpu", "32-true"), model, inputs, np.arange(len(inputs.targets)), read)


def open_recogniser(checkpoint: Path) -> Recogniser:
    """Open a trained recogniser.

    Raises:
        UserError: the file is no checkpoint.
    """
    register_own(checkpoint)
    model, normaliser, config = load_checkpoint(checkpoint)
    return Recogniser(checkpoint, model, normaliser, recipe_in(config), sources_in(config), config)


def open_pair(checkpoint: Path, image: Path | str, sound: Path | str) -> OnePair:
    """Open a photograph and a recording with a trained recogniser.

    Args:
        checkpoint: ``model.safetensors`` of a run.
        image: photograph.
        sound: recording of at least two seconds; the first ten are used.

    Raises:
        UserError: the checkpoint is none; `media.MediaError` where photograph or recording cannot be used.
    """
    opened, photograph = open_recogniser(checkpoint), read_image(image)
    inputs = _inputs(opened.seen(photograph)[None], opened.heard(sound)[None], opened.normaliser)
    return OnePair(**vars(opened), photograph=photograph, inputs=inputs)


def recognise(pair: OnePair) -> pd.Series:
    """Return p(scene), highest first."""
    found = pair.probabilities(pair.inputs.images, pair.inputs.log_mels)[0]
    return pd.Series(found, index=pair.config["scenes"], name="p(scene)").sort_values(ascending=False)


def sources_in(config: dict) -> Sources:
    """Return the pre-trained networks that a run's configuration names."""
    return Sources(**config["request"]["settings"].get("sources", {}))


def first_ears(config: dict, device: str = "auto") -> Pretrained:
    """Return N_a(0), the network that the audio part of a recogniser started from.

    Args:
        config: of its run.
        device: that N_a(0) is pre-trained on where it is missing.
    """
    profile, sources = config["request"]["settings"]["profile"], Sources(audio=sources_in(config).audio)
    return prepared(Settings(profile=profile, device=device, preset=recipe_in(config).preset, sources=sources)).audio


def events_heard(pair: OnePair, device: str = "auto") -> pd.Series:
    """Return y(a) = σ(f_e(a, N_a(0))), the soft responses to the recording, highest first (section 4.2).

    Args:
        pair: opened.
        device: that N_a(0) is pre-trained on where it is missing.
    """
    network = first_ears(pair.config, device)
    found = pair.soft_responses(pair.inputs.log_mels, network.open())[0]
    return pd.Series(found, index=list(network.classes), name="y").sort_values(ascending=False)


def write_activation(pair: OnePair, scene: str, path: Path) -> None:
    """Write the class activation map of a scene over the photograph, in the photograph's own size.

    Args:
        pair: opened.
        scene: whose evidence is asked for.
        path: picture to write; its suffix says the format.

    Raises:
        UserError: the recogniser sees nothing, or the format is not known.
    """
    if "image" not in pair.recipe.senses:
        raise UserError(f"{pair.checkpoint}: recognises sounds only, so there is no activation map; leave --map out")
    batch = pair.inputs.batch(np.arange(1), augment=False)
    with torch.inference_mode():
        found = activation_map(pair.model, batch.image, torch.tensor([pair.config["scenes"].index(scene)]))[0].numpy()
    height, width = pair.photograph.shape[:2]
    enlarged = np.asarray(Image.fromarray(found).resize((width, height), Image.Resampling.BILINEAR))
    drawn = overlay(pair.photograph, enlarged)
    try:
        with written_whole(path) as partial:
            drawn.save(partial)
    except ValueError:
        raise UserError(f"{path}: no known format of pictures; name it .jpg or .png") from None
