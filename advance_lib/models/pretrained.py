"""Pre-trained networks: how one is kept and how it hears, and those that others have trained.

The authors' own are read as they are. Zenodo record 4082894 has ``audioset_audio_pretrain.pt``, a ResNet-50 with a
one-channel stem of stride 1 and 527 outputs, and ``AID_visual_pretrain.pt``, a ResNet-101 with 30. Licence unknown: see
the record. No checksum of either file is printed anywhere: ``advance download weights official`` asks the record for
them. They expect the inputs of the authors' code: the audio network was trained on log-mel spectrograms with the front
end `FRONT_END`, the visual one on raw colours from 0 to 255.

EfficientAT's mn04 is N_a(0) of AudioSet, too: the maps behind its first blocks are kept, what follows them can be
fine-tuned. torchvision's network of ImageNet is for users with a connection; the paper starts from AID and has no such
network, so results with it are to be told apart from its own. ImageNet has terms of its own.

To find one that is kept needs no PyTorch; it is loaded where a network is read or opened, or where one listens.

Only tensors are read, never code. Files saved through ``DataParallel`` fit, and files with an optimiser beside the
weights, and files older than PyTorch 0.4.1, which lack batch norm's counters.

Chapters: What the paper says, what its code does; Real photographs, real recordings.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from advance_lib.cache import UserError, code_digest, code_of, digest, entry, file_digest, registered, written_whole
from advance_lib.data.features import PAPER_FRONT_END, FrontEnd, computed_rows, log_mel, log_mel_array
from advance_lib.data.media import read_clip
from advance_lib.models.audioset import event_names
from advance_lib.models.weights import REMEDY, filled, read_dictionary, weights_file

if TYPE_CHECKING:
    from torch import nn

    from advance_lib.models.audiovisual import Backbone

AUDIO, VISUAL = "resnet50 audio", "resnet101"  # the authors' networks in `BACKBONES`
AID_CATEGORIES = 30
FRONT_END = FrontEnd(n_fft=4096, power=1.0, top_db=80.0)  # CVS_dataset.py:18,21
WRAPPERS = ("model", "state_dict")
PARALLEL = "module."  # what DataParallel puts before every name
MEAN_AVERAGE_PRECISION = 43.2  # of mn04 on AudioSet's evaluation set, as its authors measured it


@dataclass(frozen=True)
class Spectrograms:
    """How most audio networks hear: log-mel spectrograms.

    Attributes:
        front_end: window, hop, bands and scale.
    """

    front_end: FrontEnd = PAPER_FRONT_END

    def hear(self, sound: Path | str) -> np.ndarray:
        """Return one recording as the network takes it, (T, F) float32 in dB, not normalised."""
        return log_mel(*read_clip(sound), self.front_end)

    def arrays(self, pairs: pd.DataFrame) -> np.ndarray:
        """Return the recordings of pairs, (pairs, T, F) float16 in dB, memory-mapped, computed where missing.

        Args:
            pairs: columns ``sound`` (path) and ``sound_sha256``.
        """
        return log_mel_array(pairs, self.front_end)


@dataclass(frozen=True)
class EarlyMaps:
    """How mn04 hears: spectrograms of its own, or the maps behind its first blocks, which are the same for good."""

    def hear(self, sound: Path | str) -> np.ndarray:
        """Return one recording as the network takes it, (1, 128, frames) float32; its first blocks do the rest."""
        from advance_lib.models import efficientat

        return efficientat.log_mel(*read_clip(sound)).numpy()

    def arrays(self, pairs: pd.DataFrame) -> np.ndarray:
        """Return the maps of pairs, (pairs, 32, 8, 63) float16, memory-mapped, computed where missing.

        Args:
            pairs: columns ``sound`` (path) and ``sound_sha256``.

        Raises:
            UserError: mn04 was not fetched.
        """
        weights = weights_file("mn04")

        @cache
        def network() -> nn.Module:  # not at all where the maps are there
            from advance_lib.models import efficientat

            return efficientat.load(weights)

        def row(path: Path) -> np.ndarray:
            import torch

            with torch.inference_mode():
                return network().early(torch.from_numpy(self.hear(path))[None])[0].half().numpy()

        settings = {"weights": file_digest(weights), "code": code_digest("advance_lib.models.efficientat")}
        return computed_rows("mn04 maps", list(pairs["sound"]), list(pairs["sound_sha256"]), settings, row)


Hearing = Spectrograms | EarlyMaps


@dataclass(frozen=True)
class Pretrained:
    """A pre-trained network on disk.

    Attributes:
        weights: safetensors file with the names of the network's own ``state_dict``.
        classes: names of its outputs, in order.
        score: on held-out data, in percent: mean average precision over events, or accuracy; not a number where it is
            not known.
        key: hash of all that made it.
        backbone: its name in `BACKBONES`.
        hearing: how it hears a recording; None for a visual network.
    """

    weights: Path
    classes: tuple[str, ...]
    score: float
    key: str
    backbone: str
    hearing: Hearing | None = None

    def open(self) -> Backbone:
        """Return the network with its weights, in evaluation mode."""
        from safetensors.torch import load_file

        from advance_lib.models.audiovisual import BACKBONES

        network = BACKBONES[self.backbone](len(self.classes))
        network.load_state_dict(load_file(self.weights))
        return network.eval()


def _kept(
    read: Callable[[], nn.Module],
    key: str,
    backbone: str,
    classes: Sequence[str],
    score: float = math.nan,
    hearing: Hearing | None = None,
) -> Pretrained:
    """Return a network that others have trained, read where the cache does not have it yet."""

    def make(folder: Path) -> None:
        from safetensors.torch import save_file

        with written_whole(folder / "network.safetensors") as partial:
            save_file(read().state_dict(), partial)

    weights = entry("pretrained", f"theirs-{key}", make) / "network.safetensors"
    return Pretrained(weights, tuple(classes), score, key, backbone, hearing)


def read_official(path: Path | str, backbone: str, classes: int | None = None) -> Backbone:
    """Read a checkpoint as the authors saved theirs, without running anything that the file may ask for.

    Args:
        path: a file of ``torch.save``, old or new: weights under torchvision's names, bare or under ``model`` or
            ``state_dict``, with ``module.`` before every name or without.
        backbone: the network's name in `BACKBONES`.
        classes: outputs of its classifier; None takes as many as the file has.

    Returns:
        The network in evaluation mode, on the CPU.

    Raises:
        UserError: no such file, no checkpoint, a damaged one, one that wants code to be run, or the weights of
            another network; the message names what differs.
    """
    import torch

    from advance_lib.models.audiovisual import BACKBONES

    path, remedy = Path(path).expanduser(), REMEDY.format("official")
    found = read_dictionary(path, remedy)
    for wrapper in WRAPPERS:
        if isinstance(found.get(wrapper), Mapping):
            found = found[wrapper]
    if all(str(name).startswith(PARALLEL) for name in found):
        found = {name.removeprefix(PARALLEL): value for name, value in found.items()}
    if classes is None:
        classes = len(found["fc.bias"]) if isinstance(found.get("fc.bias"), torch.Tensor) else 1
    return filled(BACKBONES[backbone](classes), found, path, remedy)


def official_audio(path: Path | str) -> Pretrained:
    """Return the authors' N_a(0), pre-trained on AudioSet (section 5.1).

    Its outputs are in AudioSet's own order: in that order the posteriors that the authors published say waves
    at the beach and trains on the bridge. Its score is not known, so not a number.

    Args:
        path: ``audioset_audio_pretrain.pt``, or a checkpoint of the same network.

    Raises:
        UserError: as for `read_official`.
    """
    return _official(path, AUDIO, event_names(), Spectrograms(FRONT_END))


def official_visual(path: Path | str) -> Pretrained:
    """Return the authors' N_v(0), pre-trained on AID (section 5.1).

    Its outputs are numbered, ``AID 0`` to ``AID 29``: they are in the order of a directory listing on the
    authors' machine, which is not published. Its score is not known, so not a number.

    Args:
        path: ``AID_visual_pretrain.pt``, or a checkpoint of the same network.

    Raises:
        UserError: as for `read_official`.
    """
    return _official(path, VISUAL, [f"AID {index}" for index in range(AID_CATEGORIES)])


def _official(path: Path | str, backbone: str, classes: Sequence[str], hearing: Hearing | None = None) -> Pretrained:
    path = Path(path).expanduser()
    if not path.is_file():
        raise UserError(f"{path}: no such file; {REMEDY.format('official')}")
    key = digest("official", backbone, list(classes), file_digest(path))
    return _kept(lambda: read_official(path, backbone, len(classes)), key, backbone, classes, hearing=hearing)


@cache
def mn04_audio(weights: Path) -> Pretrained:
    """Return mn04 as N_a(0), with AudioSet's 527 events.

    Args:
        weights: ``mn04_as_mAP_432.pt``.

    Raises:
        UserError: no such file, or not that network.
    """
    key = digest("mn04", file_digest(weights), code_digest("advance_lib.models.efficientat"))

    def read() -> nn.Module:
        from advance_lib.models import efficientat

        return efficientat.FineTuned.of(efficientat.load(weights))

    return _kept(read, key, "mn04", event_names(), MEAN_AVERAGE_PRECISION, EarlyMaps())


def imagenet_visual(name: str = "ResNet101_Weights.IMAGENET1K_V2") -> Pretrained:
    """Return a visual network pre-trained on ImageNet, downloaded where the cache does not have it.

    torchvision downloads a file once, compares it with the checksum in its name and keeps it. The network's score is
    the top-1 accuracy on ImageNet's validation set that torchvision states.

    Args:
        name: torchvision's, of weights for a network in `BACKBONES`.

    Raises:
        UserError: unknown weights, those of another network, or weights that cannot be downloaded.
    """
    import torch
    from torchvision.models import get_weight

    from advance_lib.models.audiovisual import BACKBONES

    try:
        weights = get_weight(name)
    except (ValueError, KeyError):
        raise UserError(f"torchvision has no weights '{name}'; a name is ResNet101_Weights.IMAGENET1K_V2") from None
    backbone = type(weights).__name__.removesuffix("_Weights").lower()
    if backbone not in BACKBONES:
        raise UserError(f"the library has no network for {name}; choose weights of torchvision's resnet101")
    classes = weights.meta["categories"]
    remedy = f"it needs a connection, or {weights.url}, whole, in {Path(torch.hub.get_dir()) / 'checkpoints'}"

    def read() -> nn.Module:
        options = {"check_hash": True, "weights_only": True, "map_location": "cpu"}
        try:
            state = weights.get_state_dict(progress=sys.stderr.isatty(), **options)
        except Exception as error:  # no connection, no disk, another checksum, a damaged file
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise UserError(f"{name} cannot be read ({reason}); {remedy}") from None
        return filled(BACKBONES[backbone](len(classes)), state, weights.url, remedy)

    key, score = digest("imagenet", backbone, weights.url), weights.meta["_metrics"]["ImageNet-1K"]["acc@1"]
    return _kept(read, key, backbone, classes, score)


def partly_fixed(backbone: str) -> bool:
    """Return whether a part of a network is never trained, so that even one that starts at random needs weights."""
    own = registered("advance_lib.models.audiovisual.BACKBONES", backbone)
    if code_of(own) is None:
        return backbone == "mn04"  # the only one of the library's
    import torch

    with torch.device("meta"):  # nothing but shapes
        return not all(parameter.requires_grad for parameter in own(1).parameters())


class Theirs(NamedTuple):
    """A network of others, and what is known of it before it is there.

    Attributes:
        backbone: its name in `BACKBONES`.
        get: returns it; raises `UserError` where its weights are not there or cannot be used.
        hearing: how it hears; None for a visual network.
        raw_colours: a visual network that expects colours from 0 to 255, not normalised.
        file: which of `weights.WEIGHTS` it needs; None where another library keeps its weights.
    """

    backbone: str
    get: Callable[[], Pretrained]
    hearing: Hearing | None = None
    raw_colours: bool = False
    file: str | None = None


THEIRS_VISUAL = {
    "official": Theirs(VISUAL, lambda: official_visual(weights_file("AID")), raw_colours=True, file="AID"),
    "imagenet": Theirs(VISUAL, imagenet_visual),
}
THEIRS_AUDIO = {
    "official": Theirs(
        AUDIO, lambda: official_audio(weights_file("AudioSet")), Spectrograms(FRONT_END), file="AudioSet"
    ),
    "mn04": Theirs("mn04", lambda: mn04_audio(weights_file("mn04")), EarlyMaps(), file="mn04"),
}
