"""What runs answered, kept without their networks: small files for a repository, from which another machine goes on.

A file is named after its run's key, so what older code, other data or another α answered is never taken for it.

Chapter: Real photographs, real recordings.
"""

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from advance_lib.cache import UserError, build_folder, entry, write_json, written_whole
from advance_lib.data.splits import Split
from advance_lib.experiments.cells import Cell
from advance_lib.experiments.runs import Request, Run
from advance_lib.experiments.settings import Settings, Sources
from advance_lib.transfer.presets import Preset

PARTS = 1000  # a kept probability is a whole number of thousandths
ABOUT = ("config", "metrics")


def keep(runs: Sequence[Run], folder: Path) -> None:
    """Write the answers of runs, one parquet file a run, where they are not there yet.

    A file holds the run's predictions, its probabilities in thousandths, and its ``config.json`` and ``metrics.json``
    as zlib packs them, in base64. Which scene a run names never changes by the rounding.

    Args:
        runs: finished.
        folder: of the answers, made where it is missing.
    """
    for run in runs:
        if not (path := folder / f"{run.folder.name}.parquet").exists():
            table = pa.Table.from_pandas(_in_thousandths(run.predictions), preserve_index=False)
            about = {"config": _packed(_without_places(run.config)), "metrics": _packed(run.metrics)}
            # Arrow's own copy of the schema would be a third of the file.
            small = {"compression": "zstd", "compression_level": 19, "store_schema": False}
            with written_whole(path) as partial, pq.ParquetWriter(partial, table.schema, **small) as writer:
                writer.write_table(table)
                writer.add_key_value_metadata(about)


def _packed(content: dict) -> bytes:
    return b64encode(zlib.compress(json.dumps(content).encode(), 9))


def _without_places(config: dict) -> dict:
    """Return a configuration in which the dataset is called by its folder's name: where it lay is nobody's business."""
    request = config["request"]
    settings = request["settings"] | {"dataset": Path(request["settings"]["dataset"]).name}
    return config | {"request": request | {"settings": settings}}


def _in_thousandths(predictions: pd.DataFrame) -> pd.DataFrame:
    columns = list(predictions.filter(like="p("))
    exact = predictions[columns].to_numpy()
    whole, named = np.rint(PARTS * exact).astype(np.uint16), (np.arange(len(exact)), exact.argmax(1))
    tied = whole.argmax(1) != named[1]
    whole[named] = np.where(tied, whole.max(1) + 1, whole[named])
    return predictions.assign(**dict(zip(columns, whole.T, strict=True)))


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    """Say which file it was that could not be read, and what to do with it."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, zlib.error) as error:
        raise UserError(f"{file}: not the answers of a run ({error}); remove it, or fetch it again") from None


def about(file: Path) -> dict[str, dict]:
    """Return what a file that `keep` wrote says of its run: ``config`` and ``metrics``.

    Raises:
        UserError: the file is damaged or something else.
    """
    with _reading(file):
        said = pq.read_metadata(file).metadata
        return {name: json.loads(zlib.decompress(b64decode(said[name.encode()]))) for name in ABOUT}


def restore(folder: Path) -> int:
    """Put kept answers among the finished runs, where these are missing, and return how many files there are.

    Such a run has scores and predictions; it is trained again, whole, when its network is asked for.

    Args:
        folder: that `keep` wrote.

    Raises:
        UserError: a file is damaged or something else.
    """
    files = sorted(folder.glob("*.parquet"))
    for file in files:

        def unpack(partial: Path, file: Path = file) -> None:
            for name, content in about(file).items():
                write_json(partial / f"{name}.json", content)
            with _reading(file):
                predictions = pq.read_table(file).to_pandas()
            columns = list(predictions.filter(like="p("))
            predictions[columns] = (predictions[columns] / PARTS).astype(np.float32)
            predictions.to_parquet(partial / "predictions.parquet")

        entry("runs", file.stem, unpack)
    return len(files)


def made(settings: Settings) -> list[Run]:
    """Return the finished runs of a setting's dataset by today's code: any cell, seed, α, preset, networks or split."""
    found = []
    for file in sorted((build_folder() / "runs").glob("*/config.json")):
        asked = json.loads(file.read_text())["request"]
        of = asked.get("settings", {})
        if of.get("profile") != settings.profile:
            continue
        try:
            split, preset, sources = Split(**of["split"]), Preset(**of["preset"]), Sources(**of["sources"])
            setting = replace(settings, split=split, skip_broken=of["skip_broken"], preset=preset, sources=sources)
            request = Request(setting, Cell.named(asked["cell"]), asked["seed"], asked["alpha"], asked["beta"])
            if request.key() == file.parent.name:
                found.append(Run(request, file.parent))
        except UserError:  # not registered here, no such file, or a split that this dataset has not
            continue
    return found
