import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import advance_lib.data
from advance_lib.cache import UserError
from advance_lib.data.catalogue import DatasetError, location_of, read_catalogue
from advance_lib.data.given import other_columns
from advance_lib.data.grid import grid_cells
from advance_lib.data.published import ADVANCE_COUNTS
from advance_lib.data.splits import (
    SPLITS,
    Split,
    official_split,
    posterior_rows,
    shared_locations,
    split_by_grid,
    split_by_location,
    split_by_pair,
    split_named,
)


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


@pytest.fixture
def authors():
    """All pairs of ADVANCE, in the catalogue's order."""
    table = pd.read_csv(Path(advance_lib.data.__file__).with_name("official_split.csv"), dtype={"id": str})
    return table[["scene", "id"]].assign(location=table["id"].map(location_of)).sort_values(["scene", "id"])


def test_the_official_split_is_that_of_the_authors(authors):
    split = official_split(authors)
    assert split.value_counts().to_dict() == {"train": 3537, "test": 1063, "validation": 475}
    assert shared_locations(authors, split) == 0 and split.index.equals(authors.index)
    counts = authors.groupby("scene").agg(pairs=("id", "size"), locations=("location", "nunique"))
    assert {scene: tuple(row) for scene, row in counts.iterrows()} == ADVANCE_COUNTS


def test_names_of_scenes_may_be_spelt_otherwise(authors):
    other = authors.assign(scene=authors["scene"].str.title().str.replace(" ", "_"))
    assert official_split(other).equals(official_split(authors))


def test_only_advance_has_an_official_split(authors):
    some = authors.head(100)
    with pytest.warns(UserWarning, match=r"4975 of the 5,075 pairs of ADVANCE are not here"):
        assert official_split(some).equals(official_split(authors).head(100))
    strange = pd.DataFrame({"scene": "lake", "id": ["00001", "x", "y"]})
    with pytest.raises(
        DatasetError, match=r"^3 of 103 pairs .*, such as lake/00001 and lake/x; .* choose --split location$"
    ):
        official_split(pd.concat([some, strange]))


def test_the_posteriors_of_advance_are_measured_on_the_authors_samples(authors):
    pairs = authors.assign(split=official_split(authors))
    rows = posterior_rows(pairs, "leaky")
    assert len(rows) == 3548 and (pairs["split"].iloc[rows] == "test").sum() == 448
    alone = pairs.iloc[rows][lambda table: table["scene"].isin(["forest", "beach", "residential"])]
    assert set(alone["split"]) == {"train"}  # one pair a location
    assert posterior_rows(pairs, "train").tolist() == np.flatnonzero(pairs["split"] == "train").tolist()


def test_the_posteriors_of_other_pairs_leak_through_siblings_alone():
    """Scene ice has one pair a location, scene wood five; an exam lies behind."""
    rows = [("ice", f"{i}", f"{i}") for i in range(50)] + [("wood", f"w{i}", f"w{i // 5}") for i in range(50)]
    pairs = pd.DataFrame(rows, columns=["scene", "id", "location"])
    pairs = pairs.assign(split=split_by_location(pairs))
    exam = pairs.head(20).assign(split="exam")
    pairs = pd.concat([pairs, exam], ignore_index=True)
    leaky, train = posterior_rows(pairs, "leaky"), posterior_rows(pairs, "train")
    assert set(pairs["split"].iloc[train]) == {"train"}
    assert leaky[leaky < 50].tolist() == train[train < 50].tolist() and leaky.max() < 100
    assert (leaky >= 50).sum() == 35 and (pairs["split"].iloc[leaky] == "test").sum() > 3
    assert np.array_equal(leaky, posterior_rows(pairs, "leaky"))


def test_a_split_that_there_is_not():
    assert split_named("official").by == "official"
    with pytest.raises(UserError, match=r"no split 'av-geotag\.npy'; choose own, location, given, official, pair"):
        split_named("av-geotag.npy")


