import numpy as np
import pandas as pd
import pytest
import soundfile
from PIL import Image

from advance_lib.data.catalogue import location_of, read_catalogue
from advance_lib.data.published import ADVANCE_COUNTS, SCENES
from advance_lib.miniature.world import World, locations_of, render_aerial_set, render_event_set, render_world

SMALL = World(pairs=20, side=48)  # the least that a world can have: ten locations of each scene


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("ADVANCE_BUILD", str(tmp_path_factory.mktemp("world")))
    yield render_world(SMALL)
    patch.undo()


def test_numbers_follow_the_published_counts():
    counts = pd.DataFrame([vars(location) for location in locations_of(World())]).groupby("scene")["pairs"]
    pairs, locations = counts.sum(), counts.size()
    assert pairs.sum() == pytest.approx(1014, abs=5) and locations.min() >= 10
    for scene, (published, places) in ADVANCE_COUNTS.items():
        assert pairs[scene] == pytest.approx(published / 5.005, abs=1)
        assert (locations[scene] == pairs[scene]) == (places == published)


def test_full_size_has_5075_pairs():
    assert sum(location.pairs for location in locations_of(World(pairs=5075))) == 5075


def test_the_exam_lies_at_other_locations():
    dataset, exam = ({place.name for place in locations_of(World(exam=exam))} for exam in (False, True))
    assert not dataset & exam and len(dataset) == len(exam)


def test_layout(rendered):
    table = read_catalogue(rendered)
    assert sorted(set(table["scene"])) == list(SCENES) and table.groupby("scene")["location"].nunique().min() == 10
    given = pd.read_csv(rendered / "pairs.csv", dtype=str)
    assert set(given["id"]) == set(table["id"]) and (given["location"] == given["id"].map(location_of)).all()
    assert given["events"].str.len().min() > 0
    for row in table.groupby("scene").head(1).itertuples():
        with Image.open(row.image) as picture:
            assert picture.size == (48, 48) and picture.mode == "RGB" and picture.format == "JPEG"
        sound = soundfile.info(row.sound)
        assert (sound.samplerate, sound.channels, sound.frames, sound.subtype) == (22_050, 1, 220_500, "PCM_16")
        mask = np.asarray(Image.open(rendered / "mask" / row.scene / f"{row.id}.png"))
        assert mask.shape == (48, 48) and mask.any()


def test_siblings_share_a_recording_and_overlap(tmp_path, monkeypatch):
    monkeypatch.setenv("ADVANCE_BUILD", str(tmp_path))
    places = [place for place in locations_of(World(pairs=700, side=48)) if place.pairs > 1]
    assert places
    from advance_lib.miniature import world as module

    place = places[0]
    rows = module._render_location(World(side=48), place, tmp_path / "out")
    assert [row["id"] for row in rows] == place.ids and len({row["events"] for row in rows}) == 1
    sounds = [soundfile.read(tmp_path / "out" / "sound" / place.scene / f"{i}.wav")[0] for i in place.ids]
    shift = round((rows[1]["start_s"] - rows[0]["start_s"]) * 22_050)
    first, second = (sounds[0][shift:], sounds[1]) if shift > 0 else (sounds[0], sounds[1][-shift:])
    overlap = min(len(first), len(second)) - 10
    pairs = [np.corrcoef(first[5 : overlap + 5], second[5 + lag : overlap + 5 + lag])[0, 1] for lag in range(-2, 3)]
    assert max(pairs) > 0.99


def test_pretraining_sets(tmp_path):
    clips = render_event_set(6)
    assert len(clips) == 6 and clips["events"].str.len().min() > 0 and clips["sound_sha256"].is_unique
    pictures = render_aerial_set(30, 32)
    assert pictures["category"].nunique() > 13 and Image.open(pictures["image"][0]).size == (32, 32)
