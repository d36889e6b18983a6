"""What the book was made with, and how long each chapter took.

Chapter: Status.
"""

from pathlib import Path

import nbformat
import pandas as pd

from advance_lib.cache import build_folder
from advance_lib.graph import chapters, slug
from advance_lib.runs import environment
from advance_lib.settings import Settings


def executed_folder(settings: Settings) -> Path:
    """Return where the executed chapters of a book lie."""
    return build_folder() / "books" / slug(settings.profile, settings.dataset) / "executed"


def chapter_times(settings: Settings) -> pd.DataFrame:
    """Return one row per executed chapter: when it ran and how many seconds it took."""
    rows = []
    for name in chapters():
        path = executed_folder(settings) / f"{name}.ipynb"
        if path.exists():
            made = nbformat.read(path, as_version=4).metadata.papermill
            rows.append((name, made["start_time"][:16].replace("T", " "), round(made["duration"], 1)))
    return pd.DataFrame(rows, columns=["chapter", "executed (UTC)", "seconds"]).set_index("chapter")


def run_times(runs: list) -> pd.DataFrame:
    """Return one row per training run: selected epoch, seconds, device, and the folder it lies in."""
    rows = [
        (
            run.request.cell,
            run.request.seed,
            f"by {run.request.split.by} {run.request.split.seed}",
            run.metrics["epoch"] + 1,
            round(run.metrics["seconds"], 1),
            run.config["environment"]["device"].split(" (")[0],
            run.folder.name,
        )
        for run in runs
    ]
    columns = ["cell", "seed", "split", "selected epoch", "seconds", "device", "run"]
    return pd.DataFrame(rows, columns=columns).set_index(["cell", "seed", "split"])


def versions(device: str) -> pd.Series:
    """Return device and versions of the packages that matter."""
    return pd.Series(environment(device), name="version")