@pytest.fixture
def mapped():
    """Pairs of three scenes anywhere in a square of a few degrees, three at most to a location."""
    generator = np.random.default_rng(0)
    location = generator.integers(0, 150, 300)
    places = generator.uniform((46, 7), (49, 10), (150, 2))[location] + generator.normal(0, 0.002, (300, 2))
    scenes = np.array(["beach", "forest", "lake"])[generator.choice(3, 150, p=(0.15, 0.6, 0.25))[location]]
    table = {"scene": scenes, "id": map(str, range(300)), "location": location.astype(str)}
    return pd.DataFrame(table | {"latitude": places[:, 0].astype(str), "longitude": places[:, 1].astype(str)})


def square(pairs, degrees):
    """The square of a grid that each pair lies in."""
    places = pairs[["latitude", "longitude"]].astype(float).to_numpy()
    return pd.Series([f"{math.floor(south / degrees)} {math.floor(west / degrees)}" for south, west in places])


@pytest.mark.parametrize("degrees", [0.1, 0.25, 0.5])
@pytest.mark.parametrize("seed", range(3))
def test_no_cell_and_no_location_is_in_two_splits(mapped, degrees, seed):
    split = Split(f"grid={degrees}", seed).of(mapped)
    assert set(split) == set(SPLITS)
    for place in (square(mapped, degrees), mapped["location"]):
        assert split.groupby(place).nunique().max() == 1
    # A split by location lets cells be in two.
    assert Split("location").of(mapped).groupby(square(mapped, degrees)).nunique().max() > 1


def test_cells_are_shared_out_scene_by_scene(mapped):
    split, cell = split_by_grid(mapped, 0.25), grid_cells(mapped, 0.25)
    table = pd.DataFrame({"scene": mapped["scene"], "split": split, "cell": cell})
    counts = table.drop_duplicates(["scene", "cell"]).groupby("scene")["split"].value_counts(normalize=True).unstack()
    assert counts.sub({"train": 0.7, "validation": 0.1, "test": 0.2}).abs().max().max() < 0.1
    assert split.equals(split_by_grid(mapped, 0.25)) and not split.equals(split_by_grid(mapped, 0.25, seed=1))


def test_cells_that_share_a_location_are_one():
    pairs = pd.DataFrame({"scene": "lake", "id": list("abcd"), "location": ["x", "x", "y", "z"]})
    pairs = pairs.assign(latitude=["0.01", "0.01", "0.02", "0.01"], longitude=["-180", "179.95", "179.99", "0.01"])
    found = grid_cells(pairs, 0.1)
    assert found.nunique() == 2 and found.iloc[:3].nunique() == 1


@pytest.mark.parametrize(
    ("word", "words"), [("grid=0", "above 0"), ("grid=x", "above 0"), ("grid=", "above 0"), ("grid=91", "up to 90")]
)
def test_a_grid_that_cannot_be(word, words):
    with pytest.raises(UserError, match=words):
        split_named(word)


def test_cells_need_coordinates_and_enough_cells(mapped, tiny):
    with pytest.raises(DatasetError, match="no column latitude"):
        split_by_grid(mapped.drop(columns="latitude"))
    with pytest.raises(DatasetError, match=r"1 of 300 pairs have no latitude .*/7; mend"):
        split_by_grid(mapped.assign(latitude=mapped["latitude"].where(mapped["id"] != "7", "north")))
    with pytest.raises(DatasetError, match=r"lies in 1 cell.*--split grid=9, or"):
        split_by_grid(mapped, 90)
    with pytest.raises(DatasetError, match="write columns latitude and longitude"):
        Split("grid").require(tiny)


def test_coordinates_come_from_the_table_beside_the_files(tiny):
    pairs = read_catalogue(tiny)
    assert "latitude" not in pairs
    number = pairs["location"].astype(int)
    pairs.assign(latitude=number % 1000 / 10 + 0.05, longitude=number // 1000 + 0.05)[
        ["scene", "id", "latitude", "longitude"]
    ].to_csv(tiny / "pairs.csv", index=False)
    Split("grid").require(tiny)
    read = read_catalogue(tiny)
    split = Split("grid").applied(read, tiny)["split"]
    assert split.groupby(number).nunique().max() == 1 and other_columns(tiny) == []
