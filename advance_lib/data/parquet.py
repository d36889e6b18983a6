"""A dataset as one parquet file in the layout of Hugging Face, its photographs and sounds as they are.

`datasets.load_dataset("parquet", data_files=FILE)` decodes it: the file's metadata say which column is an image, which
a sound, and what the labels are called. The public copy of ADVANCE in that layout (``blanchon/ADVANCE``) has the
columns ``image``, ``audio`` and ``label``; so has this file, and beside them what only names of files and ``pairs.csv``
say.

Chapter: Use it on your own data.
"""

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from advance_lib.cache import UserError, written_whole
from advance_lib.data.grid import COORDINATES

ROWS = 32  # pairs that are held in memory at once; as many form a row group
MEDIA = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
FILES = ("image", "audio")  # columns of bytes
NAMES = ["scene", "id", "location", "split"]


def schema_for(scenes: list[str], columns: list[str]) -> pa.Schema:
    """Return the schema of a file, with Hugging Face's features as its metadata.

    Args:
        scenes: in the order of their labels.
        columns: those beside ``image``, ``audio`` and ``label``.
    """
    features = {"image": {"_type": "Image"}, "audio": {"_type": "Audio"}}
    features["label"] = {"names": scenes, "_type": "ClassLabel"}
    fields = [("image", MEDIA), ("audio", MEDIA), ("label", pa.int64())]
    for name in columns:
        kind = "float64" if name in COORDINATES else "string"
        features[name] = {"dtype": kind, "_type": "Value"}
        fields.append((name, pa.float64() if name in COORDINATES else pa.string()))
    return pa.schema(fields, {"huggingface": json.dumps({"info": {"features": features}})})


def label_names(schema: pa.Schema, column: str) -> list[str] | None:
    """Return what the numbers of a column of labels stand for, as a file's metadata say; None where they do not."""
    try:
        return json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"][column]["names"]
    except (KeyError, TypeError, ValueError):
        return None


def _media(path: str) -> dict[str, bytes | str]:
    return {"bytes": Path(path).read_bytes(), "path": Path(path).name}


def write_parquet(pairs: pd.DataFrame, path: Path) -> None:
    """Write pairs with their photographs and sounds into one file, byte for byte.

    Args:
        pairs: as `Dataset.pairs`: columns image and sound (paths), scene, id, location and, where they are known,
            split, latitude and longitude; other columns are written as text.
        path: of the file.

    Raises:
        UserError: the file is there already.
    """
    if path.exists():
        raise UserError(f"{path}: is there already; give another name, or remove it")
    hashes = ["image_sha256", "sound_sha256"]
    about = pairs.drop(columns=["image", "sound", *hashes], errors="ignore").astype(object)
    about = about[[*(name for name in NAMES if name in about), *(name for name in about if name not in NAMES)]]
    for name in set(COORDINATES) & set(about):
        about[name] = pd.to_numeric(about[name], errors="coerce").astype(object)
    about = about.where(about.notna(), None)
    scenes = sorted(set(pairs["scene"]))
    schema, labels = schema_for(scenes, list(about)), pairs["scene"].map(scenes.index)
    rows = zip(pairs["image"], pairs["sound"], labels, about.to_dict("records"), strict=True)
    with written_whole(path) as partial, pq.ParquetWriter(partial, schema, use_dictionary=list(about)) as writer:
        waiting = []
        for image, sound, label, rest in tqdm(rows, f"writing {path.name}", len(pairs), leave=False):
            waiting.append({"image": _media(image), "audio": _media(sound), "label": label, **rest})
            if len(waiting) == ROWS:
                writer.write_table(pa.Table.from_pylist(waiting, schema))
                waiting = []
        writer.write_table(pa.Table.from_pylist(waiting, schema))
