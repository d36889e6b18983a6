import io
import itertools

import matplotlib
import matplotlib.pyplot as plt
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path
from matplotlib.transforms import Bbox

from advance_lib.data import published
from advance_lib.figures import diagrams, page
from advance_lib.figures.page import LOSS_COLOURS

matplotlib.use("Agg")

FORMULAS = {
    "Ls": "L_s",
    "KL|Na": "L_{KL|N_a}",
    "SQ|Na": "L_{SQ|N_a}",
    "KL|Nv+a": "L_{KL|N_{v+a}}",
    "SQ|Nv+a": "L_{SQ|N_{v+a}}",
    "E": "L_E",
    "E1": "L_{E_1}",
    "E2": "L_{E_2}",
}
OWN_LOSSES = {"Ls": {"Ls"}, "Na": {"KL|Na", "SQ|Na"}, "Nv+a": {"KL|Nv+a", "SQ|Nv+a"}, "E": {"E", "E1", "E2"}}
PANELS = {"main task", "use", "approach Na", "approach Nv+a", "siblings"}


@pytest.fixture(autouse=True)
def style():
    with plt.rc_context():
        page.set_style()
        yield
        plt.close("all")


@pytest.fixture(params=["pipeline", None, *diagrams.PARTS])
def drawn(request):
    """Every drawing, as a page would show it."""
    figure = diagrams.pipeline() if request.param == "pipeline" else diagrams.architecture(request.param)
    figure.draw_without_rendering()
    return figure


def boxes(figure):
    return {patch.get_label(): patch for patch in figure.axes[0].patches if isinstance(patch, FancyBboxPatch)}


def texts(figure):
    return [text for text in figure.axes[0].texts if text.get_text()]


def extents(artists):
    """Where boxes lie on the page, in pixels."""
    return {name: artist.get_window_extent() for name, artist in artists.items()}


def inside(small, large):
    return large.x0 <= small.x0 and small.x1 <= large.x1 and large.y0 <= small.y0 and small.y1 <= large.y1


def apart(one, other):
    """Whether two boxes have no more than an edge in common."""
    return Bbox.intersection(one.padded(-0.01), other.padded(-0.01)) is None


def test_every_text_lies_in_its_box_and_on_the_page(drawn):
    places, page = extents(boxes(drawn)), drawn.bbox
    for text in texts(drawn):
        place = text.get_window_extent()
        assert inside(place, page), text.get_text()
        if text.get_label() in places:
            assert inside(place.padded(2), places[text.get_label()]), text.get_text()


def test_texts_between_boxes_touch_neither_boxes_nor_each_other(drawn):
    solid = [place for name, place in extents(boxes(drawn)).items() if name not in PANELS]
    named = boxes(drawn)
    free = {text.get_text() + str(text.get_position()): text for text in texts(drawn) if text.get_label() not in named}
    titles = [text.get_window_extent() for text in texts(drawn) if text.get_label() in PANELS]
    places = list(extents(free).values())
    assert places
    assert all(apart(place, other) for place in places + titles for other in solid)
    assert all(apart(one, other) for one, other in itertools.combinations(places + titles, 2))


def test_texts_are_large_enough_for_a_page(drawn):
    assert drawn.get_figwidth() == 9 and min(text.get_fontsize() for text in texts(drawn)) >= 9


def test_no_two_boxes_overlap(drawn):
    places = extents(boxes(drawn))
    for (one, here), (other, there) in itertools.combinations(places.items(), 2):
        holds = (one in PANELS and inside(there, here)) or (other in PANELS and inside(here, there))
        assert holds or apart(here, there), f"{one} and {other}"


def test_every_arrow_touches_the_two_boxes_that_it_joins_and_no_other(drawn):
    arrows = [patch for patch in drawn.axes[0].patches if isinstance(patch, FancyArrowPatch)]
    assert arrows
    for arrow in arrows:
        shaft, *_ = arrow.get_path().transformed(drawn.axes[0].transData).to_polygons(closed_only=False)
        met = {
            name
            for name, place in extents(boxes(drawn)).items()
            if Path(shaft).intersects_bbox(place.padded(3), filled=False)
        }
        ends = met - PANELS if len(met - PANELS) == 2 else met  # an arrow may end at a panel
        assert len(ends) == 2, f"an arrow meets {sorted(met)}"


def test_every_loss_stands_once_in_its_colour():
    figure = diagrams.architecture()
    written = [text.get_text() for text in texts(figure)]
    for name, formula in FORMULAS.items():
        assert sum(text.startswith(f"${formula}$ (") for text in written) == 1, name
    for name, colour in LOSS_COLOURS.items():
        assert to_hex(boxes(figure)[name].get_facecolor()) == colour, name
    assert to_hex(boxes(figure)["Ls"].get_facecolor()) == page.loss_colour("image+sound/Ls")


@pytest.mark.parametrize("part", diagrams.PARTS)
def test_a_highlighted_part_alone_keeps_its_colours(part):
    whole, highlighted = boxes(diagrams.architecture()), boxes(diagrams.architecture(part))
    coloured = {name for name in FORMULAS if whole[name].get_facecolor() == highlighted[name].get_facecolor()}
    assert coloured == OWN_LOSSES[part]


def test_what_is_frozen_has_a_dashed_outline():
    drawn = boxes(diagrams.architecture())
    dashed = {name for name, box in drawn.items() if box.get_linestyle() != "solid"}
    assert dashed == {"teacher", "teacher head", "answers", "posteriors", "relevance", "frozen"}


def test_an_unknown_part_is_refused_with_the_choices():
    with pytest.raises(ValueError, match=r"'Nv'.*Ls, Na, Nv\+a, E"):
        diagrams.architecture("Nv")


def test_the_counts_are_the_published_ones(monkeypatch):
    def total():
        return next(text.get_text() for text in texts(diagrams.pipeline()) if text.get_label() == "ADVANCE")

    assert total() == "ADVANCE\n5,075 pairs\n2,696 locations\n13 scenes"
    monkeypatch.setattr(published, "ADVANCE_COUNTS", {"desert": (1200, 30), "ice": (34, 4)})
    assert total() == "ADVANCE\n1,234 pairs\n34 locations\n2 scenes"


@pytest.mark.parametrize("draw", [diagrams.pipeline, diagrams.architecture])
def test_the_same_drawing_is_the_same_file(draw):
    def svg():
        buffer = io.BytesIO()
        draw().savefig(buffer, format="svg", metadata={"Date": None})
        return buffer.getvalue()

    assert svg() == svg()
