"""The pictures of the book, one function each; nothing is computed here that is not shown.

Photographs become JPEG, lines become vector graphics, sounds become small files beside the pages.
"""

import hashlib
import html
import io
import itertools
import os
import re
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import soundfile
import torch
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image as Picture
from PIL import ImageOps

from advance_lib.cache import build_folder, written_whole
from advance_lib.data.features import log_mel
from advance_lib.data.media import read_clip
from advance_lib.data.published import ADVANCE_COUNTS
from advance_lib.miniature.sounds import synthesise
from advance_lib.training.inputs import Inputs, drawn_jitter
from advance_lib.training.inputs import jittered as jitter

IMAGE_COLOUR, SOUND_COLOUR, BOTH_COLOUR, PAPER_COLOUR = "#2a6f97", "#bc6c25", "#5a189a", "#7a7a7a"
SENSE_COLOURS = {"image": IMAGE_COLOUR, "sound": SOUND_COLOUR, "image+sound": BOTH_COLOUR}
# One colour a loss throughout the book: |Na warm, |Nv+a cool, SQ dark and KL light; L_E stands apart.
LOSS_COLOURS = {
    "SQ|Na": "#9c4a00",
    "KL|Na": "#e09f3e",
    "SQ|Nv+a": "#1d4e89",
    "KL|Nv+a": "#4ea8de",
    "E": "#c1121f",
    "E1": "#e5737c",
}
# One colour and one marker a scene throughout the book: water blue, plants green, what people built warm or grey.
SCENE_STYLES = {
    "airport": ("#6a3d9a", "D"),
    "beach": ("#d9a400", "o"),
    "bridge": ("#e7298a", "^"),
    "farmland": ("#a6761d", "s"),
    "forest": ("#1b7837", "o"),
    "grassland": ("#7fbf3f", "v"),
    "harbour": ("#1f4e9e", "P"),
    "lake": ("#3fa9dc", "s"),
    "orchard": ("#66521e", "^"),
    "residential": ("#d7301f", "o"),
    "sparse shrub land": ("#b59d6a", "X"),
    "sports land": ("#f46d1b", "D"),
    "train station": ("#4d4d4d", "v"),
}


def scene_styles(scenes: Sequence[str]) -> dict[str, tuple]:
    """Return a colour and a marker for each scene; scenes that ADVANCE does not have get others."""
    new = [scene for scene in scenes if scene not in SCENE_STYLES]
    others = dict(zip(new, zip(sns.husl_palette(len(new)), itertools.cycle("os^DvPX"), strict=False), strict=True))
    return {scene: SCENE_STYLES.get(scene) or others[scene] for scene in scenes}


def set_style() -> None:
    """Set the book's plotting style: vector graphics on white, readable at the width of a page."""
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    set_matplotlib_formats("svg")
    sns.set_theme(style="whitegrid", context="notebook", font_scale=0.9)
    plt.rcParams |= {"figure.facecolor": "white", "savefig.bbox": "tight", "axes.spines.top": False,
                     "axes.spines.right": False, "svg.hashsalt": "advance", "figure.dpi": 100}  # fmt: skip


def site_file(name: str, content: bytes) -> str:
    """Keep a file that a page links to, and return its address as seen from a chapter.

    The same address works in JupyterLab, where chapters lie in ``book/``, and on the finished site.

    Args:
        name: file name; the hash of the content is put before it.
        content: bytes.
    """
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", name)
    path = build_folder() / "site" / f"{hashlib.sha256(content).hexdigest()[:12]}-{safe}"
    if not path.exists():
        with written_whole(path) as partial:
            partial.write_bytes(content)
    checkout = build_folder().parent / "book"
    return Path(os.path.relpath(path, checkout)).as_posix()


def _mp3(samples: np.ndarray, rate: int) -> bytes:
    buffer = io.BytesIO()
    small = {"bitrate_mode": "VARIABLE", "compression_level": 0.8}  # about 45 kB for ten seconds
    soundfile.write(buffer, samples, rate, format="MP3", subtype="MPEG_LAYER_III", **small)
    return buffer.getvalue()


