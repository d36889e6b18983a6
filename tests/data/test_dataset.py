import warnings

import numpy as np
import pytest

from advance_lib.cache import UserError
from advance_lib.data.catalogue import read_catalogue
from advance_lib.data.dataset import inputs_of, open_dataset
from advance_lib.data.splits import Split, shared_locations, split_named
from advance_lib.experiments.profiles import PROFILES
from advance_lib.transfer.presets import CODE, PAPER

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


def test_a_users_folder_has_no_official_split(tiny):
    with pytest.raises(UserError, match=r"42 of 42 pairs are not among ADVANCE's, such as desert/00000 and desert/\d+"):
        open_dataset(str(tiny), SMOKE, Split("official"))


def own_split(folder, change=None):
    """Write a split into pairs.csv: of ten locations the last is for test, the one before for validation."""
    table = read_catalogue(folder)[["scene", "id", "location"]]
    table["split"] = table["location"].str[-1].map({"9": "test", "8": "validation"}).fillna("train")
    if change:
        change(table)
    table.drop(columns="location").to_csv(folder / "pairs.csv", index=False)
    return table["split"]


def test_a_users_own_split(tiny):
    given = own_split(tiny)
    dataset, inputs = inputs_of(str(tiny), SMOKE, split_named("given"))
    assert list(dataset.catalogue["split"]) == list(given) and set(dataset.rows()) == {"train", "validation", "test"}
    assert [len(rows) for rows in dataset.rows().values()] == [33, 3, 6] and dataset.title == "tiny, split as given"
    assert abs(inputs.batch(dataset.rows()["train"], augment=False).image.mean()) < 0.01  # normalised on these rows
    assert open_dataset(str(tiny), SMOKE).key() == dataset.key()  # it is the default where it is there
    by_location = open_dataset(str(tiny), SMOKE, Split("location"))
    assert list(by_location.catalogue["split"]) != list(given) and by_location.key() != dataset.key()


def test_a_given_split_is_known_by_what_it_says_not_by_how(tiny):
    """Runs are found again by this key: another word for a pair is another run, other capitals are not."""

    def capitals(table):
        table["split"] = table["split"].str.title() + " "

    def another(table):
        table.loc[2, "split"] = "test"

    keys = []
    for change in (None, capitals, another):
        own_split(tiny, change)
        open_dataset.cache_clear()
        keys.append(open_dataset(str(tiny), SMOKE, Split("given")).key())
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.filterwarnings("ignore:pairs.csv")  # locations are torn apart
def test_two_locations_a_scene_are_enough_for_a_given_split(tiny):
    for path in list(tiny.glob("*/*/*")):
        if path.stem[4] not in "03":  # locations 0 and 3 have siblings
            path.unlink()

    def change(table):
        table["split"] = 3 * ["train", "validation", "test", "train"]

    own_split(tiny, change)
    assert len(inputs_of(str(tiny), SMOKE, Split("given"))[1].images) == 12


@pytest.mark.parametrize(
    ("rows", "word", "words"),
    [
        ([0], "val", r"split of 1 of 42 pairs is none of train, validation, test: desert/00000 \(val\); mend"),
        ([0], "exam", r"desert/00000 \(exam\)"),
        (range(2, 9), "", r"split of 7 of 42 .* desert/00001 \(nothing\), .*, …; mend"),
        (range(14, 28), "train", "scene 'ice' has no validation pairs; mend the column split"),
    ],
)
def test_a_given_split_that_cannot_be_used(tiny, rows, word, words):
    def change(table):
        table.loc[rows, "split"] = word

    own_split(tiny, change)
    with pytest.raises(UserError, match=words):
        open_dataset(str(tiny), SMOKE, Split("given"))
    assert len(open_dataset(str(tiny), SMOKE, Split("location")).catalogue) == 42  # as good as before


def test_a_given_split_that_is_not_there(tiny):
    with pytest.raises(UserError, match="no split is given: write one into"):
        open_dataset(str(tiny), SMOKE, Split("given"))
    (tiny / "pairs.csv").write_text("id,split\n")
    with pytest.raises(UserError, match="split of 42 of 42 pairs"):
        open_dataset(str(tiny), SMOKE, Split("given"))


def test_a_given_split_that_tears_siblings_apart(tiny):
    def change(table):
        table.loc[table["id"] == "01003_1", "split"] = "test"

    own_split(tiny, change)
    with pytest.warns(UserWarning, match=r"1 location\(s\) have pairs in several splits.*: 01003;") as caught:
        dataset = open_dataset(str(tiny), SMOKE, Split("given"))
    assert len(caught) == 1 and shared_locations(dataset.catalogue, dataset.catalogue["split"]) > 0


def test_a_given_split_of_whole_locations_warns_of_nothing(tiny):
    own_split(tiny)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_dataset(str(tiny), SMOKE, Split("given"))


def test_the_preset_chooses_the_front_end_and_the_colours(tiny):
    paper, code = (inputs_of(str(tiny), SMOKE, preset=preset)[1] for preset in (PAPER, CODE))
    assert not np.array_equal(paper.log_mels, code.log_mels)
    rows = np.arange(4)
    assert code.batch(rows, augment=False).image.max() > 50 > paper.batch(rows, augment=False).image.max()


def test_advance_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("ADVANCE_DATA", str(tmp_path))
    with pytest.raises(UserError, match="Zenodo record 3828124"):
        open_dataset("advance", SMOKE)
