import shutil

import pandas as pd
import pytest

from advance_lib.analysis.many_pairs import pairs_in, recognise_all
from advance_lib.analysis.one_pair import events_heard, open_pair, open_recogniser, recognise
from advance_lib.cache import UserError
from advance_lib.cli import main
from advance_lib.experiments.runs import finished, requests_for
from advance_lib.experiments.settings import Settings

CELLS = ("image+sound/Ls", "image/Ls", "sound/Ls")


@pytest.fixture
def runs(tiny, quick):
    """Finished runs on three scenes, by their senses."""
    requests = requests_for(Settings(str(tiny), quick, seeds=1, device="cpu"), *CELLS)
    return {run.cell.partition("/")[0]: run for run in finished(requests, jobs=1)}


@pytest.fixture
def checkpoints(runs):
    return {senses: run.checkpoint for senses, run in runs.items()}


@pytest.fixture
def some(tiny, tmp_path):
    """Pairs without scenes: one whole, one without a sound, one without a photograph, one whose sound is broken."""
    folder = tmp_path / "some"
    for name, scene, pair in (
        ("a", "wood", "02001"),
        ("b", "ice", "01001"),
        ("c", "ice", "01002"),
        ("d", "desert", "00001"),
    ):
        for sense, suffix in (("vision", "jpg"), ("sound", "wav")):
            (folder / "below").mkdir(parents=True, exist_ok=True)
            shutil.copy(tiny / sense / scene / f"{pair}.{suffix}", folder / "below" / f"{name}.{suffix}")
    (folder / "below/b.wav").unlink()
    (folder / "below/c.jpg").unlink()
    (folder / "below/d.wav").write_bytes(b"")
    (folder / ".hidden.jpg").write_bytes(b"")
    return folder


def test_each_pair_is_recognised_by_the_network_of_its_senses(checkpoints, some):
    of = {senses: open_recogniser(path) for senses, path in checkpoints.items()}.get
    table = recognise_all(pairs_in(some), of, events=2, device="cpu").set_index("id")
    assert table["senses"].to_dict() == {
        "below/a": "image+sound", "below/b": "image", "below/c": "sound", "below/d": "image",
    }  # fmt: skip
    assert (
        "d.wav: the file is empty" in table.pop("problem")["below/d"]
        and not table["events"][["below/b", "below/d"]].any()
    )
    whole = {"image": some / "below/a.jpg", "sound": some / "below/a.wav"}
    for name, row in table.iterrows():
        senses = row["senses"].split("+")
        # The sense that a network does not get may be any file.
        files = [
            some / f"{name}.{suffix}" if sense in senses else whole[sense]
            for sense, suffix in (("image", "jpg"), ("sound", "wav"))
        ]
        pair = open_pair(checkpoints[row["senses"]], *files)
        found = recognise(pair)
        assert row["scene"] == found.index[0]
        assert {scene: row[f"p({scene})"] for scene in found.index} == pytest.approx(found.to_dict(), abs=1e-5)
        if "sound" in senses:
            heard = events_heard(pair, "cpu").head(2)
            assert row["events"].split(";") == list(heard.index)
            assert [float(y) for y in row["y"].split(";")] == pytest.approx(list(heard), abs=1e-3)


def test_pairs_that_no_checkpoint_answers_say_so(checkpoints, some):
    table = recognise_all(pairs_in(some), {"image+sound": open_recogniser(checkpoints["image+sound"])}.get, 0, "cpu")
    assert list(table["senses"]) == ["image+sound", "", "", ""]
    assert list(table.filter(like="p(").notna().all(axis=1)) == [True, False, False, False]
    assert "no checkpoint of a network for image" in table["problem"][1] and "for sound" in table["problem"][2]


def test_more_pairs_than_are_held_at_once(runs, checkpoints, tiny):
    of = {senses: open_recogniser(path) for senses, path in checkpoints.items()}.get
    table = recognise_all(pairs_in(tiny), of, 0, "cpu").set_index("id")
    known = runs["image+sound"].predictions
    for row in known.itertuples():
        found = table.loc[f"{row.scene}/{row.id}"]
        for scene, p in zip(("desert", "ice", "wood"), row[-3:], strict=True):
            assert found[f"p({scene})"] == pytest.approx(p, abs=2e-3)  # the run saw half-precision log-mel
    assert len(table) == 42


def test_a_table_of_paths_may_leave_cells_empty(some):
    table = some / "list.csv"
    table.write_text("id,image,sound\nfirst,below/a.jpg,below/a.wav\n,below/b.jpg,\n,,below/c.wav\n")
    found = pairs_in(table)
    assert list(found["id"]) == ["first", "3", "4"]
    assert found["sound"].tolist() == [some / "below/a.wav", None, some / "below/c.wav"]
    table.write_text("image\nbelow/x.jpg\n")
    with pytest.raises(UserError, match=r"list\.csv, row 2: .*x\.jpg: no such file"):
        pairs_in(table)
    table.write_text("photo\nbelow/x.jpg\n")
    with pytest.raises(UserError, match="no column image"):
        pairs_in(table)


def test_a_folder_that_holds_none_or_too_many(some, tmp_path):
    shutil.copy(some / "below/a.jpg", some / "below/a.png")
    with pytest.raises(UserError, match=r"a\.png: there is a\.jpg, too"):
        pairs_in(some)
    (tmp_path / "empty").mkdir()
    for source, words in ((tmp_path / "empty", "no photograph and no recording"), (tmp_path / "x", "no such file")):
        with pytest.raises(UserError, match=words):
            pairs_in(source)


def test_predict_writes_a_table(runs, tiny, some, tmp_path, capsys):
    command = ["predict", str(some), "--dataset", str(tiny), "--profile", "quick", "--seeds", "1", "--device", "cpu"]
    assert main([*command, "--events", "1", "--to", str(tmp_path / "out.parquet")]) == 0
    table = pd.read_parquet(tmp_path / "out.parquet")
    assert list(table["senses"]) == ["image+sound", "image", "sound", "image"]
    capsys.readouterr()
    assert main([*command, "--events", "1", "--to", str(tmp_path / "out.parquet")]) == 2
    assert "--replace" in capsys.readouterr().err
    assert main([*command, "--map", str(tmp_path / "map.jpg")]) == 2
    assert "the map of one photograph" in capsys.readouterr().err
    assert main([*command, "--events", "1"]) == 0
    printed = tmp_path / "printed.csv"
    printed.write_text(capsys.readouterr().out)
    assert pd.read_csv(printed, keep_default_na=False)["scene"].tolist() == table["scene"].tolist()
