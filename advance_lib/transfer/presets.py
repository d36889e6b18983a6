"""Where paper and released code differ: one choice a field, the paper's first, the code's second.

The files and lines are those of DTaoo/Multimodal-Aerial-Scene-Recognition at b5345f5.

Chapter: What the paper says, what its code does.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal, get_args, get_type_hints

from advance_lib.cache import UserError
from advance_lib.data.features import FrontEnd


@dataclass(frozen=True)
class Preset:
    """How a recogniser is trained and tested, where the sources disagree; the defaults are the paper's.

    Raises:
        UserError: a field has a value that is none of its two.
    """

    event_reduction: Literal["sum", "mean"] = "sum"
    """Binary divergences are summed over the events (section 4.2) or averaged, which divides the transfer by the
    number of events (kl_transfer.py:124,150; bayes_transfer.py:143,190)."""

    sq_reduction: Literal["norm", "mean"] = "norm"
    """Squared Euclidean norm (section 4.2) or mean squared error (sq_transfer.py:129,154)."""

    sq_target: Literal["pre-activations", "probabilities"] = "pre-activations"
    """The student's pre-activations are drawn to the teacher's (section 4.2) or to its probabilities
    (sq_transfer.py:103; audio_event_extactor.py:27,42)."""

    relevance: Literal["gram", "pca"] = "gram"
    """d_k is the first eigenvector of the Gram matrix (section 4.4) or the first principal component, centred and of
    arbitrary sign (event_to_event_corr.py:66,77)."""

    posteriors: Literal["train", "leaky"] = "train"
    """p(e|s) and d are measured on the training split (our reading of section 4.4, which says all samples) or on 70 %
    of each scene's samples, other ones than those of the training split where locations have siblings
    (scene_to_event_prior.py:67; data_partition.py:104; `splits.posterior_rows` has the rule)."""

    n_fft: Literal[1024, 4096] = 1024
    """Length of the Fourier transform; the window has 1,024 samples (section 5.1; CVS_dataset.py:18)."""

    spectrum: Literal["power", "magnitude"] = "power"
    """Mel bands of the power spectrum, as a log-mel spectrogram is understood (section 5.1), or of the magnitude
    (CVS_dataset.py:21)."""

    top_db: Literal["none", "80"] = "none"
    """No floor (section 5.1 names none) or one 80 dB below the clip's maximum (CVS_dataset.py:21)."""

    augmented: Literal["train", "all"] = "train"
    """Photographs are flipped and jittered in training (section 5.1) or in validation and test as well
    (CVS_dataset.py:38,63; bayes_transfer.py:118)."""

    image_scale: Literal["standardised", "raw"] = "standardised"
    """Colours with zero mean and unit deviation, or raw from 0 to 255 (section 5.1 is silent; CVS_dataset.py:62).
    N_v(0) is pre-trained on colours of the same scale."""

    order: Literal["reshuffled", "fixed"] = "reshuffled"
    """Training samples in a new order every epoch (section 5.1 is silent) or always in the same one
    (bayes_transfer.py:122; CVS_dataset.py:43)."""

    event_head: Literal["pre-trained", "fresh"] = "pre-trained"
    """The event head on N_a starts as the pre-trained classifier (section 4.2) or at random
    (fusion_net.py:91,125)."""

    tested: Literal["best", "best and five after"] = "best"
    """Tested at the best validation epoch (± over five runs, section 5.2), or at that epoch and the five after it, ±
    over those epochs of one run (bayes_transfer.py:212-252)."""

    learning_rate: Literal["constant", "stepped"] = "constant"
    """Constant (section 5.1; in the small profiles it falls along a cosine, which takes half the epochs) or times 0.1
    at three tenths, six tenths and nine tenths of the schedule, for epochs 30, 60 and 90 of a hundred
    (bayes_transfer.py:260)."""

    def __post_init__(self):
        for name, values in choices().items():
            if getattr(self, name) not in values:
                raise UserError(f"preset field '{name}': no value '{getattr(self, name)}'; choose one of {values}")

    @property
    def front_end(self) -> FrontEnd:
        """How a clip becomes a log-mel spectrogram."""
        return FrontEnd(
            n_fft=self.n_fft,
            power={"power": 2.0, "magnitude": 1.0}[self.spectrum],
            top_db={"none": None, "80": 80.0}[self.top_db],
        )


def choices() -> dict[str, tuple]:
    """Return each field's two values, the paper's and the code's."""
    return {name: get_args(hint) for name, hint in get_type_hints(Preset).items()}


PAPER = Preset()
CODE = Preset(**{name: values[1] for name, values in choices().items()})
PRESETS = {"paper": PAPER, "code": CODE}


def get_preset(name: str, changes: Sequence[str] = ()) -> Preset:
    """Return a preset by name, some fields changed.

    Args:
        name: ``"paper"`` or ``"code"``.
        changes: such as ``"relevance=pca"``.

    Raises:
        UserError: no such preset, field or value.
    """
    if name not in PRESETS:
        raise UserError(f"no preset '{name}'; choose one of {', '.join(PRESETS)}")
    given = {}
    for change in changes:
        field, _, value = change.partition("=")
        if field not in choices():
            raise UserError(f"no preset field '{field}'; choose one of {', '.join(choices())}")
        given[field] = next((known for known in choices()[field] if str(known) == value), value)
    return replace(PRESETS[name], **given)


def differences(preset: Preset) -> dict[str, object]:
    """Return the fields in which a preset departs from the paper."""
    return {f.name: getattr(preset, f.name) for f in fields(preset) if getattr(preset, f.name) != f.default}
