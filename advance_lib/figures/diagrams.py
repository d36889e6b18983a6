"""The paper's two drawings as vector graphics: how ADVANCE was made (Fig. 2), and the architecture (Fig. 5).

A drawing is a list of boxes, in inches, and a list of arrows between their names. What a box is shows in its outline:
data has square corners, what is trained a solid outline, what is frozen a dashed one.

Chapters: The dataset; Recognising with one and two senses; Preserving what the audio network knows; One
representation, two tasks; Events in different scenes.
"""

from typing import NamedTuple

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle
from matplotlib.path import Path

from advance_lib.data.published import advance_counts
from advance_lib.figures.page import BOTH_COLOUR, IMAGE_COLOUR, LOSS_COLOURS, PAPER_COLOUR, SOUND_COLOUR

INK, PALE, PALE_INK = "#222222", "#bdbdbd", "#8f8f8f"
# The parts that `architecture` can highlight; each has the colour of its loss, L_s that of its senses.
PARTS = {"Ls": BOTH_COLOUR, "Na": LOSS_COLOURS["SQ|Na"], "Nv+a": LOSS_COLOURS["SQ|Nv+a"], "E": LOSS_COLOURS["E"]}
# What a box can be: how much of its colour fills it, how round its corners are in inches, and its outline.
KINDS = {
    "data": (0.25, 0, "solid"),
    "trained": (0.16, 0.08, "solid"),
    "frozen": (0, 0.08, (0, (3, 2))),
    "computed": (0, 0.08, "solid"),
    "loss": (1, 0.16, "solid"),
    "panel": (0.05, 0.06, "solid"),
}


class _Box(NamedTuple):
    """A box: its edges in inches, its text, what it is, its colour, and the parts that it belongs to."""

    left: float
    bottom: float
    right: float
    top: float
    text: str
    kind: str
    colour: str = PAPER_COLOUR
    parts: str = " ".join(PARTS)
    size: float = 10

    @property
    def centre(self) -> tuple[float, float]:
        return (self.left + self.right) / 2, (self.bottom + self.top) / 2


def _thinned(colour: str, share: float) -> tuple[float, ...]:
    """Return a colour thinned with white."""
    return tuple(1 - share * (1 - value) for value in to_rgb(colour))


def _text(axis: Axes, x: float, y: float, text: str, **style) -> None:
    """Write in the font that comes with matplotlib, for which the boxes are measured."""
    style = {"ha": "center", "va": "center", "color": INK, "fontsize": 10, "zorder": 4, "linespacing": 1.25} | style
    axis.text(x, y, text, fontfamily="DejaVu Sans", math_fontfamily="dejavusans", **style)


def _box(axis: Axes, name: str, box: _Box, shown: bool) -> None:
    """Draw a box and its text, in pale grey if it is not to be shown; the title of a panel stands in its corner."""
    share, rounding, outline = KINDS[box.kind]
    colour, panel = box.colour if shown else PALE, box.kind == "panel"
    axis.add_patch(FancyBboxPatch(
        (box.left, box.bottom), box.right - box.left, box.top - box.bottom, label=name,
        boxstyle=f"round,pad=0,rounding_size={rounding}", facecolor=_thinned(colour, share if shown else share / 3),
        edgecolor=_thinned(colour, 0.4) if panel else colour, linewidth=0.8 if panel else 1.4, linestyle=outline,
        zorder=1 if panel else 3,
    ))  # fmt: skip
    if panel:
        ink = colour if shown else PALE_INK
        _text(axis, box.left + 0.12, box.top - 0.19, box.text, ha="left", weight="bold", color=ink, label=name)
    else:
        dark = share == 1 and sum(to_rgb(colour)) < 1.5  # white ink on these
        ink = PALE_INK if not shown else "white" if dark else INK
        upright = 90 if box.top - box.bottom > 6 * (box.right - box.left) else 0
        _text(axis, *box.centre, box.text, color=ink, fontsize=box.size, rotation=upright, label=name)


