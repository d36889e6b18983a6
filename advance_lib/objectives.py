"""The paper's objectives, each under the number of its equation.

Chapter: Recognising with one and two senses.
"""

from torch import Tensor
from torch.nn import functional


def scene_loss(scenes: Tensor, target: Tensor) -> Tensor:
    """L_s, equation (1): mean of D_KL(h_t ‖ z(f_s(x, N))).

    h_t is one-hot, so its entropy is zero and the divergence equals the cross-entropy.

    Args:
        scenes: f_s, (batch, scenes), before softmax.
        target: t, (batch,) integer indices of the true scenes.

    Returns:
        Scalar, in nats.
    """
    return functional.cross_entropy(scenes, target)
