"""The finished dataset: ADVANCE's layout, who is to be named for it, and what its readers and its maker must know.

The layout is what `catalogue.read_catalogue` reads: ``vision/<scene>/<id>.jpg`` and ``sound/<scene>/<id>.wav``, with
locations in ``pairs.csv``. Datasheets: Gebru et al., "Datasheets for Datasets", 2021.

Chapter: Building a dataset.
"""

import csv
import filecmp
import io
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from advance_lib.cache import UserError, written_whole
from advance_lib.construct.balance import Pair
from advance_lib.construct.plan import Beginning
from advance_lib.construct.recordings import Recording
from advance_lib.construct.review import LEAVE_OUT, Row, read_review
from advance_lib.construct.tables import LeftOut, read_json, read_table, write_table
from advance_lib.data.catalogue import location_of
from advance_lib.data.published import SCENES

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


def labelled(review: Path) -> Counter[str]:
    """Return how many places got their label how: suggested, confirmed, corrected, labelled, left out, open."""

    def how(row: Row) -> str:
        if not row.scene:
            return "as suggested, seen by nobody" if row.suggestion else "open"
        if row.scene == LEAVE_OUT:
            return "left out by people"
        if not row.suggestion:
            return "labelled by people"
        return "confirmed by people" if row.scene == row.suggestion else "corrected by people"

    return Counter(how(row) for row in read_review(review))


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', '/') for cell in line)} |" for line in lines)


def scene_table(pairs: Iterable[Pair]) -> list[tuple[str, int, int]]:
    """Return (scene, pairs, locations) of each scene, in alphabetical order."""
    pairs = list(pairs)
    return [
        (scene, sum(pair.scene == scene for pair in pairs), len({p.location for p in pairs if p.scene == scene}))
        for scene in sorted({pair.scene for pair in pairs})
    ]


def datasheet(
    beginning: Beginning,
    pairs: Sequence[Pair],
    recordings: Sequence[Recording],
    left: Sequence[LeftOut],
    labels: Counter[str],
    imagery: dict[str, str],
) -> str:
    """Return the datasheet, in Markdown.

    Args:
        beginning: plan, date and versions.
        pairs: of the dataset.
        recordings: those that are used.
        left: places and pairs that are not.
        labels: as from `labelled`.
        imagery: name, attribution and terms of the map server.
    """
    plan = beginning.plan
    parameters = asdict(plan) | {"area": plan.area, "queries": ", ".join(map(repr, plan.queries))}
    places = len({pair.location for pair in pairs})
    absent = sorted(set(SCENES) - {pair.scene for pair in pairs})
    return f"""# Datasheet

{len(pairs)} pairs of an aerial photograph and ten seconds of sound at {places} locations, labelled with a scene; built
from {len(recordings)} recordings on Freesound after section 3 of Hu et al., "Cross-Task Transfer for Geotagged
Audiovisual Aerial Scene Recognition" (ECCV 2020), begun on {beginning.date}.

## Counts

{_table(["scene", "pairs", "locations"], scene_table(pairs))}

{sum(bool(pair.shifted) for pair in pairs)} pairs are siblings: photographs shifted by a part of their side, each with
another clip of the same recording. Split by location, never by pair. Scenes of ADVANCE that are absent:
{", ".join(absent) or "none"}.

## Labels

{_table(["label", "places"], sorted(labels.items()))}

The suggestions follow tags on the map; `construction/labels.csv` has them, `construction/review.csv` what people said.

## Left out

{_table(["step", "places or pairs"], sorted(Counter(row.step for row in left).items()))}

`construction/left_out.csv` has the reason for each.

## Parameters

{_table(["parameter", "value"], parameters.items())}

## Licences

{_table(["licence of the recording", "recordings"], sorted(Counter(r.licence for r in recordings).items()))}

`ATTRIBUTION.csv` names author, licence and page of every sound. Whoever passes the sounds on must keep it, and must
heed licences that exclude commercial use. Photographs: {imagery["attribution"]}, {imagery["name"]}; terms:
{imagery["terms"]}. They may not allow passing the photographs on. Map: © OpenStreetMap contributors,
https://www.openstreetmap.org/copyright.

## Limits

Places are where authors of recordings say that they were, and where such authors go. A photograph is the newest of its
server, a label follows today's map, and both may be years younger than the sound. Who speaks in a recording was not
asked.

## Versions

{_table(["package", "version"], beginning.versions.items())}
"""


def summary(out: Path) -> str:
    """Return in a few lines what there is in a dataset's folder and what is left to do."""
    folder, lines = out / "construction", [str(out)]
    if (out / "pairs.csv").exists():
        pairs = read_table(out / "pairs.csv", Pair)
        lines += [
            f"  {scene:18s} {count:5d} pairs {places:5d} locations" for scene, count, places in scene_table(pairs)
        ]
        lines[0] += f": {len(pairs)} pairs at {len({pair.location for pair in pairs})} locations"
    if (folder / "left_out.csv").exists() and (left := read_table(folder / "left_out.csv", LeftOut)):
        lines.append(f"left out: {len(left)}; {folder / 'left_out.csv'} says why")
    if (folder / "review.csv").exists():
        labels = labelled(folder / "review.csv")
        unseen = labels["open"] + labels["as suggested, seen by nobody"]
        if unseen:
            lines.append(
                f"labels: {labels['open']} are open, {unseen - labels['open']} suggested and seen by nobody; say in "
                f"{folder / 'review.csv'} what they are, and run the same command again"
            )
    return "\n".join(lines)