def sound_file(sound: Path | str) -> str:
    """Keep a clip as a small MP3 file beside the pages, and return its address."""
    samples, rate = read_clip(sound)
    peak = float(np.abs(samples).max())
    louder = samples * (0.9 / peak) if peak > 0 else samples  # quiet recordings stay audible on a laptop
    return site_file(f"{Path(sound).stem}.mp3", _mp3(louder, rate))


def image_file(image: np.ndarray | Picture.Image | Path | str, name: str, side: int | None = None) -> str:
    """Keep a picture as JPEG beside the pages, cut to a square of ``side`` pixels, and return its address."""
    if isinstance(image, Path | str):
        with Picture.open(image) as file:
            image = file.convert("RGB")
    return site_file(f"{name}.jpg", _jpeg(image, side))


def player(sound: Path | str) -> str:
    """Return HTML of a player for a clip."""
    return f'<audio controls preload="metadata" src="{sound_file(sound)}"></audio>'


def show(what: Figure | Picture.Image | HTML, name: str, caption: str, alt: str = "", runs: Sequence = ()) -> HTML:
    """Show a figure with its caption, its alternative text, an anchor, and the runs that it was made from.

    Args:
        what: lines, which become vector graphics, a photograph, which becomes JPEG, or a page's own HTML.
        name: the anchor, such as ``fig-3``; the figure's permanent address is the chapter's with ``#fig-3``.
        caption: says what to see; formulas stand between dollar signs.
        alt: says the same to those who do not see it; HTML carries its own.
        runs: finished runs that the figure rests on.
    """
    if isinstance(what, HTML):
        content = what.data
    else:
        if isinstance(what, Figure):
            buffer = io.BytesIO()
            what.savefig(buffer, format="svg", metadata={"Date": None})
            plt.close(what)
            address = site_file(f"{name}.svg", buffer.getvalue())
        else:
            address = image_file(what, name)
        # A link to the picture itself: on a telephone it can be opened and enlarged.
        content = f'<a href="{address}"><img src="{address}" alt="{html.escape(alt)}"></a>'
    return HTML(
        f'<figure class="shown" id="{name}">{content}<figcaption class="tex2jax_process">{_typeset(caption)} '
        f"{behind(name, runs)}</figcaption></figure>"
    )


def _typeset(text: str) -> str:
    return re.sub(r"\$(.+?)\$", r"\\(\1\\)", html.escape(text, quote=False))


def behind(name: str, runs: Sequence) -> str:
    """Return HTML of a link to the list of runs behind a table or figure; nothing where there are none."""
    if not runs:
        return ""
    listed = [(r.request.cell, r.request.seed, r.request.split.by, r.request.split.seed, r.folder.name) for r in runs]
    table = pd.DataFrame(listed, columns=["cell", "seed", "split by", "split", "run"])
    address = site_file(f"{name}-runs.csv", table.to_csv(index=False).encode())
    return f'<a class="runs" data-result="{name}" data-runs="{len(runs)}" href="{address}">{len(runs)} runs</a>'


def _jpeg(image: np.ndarray | Picture.Image, side: int | None = None) -> bytes:
    picture = image if isinstance(image, Picture.Image) else Picture.fromarray(image)
    if side:
        picture = ImageOps.fit(picture.convert("RGB"), (side, side))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


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


