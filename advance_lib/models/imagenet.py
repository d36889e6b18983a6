"""N_v(0) of ImageNet: the weights that torchvision offers for the visual network, for users with a connection.

The paper starts from AID and has no such network, so results with this one are to be told apart from its own.
torchvision downloads a file once, compares it with the checksum in its name and keeps it. ImageNet has terms of
its own.

Chapter: Seeing.
"""

import sys
from pathlib import Path

import torch
from torch import Tensor
from torchvision.models import get_weight

from advance_lib.cache import UserError, digest
from advance_lib.models.audiovisual import BACKBONES
from advance_lib.models.pretrained import Pretrained, fitted, kept


def imagenet_visual(name: str = "ResNet101_Weights.IMAGENET1K_V2") -> Pretrained:
    """Return a visual network pre-trained on ImageNet, downloaded where the cache does not have it.

    Its score is the top-1 accuracy on ImageNet's validation set that torchvision states.

    Args:
        name: torchvision's, of weights for a network in `models.BACKBONES`.

    Raises:
        UserError: unknown weights, those of another network, or weights that cannot be downloaded.
    """
    try:
        weights = get_weight(name)
    except (ValueError, KeyError):
        raise UserError(f"torchvision has no weights '{name}'; a name is ResNet101_Weights.IMAGENET1K_V2") from None
    backbone = type(weights).__name__.removesuffix("_Weights").lower()
    if backbone not in BACKBONES:
        raise UserError(f"the library has no network for {name}; choose weights of torchvision's resnet101")
    classes = weights.meta["categories"]

    def download() -> dict[str, Tensor]:
        options = {"check_hash": True, "weights_only": True, "map_location": "cpu"}
        try:
            state = weights.get_state_dict(progress=sys.stderr.isatty(), **options)
        except Exception as error:  # no connection, no disk, another checksum, a damaged file
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise UserError(
                f"{name} cannot be read ({reason}); it needs a connection, or {weights.url}, whole, in "
                f"{Path(torch.hub.get_dir()) / 'checkpoints'}"
            ) from None
        return fitted(state, backbone, len(classes), weights.url)

    key = digest("imagenet", backbone, weights.url)
    return kept(download, classes, key, weights.meta["_metrics"]["ImageNet-1K"]["acc@1"])
