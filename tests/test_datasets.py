import numpy as np
import pytest

from advance_lib.cache import UserError
from advance_lib.datasets import Split, inputs_of, open_dataset, split_named
from advance_lib.presets import CODE, PAPER
from advance_lib.profiles import PROFILES
from advance_lib.splits import shared_locations

SMOKE = PROFILES["smoke"]


def test_a_users_folder(tiny):
    dataset, inputs = inputs_of(str(tiny), SMOKE)
    assert dataset.scenes == ["desert", "ice", "wood"] and len(dataset.exam) == 0
    rows = dataset.rows()
    assert sorted(np.concatenate(list(rows.values()))) == list(range(42)) and set(rows) == {
        "train",
        "validation",
        "test",
    }
    assert shared_locations(dataset.catalogue, dataset.catalogue["split"]) == 0
    assert [dataset.scenes[target] for target in inputs.targets] == list(dataset.catalogue["scene"])
    batch = inputs.batch(rows["train"], augment=False)
    assert abs(batch.log_mel.mean()) < 0.01 and abs(batch.image.mean()) < 0.01  # normalised on these rows


def test_the_key_knows_data_and_split(tiny):
    default = open_dataset(str(tiny), SMOKE).key()
    assert open_dataset(str(tiny), SMOKE, Split(seed=1)).key() != default
    assert open_dataset(str(tiny), SMOKE, Split("pair")).key() != default


def test_a_scene_without_a_split_is_an_error(tiny):
    """One recording place for two scenes can take all of a small scene's pairs along."""
    (tiny / "pairs.csv").write_text("id,location\n" + "".join(f"{1000 + i:05d},{i:05d}\n" for i in range(10)))
    for sibling in (0, 3, 6, 9):
        for sense, suffix in (("vision", "jpg"), ("sound", "wav")):
            (tiny / sense / "ice" / f"{1000 + sibling:05d}_1.{suffix}").unlink()
    for number in range(1, 10):
        for sense, suffix in (("vision", "jpg"), ("sound", "wav")):
            (tiny / sense / "ice" / f"{1000 + number:05d}.{suffix}").unlink()
    with pytest.raises(UserError, match=r"scene 'ice' has no \w+ pairs"):
        open_dataset(str(tiny), SMOKE)


def test_the_official_split_from_a_listing(tiny, tmp_path):
    """The library takes the path of the authors' list; the tables then use their split."""
    listing = tmp_path / "av-geotag.npy"
    pairs = {i: sorted(f"{p.parent.name}/{p.stem}" for p in (tiny / "vision" / s).iterdir())
             for i, s in enumerate(("desert", "ice", "wood"))}  # fmt: skip
    np.save(listing, np.array(pairs, dtype=object), allow_pickle=True)
    dataset = open_dataset(str(tiny), SMOKE, split_named(str(listing)))
    counts = dataset.catalogue.drop_duplicates("location").groupby(["scene", "split"]).size().unstack()
    assert counts[["train", "validation", "test"]].to_numpy().tolist() == 3 * [[7, 1, 2]]
    assert shared_locations(dataset.catalogue, dataset.catalogue["split"]) == 0
    with pytest.raises(UserError, match="no split"):
        split_named("elsewhere.npy")


def test_the_preset_chooses_the_front_end_and_the_colours(tiny):
    paper, code = (inputs_of(str(tiny), SMOKE, preset=preset)[1] for preset in (PAPER, CODE))
    assert not np.array_equal(paper.log_mels, code.log_mels)
    rows = np.arange(4)
    assert code.batch(rows, augment=False).image.max() > 50 > paper.batch(rows, augment=False).image.max()


def test_advance_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("ADVANCE_DATA", str(tmp_path))
    with pytest.raises(UserError, match="Zenodo record 3828124"):
        open_dataset("advance", SMOKE)
