"""Many photographs and recordings, by trained recognisers: a table of scenes and events, a row a pair.

Where a sense is missing or cannot be read, a recogniser answers that has only the other one, and the table says so.

Chapter: Use it on your own data.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from advance_lib.analysis.one_pair import Recogniser, first_ears
from advance_lib.cache import UserError
from advance_lib.data.layout import SENSES
from advance_lib.data.media import SOUND_SUFFIXES, MediaError, read_clip, read_image
from advance_lib.data.tables import read_rows

BATCH = 32  # pairs that are held in memory at once


def files_below(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Return the files of a folder that have one of some suffixes and are not hidden, at any depth."""
    found = (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in suffixes and path.is_file())
    return [path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts)]


def pairs_in(source: Path) -> pd.DataFrame:
    """List the pairs of a folder or a table; either sense may be missing.

    Args:
        source: a folder, whose photographs and recordings of the same name, below ``vision`` and ``sound`` or side by
            side, are pairs; or a CSV file with columns ``image`` and ``sound`` (paths relative to it) and, if you like,
            ``id``.

    Returns:
        Columns id, image and sound: a path, or None where there is none.

    Raises:
        UserError: no such folder or table, none with such columns, several files of one name, or a path to no file.
    """
    if source.suffix.lower() in SENSES["vision"] and source.is_file():
        raise UserError(f"{source}: one photograph; give its recording as well, or a folder or table of pairs")
    if source.is_file():
        return _pairs_of_table(source)
    found: dict[str, dict[str, Path]] = {}
    for sense, suffixes in SENSES.items():
        root = source / sense if (source / sense).is_dir() else source
        for path in files_below(root, suffixes):
            pair = found.setdefault(path.relative_to(root).with_suffix("").as_posix(), {})
            if sense in pair:
                raise UserError(f"{path}: there is {pair[sense].name}, too; keep one")
            pair[sense] = path
    if not found:
        what = "no photograph and no recording in it" if source.exists() else "no such file or folder"
        raise UserError(f"{source}: {what}; give a folder of them, or a CSV file with columns image and sound")
    rows = [(name, pair.get("vision"), pair.get("sound")) for name, pair in sorted(found.items())]
    return pd.DataFrame(rows, columns=["id", "image", "sound"], dtype=object)


def _pairs_of_table(table: Path) -> pd.DataFrame:
    header, lines = read_rows(table)
    if not {"image", "sound"} & set(header):
        raise UserError(f"{table}: no column image and no column sound; name those that hold the paths so")
    rows = []
    for number, cells in lines.items():
        paths = [
            table.parent / name if (name := cells.get(sense, "").strip()) else None for sense in ("image", "sound")
        ]
        for path in filter(None, paths):
            if not path.is_file():
                raise UserError(f"{table}, row {number}: {path}: no such file; paths are relative to the table")
        rows.append((cells.get("id") or str(number), *paths))
    return pd.DataFrame(rows, columns=["id", "image", "sound"], dtype=object)


def _sensed(image: Path | None, sound: Path | None, of: Callable[[str], Recogniser | None]) -> tuple:
    """Return (senses, photograph, sound, problem): what can be read of a pair, as its recogniser takes it."""
    left, problems = {name: path for name, path in (("image", image), ("sound", sound)) if path}, []
    while left:
        senses, taken = "+".join(left), {}
        if (recogniser := of(senses)) is None:
            problems.append(f"no checkpoint of a network for {senses}")
            break
        for name, path in list(left.items()):
            try:
                taken[name] = recogniser.seen(read_image(path)) if name == "image" else recogniser.heard(path)
            except (MediaError, OSError) as error:
                problems.append(str(error))
                del left[name]
        if len(taken) == len(senses.split("+")):
            return senses, taken.get("image"), taken.get("sound"), "; ".join(problems)
    return "", None, None, "; ".join(problems)


