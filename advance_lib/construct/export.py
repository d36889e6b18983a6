"""The finished dataset: ADVANCE's layout, and who is to be named for it.

The layout is what `catalogue.read_catalogue` reads: ``vision/<scene>/<id>.jpg`` and ``sound/<scene>/<id>.wav``, with
locations in ``pairs.csv``.

Chapter: Building a dataset.
"""

import csv
import filecmp
import io
import shutil
from collections.abc import Iterable
from pathlib import Path

from advance_lib.cache import UserError, written_whole
from advance_lib.construct.balance import Pair
from advance_lib.construct.datasheet import datasheet, labelled
from advance_lib.construct.plan import Beginning
from advance_lib.construct.recordings import Recording
from advance_lib.construct.tables import LeftOut, read_json, read_table, write_table
from advance_lib.data.catalogue import location_of

MAP = {
    "author": "OpenStreetMap contributors",
    "licence": "https://opendatacommons.org/licenses/odbl/1-0/",
    "url": "https://www.openstreetmap.org/copyright",
}
CREDITS = ("what", "id", "name", "author", "licence", "url", "changes")


def export(out: Path, beginning: Beginning) -> None:
    """Write a dataset from the tables of its working folder.

    Files of ours that no longer belong to it are removed.

    Args:
        out: the dataset's folder.
        beginning: how it was begun.

    Raises:
        UserError: a table, a clip or a photograph is not there.
    """
    folder = out / "construction"
    pairs = read_table(folder / "pairs.csv", Pair)
    recordings = {recording.id: recording for recording in read_table(folder / "recordings.csv", Recording)}
    wanted = {
        out / sense / pair.scene / f"{pair.id}{suffix}": folder / made / f"{pair.id}{suffix}"
        for pair in pairs
        for sense, made, suffix in (("vision", "photographs", ".jpg"), ("sound", "clips", ".wav"))
    }
    for path in [*out.glob("vision/*/*.jpg"), *out.glob("sound/*/*.wav")]:
        if path not in wanted and location_of(path.stem) in map(str, recordings):
            path.unlink()
    for target, source in wanted.items():
        if not source.exists():
            raise UserError(f"{source}: no such file; let the step balance run again")
        if not (target.exists() and filecmp.cmp(source, target, shallow=False)):
            with written_whole(target) as partial:
                shutil.copyfile(source, partial)
    for scene in [*out.glob("vision/*"), *out.glob("sound/*")]:
        if scene.is_dir() and not any(scene.iterdir()):
            scene.rmdir()
    write_table(out / "pairs.csv", Pair, pairs)
    used = [recordings[number] for number in sorted({pair.recording for pair in pairs})]
    imagery = read_json(folder / "imagery.json")
    _write(out / "ATTRIBUTION.csv", attribution(used, imagery, beginning))
    left = read_table(folder / "left_out.csv", LeftOut)
    _write(out / "DATASHEET.md", datasheet(beginning, pairs, used, left, labelled(folder / "review.csv"), imagery))


def _write(path: Path, text: str) -> None:
    with written_whole(path) as partial:
        partial.write_bytes(text.encode())


def attribution(recordings: Iterable[Recording], imagery: dict[str, str], beginning: Beginning) -> str:
    """Return a table, as CSV, of who made each sound, the photographs and the map, and under which licence.

    Args:
        recordings: those that are used.
        imagery: name, attribution and terms of the map server.
        beginning: how the dataset was begun.
    """
    text = io.StringIO()
    table = csv.DictWriter(text, CREDITS, lineterminator="\n")
    table.writeheader()
    for recording in recordings:
        table.writerow(
            {
                "what": "sound",
                "id": recording.id,
                "name": recording.name,
                "author": recording.author,
                "licence": recording.licence,
                "url": recording.url,
                "changes": "a clip of 10 s from a compressed copy, channels mixed down",
            }
        )
    resolution = f"stitched, cropped, resampled to {beginning.plan.metres_per_pixel:g} m a pixel"
    table.writerow(
        {
            "what": "imagery",
            "name": imagery["name"],
            "author": imagery["attribution"],
            "licence": imagery["terms"],
            "url": beginning.plan.imagery,
            "changes": resolution,
        }
    )
    changes = f"tags of the ground, asked for at {beginning.plan.overpass}, turned into labels"
    table.writerow({"what": "map", "name": "OpenStreetMap", **MAP, "changes": changes})
    return text.getvalue()
