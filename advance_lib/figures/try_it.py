"""A recogniser in the page: the reader's own photograph and recording, and a pair of the dataset to begin with.

Chapter: Try it.
"""

import html
import io
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
import torch
from IPython.display import HTML
from PIL import Image

from advance_lib.analysis.handed_on import HandedOn, inputs, onnx_of, probabilities
from advance_lib.cache import UserError, build_folder
from advance_lib.data.features import resized
from advance_lib.data.media import read_image
from advance_lib.figures.interactive import interactive
from advance_lib.figures.page import from_chapter, site_file

RUNTIME = "onnxruntime-web"  # below the build folder, where `make try` puts it
LARGEST = 20_000_000  # bytes of a network that a page may bring
SIDE = 512  # pixels of the example's photograph at most
TOP = 5  # answers shown


def try_it(network: HandedOn, about: dict, image: Path | str, sound: Path | str, scene: str) -> HTML:
    """Return a figure in which a recogniser runs, for `page.show`.

    Where the network cannot be had as ONNX, or is too large for a page, only the example is shown, and why.

    Args:
        network: as from `handed_on.open_run`.
        about: its inputs and outputs, from there too.
        image: photograph of the example.
        sound: recording of the example.
        scene: the true one.
    """
    samples, _ = inputs(about, image, sound)
    shown = Image.fromarray(read_image(image))
    shown.thumbnail((SIDE, SIDE))
    scenes, events = probabilities(network, about, samples, torch.tensor(resized(np.asarray(shown), about["side"])))
    picture, clip = io.BytesIO(), io.BytesIO()
    shown.save(picture, "PNG", optimize=True)  # without loss, so that the page recognises what PyTorch did
    soundfile.write(clip, samples.numpy(), about["sample_rate"], format="WAV", subtype="FLOAT")
    example = {
        "photograph": site_file("try-it.png", picture.getvalue()),
        "sound": site_file("try-it.wav", clip.getvalue()),
        "scene": scene,
    }
    still = (
        f'<div class="pair"><img src="{example["photograph"]}" alt="the example, {html.escape(scene)}"></div>'
        f'<div class="answers">{_listed("p(scene)", scenes)}{_listed("p(event)", events)}</div>'
    )
    try:
        model = onnx_of(network, about)
        if len(model) > LARGEST:
            raise UserError(f"this network has {len(model) / 1e6:.0f} MB, too many for a page")
    except UserError as error:
        why = f"Here the network does not run in the page: {html.escape(str(error))}."
        return HTML(f'<div class="interactive" data-figure="try_it">{still}<p class="said">{why}</p></div>')
    example |= {"scenes": list(scenes.head(TOP).items()), "events": list(events.head(TOP).items())}
    needed = {name: about[name] for name in ("sample_rate", "seconds", "side", "scenes", "events")}
    data = {
        "model": site_file("try-it.onnx", model),
        "runtime": from_chapter(build_folder() / RUNTIME),
        "about": needed,
        "example": example,
    }
    return interactive("try_it", data, still)


def runtime_is_here() -> bool:
    """Tell whether ONNX Runtime Web was fetched, so that the next pages bring it along."""
    return (build_folder() / RUNTIME).is_dir()


def _listed(title: str, found: pd.Series) -> str:
    rows = "".join(
        f'<li><span class="bar" style="width: {100 * value:.1f}%"></span><span class="name">{html.escape(name)}</span>'
        f"<data>{100 * value:.1f} %</data></li>"
        for name, value in found.head(TOP).items()
    )
    return f'<div><p class="title">{title}</p><ol>{rows}</ol></div>'
