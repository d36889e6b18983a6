"""The authors' own pre-trained networks, read as they are: N_a(0) of AudioSet and N_v(0) of AID.

Zenodo record 4082894 has ``audioset_audio_pretrain.pt``, a ResNet-50 with a one-channel stem of stride 1 and 527
outputs, and ``AID_visual_pretrain.pt``, a ResNet-101 with 30. Licence unknown: see the record. No checksum of
either file is printed anywhere: ``advance download weights official`` asks the record for them.

The networks expect the inputs of the authors' code, and get them with `sources.Sources`: the audio network was
trained on log-mel spectrograms with the front end `FRONT_END`, the visual one on raw colours from 0 to 255.

Only tensors are read, never code. Files saved through ``DataParallel`` fit, and files with an optimiser beside the
weights. Files older than PyTorch 0.4.1 lack batch norm's ``num_batches_tracked``; these counters start at zero,
since a batch norm with a fixed momentum does not use them.

Chapter: What the paper says, what its code does.
"""

import math
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from advance_lib.cache import UserError, digest, entry, file_digest, written_whole
from advance_lib.data.features import FrontEnd
from advance_lib.models.audioset import event_names
from advance_lib.models.audiovisual import BACKBONES

RECORD = "https://zenodo.org/record/4082894"
AUDIO, VISUAL = "resnet50 audio", "resnet101"  # in `models.BACKBONES`
AID_CATEGORIES = 30
FRONT_END = FrontEnd(n_fft=4096, power=1.0, top_db=80.0)  # CVS_dataset.py:18,21
WRAPPERS = ("model", "state_dict")
PARALLEL = "module."  # what DataParallel puts before every name


@dataclass(frozen=True)
class Pretrained:
    """A pre-trained network on disk.

    Attributes:
        weights: safetensors file with torchvision's key names.
        classes: names of its outputs, in order.
        score: on what was held out, in percent: mean average precision over events, or accuracy.
        key: hash of all that made it.
    """

    weights: Path
    classes: tuple[str, ...]
    score: float
    key: str


def _existing(path: Path | str) -> Path:
    path = Path(path).expanduser()
    if not path.is_file():
        raise UserError(f"{path}: no such file; the authors' checkpoints are at {RECORD}")
    return path


def _loaded(path: Path) -> object:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # hints for whoever wrote the file
            return torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # a damaged file may raise anything
        if code := re.search(r"GLOBAL (\S+)", str(error)):
            raise UserError(
                f"{path}: refused, for it asks to run '{code[1]}'; a checkpoint needs tensors alone: have its author "
                "save the network's state_dict()"
            ) from None
        raise UserError(
            f"{path}: not a PyTorch checkpoint, or only a part of one ({type(error).__name__}); nothing in it was run; "
            f"fetch it again, the authors' own from {RECORD}"
        ) from None


def _shape(value: object) -> str:
    if not isinstance(value, Tensor):
        return type(value).__name__
    return "×".join(map(str, value.shape)) or "a single number"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f", … ({len(names)} in all)" if len(names) > 3 else "")


def fitted(found: Mapping[str, Tensor], backbone: str, classes: int | None, where: Path | str) -> dict[str, Tensor]:
    """Return weights that a backbone loads strictly: every name there, none besides, each of its shape.

    Args:
        found: weights under torchvision's names.
        backbone: its name in `models.BACKBONES`.
        classes: outputs of its classifier; None takes as many as the weights have.
        where: what the message shall name as the origin.

    Raises:
        UserError: names what is missing, unknown or of another shape.
    """
    if classes is None:
        bias = found.get("fc.bias")
        classes = bias.numel() if isinstance(bias, Tensor) else 1
    with torch.device("meta"):  # shapes only
        expected = BACKBONES[backbone](classes).state_dict()
    counters = [name for name in expected if name.endswith("num_batches_tracked")]
    found = {name: torch.tensor(0) for name in counters} | dict(found)
    problems = {
        "missing": [name for name in expected if name not in found],
        "unknown": [str(name) for name in found if name not in expected],
        "of another shape": [
            f"{name} ({_shape(found[name])}, expected {_shape(expected[name])})"
            for name in expected
            if name in found and _shape(found[name]) != _shape(expected[name])
        ],
    }
    if any(problems.values()):
        listed = "; ".join(f"{problem}: {_some(names)}" for problem, names in problems.items() if names)
        raise UserError(f"{where}: not the weights of '{backbone}' under torchvision's names, as expected; {listed}")
    # Copies: safetensors refuses tensors that share memory.
    return {
        name: found[name].detach().to(wanted.dtype, copy=True, memory_format=torch.contiguous_format)
        for name, wanted in expected.items()
    }


