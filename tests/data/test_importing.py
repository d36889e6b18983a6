"""What people hold, laid out: each way in, and parquet the way out and in again."""

import csv
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from advance_lib.cache import UserError
from advance_lib.data.catalogue import DatasetError, read_catalogue
from advance_lib.data.given import given_columns
from advance_lib.data.importing import import_dataset
from advance_lib.data.media import read_clip, read_image
from advance_lib.data.parquet import ROWS, write_parquet
from tests.pairs import write_pair

NAMES = [("lake", "00001"), ("lake", "00001_1"), ("sea shore", "north.1"), ("wood", "00001")]


@pytest.fixture
def folder(tmp_path):
    """Two folders and a table, as the Zenodo record and TorchGeo have them."""
    for number, (scene, name) in enumerate(NAMES):
        write_pair(tmp_path / "mine", scene, name, hertz=300 + 100 * number)
    lines = ["scene,id,location,split,latitude,longitude,events"]
    lines += [f"{scene},{name},place {i},train,{50 + i / 8},-{i}.25,Wind;Rain" for i, (scene, name) in enumerate(NAMES)]
    (tmp_path / "mine" / "pairs.csv").write_text("\n".join(lines))
    return tmp_path / "mine"


def contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*") if p.suffix != ".csv"}


def same(first, second):
    """Both folders hold the same pairs, byte for byte and sample for sample, and say the same of them."""
    a, b = (read_catalogue(folder) for folder in (first, second))
    assert contents(first) == contents(second)
    assert a.drop(columns=["image", "sound"]).equals(b.drop(columns=["image", "sound"]))
    assert given_columns(first, a).equals(given_columns(second, b)[list(given_columns(first, a))])
    for one, other in zip(a.itertuples(), b.itertuples(), strict=True):
        assert np.array_equal(read_image(one.image), read_image(other.image))
        assert all(np.array_equal(x, y) for x, y in zip(read_clip(one.sound), read_clip(other.sound), strict=True))


def packed(folder, path):
    pairs = read_catalogue(folder)
    more = given_columns(folder, pairs)
    write_parquet(pairs.join(more[[name for name in more if name not in pairs]]), path)
    return path


def test_folders_are_laid_out_as_they_were(folder, tmp_path):
    assert import_dataset(folder, tmp_path / "out") == len(NAMES)
    same(folder, tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir() if "out" in p.name) == ["out"]


def test_through_parquet_and_back(folder, tmp_path):
    assert import_dataset(packed(folder, tmp_path / "one.parquet"), tmp_path / "out") == len(NAMES)
    same(folder, tmp_path / "out")


def test_the_file_is_in_the_layout_of_hugging_face(folder, tmp_path):
    file = pq.ParquetFile(packed(folder, tmp_path / "one.parquet"))
    features = json.loads(file.schema_arrow.metadata[b"huggingface"])["info"]["features"]
    assert set(features) == set(file.schema_arrow.names)
    assert {name: kind["_type"] for name, kind in features.items() if kind["_type"] != "Value"} == {
        "image": "Image", "audio": "Audio", "label": "ClassLabel",
    }  # fmt: skip
    for row, (scene, name) in zip(file.read().to_pylist(), NAMES, strict=True):
        assert (row["scene"], row["id"], features["label"]["names"][row["label"]]) == (scene, name, scene)
        for column, sense, suffix in (("image", "vision", "jpg"), ("audio", "sound", "wav")):
            assert row[column]["bytes"] == (folder / sense / scene / f"{name}.{suffix}").read_bytes()
            assert row[column]["path"] == f"{name}.{suffix}"


def test_more_pairs_than_are_held_at_once(tmp_path):
    for number in range(ROWS + 3):
        write_pair(tmp_path / "mine", "lake", f"{number:05d}", seconds=0.1)
    pairs = [{"scene": "lake", "id": p.stem, "image": str(p), "sound": str(tmp_path / f"mine/sound/lake/{p.stem}.wav")}
             for p in sorted((tmp_path / "mine/vision/lake").iterdir())]  # fmt: skip
    write_parquet(pd.DataFrame(pairs), tmp_path / "one.parquet")
    assert pq.ParquetFile(tmp_path / "one.parquet").num_row_groups == 2
    assert import_dataset(tmp_path / "one.parquet", tmp_path / "out") == ROWS + 3
    assert contents(tmp_path / "out") == contents(tmp_path / "mine")


