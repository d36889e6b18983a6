"""The dataset ADVANCE from its Zenodo record: fetched, unpacked, and compared with the published counts.

Chapter: Building a dataset.
"""

import os
from pathlib import Path

from filelock import FileLock

from advance_lib.cache import UserError, remove
from advance_lib.data.catalogue import read_catalogue, siblings_per_location
from advance_lib.data.fetching import (
    USUAL,
    Patience,
    RemoteFile,
    download,
    extract,
    is_whole,
    require_space,
    zenodo_files,
)
from advance_lib.data.places import advance_folder
from advance_lib.data.published import advance_counts

RECORD = 3828124
ARCHIVES = {
    "vision": ("ADVANCE_vision.zip", "md5:a9e8748219ef5864d3b5a8979a67b471"),
    "sound": ("ADVANCE_sound.zip", "md5:a2d12f2d2a64f5c3d3a9d8c09aaf1c31"),
}


def _remote(names: list[str], folder: Path, patience: Patience) -> dict[str, RemoteFile]:
    listed = zenodo_files(RECORD, folder, patience=patience) if names else {}
    expected = dict(ARCHIVES.values())
    for name in names:
        if name not in listed or listed[name].checksum != expected[name]:
            raise UserError(
                f"Zenodo record {RECORD}: has no {name} with {expected[name].replace(':', ' ')} any more; see "
                f"https://zenodo.org/records/{RECORD}"
            )
    return {name: listed[name] for name in names}


def _scenes_in(folder: Path) -> Path:
    """Return the folder that holds the scenes' folders, below any folders that hold nothing but one more."""
    while True:
        inside = [path for path in folder.iterdir() if not path.name.startswith((".", "__MACOSX"))]
        if len(inside) != 1 or not any(path.is_dir() for path in inside[0].glob("*")):
            return folder
        folder = inside[0]


def _missing(folder: Path) -> dict[str, tuple[str, str]]:
    return {sense: archive for sense, archive in ARCHIVES.items() if not (folder / sense).exists()}


def _complete(folder: Path, patience: Patience) -> None:
    """Fetch and unpack what is missing."""
    missing = _missing(folder)
    work = folder / "download"
    there = {
        name: place / name
        for name, checksum in missing.values()
        for place in (work, folder)
        if is_whole(place / name, checksum)
    }
    remote = _remote([name for name, _ in missing.values() if name not in there], folder, patience)
    if sizes := [file.size for file in remote.values()]:
        # The contents, at least as large as their archives, and one archive beside them; less what is here already.
        here = sum(path.stat().st_size for path in work.rglob("*") if path.is_file())
        require_space(work, sum(sizes) + max(sizes) - here, "fetching and unpacking ADVANCE")
    for sense, (name, _) in missing.items():
        archive = there.get(name) or download(remote[name], work, patience)
        os.replace(_scenes_in(extract(archive, work / sense)), folder / sense)
        remove([work / name])
    remove([work])


def fetch_advance(patience: Patience = USUAL) -> Path:
    """Return ADVANCE's folder, ``$ADVANCE_DATA`` or ``data/ADVANCE``, with what is missing there fetched and unpacked.

    Archives that lie in the folder are used as they are and kept; those that are fetched are removed once unpacked.

    Args:
        patience: how long to keep asking.

    Raises:
        UserError: no connection, no room on the disk, or an archive that is not the published one.
    """
    folder = advance_folder()
    try:
        if _missing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / ".lock"):
                _complete(folder, patience)
        remove([folder / "download"])
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}); set ADVANCE_DATA to another") from None
    return folder


def deviations(folder: Path) -> list[str]:
    """Return how the files of a folder differ from ADVANCE as published: 5,075 pairs, 13 scenes, 2,696 locations.

    Every file is decoded; what is wrong with single files is said in a warning.

    Args:
        folder: holds ``vision`` and ``sound``.

    Returns:
        One line per scene and count that differ, such as ``"lake: pairs 356, published 357"``; empty where all is as
        published (section 3).

    Raises:
        DatasetError: no dataset at all.
    """
    kinds = ["pairs", "locations"]
    found, published = siblings_per_location(read_catalogue(folder, skip_broken=True))[kinds], advance_counts()[kinds]
    scenes = published.index.union(found.index)
    found, published = (table.reindex(scenes, fill_value=0) for table in (found, published))
    compared = {scene: (found.loc[scene], published.loc[scene]) for scene in scenes}
    compared["all scenes"] = (found.sum(), published.sum())
    return [
        f"{where}: {kind} {here[kind]:,}, published {there[kind]:,}"
        for where, (here, there) in compared.items()
        for kind in kinds
        if here[kind] != there[kind]
    ]
