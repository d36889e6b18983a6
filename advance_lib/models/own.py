"""A network of one's own, named by the Python file and the function that make it: ``my_net.py:transformer``.

The function takes a number of classes and returns a ``torch.nn.Module`` with

- ``features``: the length of its representation;
- ``represent(x)``: (batch, features), of (batch, 3, side, side) photographs or (batch, 1, T, F) spectrograms;
- ``fc``: a linear layer from ``features`` to the classes, and ``forward(x) = fc(represent(x))``;
- ``sound_shape``: (1, T, F), of a network that hears;
- ``feature_map(x)``: (batch, channels, rows, columns), if its evidence is to be mapped.

It is pre-trained on the rendered sets, as the library's own is. A function with an attribute ``classes``, a list of
names, returns a network with weights of its own for these, which is N_v(0) or N_a(0) as it is.

Chapter: Use it on your own data.
"""

from __future__ import annotations

import hashlib
import json
import math
import runpy
from functools import cache
from pathlib import Path

from advance_lib.cache import UserError, digest, entry, syntax_digest, written_whole
from advance_lib.models.pretrained import Hearing, Pretrained

NEEDED = ("features", "represent", "fc")


def is_own(name: str | None) -> bool:
    """Return whether a network's name is that of a file and a function."""
    return ".py:" in (name or "")


def require_own(name: str) -> None:
    """Refuse a file that is not there.

    Raises:
        UserError: names it.
    """
    file, _, function = name.rpartition(":")
    if not Path(file).expanduser().is_file() or not function.isidentifier():
        raise UserError(f"{name}: no such file; a network of your own is FILE.py:FUNCTION")


def own_network(name: str) -> str:
    """Run a file, put the network that its function makes among `BACKBONES`, and return its name there.

    The name ends in a key of the file's code, so that an edited network is another one.

    Args:
        name: such as ``"my_net.py:transformer"``.

    Raises:
        UserError: no such file or function, the file ends in an error, or the network lacks a part.
    """
    require_own(name)
    file = Path(name.rpartition(":")[0]).expanduser()
    return _registered(name, file, file.read_text(encoding="utf-8"))


@cache
def _registered(name: str, file: Path, source: str) -> str:
    from advance_lib.models.audiovisual import BACKBONES

    function = name.rpartition(":")[2]
    try:
        make = runpy.run_path(str(file), run_name="__main__").get(function)
        key = syntax_digest(source)[:8]
    except Exception as error:
        raise UserError(f"{file}: ends in an error ({type(error).__name__}: {error}); run it by itself") from error
    if not callable(make):
        raise UserError(f"{file}: has no function '{function}'")
    missing = [part for part in NEEDED if not hasattr(make(len(getattr(make, "classes", "ab"))), part)]
    if missing:
        raise UserError(f"{name}: the network lacks {', '.join(missing)}; models/own.py says what one needs")
    BACKBONES[registered := f"{name} {key}"] = make
    return registered


@cache
def own_pretrained(backbone: str, hearing: Hearing | None = None) -> Pretrained | None:
    """Return a network of one's own with the weights that it brings; None where it brings none.

    Args:
        backbone: its name in `BACKBONES`, as `own_network` returns it.
        hearing: how it hears; None for a visual network.
    """
    from safetensors.torch import save

    from advance_lib.models.audiovisual import BACKBONES

    make = BACKBONES[backbone]
    if (classes := getattr(make, "classes", None)) is None:
        return None
    content = save({name: tensor.contiguous() for name, tensor in make(len(classes)).state_dict().items()})
    key = digest("own", backbone, list(classes), hashlib.sha256(content).hexdigest())

    def write(folder: Path) -> None:
        with written_whole(folder / "network.safetensors") as partial:
            partial.write_bytes(content)

    weights = entry("pretrained", f"own-{key}", write) / "network.safetensors"
    return Pretrained(weights, tuple(classes), math.nan, key, backbone, hearing)


def register_own(checkpoint: Path) -> None:
    """Put the networks of one's own that a checkpoint was trained with among `BACKBONES`, from the files that it names.

    Raises:
        UserError: a file is not there, or makes another network today.
    """
    from safetensors import safe_open

    try:
        with safe_open(checkpoint, "pt") as file:
            recipe = json.loads(file.metadata()["config"])["recipe"]
    except Exception:  # no checkpoint, as whoever loads it will say
        return
    for name in filter(is_own, (recipe["visual"], recipe["audio"])):
        text, _, key = name.rpartition(" ")
        if own_network(text) != name:
            raise UserError(f"{text}: has been edited since {checkpoint} was trained with it (its key was {key})")
