"""One run of a recogniser: what it learns from, its network, its objective, its training.

Chapter: Recognising with one and two senses.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from safetensors.torch import load_file
from torch import Tensor, nn

from advance_lib.models.audiovisual import BACKBONES, AudiovisualNet, Outputs
from advance_lib.training.fabric import start
from advance_lib.training.feeding import Fed, on_device
from advance_lib.training.inputs import Batch, Inputs
from advance_lib.training.loop import fit, predictions
from advance_lib.training.metrics import weighted_scores
from advance_lib.transfer.knowledge import Knowledge
from advance_lib.transfer.objectives import TRANSFERS, Known, scene_loss, total_loss
from advance_lib.transfer.recipe import Recipe


@dataclass(frozen=True)
class Given:
    """What a recogniser learns from.

    Attributes:
        inputs: both senses of the dataset; the one that a recipe leaves out is dropped.
        splits: rows of each split.
        scenes: number of scenes.
        visual: safetensors file of N_v(0), or None to start at random.
        audio: the same of N_a(0).
        knowledge: of the sound events, or None where nothing is transferred.
        device: ``"cpu"``, ``"cuda"`` or ``"auto"``.
    """

    inputs: Inputs
    splits: dict[str, np.ndarray]
    scenes: int
    visual: Path | None = None
    audio: Path | None = None
    knowledge: Knowledge | None = None
    device: str = "auto"


def build(
    recipe: Recipe, scenes: int, image_side: int, visual: Path | None, audio: Path | None, events: int | None = None
) -> AudiovisualNet:
    """Build N_v+a and fill in the pre-trained weights.

    Args:
        recipe: names the backbones and the event head.
        scenes: outputs of the scene head.
        image_side: pixels.
        visual: safetensors file of N_v(0), or None to start at random.
        audio: the same of N_a(0), whose classifier is the event head on N_a. A recipe that starts at random uses of
            it what is never trained: mn04's first blocks.
        events: of the teacher, the outputs of new event heads; None for as many as N_a(0) has.
    """
    backbones = []
    for name, weights, classes in ((recipe.visual, visual, 1), (recipe.audio, audio, events or 1)):
        state = load_file(weights) if weights else {}
        backbone = BACKBONES[name](len(state["fc.bias"]) if state else classes)
        if state:
            fixed = {key: value for key, value in state.items() if key.startswith("early.")}
            backbone.load_state_dict(state if recipe.pretrained else fixed, strict=recipe.pretrained)
        for layer in backbone.modules():
            if isinstance(layer, nn.BatchNorm2d) and not recipe.pretrained:
                layer.momentum = 0.1  # from nothing, mn04's own 0.01 takes more steps than there are
        backbones.append(backbone)
    _, heard = backbones
    if recipe.new_event_head:
        heard.fc = nn.Linear(heard.features, events or heard.fc.out_features)
    return AudiovisualNet(*backbones, scenes, image_side, recipe.senses, recipe.events_on, events)


def objective(
    recipe: Recipe, knowledge: Knowledge | None, device: torch.device | str = "cpu"
) -> Callable[[Outputs, Batch], Tensor]:
    """Return the loss of a recipe: L_s, L_s + αL_Ω, or L_Ω alone.

    Args:
        recipe: names L_Ω, α, β and how events are reduced.
        knowledge: posteriors and event relevance; needed where something is transferred.
        device: where the outputs will be.
    """
    if recipe.transfer is None:
        return lambda outputs, batch: scene_loss(outputs.scenes, batch.target)
    transfer = TRANSFERS[recipe.transfer]
    scenes = (torch.tensor(x, device=device) for x in (knowledge.posteriors, knowledge.relevance))
    known = Known(*scenes, recipe.beta, recipe.preset)

    def loss(outputs: Outputs, batch: Batch) -> Tensor:
        if not recipe.supervised:
            return transfer(outputs, batch, known)
        scene = scene_loss(outputs.scenes, batch.target)
        return total_loss(scene, transfer(outputs, batch, known), recipe.alpha)

    return loss


def train_recogniser(
    recipe: Recipe, given: Given, seed: int, folder: Path
) -> tuple[AudiovisualNet, Fabric, list[dict]]:
    """Train one recogniser on the training split and select its epoch on the validation split.

    Args:
        recipe: what to train.
        given: what to train it with.
        seed: of initialisation, order and jitter.
        folder: state and weights are kept here.

    Returns:
        The network with the weights of its best epoch, its Fabric, and the history of the epochs.
    """
    fabric = start(given.device, recipe.schedule.precision, together=True)
    torch.manual_seed(seed)
    events = len(given.knowledge.events) if given.knowledge else None
    model = build(recipe, given.scenes, given.inputs.images.shape[1], given.visual, given.audio, events)
    inputs = without_sense(recipe.senses, given.inputs)
    if given.knowledge:
        inputs = replace(inputs, events=given.knowledge.pre_activations)
    of_outputs = objective(recipe, given.knowledge, fabric.device)
    rows, fed = given.splits["validation"], on_device(inputs, fabric.device)
    truth = inputs.targets[rows]

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        return of_outputs(model(batch.image, batch.log_mel), batch)

    def validate(model: nn.Module) -> float:
        return weighted_scores(truth, scene_probabilities(recipe, fabric, model, fed, rows).argmax(1))["fscore"]

    label = f"{recipe.senses} {recipe.transfer or 'Ls'} seed {seed}"
    history = fit(fabric, model, fed, given.splits["train"], loss, validate, recipe.schedule, seed, folder, label)
    return model, fabric, history


def scene_probabilities(recipe: Recipe, fabric: Fabric, model: nn.Module, inputs: Fed, rows: np.ndarray) -> np.ndarray:
    """Return z(f_s(x)) of some rows, (rows, scenes), jittered where the recipe's preset says so."""

    def read(model: nn.Module, batch: Batch) -> Tensor:
        return model(batch.image, batch.log_mel).scenes.float().softmax(dim=1)

    return predictions(fabric, model, inputs, rows, read, recipe.preset.augmented == "all")


def without_sense(senses: str, inputs: Inputs) -> Inputs:
    """Return the inputs without the sense that a unimodal network does not get."""
    return replace(
        inputs,
        images=inputs.images if "image" in senses else None,
        log_mels=inputs.log_mels if "sound" in senses else None,
    )
