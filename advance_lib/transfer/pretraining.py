"""N_v(0) and N_a(0): the miniature's stand-ins for networks pre-trained on AID and on AudioSet (section 4.1).

The audio network learns to name sound events (multi-label, sigmoid), the visual network to name aerial
categories (softmax). One clip or picture in ten is held out to select the epoch.

Here they are found; only one that is missing needs PyTorch, and `one_pretraining`.

Chapters: Hearing, Seeing.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from advance_lib.cache import code_digest, digest, entry
from advance_lib.data.features import PAPER_FRONT_END, FrontEnd, image_array
from advance_lib.models.pretrained import Hearing, Pretrained, Spectrograms
from advance_lib.training.devices import effective_precision
from advance_lib.training.schedule import Schedule


def _pretrained(
    kind: str,
    backbone: str,
    classes: list[str],
    data_key: list[str],
    schedule: Schedule,
    device: str,
    make: Callable[[Path], None],
    hearing: Hearing | None = None,
) -> Pretrained:
    """Return a network under its key, made where it is missing."""
    arithmetic, code = effective_precision(device, schedule.precision), code_digest("advance_lib.transfer.pretraining")
    key = digest(kind, backbone, classes, data_key, asdict(schedule), arithmetic, code)
    folder = entry("pretrained", f"{kind}-{key}", make)
    score = json.loads((folder / "history.json").read_text())["score"]
    return Pretrained(folder / "network.safetensors", tuple(classes), score, key, backbone, hearing)


def pretrain_audio(
    clips: pd.DataFrame,
    backbone: str,
    schedule: Schedule,
    device: str = "auto",
    front_end: FrontEnd = PAPER_FRONT_END,
) -> Pretrained:
    """Return N_a(0), trained to name the events of clips, unless it is there already.

    Args:
        clips: columns ``sound``, ``sound_sha256``, ``events`` (names joined by ``;``).
        backbone: name in `audiovisual.BACKBONES`.
        schedule: epochs and learning rate.
        device: ``"cpu"``, ``"cuda"`` or ``"auto"``.
        front_end: how a clip becomes a spectrogram; the same as in fine-tuning.
    """
    present, hearing = clips["events"].str.get_dummies(";"), Spectrograms(front_end)
    events, presences = list(present.columns), present.to_numpy(np.float32)

    def make(folder: Path) -> None:
        from advance_lib.transfer.one_pretraining import pretrain

        sounds = hearing.arrays(clips)
        pretrain("audio", backbone, len(events), None, sounds, presences, False, schedule, device, folder)

    data_key = [*clips["sound_sha256"], *clips["events"], str(front_end)]
    return _pretrained("audio", backbone, events, data_key, schedule, device, make, hearing)


def pretrain_visual(
    pictures: pd.DataFrame,
    side: int,
    backbone: str,
    schedule: Schedule,
    device: str = "auto",
    raw_colours: bool = False,
) -> Pretrained:
    """Return N_v(0), trained to name the categories of aerial pictures, unless it is there already.

    Args:
        pictures: columns ``image``, ``image_sha256``, ``category``.
        side: of the network's input in pixels.
        backbone: name in `audiovisual.BACKBONES`.
        schedule: epochs and learning rate.
        device: ``"cpu"``, ``"cuda"`` or ``"auto"``.
        raw_colours: colours from 0 to 255; the same as in fine-tuning.
    """
    categories = sorted(set(pictures["category"]))
    targets = pictures["category"].map(categories.index).to_numpy(np.int64)

    def make(folder: Path) -> None:
        from advance_lib.transfer.one_pretraining import pretrain

        images = image_array(pictures, side)
        pretrain("visual", backbone, len(categories), images, None, targets, raw_colours, schedule, device, folder)

    data_key = [*pictures["image_sha256"], *pictures["category"], str(raw_colours)]
    return _pretrained("visual", backbone, categories, data_key, schedule, device, make)
