"""What one run of a recogniser is: its recipe, its network, its objective.

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
from advance_lib.training.devices import start
from advance_lib.training.feeding import Fed, on_device
from advance_lib.training.inputs import Batch, Inputs
from advance_lib.training.loop import Schedule, fit, predictions
from advance_lib.training.metrics import weighted_scores
from advance_lib.transfer import objectives
from advance_lib.transfer.knowledge import Knowledge
from advance_lib.transfer.presets import PAPER, Preset


@dataclass(frozen=True)
class Recipe:
    """Everything that makes a recogniser, but for its data and its seed.

    Attributes:
        senses: ``"image"``, ``"sound"`` or ``"image+sound"``; the missing one is set to zero.
        visual: name of N_v in `models.BACKBONES`.
        audio: name of N_a there.
        schedule: epochs and learning rate.
        pretrained: start from the pre-trained networks; False is the paper's †.
        new_event_head: a transfer on N_a gets a new linear layer for events instead of the classifier of N_a(0); so it
            must where the teacher is another network.
        transfer: L_Ω: ``"KL|Na"``, ``"SQ|Na"``, ``"KL|Nv+a"``, ``"SQ|Nv+a"``, ``"E1"``, ``"E"``, or None.
        supervised: L = L_s + αL_Ω; False leaves L = L_Ω, as in Table 3.
        alpha: α, the weight of the transfer.
        beta: β, the weight of L_E2 within L_E.
        preset: the choices in which paper and code differ.
    """

    senses: str
    visual: str
    audio: str
    schedule: Schedule
    pretrained: bool = True
    new_event_head: bool = False
    transfer: str | None = None
    supervised: bool = True
    alpha: float = 0.1
    beta: float = 0.001
    preset: Preset = PAPER

    @property
    def events_on(self) -> str | None:
        """The representation that carries the event head: ``"Na"``, ``"Nv+a"``, or None."""
        return self.transfer.split("|")[1] if self.transfer and "|" in self.transfer else None


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
        knowledge: posteriors and event relevance; needed by L_E1 and L_E alone.
        device: where the outputs will be.
    """
    preset = recipe.preset
    if recipe.transfer in ("E1", "E"):
        p, d = (torch.tensor(x, device=device) for x in (knowledge.posteriors, knowledge.relevance))

    def transfer(outputs: Outputs, batch: Batch) -> Tensor:
        teacher = batch.events
        match recipe.transfer:
            case "KL|Na":
                return objectives.kl_na(outputs.events, teacher, preset.event_reduction)
            case "KL|Nv+a":
                return objectives.kl_nva(outputs.events, teacher, preset.event_reduction)
            case "SQ|Na" | "SQ|Nv+a":
                drawn_to = teacher.sigmoid() if preset.sq_target == "probabilities" else teacher
                squares = objectives.sq_na if recipe.transfer == "SQ|Na" else objectives.sq_nva
                return squares(outputs.events, drawn_to, preset.sq_reduction)
        if recipe.transfer == "E1":
            return objectives.e1(outputs.scenes, teacher, p, preset.event_reduction)
        return objectives.e(outputs.scenes, batch.target, teacher, p, d, recipe.beta, preset.event_reduction)

    def loss(outputs: Outputs, batch: Batch) -> Tensor:
        if recipe.transfer is None:
            return objectives.scene_loss(outputs.scenes, batch.target)
        if not recipe.supervised:
            return transfer(outputs, batch)
        scene = objectives.scene_loss(outputs.scenes, batch.target)
        return objectives.total_loss(scene, transfer(outputs, batch), recipe.alpha)

    return loss


def train_recogniser(
    recipe: Recipe,
    inputs: Inputs,
    knowledge: Knowledge | None,
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
        knowledge: of the sound events; None where the recipe transfers nothing.
        splits: rows of each split.
        scenes: number of scenes.
        seed: of initialisation, order and jitter.
        weights: files of N_v(0) and N_a(0), None for random initialisation.
        folder: state and weights are kept here.
        device: ``"cpu"``, ``"cuda"`` or ``"auto"``.

    Returns:
        The network with the weights of its best epoch, its Fabric, and the history of the epochs.
    """
    fabric = start(device, recipe.schedule.precision, together=True)
    torch.manual_seed(seed)
    model = build(recipe, scenes, inputs.images.shape[1], *weights, len(knowledge.events) if knowledge else None)
    inputs = seen_by(recipe.senses, inputs)
    if knowledge:
        inputs = replace(inputs, events=knowledge.pre_activations)
    of_outputs, rows, truth = objective(recipe, knowledge, fabric.device), splits["validation"], inputs.targets
    fed = on_device(inputs, fabric.device)

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        return of_outputs(model(batch.image, batch.log_mel), batch)

    def validate(model: nn.Module) -> float:
        guessed = scene_probabilities(recipe, fabric, model, fed, rows).argmax(1)
        return weighted_scores(truth[rows], guessed)["fscore"]

    label = f"{recipe.senses} {recipe.transfer or 'Ls'} seed {seed}"
    history = fit(fabric, model, fed, splits["train"], loss, validate, recipe.schedule, seed, folder, label)
    return model, fabric, history


def scene_probabilities(recipe: Recipe, fabric: Fabric, model: nn.Module, inputs: Fed, rows: np.ndarray) -> np.ndarray:
    """Return z(f_s(x)) of some rows, (rows, scenes), jittered where the recipe's preset says so."""
    augment = recipe.preset.augmented == "all"

    def read(model: nn.Module, batch: Batch) -> Tensor:
        return model(batch.image, batch.log_mel).scenes.float().softmax(dim=1)

    return predictions(fabric, model, inputs, rows, read, augment)


def seen_by(senses: str, inputs: Inputs) -> Inputs:
    """Return the inputs without the sense that a unimodal network does not get."""
    return replace(
        inputs,
        images=inputs.images if "image" in senses else None,
        log_mels=inputs.log_mels if "sound" in senses else None,
    )
