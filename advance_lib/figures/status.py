"""What the book was made with, and how long each phase and each chapter took.

Chapter: Status.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import nbformat
import pandas as pd
from IPython.display import HTML

from advance_lib.analysis.epochs import each_once
from advance_lib.analysis.words import counted
from advance_lib.cache import build_folder
from advance_lib.experiments.settings import split_in_words
from advance_lib.training.devices import environment

PHASES = ("render", "features", "pre-train", "train", "chapters", "pages")


def executed_chapters(book: str, contents: Path = Path("../_toc.yml")) -> list[Path]:
    """Return the executed chapters of a book, in the order of its table of contents.

    Args:
        book: name of the book's folder, such as ``"mini-miniature"``; no chapters where it has not been built.
        contents: the table of contents; the default is where a chapter finds it.
    """
    names = re.findall(r"file: book/(\w+)", contents.read_text(encoding="utf-8"))
    paths = [build_folder() / "books" / book / "executed" / f"{name}.ipynb" for name in names if name != "status"]
    return [path for path in paths if path.exists()]


def chapter_times(executed: Sequence[Path]) -> pd.DataFrame:
    """Return one row per executed chapter: when it ran, how many seconds it took, and how much memory at most.

    The memory is the largest resident set of the chapter's kernel; a chapter that was executed without the graph has
    none.

    Args:
        executed: from `executed_chapters`.
    """
    rows = []
    for path in executed:
        notebook = nbformat.read(path, as_version=4)
        made, record = notebook.metadata.papermill, path.parents[1] / "taken" / "chapters" / f"{path.stem}.json"
        memory = json.loads(record.read_text()).get("memory") if record.exists() else None
        memory = round(memory) if memory else None
        rows.append((_title(notebook), made["start_time"][:16].replace("T", " "), round(made["duration"], 1), memory))
    columns = ["chapter", "executed (UTC)", "seconds", "memory in MB"]
    return pd.DataFrame(rows, columns=columns).set_index("chapter")


def _title(notebook: nbformat.NotebookNode) -> str:
    headings = (re.match(r"# (.+)", cell.source) for cell in notebook.cells if cell.cell_type == "markdown")
    return next(filter(None, headings))[1]


def phase_times(book: str) -> pd.DataFrame:
    """Return one row per phase of a build: seconds of CPU, and seconds on the clock, in which steps may run together.

    A step counts as it last ran; one that found its results kept took little. The row of the pages is empty, for they
    come after the status page; who builds them fills it in.

    Args:
        book: name of the book's folder, such as ``"mini-miniature"``.
    """
    rows = []
    for phase in PHASES[:-1]:
        records = (build_folder() / "books" / book / "taken" / phase).glob("[!.]*.json")
        steps = [told for told in (json.loads(path.read_text()) for path in records) if told.get("code") == 0]
        if steps:
            rows.append((phase, round(sum(step["cpu"] for step in steps), 1), round(_on_the_clock(steps), 1)))
    rows.append((PHASES[-1], None, None))
    return pd.DataFrame(rows, columns=["phase", "CPU seconds", "seconds on the clock"]).set_index("phase")


def _on_the_clock(steps: list[dict]) -> float:
    total, until = 0.0, 0.0
    for begun, wall in sorted((step["begun"], step["wall"]) for step in steps):
        total += max(0.0, begun + wall - max(begun, until))
        until = max(until, begun + wall)
    return total


def results_shown(executed: Sequence[Path]) -> HTML:
    """Show every table and figure of executed chapters: its permanent address, and the list of its runs."""
    rows = []
    for path in executed:
        name, notebook = path.stem, nbformat.read(path, as_version=4)
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
        found = [output.metadata["advance"] for output in outputs if "advance" in output.get("metadata", ())]
        for result, count, address in dict.fromkeys((one["result"], one["runs"], one["list"]) for one in found):
            link = f'<a href="{address}">{counted(count, "run")}</a>' if count else "–"
            rows.append((_title(notebook), f'<a href="{name}.html#{result}">{result}</a>', link))
    table = pd.DataFrame(rows, columns=["chapter", "table or figure", "made from"])
    page = table.to_html(border=0, index=False, escape=False)
    return HTML(
        f'<div class="wide-table prose" tabindex="0" role="region" aria-label="tables and figures">{page}</div>'
    )


def run_times(runs: list) -> pd.DataFrame:
    """Return one row per training run: selected epoch, seconds, device, and the folder it lies in."""
    rows = [
        (
            run.cell,
            run.seed,
            split_in_words(run.request.settings.split),
            run.metrics["epoch"] + 1,
            round(run.metrics["seconds"], 1),
            run.config["environment"]["device"].split(" (")[0],
            run.folder.name,
        )
        for run in each_once(runs)
    ]
    columns = ["cell", "seed", "split", "selected epoch", "seconds", "device", "run"]
    return pd.DataFrame(rows, columns=columns).set_index(["cell", "seed", "split"])


def versions(device: str) -> pd.Series:
    """Return device and versions of the packages that matter."""
    return pd.Series(environment(device), name="version")
