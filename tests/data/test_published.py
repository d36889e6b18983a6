import pandas as pd

from advance_lib.data.published import SCENES, advance_counts, advance_posteriors
from advance_lib.models.audioset import event_names


def test_the_counts_are_those_of_the_shared_table(shared):
    table = pd.read_csv(shared / "advance" / "class_statistics.csv", index_col="scene")
    assert table[["pairs", "locations"]].equals(advance_counts())
    assert tuple(advance_counts().sum()) == (5075, 2696) and len(advance_counts()) == 13


def test_the_published_posteriors_are_those_of_advance(shared):
    given = pd.read_csv(shared / "advance" / "scene_event_posteriors.csv", index_col="event")
    assert advance_posteriors().equals(given[list(SCENES)])


def test_the_published_posteriors_are_in_audiosets_order():
    table = advance_posteriors()
    assert tuple(table.index) == event_names() and tuple(table.columns) == SCENES
    assert table.loc["Speech", "airport"] == 0.6041
