"""Profiles: how large everything is. `smoke` for continuous integration, `mini` for a laptop, `paper` for a GPU.

A profile says nothing about which data is used: that is the separate choice ``dataset``.
"""

from dataclasses import dataclass

from advance_lib.cache import UserError


@dataclass(frozen=True)
class Profile:
    """Sizes of the rendered data, the networks and the training.

    Attributes:
        name: what to ask for.
        pairs: pairs of the rendered miniature; its exam set has as many.
        render_side: side of its photographs in pixels.
        event_clips: clips of the rendered event set that pre-trains the audio network.
        aerial_pictures: pictures of the rendered aerial set that pre-trains the visual network.
        image_side: side of the network's input photographs in pixels.
        visual: name of the visual backbone in `models.BACKBONES`.
        audio: name of the audio backbone there.
        epochs: passes over the training split.
        batch_size: pairs a step.
        learning_rate: Adam's, constant.
        weight_decay: Adam's (section 5.1: 1e-4).
        pretrain_epochs: passes over the pre-training sets.
        pretrain_learning_rate: Adam's, falling to zero along a cosine.
        patience: epochs without a better validation score after which a training ends; None to go on to the last.
        precision: Lightning Fabric's name of the arithmetic on a GPU; a CPU always computes in float32.
        compiled: let torch.compile fuse the networks' operations on a GPU.
        seeds: training seeds when none are given.
    """

    name: str
    pairs: int
    render_side: int
    event_clips: int
    aerial_pictures: int
    image_side: int
    visual: str
    audio: str
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    pretrain_epochs: int
    pretrain_learning_rate: float
    patience: int | None
    precision: str
    compiled: bool
    seeds: tuple[int, ...]


PROFILES = {
    profile.name: profile
    for profile in (
        Profile(
            name="smoke",
            pairs=150,
            render_side=96,
            event_clips=120,
            aerial_pictures=120,
            image_side=64,
            visual="narrow visual",
            audio="narrow audio",
            epochs=2,
            batch_size=32,
            learning_rate=1e-3,
            weight_decay=1e-4,
            pretrain_epochs=2,
            pretrain_learning_rate=3e-3,
            patience=None,
            precision="32-true",
            compiled=False,
            seeds=(0, 1),
        ),
        # Epochs, batch size and learning rate: chosen on validation, see results/mini-schedule.json.
        Profile(
            name="mini",
            pairs=1014,
            render_side=256,
            event_clips=1600,
            aerial_pictures=1600,
            image_side=96,
            visual="narrow visual",
            audio="narrow audio",
            epochs=8,
            batch_size=16,
            learning_rate=5e-4,
            weight_decay=1e-4,
            pretrain_epochs=10,
            pretrain_learning_rate=3e-3,
            patience=None,
            precision="32-true",
            compiled=False,
            seeds=(0, 1, 2),
        ),
        # Networks, side, learning rate and weight decay as in section 5.1 of the paper.
        Profile(
            name="paper",
            pairs=5075,
            render_side=512,
            event_clips=20_000,
            aerial_pictures=10_000,
            image_side=256,
            visual="resnet101",
            audio="resnet50 audio",
            epochs=50,
            batch_size=64,
            learning_rate=1e-5,
            weight_decay=1e-4,
            pretrain_epochs=20,
            pretrain_learning_rate=1e-3,
            patience=10,
            precision="bf16-mixed",
            compiled=True,
            seeds=(0, 1, 2, 3, 4),
        ),
    )
}


def get_profile(name: str) -> Profile:
    """Return a profile by name.

    Raises:
        UserError: there is no such profile.
    """
    if name not in PROFILES:
        raise UserError(f"no profile '{name}'; choose one of {', '.join(PROFILES)}")
    return PROFILES[name]
