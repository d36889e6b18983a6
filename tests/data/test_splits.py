import pandas as pd
import pytest

from advance_lib.data.catalogue import DatasetError
from advance_lib.data.published import ADVANCE_COUNTS
from advance_lib.data.splits import SPLITS, shared_locations, split_by_location, split_by_pair


@pytest.fixture
def advance():
    """A catalogue with ADVANCE's published counts of pairs and locations."""
    rows = []
    for scene, (pairs, locations) in ADVANCE_COUNTS.items():
        rows += [(f"{scene}{i % locations}_{i // locations}", scene, f"{scene}{i % locations}") for i in range(pairs)]
    return pd.DataFrame(rows, columns=["id", "scene", "location"])


@pytest.mark.parametrize("seed", range(5))
def test_no_location_is_shared(advance, seed):
    split = split_by_location(advance, seed)
    seen = [set(advance.loc[split == name, "location"]) for name in SPLITS]
    assert not (seen[0] & seen[1] or seen[0] & seen[2] or seen[1] & seen[2])
    assert shared_locations(advance, split) == 0


def test_shares_of_every_scene(advance):
    split = split_by_location(advance)
    shares = split.value_counts(normalize=True)
    assert abs(shares["train"] - 0.7) < 0.02 and abs(shares["validation"] - 0.1) < 0.02
    for scene, group in advance.groupby("scene"):
        locations = group.groupby(split[group.index])["location"].nunique()
        total = ADVANCE_COUNTS[scene][1]
        assert abs(locations["train"] - 0.7 * total) <= 1 and abs(locations["test"] - 0.2 * total) <= 1


def test_same_seed_same_split_other_seed_another(advance):
    assert split_by_location(advance, 1).equals(split_by_location(advance, 1))
    assert not split_by_location(advance, 1).equals(split_by_location(advance, 2))
    shuffled = advance.sample(frac=1, random_state=0)
    assert split_by_location(shuffled, 1).reindex(advance.index).equals(split_by_location(advance, 1))


def test_a_location_with_two_scenes_stays_whole():
    rows = [(f"{scene}{i}", scene, f"{scene}{i}") for scene in ("lake", "forest") for i in range(10)]
    rows.append(("lake3_1", "forest", "lake3"))
    table = pd.DataFrame(rows, columns=["id", "scene", "location"])
    assert table.assign(split=split_by_location(table)).groupby("location")["split"].nunique().max() == 1


def test_too_few_locations():
    table = pd.DataFrame({"id": list("abcd"), "scene": "lake", "location": ["1", "1", "2", "2"]})
    with pytest.raises(DatasetError, match="'lake' has 2 location"):
        split_by_location(table)


def test_three_locations_are_one_each():
    table = pd.DataFrame({"id": list("abc"), "scene": "lake", "location": list("123")})
    assert sorted(split_by_location(table)) == ["test", "train", "validation"]


def test_a_split_by_pair_leaks_as_probability_says(advance):
    """With siblings a random split leaks; the expected share follows from the sizes of the locations."""
    split = split_by_pair(advance)
    sizes = advance["location"].map(advance["location"].value_counts())
    expected = (1 - 0.3 ** (sizes - 1)).mean()
    assert abs(shared_locations(advance, split) - expected) < 0.05
    assert split.value_counts()["train"] == int(0.7 * len(advance))
