"""The mixer: any photograph with any recording under any approach.

Chapter: What the sound decides.
"""

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import HTML
from matplotlib.figure import Figure

from advance_lib.analysis.mixing import ALONE, WORSE, Mixer, mixture
from advance_lib.analysis.robustness import HAZE, STRENGTHS
from advance_lib.experiments.cells import ALPHA, BETA, short_name
from advance_lib.figures.events import short
from advance_lib.figures.interactive import interactive
from advance_lib.figures.page import (
    BOTH_COLOUR,
    IMAGE_COLOUR,
    SOUND_COLOUR,
    image_file,
    losses_as_html,
    picture,
    sound_file,
)
from advance_lib.transfer.knowledge import sigmoid

SIDE = 380  # of photographs in pixels, as in the galleries: the same files


def mixing_desk(mixer: Mixer) -> HTML:
    """Let the reader put photographs and recordings together, and see what comes of it.

    L_E1 and L_E2 are computed on the page. L_E1 needs every event, as a logarithm of a mixture does not come apart:
    Σ_i C(y_i ‖ p_i) = Σ_i [y_i log y_i + (1−y_i) log(1−y_i)] − Σ_i [y_i log p_i + (1−y_i) log(1−p_i)], of which the
    first sum is a number a clip. L_E2 needs none: with P the posteriors and D the unit relevance vectors, the cosine is
    pᵀ(PDᵀ)_t / √(pᵀ(PPᵀ)p).

    Args:
        mixer: from `mixing.mixer`.
    """
    names, levels = [short_name(cell) for cell in mixer.cells], [0.0, *STRENGTHS[WORSE]]
    unit = mixer.relevance / np.linalg.norm(mixer.relevance, axis=1, keepdims=True)
    f_e, y = mixer.teacher.astype(np.float64), sigmoid(mixer.teacher.astype(np.float64))
    data = {
        "scenes": mixer.scenes,
        "approaches": [
            {
                "name": name,
                "shown": losses_as_html(name),
                "seen": _rounded(s),
                "heard": _rounded(h),
                "bias": _rounded(b),
            }
            for name, s, h, b in zip(names, mixer.seen, mixer.heard, mixer.bias, strict=True)
        ],
        "alone": mixer.cells.index(ALONE) if ALONE in mixer.cells else None,
        "pairs": [
            {
                "id": pair.id,
                "scene": mixer.scenes.index(pair.scene),
                "image": image_file(pair.image, pair.id, SIDE),
                "sound": sound_file(pair.sound),
            }
            for pair in mixer.pairs.itertuples()
        ],
        "events": short(mixer.events),
        "responses": _significant(y),
        "constants": _significant((y * f_e - np.logaddexp(0, f_e)).sum(axis=1), 7),
        "posteriors": _significant(mixer.posteriors, 5),
        "towards": _significant(mixer.posteriors @ unit.T, 6),
        "between": _significant(mixer.posteriors @ mixer.posteriors.T, 6),
        "alpha": ALPHA,
        "beta": BETA,
        "haze": {"levels": levels, "colour": [round(255 * channel) for channel in HAZE]},
        "approach": mixer.cells.index(mixer.approach),
        "presets": [
            {"name": one.name, "photograph": one.photograph, "recording": one.recording} for one in mixer.presets
        ],
    }
    first = mixer.presets[0] if mixer.presets else None
    photograph, recording = (first.photograph, first.recording) if first else (0, 0)
    sees, hears = mixer.pairs["scene"].iloc[photograph], mixer.pairs["scene"].iloc[recording]
    alt = (
        f"Bars by scene: what {short_name(mixer.approach)} saw in a photograph of the scene {sees}, what it heard in a "
        f"recording of the scene {hears}, and the probabilities that follow"
    )
    return interactive("mixer", data, picture(mixture_bars(mixer, photograph, recording), "mixture", alt))


def mixture_bars(mixer: Mixer, photograph: int, recording: int) -> Figure:
    """Draw both parts of one mixture by scene, each less its mean over the scenes, and the probabilities.

    Args:
        mixer: from `mixing.mixer`.
        photograph: index into its pairs.
        recording: the same.
    """
    which, places = mixer.cells.index(mixer.approach), np.arange(len(mixer.scenes))
    figure, (logits, p) = plt.subplots(1, 2, figsize=(8.6, 4.2), sharey=True, layout="constrained")
    parts = {
        "seen": (mixer.seen[which, 0, photograph], IMAGE_COLOUR),
        "heard": (mixer.heard[which, recording], SOUND_COLOUR),
    }
    for lane, (name, (values, colour)) in enumerate(parts.items()):
        logits.barh(places + 0.4 * lane - 0.2, values - values.mean(), height=0.38, color=colour, label=name)
    p.barh(places, mixture(mixer, mixer.approach, photograph, recording).scenes, height=0.7, color=BOTH_COLOUR)
    logits.set_yticks(places, mixer.scenes)
    logits.invert_yaxis()
    logits.set(xlabel="added to the scene's logit")
    p.set(xlabel="p(scene)", xlim=(0, 1))
    for axis in (logits, p):
        axis.grid(False, axis="y")
    figure.legend(loc="outside upper left", ncols=2, frameon=False)
    return figure


def _rounded(values: np.ndarray) -> list:
    return np.round(values.astype(np.float64), 3).tolist()


def _significant(values: np.ndarray, digits: int = 4) -> list:
    """Round to significant digits: events that are rare in a scene differ by orders of magnitude."""
    rounded = [float(f"{value:.{digits}g}") for value in np.ravel(values)]
    return np.reshape(rounded, np.shape(values)).tolist()
