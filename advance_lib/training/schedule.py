"""How long and how fast to train.

Chapter: Recognising with one and two senses.
"""

import math
from dataclasses import dataclass

STEPS = (0.3, 0.6, 0.9)  # official-code: epochs 30, 60 and 90 of a hundred


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train.

    Attributes:
        epochs: passes over the training rows.
        batch_size: samples a step. A last, smaller batch is left out where each epoch has a new order, so that none
            is missed for long; in an order that stays it is trained on as well, unless it is a single sample: batch
            norm needs company.
        learning_rate: Adam's.
        weight_decay: Adam's.
        decay: ``"constant"``, ``"cosine"`` to fall to zero along a cosine, or ``"stepped"`` to fall to a tenth
            after each of the shares `STEPS`.
        precision: Lightning Fabric's name of the arithmetic.
        reshuffle: a new order every epoch, instead of always the same.
        keep_after: epochs after the best whose weights are kept as well.
        patience: epochs without a better validation score after which the training ends; None to go on to the last.
        compiled: let torch.compile fuse the network's operations, on a GPU.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float = 1e-4
    decay: str = "constant"
    precision: str = "32-true"
    reshuffle: bool = True
    keep_after: int = 0
    patience: int | None = None
    compiled: bool = False

    def learning_rate_of(self, progress: float) -> float:
        """Return the learning rate after a share ``progress`` (0 to 1) of all steps."""
        if self.decay == "constant":
            return self.learning_rate
        if self.decay == "stepped":
            return self.learning_rate * 0.1 ** sum(progress >= step for step in STEPS)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))
