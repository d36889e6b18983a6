"""Files of weights that others have trained: fetched once, checked, and found again.

Nothing is fetched unless ``advance download weights`` asks for it.

Chapter: The knowledge of sounds.
"""

import logging
import os
from dataclasses import dataclass
from pathlib import Path

from advance_lib.cache import UserError, build_folder, file_digest


@dataclass(frozen=True)
class Weights:
    """A file of weights.

    Attributes:
        url: its address, which ends with its name.
        sha256: its checksum.
    """

    url: str
    sha256: str

    @property
    def path(self) -> Path:
        """Where the file is kept."""
        return weights_folder() / self.url.rpartition("/")[2]


WEIGHTS = {
    "mn04": Weights(
        "https://github.com/fschmid56/EfficientAT/releases/download/v0.0.1/mn04_as_mAP_432.pt",
        "899a8c6217063f6941793102a2780b3dd788ab11fce468d9cf5f0577c453321c",
    ),
}


def weights_folder() -> Path:
    """Return where weights are kept: ``$ADVANCE_WEIGHTS``, else ``data/weights`` beside the build folder."""
    return Path(os.environ.get("ADVANCE_WEIGHTS") or build_folder().parent / "data" / "weights").expanduser().resolve()


def _known(name: str) -> Weights:
    if name not in WEIGHTS:
        raise UserError(f"no weights '{name}'; there are {', '.join(WEIGHTS)}")
    return WEIGHTS[name]


def weights_file(name: str) -> Path:
    """Return the file of some weights that were fetched before.

    Args:
        name: ``"mn04"``.

    Raises:
        UserError: unknown, not fetched yet, or not the file that it should be.
    """
    weights = _known(name)
    remedy = f"fetch it with `advance download weights {name}`"
    if not weights.path.is_file():
        raise UserError(f"{weights.path}: no such file; {remedy}")
    if file_digest(weights.path) != weights.sha256:
        raise UserError(f"{weights.path}: its checksum is not that of {name}; {remedy}")
    return weights.path


def fetch_weights(name: str) -> Path:
    """Return the file of some weights, downloaded if it is not there and whole.

    Args:
        name: ``"mn04"``.

    Raises:
        UserError: unknown, not to be downloaded, or of another checksum.
    """
    import pooch

    weights = _known(name)
    path = weights.path
    pooch.get_logger().setLevel(logging.WARNING)  # an error is one line
    try:
        return Path(pooch.retrieve(weights.url, f"sha256:{weights.sha256}", path.name, path.parent))
    except (OSError, ValueError) as error:  # no connection or no disk; another checksum
        raise UserError(
            f"{weights.url}: {error}; try again later, or download it by hand as {path} (sha256 {weights.sha256})"
        ) from None
