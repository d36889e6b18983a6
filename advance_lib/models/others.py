"""Networks that others trained, by name: what each needs on the disk, what it expects, and how it is opened.

Chapters: Hearing, Seeing, Real photographs, real recordings.
"""

from collections.abc import Callable
from dataclasses import dataclass

from advance_lib.data.features import FrontEnd
from advance_lib.models.imagenet import imagenet_visual
from advance_lib.models.mn04 import EarlyMaps, mn04_audio
from advance_lib.models.pretrained import FRONT_END, Pretrained, official_audio, official_visual
from advance_lib.models.weights import weights_file


@dataclass(frozen=True)
class Other:
    """A network that somebody else trained.

    Attributes:
        open: reads it; raises a `UserError` where it is not there or cannot be used.
        backbone: its name in `audiovisual.BACKBONES`.
        weights: which of `weights.WEIGHTS` it needs; None where another library keeps them.
        raw_colours: it expects photographs with colours from 0 to 255.
        front_end: how it hears a clip; None as the preset says.
        keeps_first_blocks: they are never trained, not even when the rest starts at random.
    """

    open: Callable[[], Pretrained]
    backbone: str
    weights: str | None = None
    raw_colours: bool = False
    front_end: FrontEnd | EarlyMaps | None = None
    keeps_first_blocks: bool = False


VISUAL = {
    "official": Other(lambda: official_visual(weights_file("AID")), "resnet101", "AID", raw_colours=True),
    "imagenet": Other(imagenet_visual, "resnet101"),
}
AUDIO = {
    "official": Other(
        lambda: official_audio(weights_file("AudioSet")), "resnet50 audio", "AudioSet", front_end=FRONT_END
    ),
    "mn04": Other(
        lambda: mn04_audio(weights_file("mn04")), "mn04", "mn04", front_end=EarlyMaps(), keeps_first_blocks=True
    ),
}
