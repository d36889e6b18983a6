"""The pictures of what is learned from: pairs to look at and to listen to, their scenes, spectrograms, events.

Chapters: The dataset; The miniature; Hearing; Seeing.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont, ImageOps

from advance_lib.data.features import log_mel
from advance_lib.data.media import read_clip
from advance_lib.data.published import ADVANCE_COUNTS
from advance_lib.figures.page import BOTH_COLOUR, PAPER_COLOUR, SMALL, SOUND_COLOUR, image_file, player, samples_file
from advance_lib.miniature.sounds import synthesise

if TYPE_CHECKING:
    from advance_lib.training.inputs import Inputs

LINE = 18  # pixels of a name on a sheet


def gallery(pairs: pd.DataFrame, side: int = 190) -> HTML:
    """Show pairs to look at and to listen to.

    Args:
        pairs: columns ``scene``, ``id``, ``image``, ``sound``.
        side: of the pictures in pixels.
    """
    cards = []
    for pair in pairs.itertuples():
        address = image_file(pair.image, pair.id, 2 * side)
        scene, name = html.escape(pair.scene), html.escape(pair.id)
        cards.append(
            f'<figure class="pair"><img src="{address}" alt="Aerial photograph of the scene {scene}, pair {name}">'
            f"<figcaption>{scene}<br><small>{name}</small></figcaption>{player(pair.sound)}</figure>"
        )
    return HTML(f'<div class="pairs">{"".join(cards)}</div>')


def contact_sheet(
    paths: Sequence[Path | str], columns: int = 6, side: int = 128, names: Sequence[str] = ()
) -> Picture.Image:
    """Return photographs side by side on one sheet.

    Args:
        paths: of the photographs.
        columns: photographs in a row.
        side: of each in pixels.
        names: one for each photograph, written below it, or none at all.
    """
    step, below = side + 4, LINE if names else 0
    rows = -(-len(paths) // columns)
    sheet = Picture.new("RGB", (columns * step - 4, rows * (step + below) - 4), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(LINE * 0.75)
    for index, path in enumerate(paths):
        with Picture.open(path) as picture:
            tile = ImageOps.fit(picture.convert("RGB"), (side, side))
        left, top = index % columns * step, index // columns * (step + below)
        sheet.paste(tile, (left, top))
        if names:
            pen.text((left + side / 2, top + side + LINE - 5), names[index], "black", font, "ms")  # by its baseline
    return sheet


def class_histogram(catalogue: pd.DataFrame, title: str) -> Figure:
    """Draw Fig. 3: pairs per scene of a dataset, beside the published counts of ADVANCE."""
    counts = catalogue["scene"].value_counts()
    order = sorted(counts.index, key=lambda scene: (-ADVANCE_COUNTS.get(scene, (0,))[0], scene))
    figure, axes = plt.subplots(1, 2, figsize=(9, 4.2), sharey=True)
    published = [ADVANCE_COUNTS.get(scene, (0, 0))[0] for scene in order]
    for axis, values, colour, name in (
        (axes[0], [int(counts[scene]) for scene in order], BOTH_COLOUR, title),
        (axes[1], published, PAPER_COLOUR, "ADVANCE, as published"),
    ):
        bars = axis.barh(order, values, color=colour)
        axis.bar_label(bars, padding=3, fontsize=SMALL)
        axis.set(title=f"{name} ({sum(values):,} pairs)", xlabel="pairs")
        axis.grid(False, axis="y")
        axis.margins(x=0.14)
    axes[0].invert_yaxis()
    figure.tight_layout()
    return figure


def from_wave_to_log_mel(sound: Path | str) -> Figure:
    """Draw a clip's waveform above its log-mel spectrogram, on one time axis."""
    samples, rate = read_clip(sound)
    bands = log_mel(samples, rate)
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(9, 4.6), sharex=True, height_ratios=(1, 2), layout="constrained"
    )
    seconds = np.arange(len(samples)) / rate
    step = max(1, len(samples) // 4000)  # enough points for the eye, few enough for the page
    above.plot(seconds[::step], samples[::step], color=SOUND_COLOUR, linewidth=0.5)
    above.set(ylabel="amplitude", ylim=(-1, 1) if np.abs(samples).max() > 0.3 else None)
    draw_log_mel(bands, below)
    return figure


def draw_log_mel(bands: np.ndarray, axis: Axes) -> None:
    """Draw a (T, F) log-mel spectrogram with a colour bar in dB."""
    picture = _picture_of(bands, axis)
    axis.set(xlabel="time in seconds", ylabel="mel band")
    axis.figure.colorbar(picture, ax=axis, label="dB", pad=0.01)


def _picture_of(bands: np.ndarray, axis: Axes) -> AxesImage:
    axis.grid(False)
    return axis.imshow(
        bands.T, origin="lower", aspect="auto", cmap="magma", extent=(0, 10, 0, bands.shape[1]),
        vmin=float(bands.max()) - 80, rasterized=True,
    )  # fmt: skip


def log_mel_sheet(pairs: pd.DataFrame) -> Figure:
    """Draw the log-mel spectrograms of some pairs, titled by their scenes."""
    columns = 3
    rows = -(-len(pairs) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(9, 2.3 * rows), sharex=True, sharey=True, layout="constrained")
    for axis, pair in zip(axes.flat, pairs.itertuples(), strict=False):
        _picture_of(log_mel(*read_clip(pair.sound)), axis)
        axis.set_title(pair.scene, fontsize=SMALL)
    for axis in axes.flat[len(pairs) :]:
        axis.set_visible(False)
    figure.supxlabel("time in seconds", fontsize=SMALL)
    figure.supylabel("mel band", fontsize=SMALL)
    return figure


def masks(pairs: pd.DataFrame) -> Picture.Image:
    """Return photographs of the miniature above the same with everything but the scene-defining object dimmed."""
    from advance_lib.analysis.activation import mask_of  # it loads PyTorch

    side, tiles = 144, []
    for pair in pairs.itertuples():
        with Picture.open(pair.image) as file:
            picture = np.asarray(ImageOps.fit(file.convert("RGB"), (side, side)))
        mask = mask_of(pair.image, side)[..., None]
        tiles.append(np.concatenate([picture, np.where(mask, picture, picture // 4)]))
    return Picture.fromarray(np.concatenate(tiles, axis=1))


def event_players(events: Sequence[str], seed: int = 3) -> str:
    """Return HTML with one synthesised take of each event to listen to."""
    rate, cards = 22_050, []
    for event in events:
        take = synthesise(event, np.random.default_rng(seed), 5.0, rate)
        address = samples_file(take, rate, event.split(",")[0].lower().replace(" ", "-"))
        sound = f'<audio controls preload="metadata" src="{address}"></audio>'
        cards.append(f'<figure class="pair"><figcaption>{html.escape(event)}</figcaption>{sound}</figure>')
    return f'<div class="pairs">{"".join(cards)}</div>'


def jittered(inputs: Inputs, row: int, variants: int = 5) -> Picture.Image:
    """Return one training photograph as it is, and as the network would see it in some epochs."""
    import torch

    from advance_lib.training import inputs as training

    original = torch.from_numpy(np.array(inputs.images[row])).permute(2, 0, 1)
    draws = training.drawn_jitter(variants, torch.Generator().manual_seed(1))
    seen = training.jittered(original.expand(variants, -1, -1, -1), draws)
    strip = torch.cat([original, *seen.byte()], dim=2).permute(1, 2, 0).numpy()
    return Picture.fromarray(strip).resize(((1 + variants) * 128, 128))