def _route(start: _Box, end: _Box) -> list[tuple[float, float]]:
    """Return the corners of an arrow: straight where two boxes face each other, else down, across and down."""
    low, high = max(start.bottom, end.bottom), min(start.top, end.top)
    if low < high:
        y = (low + high) / 2
        return [(start.right, y), (end.left, y)] if start.right <= end.left else [(start.left, y), (end.right, y)]
    west, east = max(start.left, end.left), min(start.right, end.right)
    if west < east:
        x = (west + east) / 2
        return [(x, start.bottom), (x, end.top)] if start.bottom >= end.top else [(x, start.top), (x, end.bottom)]
    x, to, y = start.centre[0], end.centre[0], (start.bottom + end.top) / 2
    return [(x, start.bottom), (x, y), (to, y), (to, end.top)]


def _arrow(axis: Axes, start: _Box, end: _Box, text: str, shown: bool) -> None:
    """Draw an arrow from box to box; its text stands above it, or to the right of one that is upright."""
    corners = _route(start, end)
    axis.add_patch(FancyArrowPatch(
        path=Path(corners), arrowstyle="-|>,head_length=4,head_width=2.5", color=INK if shown else PALE,
        linewidth=1.2, joinstyle="miter", zorder=2.5 if shown else 2,
    ))  # fmt: skip
    (x, y), (to, down) = corners[0], corners[-1]
    right, up, place = (0.06, 0, {"ha": "left"}) if x == to else (0, 0.04, {"va": "bottom"})
    _text(axis, (x + to) / 2 + right, (y + down) / 2 + up, text, color=INK if shown else PALE_INK, **place)


def _drawing(
    height: float, boxes: dict[str, _Box], arrows: list[tuple[str, ...]], highlight: str | None = None
) -> tuple[Figure, Axes]:
    """Draw boxes and arrows on a page of 9 inches; an arrow belongs to the parts to which both its ends belong."""
    figure = plt.figure(figsize=(9, height))
    axis = figure.add_axes((0, 0, 1, 1), xlim=(0, 9), ylim=(0, height))
    axis.axis("off")
    shown = {name for name, box in boxes.items() if highlight is None or highlight in box.parts.split()}
    for name, box in boxes.items():
        _box(axis, name, box, name in shown)
    for start, end, *text in arrows:
        _arrow(axis, boxes[start], boxes[end], "".join(text), {start, end} <= shown)
    return figure, axis


def pipeline() -> Figure:
    """Draw how the pairs of ADVANCE were made, and how its scenes were balanced.

    Source: the paper, Fig. 2 and section 3; the counts are those of `published`.
    """
    counts = advance_counts()
    pairs, locations = counts.sum()
    advance = f"ADVANCE\n{pairs:,} pairs\n{locations:,} locations\n{len(counts)} scenes"
    enlarged = "fewer than 100 pairs in a scene: each gets four siblings"
    boxes = {
        # name: left, bottom, right, top, text, kind, colour
        "recording": _Box(0.1, 2.6, 1.35, 4.7, "Freesound:\na recording\nand its\ncoordinates", "data"),
        "area": _Box(2.45, 3.4, 3.3, 4.7, "bounding\nbox", "computed"),
        "photograph": _Box(3.75, 4.15, 5.35, 4.7, "Google Earth:\n512 × 512 pixels", "data", IMAGE_COLOUR),
        "annotations": _Box(3.75, 3.4, 5.15, 3.95, "OpenStreetMap:\nannotations", "data", BOTH_COLOUR),
        "correction": _Box(5.5, 3.4, 6.8, 3.95, "corrected by\nparticipants", "computed", BOTH_COLOUR),
        "length": _Box(2.45, 2.6, 4.35, 3.15, "under 2 s: dropped;\n2 to 10 s: repeated", "computed", SOUND_COLOUR),
        "clip": _Box(4.9, 2.6, 6.3, 3.15, "ten seconds,\ncut at random", "computed", SOUND_COLOUR),
        "pair": _Box(7.85, 2.6, 8.9, 4.7, "a pair\n$(v, a, t)$", "data", BOTH_COLOUR, size=12),
        "few": _Box(0.1, 0.4, 1.6, 1.6, "fewer than\n10 pairs in a\nscene: dropped", "computed"),
        "siblings": _Box(1.95, 0.1, 7.0, 1.9, enlarged, "panel", BOTH_COLOUR),
        "ADVANCE": _Box(7.4, 0.4, 8.9, 1.6, advance, "data", BOTH_COLOUR),
    }
    arrows = [
        ("recording", "area", "39°05′ N,\n84°22′ W"), ("area", "photograph"), ("area", "annotations"),
        ("photograph", "pair", "photograph $v$"), ("annotations", "correction"), ("correction", "pair", "scene $t$"),
        ("recording", "length"), ("length", "clip"), ("clip", "pair", "sound $a$"),
        ("pair", "few", "all pairs"), ("few", "siblings"), ("siblings", "ADVANCE"),
    ]  # fmt: skip
    figure, axis = _drawing(4.8, boxes, arrows)
    # The first of five is the pair that there was, drawn stronger than its siblings.
    for number, (east, north) in enumerate(((0, 0), (0, 0.12), (0.12, 0), (0, -0.12), (-0.12, 0))):
        strength = {"alpha": 1 if number == 0 else 0.55, "linewidth": 1.8 if number == 0 else 1, "zorder": 3}
        axis.add_patch(Rectangle((2.8 + east, 0.87 + north), 0.5, 0.5, fill=False, edgecolor=IMAGE_COLOUR, **strength))
        start = 4.75 + (0.8, 0.0, 0.35, 1.15, 1.5)[number]
        axis.add_patch(Rectangle((start, 0.93), 0.28, 0.38, fill=False, edgecolor=SOUND_COLOUR, **strength))
    axis.plot((4.6, 6.7), (1.12, 1.12), color=SOUND_COLOUR, linewidth=2.5, zorder=2)
    _text(axis, 3.05, 0.42, "four small offsets,\nfour more photographs")
    _text(axis, 5.65, 0.42, "ten other seconds for each,\nof the same recording")
    return figure


