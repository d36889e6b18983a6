import re

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from advance_lib.analysis.robustness import STRENGTHS
from advance_lib.data.catalogue import read_catalogue
from advance_lib.figures import inside
from advance_lib.figures.page import loss_colour

matplotlib.use("Agg")
CELLS = ("image/Ls", "image+sound/Ls", "image+sound/SQ|Na")


@pytest.fixture
def pairs(tiny):
    return read_catalogue(tiny).groupby("scene").head(2)


def test_the_grid_has_a_map_of_every_approach_with_its_probability(pairs):
    photographs = np.full((len(pairs), 16, 16, 3), 90, np.uint8)
    maps = {cell: np.random.default_rng(0).random((len(pairs), 16, 16)) for cell in CELLS}
    sure = {cell: np.linspace(0.1, 0.9, len(pairs)) for cell in CELLS}
    page = inside.activation_grid(pairs, photographs, maps, sure).data
    assert page.count("<tr>") == 1 + len(pairs) and page.count("<img") == len(pairs) * (1 + len(CELLS))
    assert page.count("<audio") == len(pairs) and page.count("90%</td>") == len(CELLS)
    assert 'alt="Where L_SQ|Na finds evidence for desert; probability 10%"' in page


def test_intervals_are_drawn_where_they_are():
    rows = [
        {"cell": cell, "measure": "purity", "mean": 10.0 + i, "mean_low": 9.0 + i, "mean_high": 12.0 + i}
        for i, cell in enumerate(CELLS)
    ]
    axis = inside.interval_dots(pd.DataFrame(rows), {"purity": "purity in %"}, {"purity": {"chance": 5}}).axes[0]
    spans = [tuple(line.get_xdata()) for line in axis.lines if len(line.get_xdata()) == 2]
    assert spans == [(9, 12), (10, 13), (11, 14), (5, 5)]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["image", "image + sound", "L_SQ|Na"]


def test_panels_show_every_point_and_one_legend_names_the_scenes():
    scenes = ["ice", "lake", "ice", "wood"] * 5
    places = np.random.default_rng(0).random((20, 2))
    figure = inside.embedding_panels({"one": places, "two": places}, scenes)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["ice", "lake", "wood"]
    for axis in figure.axes:
        assert not axis.texts and sum(len(line.get_xdata()) for line in axis.lines) == 20


def test_curves_of_every_kind_of_bad_photograph():
    cells = (*CELLS, "image+sound/E", "image+sound/KL|Na")
    rows = [
        {"cell": cell, "kind": kind, "level": level, "fscore": 60.0 if cell == cells[3] else 50.0, "f_low": 40.0,
         "f_high": 60.0, "difference": 1.0 + number, "low": -1.0, "high": 3.0}
        for number, cell in enumerate(cells)
        for kind, level in [("none", 0), *((kind, level) for kind in STRENGTHS for level in range(1, 6)), ("all", -1)]
    ]  # fmt: skip
    figure = inside.robustness_curves(pd.DataFrame(rows))
    assert [axis.get_title() for axis in figure.axes[: len(STRENGTHS)]] == list(STRENGTHS)
    for axis in figure.axes[: len(STRENGTHS)]:
        assert all(list(line.get_xdata()) == list(range(6)) for line in axis.lines) and len(axis.lines) == len(cells)
        # The base, L_s with both senses and the best transfer are named in their colours, one above the other.
        assert {text.get_text() for text in axis.texts} == {"image", "image + sound", "L_E"}
        heights = sorted(text.get_position()[1] for text in axis.texts)
        assert min(np.diff(heights)) > 4
        assert {text.get_color() for text in axis.texts} == {loss_colour(cell) for cell in (*cells[:2], cells[3])}
        assert sum(line.get_color() == inside.OTHERS for line in axis.lines) == 2
    together = figure.axes[-1]
    dots = [line.get_xdata()[0] for line in together.lines if line.get_marker() == "o"]
    assert dots == [2.0, 3.0, 4.0, 5.0]
    assert [label.get_text() for label in together.get_yticklabels()] == ["image + sound", "L_SQ|Na", "L_E", "L_KL|Na"]
    assert inside.degraded_sheet(np.zeros((8, 8, 3), np.uint8), side=10).size == (60, 10 * len(STRENGTHS))


def test_the_gallery_says_what_was_decided(pairs):
    told = pairs.assign(base="ice", other="wood", gain=0.25, heard="Rain, <Wind>")
    page = inside.decision_gallery(told).data
    assert page.count("with sound: wood (+25 points)") == len(pairs) and "&lt;Wind&gt;" in page
    assert "No pair" in inside.decision_gallery(told.head(0)).data


def test_the_map_of_events_and_scenes_has_zero_in_the_middle():
    table = pd.DataFrame([[1.0, -3.0]], index=["Rain, drizzle"], columns=["ice", "wood"])
    page = inside.event_scene_map(table, "added").data
    found = re.findall(r'background: (#\w+); color: \w+" title="([^"]+)">([^<]*)<', page)
    assert [text for _, *text in found] == [["Rain, ice: +1.0", "+1.0"], ["Rain, wood: −3.0", "−3.0"]]
    assert [colour for colour, *_ in found] == [to_hex(matplotlib.colormaps["RdBu"](x)) for x in (4 / 6, 0.0)]


def test_what_events_add_is_compared_with_how_often_they_occur():
    table = pd.DataFrame([[1.0, -3.0], [0.2, 0.5]], index=["Rain, drizzle", "Wind"], columns=["ice", "wood"])
    posteriors = pd.DataFrame([[0.4, 0.1], [0.3, 0.2], [0.3, 0.7]], index=["Rain, drizzle", "Wind", "Goose"])
    told = inside.event_scene_words(table, posteriors.set_axis(table.columns, axis=1))
    assert "→ ice (+1.0); Wind → wood (+0.5)" in told and "over 2 events; for one of them" in told


def test_without_events_that_can_be_compared_a_sentence_stands_for_the_map():
    none = pd.DataFrame(columns=["ice", "wood"], dtype=float)
    assert "Too few clips" in inside.event_scene_map(none, "none").data
    assert "not known" in inside.event_scene_words(none, pd.DataFrame(columns=["ice", "wood"], dtype=float))


def test_the_parts_are_drawn_at_their_means():
    rows = [
        ("image/Ls", 0, "test", 50, 5, 50),
        ("image/Ls", 1, "test", 60, 5, 60),
        ("image+sound/E", 0, "test", 40, 20, 55),
    ]
    table = pd.DataFrame(rows, columns=["cell", "seed", "split", "seen", "heard", "both"])
    figure = inside.parts_dots(pd.concat([table.assign(split="train"), table]))
    train, test = figure.axes  # the labels stand left
    assert [axis.get_title() for axis in figure.axes] == ["train", "test"]
    assert [label.get_text() for label in train.get_yticklabels()] == ["image", "L_E"]
    drawn = {round(float(x)) for line in test.lines for x in np.atleast_1d(line.get_xdata()) if np.isfinite(x)}
    assert {55, 5, 40, 20} <= drawn