def read_official(path: Path | str, backbone: str, classes: int | None = None) -> dict[str, Tensor]:
    """Read a checkpoint as the authors saved theirs, without running anything that the file may ask for.

    Args:
        path: a file of ``torch.save``, old or new: weights under torchvision's names, bare or under ``model`` or
            ``state_dict``, with ``module.`` before every name or without.
        backbone: the network's name in `models.BACKBONES`.
        classes: outputs of its classifier; None takes as many as the file has.

    Returns:
        Weights for the backbone's ``load_state_dict``, on the CPU.

    Raises:
        UserError: no such file, no checkpoint, a damaged one, one that wants code to be run, or the weights of
            another network; the message names what differs.
    """
    path = _existing(path)
    found = _loaded(path)
    for wrapper in WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(wrapper), Mapping):
            found = found[wrapper]
    if not isinstance(found, Mapping):
        raise UserError(f"{path}: it holds a {type(found).__name__}, expected is a dictionary of weights")
    if all(str(name).startswith(PARALLEL) for name in found):
        found = {name.removeprefix(PARALLEL): value for name, value in found.items()}
    return fitted(found, backbone, classes, path)


def kept(
    weights: Callable[[], Mapping[str, Tensor]], classes: Sequence[str], key: str, score: float = math.nan
) -> Pretrained:
    """Return a network that others have trained, as the library's own are kept.

    Args:
        weights: returns what `fitted` returns; called where the cache does not have the network yet.
        classes: names of the network's outputs.
        key: hash of all that made it.
        score: in percent, as its authors measured it; not a number where that is unknown.
    """

    def make(folder: Path) -> None:
        with written_whole(folder / "network.safetensors") as partial:
            save_file(dict(weights()), partial)

    return Pretrained(entry("pretrained", f"theirs-{key}", make) / "network.safetensors", tuple(classes), score, key)


def _kept_file(path: Path | str, backbone: str, classes: Sequence[str]) -> Pretrained:
    path = _existing(path)
    key = digest("official", backbone, list(classes), file_digest(path))
    return kept(lambda: read_official(path, backbone, len(classes)), classes, key)


def official_audio(path: Path | str) -> Pretrained:
    """Return the authors' N_a(0), pre-trained on AudioSet (section 5.1).

    Its outputs are in AudioSet's own order: in that order the posteriors that the authors published say waves
    at the beach and trains on the bridge. Its score is not known, so not a number.

    Args:
        path: ``audioset_audio_pretrain.pt``, or a checkpoint of the same network.

    Raises:
        UserError: as for `read_official`.
    """
    return _kept_file(path, AUDIO, event_names())


def official_visual(path: Path | str) -> Pretrained:
    """Return the authors' N_v(0), pre-trained on AID (section 5.1).

    Its outputs are numbered, ``AID 0`` to ``AID 29``: they are in the order of a directory listing on the
    authors' machine, which is not published. Its score is not known, so not a number.

    Args:
        path: ``AID_visual_pretrain.pt``, or a checkpoint of the same network.

    Raises:
        UserError: as for `read_official`.
    """
    return _kept_file(path, VISUAL, [f"AID {index}" for index in range(AID_CATEGORIES)])
