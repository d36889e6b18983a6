"""The names of AudioSet's 527 sound events, in the order of a network's outputs.

The labels are Google's (Gemmeke et al., "Audio Set: An ontology and human-labeled dataset for audio events",
ICASSP 2017; https://research.google.com/audioset), published under CC BY 4.0. ``audioset_events.csv`` keeps their
names and machine ids (mids), unchanged and in the order of ``class_labels_indices.csv``.

Chapter: The knowledge of sounds.
"""

import csv
from functools import cache
from importlib.resources import files


@cache
def event_names() -> tuple[str, ...]:
    """Return the 527 names, such as "Male speech, man speaking"; output i of the network is about the i-th."""
    with (files(__package__) / "audioset_events.csv").open(encoding="utf-8", newline="") as file:
        return tuple(row["name"] for row in csv.DictReader(file))