@pytest.fixture
def rows(folder):
    """The pairs as rows in the columns of the public copy of ADVANCE."""
    codes = sorted({scene for scene, _ in NAMES})
    return [
        {
            "image": {"bytes": (folder / f"vision/{scene}/{name}.jpg").read_bytes(), "path": f"{name}.jpg"},
            "audio": {"bytes": (folder / f"sound/{scene}/{name}.wav").read_bytes(), "path": f"{name}.wav"},
            "label": codes.index(scene),
        }
        for scene, name in NAMES
    ]


LABELS = {"huggingface": json.dumps({"info": {"features": {"label": {"names": ["lake", "sea shore", "wood"]}}}})}


def parquet_of(rows, path, metadata=LABELS):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows).replace_schema_metadata(metadata), path)
    return path


def test_numbers_are_labels_and_names_of_files_are_ids(rows, folder, tmp_path):
    import_dataset(parquet_of(rows, tmp_path / "advance/train-00000-of-00001.parquet").parent, tmp_path / "out")
    assert contents(tmp_path / "out") == contents(folder)


def test_bytes_without_a_name_are_numbered_and_called_after_their_format(rows, folder, tmp_path):
    bare = [{"image": row["image"]["bytes"], "sound": row["audio"]["bytes"], "scene": "lake"} for row in rows]
    import_dataset(parquet_of(bare, tmp_path / "one.parquet", None), tmp_path / "out")
    table = read_catalogue(tmp_path / "out")
    assert list(table["id"]) == [f"row-{number:06d}" for number in range(1, len(NAMES) + 1)]
    assert set(contents(tmp_path / "out").values()) == set(contents(folder).values())
    assert table["location"].is_unique


def test_files_called_after_splits_are_the_split(rows, tmp_path):
    for number, (row, name) in enumerate(zip(rows, ("train", "train", "validation", "test"), strict=True)):
        parquet_of([row], tmp_path / f"data/{name}-0000{number}.parquet")
    import_dataset(tmp_path / "data", tmp_path / "out")
    split = read_catalogue(tmp_path / "out").set_index(["scene", "id"])["split"]
    assert split.to_dict() == dict(zip(NAMES, ("train", "train", "validation", "test"), strict=True))


def write_csv(path, lines):
    with open(path, "w", newline="") as file:
        table = csv.DictWriter(file, list(lines[0]))
        table.writeheader()
        table.writerows(lines)
    return path


@pytest.fixture
def lines():
    """The pairs as lines of a table in the folder above."""
    return [
        {"Image": f"mine/vision/{scene}/{name}.jpg", "Audio": f"mine/sound/{scene}/{name}.wav", "Scene": scene,
         "Lat": 50 + number / 8, "Lon": -number, "Split": "test"}
        for number, (scene, name) in enumerate(NAMES)
    ]  # fmt: skip


def test_a_table_of_paths(lines, folder, tmp_path):
    import_dataset(write_csv(tmp_path / "list.csv", lines), tmp_path / "out")
    assert contents(tmp_path / "out") == contents(folder)
    table = read_catalogue(tmp_path / "out").set_index(["scene", "id"]).loc[NAMES]
    assert list(table["latitude"].astype(float)) == [line["Lat"] for line in lines]
    assert list(table["longitude"].astype(float)) == [line["Lon"] for line in lines]
    assert set(table["split"]) == {"test"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image": None}, "row 2: no photograph"),
        ({"audio": {"bytes": None, "path": "a.wav"}}, "row 2: no sound"),
        ({"image": {"bytes": b"GIF89a", "path": "a.gif"}}, "row 2: the photograph has no format that is read"),
        ({"label": 7}, "row 2: no scene"),
        ({"label": None}, "row 2: no scene"),
        ({"id": "../../mine"}, r"row 2: id '../../mine' cannot be the name of a file"),
        ({"id": ".hidden"}, "row 2: id '.hidden' cannot be"),
        ({"id": "00001"}, "row 2: 'lake/00001' was there before"),
    ],
)
def test_a_broken_row_is_named(rows, tmp_path, change, words):
    broken = [{"id": row["image"]["path"].removesuffix(".jpg")} | row for row in rows]
    broken[1] |= change
    source = parquet_of(broken, tmp_path / "one.parquet")
    with pytest.raises(DatasetError, match=rf"(?s)1 problem.*one\.parquet, {words}"):
        import_dataset(source, tmp_path / "out")
    assert not list(tmp_path.glob("out*"))
    with pytest.warns(UserWarning, match="left out 1 problem"):
        assert import_dataset(source, tmp_path / "out", skip_broken=True) == len(NAMES) - 1


