"""N_v, N_a and N_v+a: two networks, their features side by side, one linear layer (section 4.1).

Chapters: Seeing, Recognising with one and two senses.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.resnet import BasicBlock, Bottleneck

from advance_lib.models.efficientat import FineTuned
from advance_lib.models.resnet import ResNet

Backbone = ResNet | FineTuned

ONE_EACH = (1, 1, 1, 1)  # residual blocks of the four stages

BACKBONES: dict[str, Callable[[int], Backbone]] = {
    # 80-pixel photographs end in 10 × 10 maps, fine enough for activation maps.
    "narrow visual": lambda classes: ResNet(BasicBlock, ONE_EACH, classes, 3, (16, 32, 64, 64), (2, 1, 1, 2, 1)),
    "narrow audio": lambda classes: ResNet(BasicBlock, ONE_EACH, classes, 1, (16, 32, 64, 128), (2, 2, 2, 2, 1)),
    # Section 5.1; the audio stem's stride of 1 is that of the released checkpoint (official-code: resnet-audio).
    "resnet101": lambda classes: ResNet(Bottleneck, (3, 4, 23, 3), classes),
    "resnet50 audio": lambda classes: ResNet(Bottleneck, (3, 4, 6, 3), classes, channels=1, strides=(1, 1, 2, 2, 2)),
    # Not the paper's: small, and trained on AudioSet by others.
    "mn04": FineTuned,
}


class Outputs(NamedTuple):
    """What N_v+a gives for a batch.

    Attributes:
        scenes: f_s(x, N_v+a), (batch, scenes), before softmax.
        visual: N_v(v), (batch, visual features).
        audio: N_a(a), (batch, audio features).
        events: f_e, (batch, events), before the sigmoid, or None for a network without an event head.
        seen: W_v N_v(v), (batch, scenes): f_s = W_v N_v(v) + W_a N_a(a) + b, since the scene head is linear.
        heard: W_a N_a(a), (batch, scenes).
        bias: b, (scenes,).
    """

    scenes: Tensor
    visual: Tensor
    audio: Tensor
    events: Tensor | None
    seen: Tensor
    heard: Tensor
    bias: Tensor


class AudiovisualNet(nn.Module):
    """N_v+a: the representations of both networks, concatenated, and one linear layer for scenes.

    Events are recognised by the classifier of the audio network, f_e(a, N_a) (section 4.2), or by a new linear
    layer on the concatenation, f_e(x, N_v+a) (section 4.3).

    A unimodal network is the same network with the other input set to zero (section 5.2, Table 2): pass None for
    it. Its branch is evaluated once for the whole batch, since all samples are alike there, and its batch norm uses
    the running statistics even in training: those of a batch of zeros have no variance, and chasing them would give
    training and test a different constant.

    Args:
        visual: N_v.
        audio: N_a.
        scenes: number of scenes.
        image_side: side of the photographs in pixels, the shape of a zero image.
        senses: ``"image"``, ``"sound"`` or ``"image+sound"``: what it will be given.
        events_on: ``"Na"``, ``"Nv+a"``, or None for no events.
        events: outputs of the event head on the concatenation; None for as many as the classifier of N_a has.
    """

    def __init__(
        self,
        visual: ResNet,
        audio: Backbone,
        scenes: int,
        image_side: int,
        senses: str = "image+sound",
        events_on: str | None = None,
        events: int | None = None,
    ):
        super().__init__()
        self.visual = visual
        self.audio = audio
        self.scene_head = nn.Linear(visual.features + audio.features, scenes)
        self.silent = [network for name, network in (("image", visual), ("sound", audio)) if name not in senses]
        self.events_on = events_on
        if events_on == "Nv+a":
            self.event_head = nn.Linear(visual.features + audio.features, events or audio.fc.out_features)
        self.register_buffer("no_image", torch.zeros(1, 3, image_side, image_side), persistent=False)
        self.register_buffer("no_sound", torch.zeros(1, *audio.sound_shape), persistent=False)

    def train(self, mode: bool = True) -> "AudiovisualNet":
        """Set training or evaluation mode; a branch without input stays in evaluation mode."""
        super().train(mode)
        for network in self.silent:
            network.eval()
        return self

    def forward(self, image: Tensor | None, log_mel: Tensor | None) -> Outputs:
        """Return scene outputs, both representations, and event outputs where there is a head for them.

        Args:
            image: (batch, 3, side, side) normalised, or None for zeros.
            log_mel: (batch, 1, T, F) normalised, or what else N_a takes, or None for zeros.
        """
        visual = self.visual.represent(self.no_image if image is None else image)
        audio = self.audio.represent(self.no_sound if log_mel is None else log_mel)
        batch = max(len(visual), len(audio))
        visual, audio = visual.expand(batch, -1), audio.expand(batch, -1)
        joint = torch.cat([visual, audio], dim=1)
        events = None
        if self.events_on:
            events = self.audio.fc(audio) if self.events_on == "Na" else self.event_head(joint)
        weights = self.scene_head.weight.split([visual.shape[1], audio.shape[1]], dim=1)
        seen, heard = (functional.linear(x, weight) for x, weight in zip((visual, audio), weights, strict=True))
        return Outputs(self.scene_head(joint), visual, audio, events, seen, heard, self.scene_head.bias)