def architecture(highlight: str | None = None) -> Figure:
    """Draw the networks, the main task and the three approaches with their objectives.

    Source: the paper, Fig. 5, with equations (1) to (10).

    Args:
        highlight: ``"Ls"``, ``"Na"``, ``"Nv+a"`` or ``"E"`` leaves that part in colour and the rest pale; None
            colours everything.

    Raises:
        ValueError: there is no such part.
    """
    if highlight is not None and highlight not in PARTS:
        raise ValueError(f"no part '{highlight}' to highlight; choose {', '.join(PARTS)}, or None for all of them")
    scene, used, term = PARTS["Ls"], PARTS["E"], LOSS_COLOURS["E1"]  # L_E2 never stands alone: no colour of its own
    taught, joint = "Na Nv+a E", "Ls Nv+a E"
    boxes = {
        # name: left, bottom, right, top, text, kind, colour, parts
        "main task": _Box(3.3, 6.05, 8.9, 7.1, "Main task: name the scene", "panel", scene, "Ls"),
        "use": _Box(3.3, 4.3, 8.3, 5.87, "Use: events in scenes", "panel", used, "E"),
        "photograph": _Box(0.1, 5.1, 1.1, 5.7, "photograph\n$v$", "data", IMAGE_COLOUR, joint),
        "sound": _Box(0.1, 2.5, 0.8, 3.1, "sound\n$a$", "data", SOUND_COLOUR),
        "log-mel": _Box(1.05, 2.5, 1.65, 3.1, "log-\nmel", "computed", SOUND_COLOUR),
        "Nv": _Box(1.9, 4.8, 2.6, 6.0, "$N_v$", "trained", IMAGE_COLOUR, joint, 13),
        "Na": _Box(1.9, 1.83, 2.6, 3.77, "$N_a$", "trained", SOUND_COLOUR, size=13),
        "Nv+a": _Box(2.85, 3.0, 3.15, 6.7, "$N_{v+a}$: side by side", "computed", BOTH_COLOUR, joint),
        "scene head": _Box(3.45, 6.15, 4.85, 6.7, "scene head\n$f_s(x, N_{v+a})$", "trained", scene, "Ls E"),
        "softmax": _Box(5.15, 6.17, 6.05, 6.68, "softmax $z$\n$p(s_k)$", "computed", scene, "Ls E"),
        "Ls": _Box(6.5, 6.25, 7.3, 6.6, "$L_s$ (1)", "loss", scene, "Ls", 12),
        "label": _Box(7.75, 6.17, 8.75, 6.68, "scene $t$\n(label)", "data", scene, "Ls"),
        "posteriors": _Box(3.45, 4.5, 4.65, 5.3, "mean $y(a)$\nof each scene\n$p(e|s_k)$", "frozen", used, "E"),
        "mixture": _Box(5.25, 4.37, 6.02, 5.74, "mixture\n$p(e)$ (7)", "computed", used, "E"),
        "E1": _Box(6.25, 5.4, 7.15, 5.74, "$L_{E_1}$ (8)", "loss", term, "E", 12),
        "E": _Box(6.25, 4.885, 7.15, 5.225, "$L_E$ (10)", "loss", used, "E", 12),
        "E2": _Box(6.25, 4.37, 7.15, 4.71, "$L_{E_2}$ (9)", "loss", term, "E", 12),
        "relevance": _Box(7.35, 4.37, 8.2, 4.85, "relevance\n$d_t$", "frozen", used, "E"),
        "teacher": _Box(1.05, 0.65, 2.6, 1.3, "teacher $N_a^{(0)}$,\nas pre-trained", "frozen", parts=taught),
        "teacher head": _Box(3.45, 0.65, 4.95, 1.3, "its event head\n$f_e(a, N_a^{(0)})$", "frozen", parts=taught),
        "answers": _Box(8.5, 0.65, 8.9, 5.87, "the teacher's answers", "frozen", parts=taught),
    }
    arrows = [
        ("photograph", "Nv"), ("sound", "log-mel"), ("log-mel", "Na"), ("Nv", "Nv+a"), ("Na", "Nv+a"),
        ("Nv+a", "scene head"), ("scene head", "softmax"), ("softmax", "Ls"), ("label", "Ls"),
        ("softmax", "mixture"), ("posteriors", "mixture"), ("mixture", "E1"), ("mixture", "E2"),
        ("answers", "E1", "$y(a)$"), ("relevance", "E2"), ("E1", "E"), ("E2", "E", "$\\times\\beta$"),
        ("log-mel", "teacher"), ("teacher", "teacher head"),
        ("teacher head", "answers", "$f_e(a, N_a^{(0)})$;  after $\\sigma$:  $y(a)$"),
    ]  # fmt: skip
    for part, title, head, network, y, kl, sq in (
        ("Nv+a", "Share: one representation, two tasks", "$f_e(x, N_{v+a})$", "N_{v+a}", 3.0, "(5)", "(6)"),
        ("Na", "Preserve: what $N_a$ knows", "$f_e(a, N_a)$", "N_a", 1.6, "(3)", "(4)"),
    ):
        boxes |= {
            f"approach {part}": _Box(3.3, y - 0.12, 8.3, y + 1.15, title, "panel", PARTS[part], part),
            f"head {part}": _Box(3.45, y, 4.95, y + 0.77, f"event head\n{head}", "trained", PARTS[part], part),
            f"sigmoid {part}": _Box(5.25, y + 0.02, 5.65, y + 0.32, "$\\sigma$", "computed", PARTS[part], part),
        }
        for way, low, number in (("SQ", y + 0.43, sq), ("KL", y, kl)):
            loss, formula = f"{way}|{part}", f"$L_{{{way}|{network}}}$ {number}"
            boxes[loss] = _Box(5.85, low, 7.25, low + 0.34, formula, "loss", LOSS_COLOURS[loss], part, 13)
        arrows += [
            (part, f"head {part}"), (f"head {part}", f"SQ|{part}"), (f"head {part}", f"sigmoid {part}"),
            (f"sigmoid {part}", f"KL|{part}"), ("answers", f"SQ|{part}", "$f_e(a, N_a^{(0)})$"),
            ("answers", f"KL|{part}", "$y(a)$"),
        ]  # fmt: skip
    for place, kind in enumerate(("data", "trained", "frozen", "computed", "loss")):
        boxes[kind] = _Box(0.1 + 1.05 * place, 0.1, 1.05 + 1.05 * place, 0.4, kind, kind)
    figure, axis = _drawing(7.2, boxes, arrows, highlight)
    total = "total: $L = L_s + \\alpha L_\\Omega$ (2), where\n$L_\\Omega$ is an $L_{KL}$, an $L_{SQ}$ or $L_E$"
    _text(axis, 8.9, 0.25, total, ha="right")
    return figure
