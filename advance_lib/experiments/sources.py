"""Where the pre-trained networks come from: N_v(0), N_a(0), and the network whose knowledge is transferred.

Chapter: Real photographs, real recordings.
"""

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import pandas as pd

from advance_lib.cache import UserError
from advance_lib.experiments.profiles import Profile
from advance_lib.miniature.world import render_aerial_set, render_event_set
from advance_lib.models.pretrained import THEIRS_AUDIO, THEIRS_VISUAL, Ears, Pretrained, Spectrograms
from advance_lib.training.loop import Schedule
from advance_lib.transfer.presets import PAPER, Preset
from advance_lib.transfer.pretraining import pretrain_audio, pretrain_visual

VISUAL, AUDIO = ("rendered", *THEIRS_VISUAL), ("rendered", *THEIRS_AUDIO)


@dataclass(frozen=True)
class Sources:
    """Which pre-trained networks a run starts from, and which one teaches it.

    Attributes:
        visual: N_v(0): ``"rendered"``, trained on the miniature's aerial pictures; ``"official"``, the authors' of
            AID; ``"imagenet"``, torchvision's.
        audio: N_a(0) that is fine-tuned: ``"rendered"``, trained on the miniature's event clips; ``"official"``, the
            authors' of AudioSet; ``"mn04"``, EfficientAT's of AudioSet, whose first blocks stay as they are.
        teacher: the network whose soft responses are transferred, named as for ``audio``; None is N_a(0) itself.

    Raises:
        UserError: no such source.
    """

    visual: str = "rendered"
    audio: str = "rendered"
    teacher: str | None = None

    def __post_init__(self):
        for name, known in (("visual", VISUAL), ("audio", AUDIO), ("teacher", (None, *AUDIO))):
            if getattr(self, name) not in known:
                choices = ", ".join(filter(None, known))
                raise UserError(f"no {name} network '{getattr(self, name)}'; choose one of {choices}")

    @property
    def teaching(self) -> str:
        """The source of the teacher."""
        return self.teacher or self.audio

    @property
    def new_event_head(self) -> bool:
        """Whether the student is not the teacher's own network, so that |Na needs a new event head."""
        return self.teaching != self.audio

    def visual_backbone(self, profile: Profile) -> str:
        """The name of N_v in `models.BACKBONES`."""
        return profile.visual if self.visual == "rendered" else THEIRS_VISUAL[self.visual].backbone

    def audio_backbone(self, profile: Profile) -> str:
        """The name of N_a in `models.BACKBONES`."""
        return profile.audio if self.audio == "rendered" else THEIRS_AUDIO[self.audio].backbone

    def raw_colours(self, preset: Preset) -> bool:
        """Whether photographs keep their colours from 0 to 255, as the authors' network expects them."""
        theirs = self.visual != "rendered" and THEIRS_VISUAL[self.visual].raw_colours
        return theirs or preset.image_scale == "raw"

    def ears(self, preset: Preset) -> Ears:
        """How the audio network hears a recording; the preset's front end is for the library's own."""
        return Spectrograms(preset.front_end) if self.audio == "rendered" else THEIRS_AUDIO[self.audio].ears


RENDERED = Sources()


class Networks(NamedTuple):
    """The pre-trained networks of a run; None where it needs none.

    Attributes:
        visual: N_v(0).
        audio: N_a(0), which is fine-tuned.
        teacher: N_a(0), whose soft responses are transferred.
    """

    visual: Pretrained | None = None
    audio: Pretrained | None = None
    teacher: Pretrained | None = None


def _schedule(profile: Profile) -> Schedule:
    return Schedule(
        profile.pretrain_epochs,
        profile.batch_size,
        profile.pretrain_learning_rate,
        profile.weight_decay,
        "cosine",
        profile.precision,
        compiled=profile.compiled,
    )


def render_pretraining_sets(profile: Profile) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the miniature's AID and its AudioSet, rendering them where they are missing."""
    return render_aerial_set(profile.aerial_pictures, profile.image_side), render_event_set(profile.event_clips)


@cache
def pretrained_visual(
    profile: Profile, device: str = "auto", preset: Preset = PAPER, sources: Sources = RENDERED
) -> Pretrained:
    """Return N_v(0), trained where it is the library's own and missing.

    Args:
        profile: sizes of the rendered set, network and schedule.
        device: ``"cpu"``, ``"cuda"`` or ``"auto"``.
        preset: its scale of the colours.
        sources: its field ``visual`` says which network.

    Raises:
        UserError: weights of others are not there or cannot be used.
    """
    if sources.visual != "rendered":
        return THEIRS_VISUAL[sources.visual].get()
    pictures = render_aerial_set(profile.aerial_pictures, profile.image_side)
    raw_colours = sources.raw_colours(preset)
    return pretrain_visual(pictures, profile.image_side, profile.visual, _schedule(profile), device, raw_colours)


@cache
def pretrained_audio(
    profile: Profile, device: str = "auto", preset: Preset = PAPER, sources: Sources = RENDERED
) -> Pretrained:
    """Return N_a(0), trained where it is the library's own and missing.

    Args:
        profile: sizes of the rendered set, network and schedule.
        device: ``"cpu"``, ``"cuda"`` or ``"auto"``.
        preset: its front end.
        sources: its field ``audio`` says which network.

    Raises:
        UserError: weights of others are not there or cannot be used.
    """
    if sources.audio != "rendered":
        return THEIRS_AUDIO[sources.audio].get()
    clips = render_event_set(profile.event_clips)
    return pretrain_audio(clips, profile.audio, _schedule(profile), device, preset.front_end)
