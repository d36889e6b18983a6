"""Building a dataset: the steps in order, each run when what it reads has changed, resumed where they stopped.

``construction/manifest.json`` remembers, for each finished step, the tables that it has read. A step is due when it is
not there, or when one of these tables is another one now: so a corrected label in ``review.csv`` balances and exports
again, and fetches nothing twice.

Chapter: Building a dataset.
"""

import errno
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from advance_lib.cache import UserError, build_folder, digest, file_digest, remove, write_json
from advance_lib.construct import steps
from advance_lib.construct.plan import Plan, begin
from advance_lib.construct.site import Site
from advance_lib.construct.tables import LeftOut, read_json, read_table, write_table
from advance_lib.data.fetching import USUAL, Patience

PARTIAL = re.compile(r"\.\d+\..+")  # what `written_whole` leaves behind when it is killed


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        run: does it; returns what it leaves out.
        reads: tables in the working folder that it depends on.
        writes: files, seen from the working folder, without which it is not done.
    """

    run: Callable[[Site], dict[str, str]]
    reads: tuple[str, ...]
    writes: tuple[str, ...]


STEPS = {
    "recordings": Step(steps.find_recordings, (), ("found.csv", "recordings.csv")),
    "clips": Step(steps.cut_clips, ("recordings.csv",), ("clips.csv",)),
    "photographs": Step(steps.take_photographs, ("clips.csv",), ("imagery.json", "photographs.csv")),
    "labels": Step(steps.suggest_labels, ("photographs.csv",), ("labels.csv",)),
    "review": Step(steps.prepare_review, ("recordings.csv", "labels.csv"), ("review.csv",)),
    "balance": Step(steps.balance_pairs, ("recordings.csv", "labels.csv", "review.csv"), ("pairs.csv",)),
    "export": Step(
        steps.export_dataset,
        ("recordings.csv", "review.csv", "pairs.csv", "imagery.json", "left_out.csv"),
        ("../pairs.csv", "../ATTRIBUTION.csv", "../DATASHEET.md"),
    ),
}


def _inputs(folder: Path, name: str) -> str:
    files = [folder / table for table in STEPS[name].reads]
    return digest([file_digest(file) if file.exists() else None for file in files])


def _manifest(folder: Path) -> dict[str, str]:
    file = folder / "manifest.json"
    return read_json(file) if file.exists() else {}


def _is_due(folder: Path, name: str) -> bool:
    there = all((folder / file).exists() for file in STEPS[name].writes)
    return not there or _manifest(folder).get(name) != _inputs(folder, name)


def _run(site: Site, name: str) -> None:
    """Run a step, and write down what it leaves out and that it is done."""
    folder = site.folder
    write_json(folder / "manifest.json", {key: value for key, value in _manifest(folder).items() if key != name})
    left = STEPS[name].run(site)
    file = folder / "left_out.csv"
    others = [row for row in read_table(file, LeftOut) if row.step != name] if file.exists() else []
    rows = others + [LeftOut(name, pair_id, reason) for pair_id, reason in left.items()]
    write_table(file, LeftOut, sorted(rows, key=lambda row: (list(STEPS).index(row.step), row.id)))
    done = _manifest(folder) | {name: _inputs(folder, name)}
    write_json(folder / "manifest.json", {key: done[key] for key in STEPS if key in done})


def construct(
    plan: Plan,
    out: Path | str,
    token: str | None = None,
    *,
    step: str | None = None,
    patience: Patience = USUAL,
    say: Callable[[str], object] = print,
    date: str | None = None,
) -> Path:
    """Build a dataset, or go on where it stopped.

    Args:
        plan: what to build.
        out: folder of the dataset; its working folder is ``construction`` in it.
        token: Freesound's; None takes ``$FREESOUND_TOKEN`` when it is needed.
        step: run this one of `STEPS` alone, even if it is done.
        patience: with servers.
        say: shows the terms of the imagery.
        date: of the first start; None for today.

    Returns:
        The folder.

    Raises:
        UserError: what stopped it, and what to do; what was finished is kept.
    """
    out = Path(out).expanduser().absolute()
    if step is not None and step not in STEPS:
        raise UserError(f"no step '{step}'; there are {', '.join(STEPS)}")
    lock = build_folder() / "construct" / f"{digest(str(out))}.lock"
    name = step or "recordings"
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock, timeout=0):
            site = Site(out, begin(plan, out, date), token, patience, say, again=step is not None)
            remove(path for path in out.rglob(".*") if PARTIAL.fullmatch(path.name))
            for name in STEPS:
                if name == step or (step is None and _is_due(site.folder, name)):
                    _run(site, name)
                elif step is not None and _is_due(site.folder, name):
                    raise UserError(f"{out}: the step {name} comes before {step}; run it first, or all of them")
                if name == step:
                    break
    except Timeout:
        raise UserError(f"{out}: another process is building there; wait until it ends") from None
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "make room and run the same command again" if full else "mend that and run the same command again"
        what = "the disk is full" if full else f"{error.filename or out}: {error.strerror or error}"
        raise UserError(f"{out}: {what}; the step {name} stopped, what was finished is kept: {remedy}") from error
    return out