def recognise_all(
    pairs: pd.DataFrame, of: Callable[[str], Recogniser | None], events: int = 5, device: str = "auto"
) -> pd.DataFrame:
    """Return the scene of each pair and what is heard in it.

    Args:
        pairs: as from `pairs_in`.
        of: the recogniser for ``"image+sound"``, ``"image"`` or ``"sound"``; None where there is none. Asked for again
            and again, so it should keep what it has opened.
        events: how many sound events to name.
        device: that N_a(0) is pre-trained on where it is missing.

    Returns:
        A row for each pair: columns id; senses, those that the answer rests on, ``""`` where there is none; scene;
        p(scene) of each scene; events, the most probable first, and y, their probabilities, both with semicolons
        between; problem, ``""`` where there is none.
    """
    answers: list[dict] = [{} for _ in range(len(pairs))]
    waiting: dict[str, list[tuple]] = {}
    teachers: dict[str, tuple] = {}

    def answer(senses: str) -> None:
        rows, images, sounds = zip(*waiting.pop(senses), strict=True)
        recogniser = of(senses)
        images, sounds = (None if part[0] is None else np.stack(part) for part in (images, sounds))
        scenes = np.array(recogniser.config["scenes"])
        for row, p in zip(rows, recogniser.probabilities(images, sounds), strict=True):
            answers[row] |= {"senses": senses, "scene": scenes[p.argmax()]}
            answers[row] |= {f"p({scene})": float(value) for scene, value in zip(scenes, p, strict=True)}
        if sounds is None or events < 1:
            return
        if senses not in teachers:
            teacher = first_ears(recogniser.config, device)
            teachers[senses] = teacher.open(), np.array(teacher.classes)
        network, names = teachers[senses]
        for row, y in zip(rows, recogniser.soft_responses(sounds, network), strict=True):
            top = np.argsort(-y)[:events]
            answers[row] |= _joined(dict(zip(names[top], y[top], strict=True)))

    for row, (image, sound) in enumerate(tqdm(pairs[["image", "sound"]].to_numpy(), "recognising", leave=False)):
        senses, image, sound, answers[row]["problem"] = _sensed(image, sound, of)
        if senses:
            waiting.setdefault(senses, []).append((row, image, sound))
            if len(waiting[senses]) == BATCH:
                answer(senses)
    for senses in list(waiting):
        answer(senses)
    table = pd.DataFrame(answers, index=pairs.index)
    probabilities = [name for name in table if name.startswith("p(")]
    order = ["senses", "scene", *sorted(probabilities), "events", "y", "problem"]
    table = table.reindex(columns=order)
    table = table.astype({name: object for name in order if name not in probabilities})
    table = table.fillna({name: "" for name in order if name not in probabilities})
    return pd.concat([pairs[["id"]], table], axis=1)


def hear_all(folder: Path, heard: Callable[[np.ndarray, int], dict[str, float]]) -> pd.DataFrame:
    """Return what is heard in each recording of a folder.

    Args:
        folder: searched at any depth.
        heard: from samples and their rate in Hz to events and their probabilities, the most probable first.

    Returns:
        A row for each recording: columns sound, its path in the folder; events and y, as in `recognise_all`; problem,
        ``""`` where there is none.

    Raises:
        UserError: no recording in it.
    """
    if not (sounds := files_below(folder, SOUND_SUFFIXES)):
        raise UserError(f"{folder}: no recording in it; recordings end in {', '.join(SOUND_SUFFIXES)}")
    rows = []
    for path in tqdm(sounds, "listening", leave=False):
        row = {"sound": path.relative_to(folder).as_posix(), "events": "", "y": "", "problem": ""}
        try:
            row |= _joined(heard(*read_clip(path)))
        except MediaError as error:
            row["problem"] = str(error)
        rows.append(row)
    return pd.DataFrame(rows)


def _joined(heard: dict[str, float]) -> dict[str, str]:
    return {"events": ";".join(heard), "y": ";".join(f"{y:.3f}" for y in heard.values())}
