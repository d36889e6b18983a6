import re

import matplotlib
import numpy as np
import pandas as pd
import pytest

from advance_lib.figures import events

matplotlib.use("Agg")
EVENTS = ["Bird vocalization, bird call, bird song", "Waves, surf", "Train"]
TABLE = pd.DataFrame([[0.1, 0.5, 0.9], [0.2, 0.7, 0.3]], index=["lake", "beach"], columns=EVENTS)


@pytest.fixture(autouse=True)
def closed():
    yield
    matplotlib.pyplot.close("all")


def texts(axis):
    return [label.get_text() for label in axis.get_yticklabels()]


def test_bars_stand_in_falling_order_with_short_names():
    axes = events.top_bars(TABLE, "response", top=2).axes
    assert [axis.get_title() for axis in axes] == ["lake", "beach"] and texts(axes[0]) == ["Train", "Waves"]
    assert [bar.get_width() for bar in axes[1].patches] == [0.7, 0.3]


def test_the_loudest_events_by_short_name():
    assert events.loudest(TABLE.to_numpy(), EVENTS, top=2) == ["Train, Waves", "Waves, Train"]


@pytest.mark.parametrize("titles", [["here"], ["here", "there"]])
def test_one_or_two_tables_of_posteriors(titles):
    page = events.posterior_map(dict.fromkeys(titles, TABLE.T), "posteriors").data
    assert re.findall(r'scope="colgroup"[^>]*>([^<]*)<', page) == titles
    shown = re.findall(r'title="([^"]*)"[^>]*>([^<]*)</td>', page)
    assert [number for _, number in shown[: 2 * len(titles)]] == ["10", "20"] * len(titles)
    assert shown[-1] == ("Train, beach: 30.0 %", "30")


def test_one_panel_a_student_and_no_more_dots_than_asked():
    y = np.random.default_rng(0).random((40, 50))
    axes = events.responses(y, {"a": y, "b": 1 - y}, most=100).axes
    dots = axes[0].lines[1]
    assert len(axes) == 2 and len(dots.get_xdata()) == 100
    assert np.allclose(dots.get_xdata(), dots.get_ydata())


def test_one_pair_shows_the_events_that_matter():
    table = TABLE.T.set_axis(["p(e | lake)", "p(e | beach)"], axis=1)
    table.insert(0, "heard", [0.0, 1.0, 0.0])
    axis = events.one_pair(table, top=2).axes[0]
    assert texts(axis) == ["Waves", "Train"] and len(axis.patches) == 6


def test_temperature_margins_and_cosines_are_labelled():
    curve = events.over_temperature(np.array([1.0, 10.0]), np.array([0.5, 0.7]), 0.75).axes[0]
    assert curve.get_xscale() == "log" and curve.get_ylim()[1] > 0.75
    assert events.margins(np.arange(9.0), "nats").axes[0].get_xlabel() == "nats"
    square = pd.DataFrame(np.eye(2), ["lake", "beach"], ["lake", "beach"])
    page = events.cosine_map(square, "cosines").data
    assert re.findall(r"<td style[^>]*>([^<]*)<", page) == ["1.00", "0.00", "0.00", "1.00"]