def contact_sheet(paths: Sequence[Path | str], columns: int = 6, side: int = 128) -> Picture.Image:
    """Return photographs side by side on one sheet."""
    rows = -(-len(paths) // columns)
    sheet = Picture.new("RGB", (columns * (side + 4) - 4, rows * (side + 4) - 4), "white")
    for index, path in enumerate(paths):
        with Picture.open(path) as picture:
            tile = ImageOps.fit(picture.convert("RGB"), (side, side))
        sheet.paste(tile, ((index % columns) * (side + 4), (index // columns) * (side + 4)))
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
        axis.bar_label(bars, padding=3, fontsize=8)
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
    picture = axis.imshow(
        bands.T, origin="lower", aspect="auto", cmap="magma", extent=(0, 10, 0, bands.shape[1]),
        vmin=float(bands.max()) - 80, rasterized=True,
    )  # fmt: skip
    axis.set(xlabel="time in seconds", ylabel="mel band")
    axis.grid(False)
    axis.figure.colorbar(picture, ax=axis, label="dB", pad=0.01)


def log_mel_sheet(pairs: pd.DataFrame) -> Figure:
    """Draw the log-mel spectrograms of some pairs, titled by their scenes."""
    columns = 3
    rows = -(-len(pairs) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(9, 2.3 * rows), sharex=True, sharey=True, layout="constrained")
    for axis, pair in zip(axes.flat, pairs.itertuples(), strict=False):
        bands = log_mel(*read_clip(pair.sound))
        axis.imshow(
            bands.T, origin="lower", aspect="auto", cmap="magma", extent=(0, 10, 0, bands.shape[1]),
            vmin=float(bands.max()) - 80,
        )  # fmt: skip
        axis.set_title(pair.scene, fontsize=9)
        axis.grid(False)
    figure.supxlabel("time in seconds", fontsize=9)
    figure.supylabel("mel band", fontsize=9)
    return figure


def masks(pairs: pd.DataFrame) -> Picture.Image:
    """Return photographs of the miniature above the same with everything but the scene-defining object dimmed."""
    side, tiles = 144, []
    for pair in pairs.itertuples():
        path = Path(pair.image)
        mask_file = path.parents[2] / "mask" / path.parent.name / f"{path.stem}.png"
        picture = np.asarray(ImageOps.fit(Picture.open(path).convert("RGB"), (side, side)))
        mask = np.asarray(ImageOps.fit(Picture.open(mask_file).convert("L"), (side, side)))[..., None] > 127
        tiles.append(np.concatenate([picture, np.where(mask, picture, picture // 4)]))
    return Picture.fromarray(np.concatenate(tiles, axis=1))


def posterior_map(posteriors: pd.DataFrame) -> Figure:
    """Draw p(event | scene) as a map; rows are events, columns scenes.

    Args:
        posteriors: index events, columns scenes, entries 0 to 1.
    """
    figure, axis = plt.subplots(figsize=(8.5, 0.24 * len(posteriors) + 1.6), layout="constrained")
    short = posteriors.rename(index=lambda name: name.split(",")[0])
    sns.heatmap(
        100 * short, ax=axis, cmap="mako_r", norm=PowerNorm(0.5, 0, 100 * float(short.to_numpy().max())), annot=True,
        fmt=".0f", annot_kws={"size": 6.5}, cbar_kws={"label": "p(event | scene) in %"},
    )  # fmt: skip
    axis.set(xlabel="", ylabel="")
    axis.tick_params(labelsize=8)
    return figure


def event_players(events: Sequence[str], seed: int = 3) -> str:
    """Return HTML with one synthesised take of each event to listen to."""
    rate, cards = 22_050, []
    for event in events:
        take = synthesise(event, np.random.default_rng(seed), 5.0, rate)
        address = site_file(f"{event.split(',')[0].lower().replace(' ', '-')}.mp3", _mp3(take, rate))
        sound = f'<audio controls preload="metadata" src="{address}"></audio>'
        cards.append(f'<figure class="pair"><figcaption>{html.escape(event)}</figcaption>{sound}</figure>')
    return f'<div class="pairs">{"".join(cards)}</div>'


def jittered(inputs: Inputs, row: int, variants: int = 5) -> Picture.Image:
    """Return one training photograph as it is, and as the network would see it in some epochs."""
    original = torch.from_numpy(np.array(inputs.images[row])).permute(2, 0, 1)
    seen = jitter(original.expand(variants, -1, -1, -1), drawn_jitter(variants, torch.Generator().manual_seed(1)))
    strip = torch.cat([original, *seen.byte()], dim=2).permute(1, 2, 0).numpy()
    return Picture.fromarray(strip).resize(((1 + variants) * 128, 128))


def learning_curves(runs: Sequence) -> Figure:
    """Draw training loss and validation F-score over the epochs, one line a run; the selected epoch is marked."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for run in runs:
        senses = run.request.cell.split("/")[0]
        history = pd.DataFrame(run.metrics["history"])
        first = run.request.seed == runs[0].request.seed
        for axis, what in zip(axes, ("loss", "validation"), strict=True):
            axis.plot(
                history["epoch"] + 1, history[what], color=SENSE_COLOURS[senses], alpha=0.75,
                label=senses.replace("+", " + ") if first else None,
            )  # fmt: skip
        best = history.loc[run.metrics["epoch"]]
        axes[1].plot(best["epoch"] + 1, best["validation"], "o", color=SENSE_COLOURS[senses], markersize=5)
    axes[0].set(xlabel="epoch", ylabel="training loss in nats", ylim=(0, None))
    axes[1].set(xlabel="epoch", ylabel="validation F-score in %", ylim=(0, 100))
    for axis in axes:
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[1].legend(frameon=False)
    return figure


def confusion(truth: Sequence[str], guessed: Sequence[str], scenes: Sequence[str], title: str, axis: Axes) -> None:
    """Draw a confusion matrix: rows are true scenes, each row sums to 100 %."""
    table = pd.crosstab(pd.Categorical(truth, scenes), pd.Categorical(guessed, scenes), normalize="index", dropna=False)
    sns.heatmap(
        100 * table, ax=axis, cmap="rocket_r", vmin=0, vmax=100, annot=True, fmt=".0f", annot_kws={"size": 7},
        cbar=False, xticklabels=scenes, yticklabels=scenes, square=True,
    )  # fmt: skip
    axis.set(title=title, xlabel="recognised as", ylabel="true scene")


def download(table: pd.DataFrame, name: str) -> str:
    """Return HTML of a link under which a table can be downloaded as CSV."""
    address = site_file(f"{name}.csv", table.to_csv().encode())
    return f'<a href="{address}" download="{name}.csv">Download this table as CSV</a>'


def loss_colour(cell: str) -> str:
    """Return the colour of a cell's loss: L_s has that of its senses, random initialisation (†) is grey."""
    senses, _, approach = cell.rpartition("/")
    if approach == "Ls":
        return SENSE_COLOURS[senses]
    return LOSS_COLOURS.get(approach.removeprefix("only "), PAPER_COLOUR)


def show_table(table: pd.DataFrame, name: str, prose: bool = False, runs: Sequence = ()) -> HTML:
    """Show a table whole, with a link to it as CSV.

    Args:
        table: to show.
        name: of the CSV file, and the anchor.
        prose: the entries are sentences, whose lines may be broken.
        runs: finished runs that the table rests on.
    """
    with pd.option_context("display.max_colwidth", None):
        page = table.to_html(border=0)
    return table_page(page, table, name, runs, prose)


def table_page(page: str, numbers: pd.DataFrame, name: str, runs: Sequence = (), prose: bool = False) -> HTML:
    """Return a table's page: it scrolls inside itself, and its numbers and its runs can be downloaded.

    Args:
        page: HTML of the table.
        numbers: for the CSV file.
        name: of the file, and the anchor.
        runs: finished runs that the table rests on.
        prose: the entries are sentences.
    """
    # Whoever has no mouse must be able to scroll, so the region takes the focus.
    region = f'class="wide-table{" prose" * prose}" id="{name}" tabindex="0" role="region" aria-label="table {name}"'
    return HTML(f"<div {region}>{page}</div><p>{download(numbers, name)} {behind(name, runs)}</p>")