def test_a_broken_line_is_named(lines, folder, tmp_path):
    lines[0]["Audio"] = "mine/sound/lake/missing.wav"
    lines[1]["Image"] = "list.csv"
    lines[2]["Scene"] = "a/b"
    with pytest.raises(DatasetError) as caught:
        import_dataset(write_csv(tmp_path / "list.csv", lines), tmp_path / "out")
    said = str(caught.value).splitlines()
    assert [line.strip().split(": ")[0] for line in said[1:]] == [f"{tmp_path}/list.csv, row {i}" for i in (2, 3, 4)]
    for line, words in zip(said[1:], ("no such file", ".csv is not read", "'a/b' cannot be"), strict=True):
        assert words in line


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("image", "no column 'image'"),
        ("audio", "no column 'audio' or 'sound'"),
        ("label", "no column 'scene' or 'label'"),
    ],
)
def test_a_missing_column_is_named(rows, tmp_path, column, words):
    less = [{name: cell for name, cell in row.items() if name != column} for row in rows]
    with pytest.raises(DatasetError, match=f"one.parquet: {words}"):
        import_dataset(parquet_of(less, tmp_path / "one.parquet"), tmp_path / "out")


def test_labels_without_names_are_refused(rows, tmp_path):
    with pytest.raises(DatasetError, match="nothing says what they stand for"):
        import_dataset(parquet_of(rows, tmp_path / "one.parquet", None), tmp_path / "out")


def test_a_source_that_is_none(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    for source, words in ((tmp_path / "nowhere", "no such file"), (tmp_path / "empty", "nothing to import")):
        with pytest.raises(UserError, match=words):
            import_dataset(source, tmp_path / "out")
    (tmp_path / "one.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DatasetError, match=r"one\.parquet: cannot be read"):
        import_dataset(tmp_path / "one.parquet", tmp_path / "out")


def test_a_file_that_ends_early_is_named(folder, tmp_path):
    whole = packed(folder, tmp_path / "one.parquet").read_bytes()
    middle = whole.index(b"RIFF")
    (tmp_path / "one.parquet").write_bytes(whole[: middle - 400] + bytes(400) + whole[middle:])
    with pytest.raises(DatasetError):
        import_dataset(tmp_path / "one.parquet", tmp_path / "out")
    assert not list(tmp_path.glob("out*"))


def test_what_is_there_is_never_replaced(folder, tmp_path):
    before = contents(folder)
    with pytest.raises(UserError, match="is there already"):
        import_dataset(folder, folder)
    (tmp_path / "one.parquet").write_text("mine")
    with pytest.raises(UserError, match="is there already"):
        packed(folder, tmp_path / "one.parquet")
    assert contents(folder) == before and (tmp_path / "one.parquet").read_text() == "mine"


@pytest.mark.parametrize("fault", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_an_interrupted_write_leaves_nothing(folder, tmp_path, monkeypatch, fault):
    def write(self, *_):
        raise fault

    source = packed(folder, tmp_path / "one.parquet")
    with monkeypatch.context() as patched:
        patched.setattr("pathlib.Path.write_bytes", write)
        with pytest.raises(type(fault) if isinstance(fault, Exception) else fault):
            import_dataset(source, tmp_path / "out")
    assert not list(tmp_path.glob("out*"))
    with monkeypatch.context() as patched:
        patched.setattr("pyarrow.parquet.ParquetWriter.write_table", write)
        with pytest.raises(type(fault) if isinstance(fault, Exception) else fault):
            packed(folder, tmp_path / "two.parquet")
    assert not list(tmp_path.glob("*two*"))


def test_what_a_killed_import_left_is_no_hindrance(folder, tmp_path):
    write_pair(tmp_path / "out.partial", "lake", "half")
    import_dataset(folder, tmp_path / "out")
    assert contents(tmp_path / "out") == contents(folder) and not (tmp_path / "out.partial").exists()
