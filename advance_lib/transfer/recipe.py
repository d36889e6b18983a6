"""Everything that makes a recogniser, but for its data and its seed; a finished run is found by it without PyTorch.

Chapter: Recognising with one and two senses.
"""

from dataclasses import dataclass

from advance_lib.training.schedule import Schedule
from advance_lib.transfer.presets import PAPER, Preset

CHECKPOINT = "model.safetensors"  # the file of a trained recogniser


@dataclass(frozen=True)
class Recipe:
    """Everything that makes a recogniser, but for its data and its seed.

    Attributes:
        senses: ``"image"``, ``"sound"`` or ``"image+sound"``; the missing one is set to zero.
        visual: name of N_v in `audiovisual.BACKBONES`.
        audio: name of N_a there.
        schedule: epochs and learning rate.
        pretrained: start from the pre-trained networks; False is the paper's †.
        new_event_head: a transfer on N_a gets a new linear layer for events instead of the classifier of N_a(0); so it
            must where the teacher is another network.
        transfer: L_Ω, a name in `objectives.TRANSFERS`, or None.
        supervised: L = L_s + αL_Ω; False leaves L = L_Ω, as in Table 3.
        alpha: α, the weight of the transfer.
        beta: β, the weight of L_E2 within L_E.
        preset: the choices in which paper and code differ.
    """

    senses: str
    visual: str
    audio: str
    schedule: Schedule
    pretrained: bool = True
    new_event_head: bool = False
    transfer: str | None = None
    supervised: bool = True
    alpha: float = 0.1
    beta: float = 0.001
    preset: Preset = PAPER

    @property
    def events_on(self) -> str | None:
        """The representation that carries the event head: ``"Na"``, ``"Nv+a"``, or None."""
        return self.transfer.split("|")[1] if self.transfer and "|" in self.transfer else None
