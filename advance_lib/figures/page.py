"""How pages look, and how they show figures, tables and players; nothing is computed here that is not shown.

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
import soundfile
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.text import Text
from PIL import Image as Picture
from PIL import ImageOps

from advance_lib.analysis.words import with_minus
from advance_lib.cache import PACKAGE, build_folder, written_whole
from advance_lib.data.media import read_clip

IMAGE_COLOUR, SOUND_COLOUR, BOTH_COLOUR, PAPER_COLOUR = "#2a6f97", "#bc6c25", "#5a189a", "#7a7a7a"
SENSE_COLOURS = {"image": IMAGE_COLOUR, "sound": SOUND_COLOUR, "image+sound": BOTH_COLOUR}
# One colour a loss throughout the book: |Na warm, |Nv+a cool, SQ dark and KL light; L_E stands apart.
LOSS_COLOURS = {
    "SQ|Na": "#9c4a00",
    "KL|Na": "#b9770e",
    "SQ|Nv+a": "#1d4e89",
    "KL|Nv+a": "#2b93cf",
    "E": "#c1121f",
    "E1": "#e5737c",
}
# As approaches are called in texts.
LOSS = re.compile(r"(?<![A-Za-z0-9_])L_([A-Z]+\|N|E[12]?|s)(?:(?<=N)(a|v\+a))?(?![\w|])")
# The names of a table's columns after blanks, and below them those of its index before blanks, as pandas writes them.
TWO_HEADINGS = re.compile(
    r"<tr[^>]*>\s*((?:<th></th>\s*)+)((?:<th(?: [^>]*)?>[^<]+</th>\s*)*)</tr>\s*"
    r"<tr>\s*((?:<th>[^<]+</th>\s*)+)(?:<th></th>\s*)*</tr>"
)
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
SMALL = 9.5  # points: the smallest text of a figure, which as wide as a page can still be read
# seaborn's theme "whitegrid" with letters of nine tenths, written out: seaborn takes seconds to load.
PALETTE = (
    "#4C72B0", "#DD8452", "#55A868", "#C44E52", "#8172B3", "#937860", "#DA8BC3", "#8C8C8C", "#CCB974", "#64B5CD",
)  # fmt: skip
THEME = {
    "axes.axisbelow": True, "axes.edgecolor": ".8", "axes.grid": True, "axes.labelcolor": ".15", "axes.labelsize": 10.8,
    "axes.linewidth": 1.25, "axes.prop_cycle": plt.cycler(color=PALETTE), "axes.titlesize": 10.8, "font.size": 10.8,
    "font.sans-serif": ["Arial", "DejaVu Sans", "Liberation Sans", "Bitstream Vera Sans", "sans-serif"],
    "grid.color": ".8", "grid.linewidth": 1.0, "legend.fontsize": 9.9, "legend.title_fontsize": 10.8,
    "lines.solid_capstyle": "round", "patch.edgecolor": "w", "patch.force_edgecolor": True, "text.color": ".15",
    "xtick.bottom": False, "ytick.left": False,
}  # fmt: skip
THEME |= {
    f"{axis}tick.{name}": value
    for axis in "xy"
    for name, value in {
        "color": ".15", "labelsize": 9.9, "major.size": 6, "major.width": 1.25, "minor.size": 4, "minor.width": 1.0,
    }.items()
}  # fmt: skip


def scene_styles(scenes: Sequence[str]) -> dict[str, tuple]:
    """Return a colour and a marker for each scene; scenes that ADVANCE does not have get others."""
    new = [scene for scene in scenes if scene not in SCENE_STYLES]
    if not new:
        return {scene: SCENE_STYLES[scene] for scene in scenes}
    import seaborn

    colours = seaborn.husl_palette(len(new))
    others = dict(zip(new, zip(colours, itertools.cycle("os^DvPX"), strict=False), strict=True))
    return {scene: SCENE_STYLES.get(scene) or others[scene] for scene in scenes}


def heatmap(table: pd.DataFrame, axis: Axes, **options: object) -> None:
    """Draw a table as a map of colours.

    Args:
        table: of numbers.
        axis: to draw on.
        options: of ``seaborn.heatmap``.
    """
    import seaborn

    seaborn.heatmap(table, ax=axis, **options)


def set_style() -> None:
    """Set the book's plotting style: vector graphics on white, readable at the width of a page."""
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    set_matplotlib_formats("svg")
    plt.rcParams |= THEME | {"figure.facecolor": "white", "savefig.bbox": "tight", "axes.spines.top": False,
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
    return from_chapter(path)


def from_chapter(path: Path) -> str:
    """Return the address of a file or folder as seen from a chapter."""
    beside = build_folder().parent  # the checkout whose chapters run, which need not be the library's own
    checkout = beside if (beside / "book").is_dir() else PACKAGE.parent
    return Path(os.path.relpath(path, checkout / "book")).as_posix()


def samples_file(samples: np.ndarray, rate: int, name: str) -> str:
    """Keep samples as a small MP3 file beside the pages, and return its address."""
    buffer = io.BytesIO()
    small = {"bitrate_mode": "VARIABLE", "compression_level": 0.8}  # about 45 kB for ten seconds
    soundfile.write(buffer, samples, rate, format="MP3", subtype="MPEG_LAYER_III", **small)
    return site_file(f"{name}.mp3", buffer.getvalue())


def sound_file(sound: Path | str) -> str:
    """Keep a clip as a small MP3 file beside the pages, and return its address."""
    samples, rate = read_clip(sound)
    peak = float(np.abs(samples).max())
    louder = samples * (0.9 / peak) if peak > 0 else samples  # quiet recordings stay audible on a laptop
    return samples_file(louder, rate, Path(sound).stem)


def image_file(image: np.ndarray | Picture.Image | Path | str, name: str, side: int | None = None) -> str:
    """Keep a picture as JPEG beside the pages, cut to a square of ``side`` pixels, and return its address."""
    if isinstance(image, Path | str):
        with Picture.open(image) as file:
            image = file.convert("RGB")
    return site_file(f"{name}.jpg", _jpeg(image, side))


def player(sound: Path | str) -> str:
    """Return HTML of a player for a clip."""
    return f'<audio controls preload="metadata" src="{sound_file(sound)}"></audio>'


class Shown(HTML):
    """A figure or table of a page; an executed chapter keeps its name and its runs as the output's metadata."""

    def __init__(self, page: str, name: str, runs: Sequence):
        super().__init__(page)
        self.made_from = {"result": name, "runs": len(runs), "list": _list_of(runs, name) if runs else None}

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        return {"text/html": self.data}, {"advance": self.made_from}


def show(what: Figure | Picture.Image | HTML, name: str, caption: str, alt: str = "", runs: Sequence = ()) -> Shown:
    """Show a figure with its caption, its alternative text, an anchor, and the runs that it was made from.

    Args:
        what: lines, which become vector graphics, a photograph, which becomes JPEG, or a page's own HTML.
        name: the anchor, such as ``fig-3``; the figure's permanent address is the chapter's with ``#fig-3``.
        caption: says what to see; formulas stand between dollar signs.
        alt: says the same to those who do not see it; HTML carries its own.
        runs: finished runs that the figure rests on.
    """
    content = what.data if isinstance(what, HTML) else picture(what, name, alt)
    page = (
        f'<figure class="shown" id="{name}">{content}<figcaption class="tex2jax_process">{_typeset(caption)} '
        f"{behind(name, runs)}</figcaption></figure>"
    )
    return Shown(page, name, runs)


def picture(what: Figure | Picture.Image, name: str, alt: str) -> str:
    """Return HTML of a picture that links to its file, so that it can be opened and enlarged on a telephone.

    The element says how large the smallest text of lines is in points (``data-smallest``; what is set below or above a
    line counts with it), and that a figure shows photographs or spectrograms (``as-it-is``): those keep their colours
    in the dark theme.

    Args:
        what: lines, which become vector graphics, or a photograph, which becomes JPEG.
        name: of the file.
        alt: says the same to those who do not see it.
    """
    about = ""
    if isinstance(what, Figure):
        buffer = io.BytesIO()
        _typeset_losses(what)
        what.savefig(buffer, format="svg", metadata={"Date": None})
        plt.close(what)
        address = site_file(f"{name}.svg", buffer.getvalue())
        sizes = [text.get_fontsize() for text in what.findobj(Text) if text.get_visible() and text.get_text().strip()]
        about += f' data-smallest="{min(sizes):g}"' if sizes else ""
        about += ' class="as-it-is"' if what.findobj(AxesImage) else ""
    else:
        address = image_file(what, name)
    return f'<a href="{address}"><img src="{address}" alt="{html.escape(alt)}"{about}></a>'


def _typeset_losses(figure: Figure) -> None:
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        texts = [label.get_text() for label in axis.get_ticklabels()]
        if any(map(LOSS.search, texts)):  # what is set on a tick's label alone is lost when it is drawn
            axis.set_ticks(axis.get_ticklocs(), list(map(losses_as_mathtext, texts)))
    for text in figure.findobj(Text):
        text.set_text(losses_as_mathtext(text.get_text()))


def _typeset(text: str) -> str:
    text = re.sub(r"(?<=\d) %", "\N{NO-BREAK SPACE}%", html.escape(text, quote=False))
    parts = re.split(r"\$(.+?)\$", text)
    return "".join(rf"\({part}\)" if number % 2 else losses_as_html(part) for number, part in enumerate(parts))


def losses_as_html(text: str) -> str:
    """Typeset the losses of a text, such as ``L_SQ|Na``, with subscripts; in HTML, outside its tags."""

    def loss(found: re.Match) -> str:
        return f"<i>L</i><sub>{found[1]}{f'<sub>{found[2]}</sub>' if found[2] else ''}</sub>"

    return re.sub(r"(?:^|(?<=>))[^<]+", lambda part: LOSS.sub(loss, part[0]), text)


def losses_as_mathtext(text: str) -> str:
    """Typeset the losses of a text for Matplotlib; a text that has formulas already stays as it is.

    There is one level of subscripts: letters of a second one would be four points high.
    """

    def loss(found: re.Match) -> str:
        return f"$L_{{{found[1]}{(found[2] or '').replace('+', '{+}')}}}$"

    return text if "$" in text else LOSS.sub(loss, text)


def behind(name: str, runs: Sequence) -> str:
    """Return HTML of a link to the list of runs behind a table or figure; nothing where there are none."""
    return f'<a class="runs" href="{_list_of(runs, name)}">{len(runs)} run{"s" * (len(runs) != 1)}</a>' if runs else ""


def _list_of(runs: Sequence, name: str) -> str:
    listed = [(r.cell, r.seed, r.request.settings.split.by, r.request.settings.split.seed, r.folder.name) for r in runs]
    table = pd.DataFrame(listed, columns=["cell", "seed", "split by", "split", "run"])
    return site_file(f"{name}-runs.csv", table.to_csv(index=False).encode())


def _jpeg(image: np.ndarray | Picture.Image, side: int | None = None) -> bytes:
    picture = image if isinstance(image, Picture.Image) else Picture.fromarray(image)
    if side:
        picture = ImageOps.fit(picture.convert("RGB"), (side, side))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


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


def show_table(table: pd.DataFrame, name: str, prose: bool = False, runs: Sequence = ()) -> Shown:
    """Show a table whole, with a link to it as CSV; a dash stands for what is not defined, such as a deviation of one.

    Args:
        table: to show.
        name: of the CSV file, and the anchor.
        prose: the entries are sentences, whose lines may be broken.
        runs: finished runs that the table rests on.
    """
    with pd.option_context("display.max_colwidth", None):
        page = table.to_html(border=0, na_rep="–")
    return table_page(page, table, name, runs, "prose" if prose else "")


def table_page(page: str, numbers: pd.DataFrame, name: str, runs: Sequence = (), look: str = "") -> Shown:
    """Return a table's page: it scrolls inside itself, and its numbers and its runs can be downloaded.

    Args:
        page: HTML of the table.
        numbers: for the CSV file.
        name: of the file, and the anchor.
        runs: finished runs that the table rests on.
        look: ``"prose"`` where the entries are sentences, ``"close"`` where they may break at blanks.
    """
    # Whoever has no mouse must be able to scroll, so the region takes the focus.
    region = f'class="wide-table {look}" id="{name}" tabindex="0" role="region" aria-label="table {name}"'
    links = f"<p>{download(numbers, name)} {behind(name, runs)}</p>"
    return Shown(f"<div {region}>{typeset_table(page)}</div>{links}", name, runs)


def typeset_table(page: str) -> str:
    """Typeset the losses and the signs of a table's HTML; names of the index get no row of their own."""

    def one_heading(rows: re.Match) -> str:
        blank, columns, names = rows.groups()
        named = names.replace("<th>", '<th style="text-align: left">')
        return f"<tr>{named}{columns}</tr>" if blank.count("<th>") == names.count("<th>") else rows[0]

    def cell(found: re.Match) -> str:
        return re.sub(r"(?<=\d)%", "\N{NO-BREAK SPACE}%", with_minus(found[0]).replace("± ", "±\N{NO-BREAK SPACE}"))

    return losses_as_html(re.sub(r"(?<=<td>)[^<]+", cell, TWO_HEADINGS.sub(one_heading, page)))
