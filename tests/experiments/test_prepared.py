import warnings
from dataclasses import replace

import numpy as np
import pytest

from advance_lib.cache import UserError
from advance_lib.data import catalogue
from advance_lib.data.catalogue import read_catalogue
from advance_lib.data.splits import Split, shared_locations, split_named
from advance_lib.experiments.prepared import Prepared, forget, prepared
from advance_lib.experiments.runs import runs_for
from advance_lib.experiments.settings import Settings, Sources
from advance_lib.transfer.presets import CODE, PAPER


def shared_by(folder, **changes):
    """What runs on a folder share, made anew."""
    return Prepared(Settings(str(folder), "smoke", device="cpu", **changes))


def opened(folder, **changes):
    """A folder as a dataset, read anew."""
    return shared_by(folder, **changes).data


def test_a_users_folder(tiny):
    shared = shared_by(tiny)
    dataset, inputs = shared.data, shared.inputs
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
    default = opened(tiny).key()
    assert opened(tiny, split=Split(seed=1)).key() != default
    assert opened(tiny, split=Split("pair")).key() != default


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
        opened(tiny)


def test_a_users_folder_has_no_official_split(tiny):
    with pytest.raises(UserError, match=r"42 of 42 pairs are not among ADVANCE's, such as desert/00000 and desert/\d+"):
        opened(tiny, split=Split("official"))


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
    shared = shared_by(tiny, split=split_named("given"))
    dataset, inputs = shared.data, shared.inputs
    assert list(dataset.catalogue["split"]) == list(given) and set(dataset.rows()) == {"train", "validation", "test"}
    assert [len(rows) for rows in dataset.rows().values()] == [33, 3, 6] and dataset.title == "tiny, split as given"
    assert abs(inputs.batch(dataset.rows()["train"], augment=False).image.mean()) < 0.01  # normalised on these rows
    assert opened(tiny).key() == dataset.key()  # it is the default where it is there
    by_location = opened(tiny, split=Split("location"))
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
        forget()
        keys.append(opened(tiny, split=Split("given")).key())
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.filterwarnings("ignore:pairs.csv")  # locations are torn apart
def test_two_locations_a_scene_are_enough_for_a_given_split(tiny):
    for path in list(tiny.glob("*/*/*")):
        if path.stem[4] not in "03":  # locations 0 and 3 have siblings
            path.unlink()

    def change(table):
        table["split"] = 3 * ["train", "validation", "test", "train"]

    own_split(tiny, change)
    assert len(shared_by(tiny, split=Split("given")).inputs.images) == 12


@pytest.mark.parametrize(
    ("rows", "word", "words"),
    [
        ([0], "val", r"split of 1 of 42 pairs is none of train, validation, test, exam: desert/00000 \(val\); mend"),
        (range(2, 9), "", r"split of 7 of 42 .* desert/00001 \(nothing\), .*, …; mend"),
        (range(14, 28), "train", "scene 'ice' has no validation pairs; mend the column split"),
    ],
)
def test_a_given_split_that_cannot_be_used(tiny, rows, word, words):
    def change(table):
        table.loc[rows, "split"] = word

    own_split(tiny, change)
    with pytest.raises(UserError, match=words):
        opened(tiny, split=Split("given"))
    assert len(opened(tiny, split=Split("location")).catalogue) == 42  # as good as before


@pytest.mark.parametrize("by", ["given", "own", "location"])
def test_an_exam_stays_apart_whatever_the_split(tiny, by):
    def change(table):
        table.loc[table["id"].str.startswith("00003"), "split"] = " Exam"

    own_split(tiny, change)
    data = opened(tiny, split=Split(by))
    named = data.pairs["id"].str.startswith("00003")
    assert named.any() and set(data.exam["id"]) == set(data.pairs.loc[named, "id"])
    assert set(data.catalogue["split"]) == {"train", "validation", "test"}
    assert list(data.rows()["exam"]) == list(np.flatnonzero(named))
    assert not set(shared_by(tiny, split=Split(by)).data.rows()["train"]) & set(data.rows()["exam"])


