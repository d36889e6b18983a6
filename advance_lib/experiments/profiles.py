"""Profiles: how large everything is. `smoke` for continuous integration, `mini` for a laptop, `paper` for a GPU.

A profile says nothing about which data is used: that is the separate choice ``dataset``.
"""

from dataclasses import dataclass, replace

from advance_lib.cache import UserError
from advance_lib.training.schedule import Schedule


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
        visual: name of the visual backbone in `audiovisual.BACKBONES`.
        audio: name of the audio backbone there.
        training: of the recognisers; a preset may change its learning rate, its order and what it keeps.
        pretraining: of N_v(0) and N_a(0).
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
    training: Schedule
    pretraining: Schedule
    seeds: tuple[int, ...]


# Learning rate and epochs: chosen on validation of other worlds, see results/schedules-miniature.json.
MINI = Profile(
    name="mini",
    pairs=1014,
    render_side=256,
    event_clips=3200,
    aerial_pictures=1600,
    image_side=80,
    visual="narrow visual",
    audio="narrow audio",
    training=Schedule(epochs=16, batch_size=32, learning_rate=1e-3, decay="cosine", patience=6, precision="bf16-mixed"),
    pretraining=Schedule(epochs=10, batch_size=32, learning_rate=3e-3, decay="cosine", precision="bf16-mixed"),
    seeds=(0, 1, 2),
)
SMOKE = replace(
    MINI,
    name="smoke",
    pairs=150,
    render_side=96,
    event_clips=120,
    aerial_pictures=120,
    image_side=64,
    training=replace(MINI.training, epochs=2, batch_size=32, learning_rate=1e-3),
    pretraining=replace(MINI.pretraining, epochs=2, batch_size=32),
    seeds=(0, 1),
)
ON_A_GPU = {"batch_size": 64, "precision": "bf16-mixed", "compiled": True}
# Networks, side, learning rate and weight decay as in section 5.1 of the paper.
PAPER = Profile(
    name="paper",
    pairs=5075,
    render_side=512,
    event_clips=20_000,
    aerial_pictures=10_000,
    image_side=256,
    visual="resnet101",
    audio="resnet50 audio",
    training=Schedule(epochs=50, learning_rate=1e-5, patience=10, **ON_A_GPU),
    pretraining=Schedule(epochs=20, learning_rate=1e-3, decay="cosine", **ON_A_GPU),
    seeds=(0, 1, 2, 3, 4),
)
PROFILES = {profile.name: profile for profile in (SMOKE, MINI, PAPER)}


def get_profile(name: str) -> Profile:
    """Return a profile by name.

    Raises:
        UserError: there is no such profile.
    """
    if name not in PROFILES:
        raise UserError(f"no profile '{name}'; choose one of {', '.join(PROFILES)}")
    return PROFILES[name]
