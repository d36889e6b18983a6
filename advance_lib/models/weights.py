"""Files of weights that others have trained: fetched once, checked, and found again.

Nothing is fetched unless ``advance download weights`` asks for it. The authors' own, of Zenodo record 4082894, have
the checksums that the record's API gives; they are kept beside the files, as ``md5sum --check`` reads them.

Chapter: The knowledge of sounds.
"""

import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING

from advance_lib.cache import UserError, build_folder, written_whole
from advance_lib.data.fetching import USUAL, Patience, RemoteFile, download, is_whole, zenodo_files

if TYPE_CHECKING:
    from torch import nn

RECORD = 4082894
REMEDY = "fetch it with `advance download weights {}`"


@dataclass(frozen=True)
class Weights:
    """A file of weights.

    Attributes:
        url: its address, which ends with its name.
        sha256: its checksum; empty for a file of `RECORD`, which has an MD5.
        group: what to ask for to have it fetched.
    """

    url: str
    sha256: str
    group: str

    @property
    def path(self) -> Path:
        """Where the file is kept."""
        return weights_folder() / self.url.rpartition("/")[2]

    @property
    def md5_file(self) -> Path:
        """Where the MD5 that the record's API gave is kept."""
        return self.path.with_name(f"{self.path.name}.md5")

    @property
    def checksum(self) -> str:
        """``"sha256:…"`` or ``"md5:…"``; empty before the record was asked."""
        if self.sha256:
            return f"sha256:{self.sha256}"
        return f"md5:{self.md5_file.read_text(encoding='utf-8').split()[0]}" if self.md5_file.exists() else ""


WEIGHTS = {
    "mn04": Weights(
        "https://github.com/fschmid56/EfficientAT/releases/download/v0.0.1/mn04_as_mAP_432.pt",
        "899a8c6217063f6941793102a2780b3dd788ab11fce468d9cf5f0577c453321c",
        "mn04",
    ),
    "AudioSet": Weights(f"https://zenodo.org/records/{RECORD}/files/audioset_audio_pretrain.pt", "", "official"),
    "AID": Weights(f"https://zenodo.org/records/{RECORD}/files/AID_visual_pretrain.pt", "", "official"),
}


def weights_folder() -> Path:
    """Return where weights are kept: ``$ADVANCE_WEIGHTS``, else ``data/weights`` beside the build folder."""
    return Path(os.environ.get("ADVANCE_WEIGHTS") or build_folder().parent / "data" / "weights").expanduser().resolve()


def weights_file(name: str) -> Path:
    """Return the file of some weights that were fetched before, or put there by hand.

    Args:
        name: ``"mn04"``, ``"AudioSet"`` (the authors' N_a(0)) or ``"AID"`` (their N_v(0)).

    Raises:
        UserError: unknown, not fetched yet, or not the file that it should be.
    """
    if name not in WEIGHTS:
        raise UserError(f"no weights '{name}'; there are {', '.join(WEIGHTS)}")
    weights = WEIGHTS[name]
    remedy = REMEDY.format(weights.group)
    if not weights.path.is_file():
        raise UserError(f"{weights.path}: no such file; {remedy}")
    if weights.checksum and not is_whole(weights.path, weights.checksum):
        raise UserError(f"{weights.path}: its checksum is not that of {name}; {remedy}")
    return weights.path


def _fetch_from_record(group: list[Weights], patience: Patience) -> None:
    listed = zenodo_files(RECORD, weights_folder(), patience=patience)
    if absent := [weights.path.name for weights in group if weights.path.name not in listed]:
        raise UserError(
            f"Zenodo record {RECORD}: has no {absent[0]}, but {', '.join(listed) or 'no file at all'}; see "
            f"https://zenodo.org/records/{RECORD}"
        )
    for weights in group:
        file = listed[weights.path.name]
        download(file, weights_folder(), patience)
        with written_whole(weights.md5_file) as partial:
            partial.write_text(f"{file.checksum.removeprefix('md5:')}  {file.name}\n", encoding="utf-8")


def fetch_weights(name: str, patience: Patience = USUAL) -> list[Path]:
    """Return the files of some weights, downloaded where they are not there and whole.

    Args:
        name: ``"mn04"``, or ``"official"`` for the authors' two networks.
        patience: how long to keep asking.

    Raises:
        UserError: unknown, not to be downloaded, or of another checksum.
    """
    group = [weights for weights in WEIGHTS.values() if weights.group == name]
    if not group:
        names = dict.fromkeys(weights.group for weights in WEIGHTS.values())
        raise UserError(f"no weights '{name}' to download; there are {', '.join(names)}")
    if not all(weights.checksum and is_whole(weights.path, weights.checksum) for weights in group):
        if name == "official":
            _fetch_from_record(group, patience)
        else:
            for weights in group:
                download(RemoteFile(weights.url, weights.path.name, weights.checksum), weights_folder(), patience)
    return [weights.path for weights in group]


def read_dictionary(path: Path, remedy: str) -> Mapping:
    """Return the dictionary in a file of ``torch.save``, on the CPU, without running what the file may ask for.

    Args:
        path: old or new format.
        remedy: ends the message of an error.

    Raises:
        UserError: no such file, a damaged one, one that wants code to be run, or one that holds something else.
    """
    import torch  # here, for the graph of the book only asks where files lie

    if not path.is_file():
        raise UserError(f"{path}: no such file; {remedy}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # hints for whoever wrote the file
            found = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # a damaged file may raise anything
        if code := re.search(r"GLOBAL (\S+)", str(error)):
            raise UserError(
                f"{path}: refused, for it asks to run '{code[1]}'; a checkpoint needs tensors alone: have its author "
                "save the network's state_dict()"
            ) from None
        raise UserError(
            f"{path}: not a PyTorch checkpoint, or only a part of one ({type(error).__name__}); nothing in it was run; "
            f"{remedy}"
        ) from None
    if not isinstance(found, Mapping):
        raise UserError(f"{path}: it holds a {type(found).__name__}, expected is a dictionary of weights; {remedy}")
    return found


def filled(network: "nn.Module", state: Mapping, where: Path | str, remedy: str) -> "nn.Module":
    """Return a network with weights that fit strictly, in evaluation mode.

    Args:
        network: whose weights are replaced.
        state: its weights by name.
        where: they come from, for the message.
        remedy: ends the message.

    Raises:
        UserError: weights are missing, unknown or of another shape; one line names the first of them.
    """
    try:
        network.load_state_dict({str(name): value for name, value in state.items()})
    except RuntimeError as error:
        problems = [shorten(line, 180, placeholder=" …").rstrip(".") for line in str(error).splitlines()[1:]]
        more = f"; … ({len(problems)} in all)" if len(problems) > 3 else ""
        listed = "; ".join(problems[:3]) + more
        raise UserError(f"{where}: not the weights of this {type(network).__name__}: {listed}; {remedy}") from None
    return network.eval()
