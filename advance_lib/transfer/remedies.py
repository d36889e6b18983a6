"""Ours, not the paper's: two objectives without any knowledge of events, against one sense drowning the other.

A transfer is worth its teacher only if it gives more than these.

Chapter: The claims.
"""

import torch
from torch import Tensor
from torch.nn import functional

from advance_lib.models.audiovisual import Outputs

DROPPED = 1 / 3  # of the samples lose the photograph, as many the sound


def unimodal(outputs: Outputs, target: Tensor) -> Tensor:
    """Each sense must recognise the scene by itself: cross-entropy of f_s with the other sense's part left out.

    In the manner of Wei and Hu, MMPareto, ICML 2024, with fixed weights.

    Args:
        outputs: of N_v+a.
        target: t, (batch,) integer indices of the true scenes.

    Returns:
        Scalar, in nats: the sum over both senses.
    """
    alone = (functional.cross_entropy(part + outputs.bias, target) for part in (outputs.seen, outputs.heard))
    return sum(alone)


def modality_dropout(outputs: Outputs, target: Tensor) -> Tensor:
    """Cross-entropy of f_s where a third of the samples lose what was seen and another third what was heard.

    Used without L_s, which it replaces; in the manner of Neverova et al., ModDrop, TPAMI 2016, on the two parts of the
    scene head. The draws are the training's own, so that a seed gives the same ones.

    Args:
        outputs: of N_v+a.
        target: t, (batch,) integer indices of the true scenes.

    Returns:
        Scalar, in nats.
    """
    drawn = torch.rand(len(target), 1, device=target.device)
    seen, heard = outputs.seen * (drawn >= DROPPED), outputs.heard * (drawn < 1 - DROPPED)
    return functional.cross_entropy(seen + heard + outputs.bias, target)
