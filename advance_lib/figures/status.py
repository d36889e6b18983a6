"""What the book was made with, and how long each chapter took.

Chapter: Status.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pandas as pd
from IPython.display import HTML

from advance_lib.cache import build_folder
from advance_lib.experiments.settings import Settings
from advance_lib.graph import chapters, slug
from advance_lib.training.devices import environment

# What `figures.show` and `figures.table_page` leave on a page.
ANCHOR = re.compile(r'<(?:figure class="shown"|div class="wide-table[^"]*") id="([^"]+)"')
BEHIND = re.compile(r'data-result="([^"]+)" data-runs="(\d+)" href="([^"]+)"')


def executed_folder(settings: Settings) -> Path:
    """Return where the executed chapters of a book lie."""
    return build_folder() / "books" / slug(settings.profile, settings.dataset) / "executed"


def chapter_times(settings: Settings) -> pd.DataFrame:
    """Return one row per executed chapter: when it ran, how many seconds it took, and how much memory at most.

    The memory is the largest resident set of the chapter's process and its kernel, as Snakemake measures it; a chapter
    that was executed without the graph has none.
    """
    rows = []
    for name, notebook in _executed(settings):
        made = notebook.metadata.papermill
        measured = executed_folder(settings).with_name("benchmarks") / f"{name}.tsv"
        memory = pd.read_csv(measured, sep="\t")["max_rss"].iloc[0] if measured.exists() else None
        rows.append((name, made["start_time"][:16].replace("T", " "), round(made["duration"], 1), memory))
    columns = ["chapter", "executed (UTC)", "seconds", "memory in MB"]
    return pd.DataFrame(rows, columns=columns).set_index("chapter")


def _executed(settings: Settings) -> Iterator[tuple[str, nbformat.NotebookNode]]:
    for name in chapters():
        path = executed_folder(settings) / f"{name}.ipynb"
        if path.exists():
            yield name, nbformat.read(path, as_version=4)


def results_shown(settings: Settings) -> HTML:
    """Show every table and figure of the executed chapters: its permanent address, and the list of its runs."""
    rows = []
    for name, notebook in _executed(settings):
        pages = "".join(
            output.data.get("text/html", "")
            for cell in notebook.cells
            if cell.cell_type == "code"
            for output in cell.outputs
            if "data" in output
        )
        runs = {one: (count, address) for one, count, address in BEHIND.findall(pages)}
        for result in dict.fromkeys(ANCHOR.findall(pages)):
            count, address = runs.get(result, ("", ""))
            link = f'<a href="{address}">{count} runs</a>' if count else "data, or kept records"
            rows.append((name, f'<a href="{name}.html#{result}">{result}</a>', link))
    table = pd.DataFrame(rows, columns=["chapter", "table or figure", "made from"])
    page = table.to_html(border=0, index=False, escape=False)
    return HTML(f'<div class="wide-table" tabindex="0" role="region" aria-label="tables and figures">{page}</div>')


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
