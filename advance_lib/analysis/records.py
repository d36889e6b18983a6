"""Small JSON files under ``results/`` that keep what was found, and say what made it.

Chapters: The claims; Status.
"""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd

from advance_lib.analysis.words import counted
from advance_lib.cache import PACKAGE, UserError, code_digest, digest
from advance_lib.experiments.prepared import prepared
from advance_lib.experiments.profiles import PROFILES, get_profile
from advance_lib.experiments.runs import Run
from advance_lib.experiments.settings import Settings
from advance_lib.training.devices import environment

RESULTS = PACKAGE.parent / "results"


def commit() -> str:
    """Return the commit of the checkout, or ``"unknown"``."""
    asked = ["git", "-C", str(PACKAGE.parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(asked, check=False, capture_output=True, text=True).stdout.strip() or "unknown"
    except FileNotFoundError:  # there is no git
        return "unknown"


def code_key(profile: str) -> str:
    """Return a key of what a run of a profile computes: the code of a run, of features and of rendering, and all sizes.

    Comments, docstrings and where a function stands do not count.

    Raises:
        UserError: there is no such profile.
    """
    parts = ("advance_lib.experiments.one_run", "advance_lib.data.features", "advance_lib.miniature.world")
    return digest([code_digest(part) for part in parts], asdict(get_profile(profile)))


def is_stale(kept: dict) -> bool:
    """Return whether a record was made by other code than today's, or says nothing of its code."""
    if "profile" not in kept:  # nothing was trained for it
        return kept["code_key"] != code_digest("advance_lib.analysis.error_rates")
    return kept["profile"] not in PROFILES or kept.get("code_key") != code_key(kept["profile"])


def record(what: str, settings: Settings, runs: Sequence[Run], **found: object) -> dict:
    """Return what a reference file holds besides its findings: origin, device, versions, commit, data, seeds."""
    data = prepared(settings).data
    return {
        "what": what,
        "data": data.title,
        "data_hash": data.key(),
        "profile": settings.profile,
        "seeds": list(settings.seeds),
        "networks": asdict(settings.sources),
        "commit": commit(),
        "code_key": code_key(settings.profile),
        "environment": _environment(settings, runs),
        "minutes of training": round(sum(run.metrics["seconds"] for run in runs) / 60, 1),
        **found,
    }


def _environment(settings: Settings, runs: Sequence[Run]) -> dict[str, str]:
    """Return devices and versions that the runs say; those of this machine where there are none."""
    said = [run.config.get("environment", {}) for run in runs] or [{}]
    here = environment(settings.device)
    found = {name: list(dict.fromkeys(one[name] for one in said if name in one)) for name in here}
    return {name: " and ".join(values) if (values := found[name]) else here[name] for name in here}


def as_rows(table: pd.DataFrame) -> list[dict]:
    """Return a table as a record keeps it: a dictionary a row, numbers to four digits."""
    return json.loads(table.round(4).to_json(orient="records"))


def reference(name: str) -> dict:
    """Return a kept record by its file's name under ``results/``, without the suffix.

    Raises:
        UserError: it is not there.
    """
    path = RESULTS / f"{name}.json"
    if not path.exists():
        raise UserError(f"{path}: no such reference; 'make study' writes those of the miniature")
    return json.loads(path.read_text())


def origin(kept: dict, live: bool = False) -> str:
    """Return a sentence that says where a record comes from, for the book, and whether other code made it.

    Args:
        kept: the record.
        live: it was computed by this build.
    """
    seeds, where, minutes = counted(len(kept["seeds"]), "seed"), kept["environment"], round(kept["minutes of training"])
    whose = "Computed by this build" if live else "Reference runs, kept with the book and not computed by this build"
    return (
        f"{whose}: {kept['what']}; {kept['data']}, profile "
        f"{kept['profile']}, {seeds}, {where['device']}, torch {where['torch']}, commit "
        f"{kept['commit'][:7]}, data {kept['data_hash'][:8]}"
        + (f"; {counted(minutes, 'minute')} of training." if minutes else ".")
        + (" **Made by older code:** the same runs would come out differently today." if is_stale(kept) else "")
    )
