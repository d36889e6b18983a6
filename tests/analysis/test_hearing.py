import numpy as np
import pandas as pd
import pytest

from advance_lib.analysis.hearing import agreement, mixed_events, recall_of_mixed
from advance_lib.data.dataset import open_dataset
from advance_lib.experiments.profiles import get_profile
from advance_lib.models.audioset import event_names


def test_agreement_by_hand():
    """Four events: the first is frequent everywhere; the second is special for ice, the third for wood."""
    published = pd.DataFrame({"ice": [0.9, 0.3, 0.1, 0.05], "wood": [0.9, 0.1, 0.3, 0.05]}, index=list("abcd"))
    same = agreement(published, published)
    assert same["own"].tolist() == [1, 1] and same["place"].tolist() == [1, 1]
    assert same["others"].to_numpy() == pytest.approx([0.8, 0.8])  # ranks 4 3 2 1 and 4 2 3 1
    swapped = agreement(published.rename(columns={"ice": "wood", "wood": "ice"}), published)
    assert swapped["own"].to_numpy() == pytest.approx([0.8, 0.8])  # still high: what is frequent everywhere
    assert (swapped["above"] < 0).all() and swapped["place"].tolist() == [2, 2]


def test_mixed_events_are_read_by_scene_and_id(tiny):
    data = open_dataset(str(tiny), get_profile("smoke"))
    assert mixed_events(data) is None
    first = data.catalogue.iloc[0]
    row = {"scene": first["scene"], "id": first["id"], "location": first["location"], "events": "Rain;Wind"}
    pd.DataFrame([row]).to_csv(tiny / "pairs.csv", index=False)
    assert mixed_events(data)[:2] == [["Rain", "Wind"], []]


def test_recall_counts_clips_that_name_an_event():
    names = event_names()
    responses = np.zeros((3, 527))
    responses[0, 7], responses[1, 9], responses[2, 11] = 1, 1, 1
    assert recall_of_mixed(responses, [[names[7]], [names[500]], []], top=1) == 0.5