def test_an_exam_that_cannot_be_used(tiny):
    def other_scene(table):
        table.loc[table["scene"] == "ice", "split"] = "exam"

    own_split(tiny, other_scene)
    with pytest.raises(UserError, match="scene 'ice' occurs in the exam alone"):
        opened(tiny)


@pytest.mark.filterwarnings("ignore:pairs.csv. . location.* have pairs in several")
def test_an_exam_at_places_that_are_trained_on(tiny):
    def change(table):
        table.loc[table["id"] == "01003_1", "split"] = "exam"

    own_split(tiny, change)
    with pytest.warns(UserWarning, match=r"1 location\(s\) of the exam are in other splits, too: 01003"):
        opened(tiny)


def test_a_given_split_that_is_not_there(tiny):
    with pytest.raises(UserError, match="no split is given: write one into"):
        opened(tiny, split=Split("given"))
    (tiny / "pairs.csv").write_text("id,split\n")
    with pytest.raises(UserError, match="split of 42 of 42 pairs"):
        opened(tiny, split=Split("given"))


def test_a_given_split_that_tears_siblings_apart(tiny):
    def change(table):
        table.loc[table["id"] == "01003_1", "split"] = "test"

    own_split(tiny, change)
    with pytest.warns(UserWarning, match=r"1 location\(s\) have pairs in several splits.*: 01003;") as caught:
        dataset = opened(tiny, split=Split("given"))
    assert len(caught) == 1 and shared_locations(dataset.catalogue, dataset.catalogue["split"]) > 0


def test_a_given_split_of_whole_locations_warns_of_nothing(tiny):
    own_split(tiny)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened(tiny, split=Split("given"))


def test_the_preset_chooses_the_front_end_and_the_colours(tiny):
    paper, code = (shared_by(tiny, preset=preset).inputs for preset in (PAPER, CODE))
    assert not np.array_equal(paper.log_mels, code.log_mels)
    rows = np.arange(4)
    assert code.batch(rows, augment=False).image.max() > 50 > paper.batch(rows, augment=False).image.max()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"dataset": "advance"}, "Zenodo record 3828124"),
        ({"dataset": "NOWHERE"}, "NOWHERE: no such folder; give miniature, advance, or a folder"),
        ({"split": Split("official")}, "the miniature has no split 'official'"),
        ({"split": Split("given")}, "the miniature has no split 'given'"),
        ({"sources": Sources(audio="mn04")}, "advance download weights mn04"),
        ({"sources": Sources(teacher="official")}, "advance download weights official"),
    ],
)
def test_what_cannot_be_had_is_refused_before_anything_is_made(settings, words, tmp_path, build, monkeypatch):
    monkeypatch.setenv("ADVANCE_DATA", str(tmp_path))
    monkeypatch.setenv("ADVANCE_WEIGHTS", str(tmp_path))
    with pytest.raises(UserError, match=words):
        runs_for(Settings(**settings), "image+sound/KL|Na")
    assert not build.exists()


def test_a_split_is_refused_before_a_file_is_opened(tiny, monkeypatch):
    monkeypatch.setattr(catalogue, "read_image", lambda *_: pytest.fail("a photograph was opened"))
    for by, words in (("official", "42 of 42 pairs are not among ADVANCE's"), ("given", "no split is given")):
        with pytest.raises(UserError, match=words):
            Prepared(Settings(str(tiny), split=Split(by)))


def test_seeds_and_what_a_part_does_not_need_make_nothing_anew(tiny, quick):
    settings = Settings(str(tiny), quick, seeds=2, device="cpu")
    shared = prepared(settings)
    assert prepared(replace(settings, seeds=(7,))) is shared
    other = prepared(replace(settings, split=Split("location", 1)))
    assert other is not shared and other.data.key() != shared.data.key()
    assert other.inputs.images is shared.inputs.images and other.visual is shared.visual
    assert prepared(replace(settings, preset=replace(PAPER, relevance="pca"))).audio is shared.audio
    assert prepared(replace(settings, preset=replace(PAPER, n_fft=4096))).audio.key != shared.audio.key
