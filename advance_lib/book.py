"""From source chapters to a book: parameters checked, chapters executed, pages built; imports nothing heavy.

The graph (``Snakefile``) calls these two steps; nothing here trains anything that `runs` would not.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat

from advance_lib.cache import UserError, build_folder, remove, written_whole
from advance_lib.graph import CHECKOUT, slug


def check_parameters(chapter: Path, parameters: dict) -> None:
    """Refuse parameters that a chapter does not know.

    Raises:
        UserError: names the unknown parameter and those that the chapter has.
    """
    import papermill

    known = papermill.inspect_notebook(str(chapter))
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        raise UserError(f"{chapter}: no parameter '{unknown[0]}'; it knows {', '.join(sorted(known))}")


def execute_chapter(chapter: Path, executed: Path, parameters: dict) -> None:
    """Execute a chapter with papermill into a copy, which appears only when every cell succeeded.

    Args:
        chapter: source notebook.
        executed: the copy with outputs.
        parameters: values for its parameters cell.

    Raises:
        UserError: a parameter is unknown, or a cell failed; the message names the cell and its error.
    """
    import papermill

    check_parameters(chapter, parameters)
    try:
        with written_whole(executed) as partial:
            papermill.execute_notebook(
                str(chapter),
                str(partial),
                parameters,
                progress_bar=False,
                start_timeout=600,  # kernels start slowly on a busy machine
                extra_arguments=["--IPKernelApp.log_level=ERROR"],
                cwd=str(chapter.parent),
                log_output=False,
            )
    except papermill.PapermillExecutionError as error:
        first = (error.source or "").strip().splitlines()
        raise UserError(
            f"{chapter}: cell {error.exec_count} failed ({error.ename}: {error.evalue}); "
            f"it begins with: {first[0] if first else ''}"
        ) from None


def _stage(executed: Path, source: Path) -> None:
    """Lay out what Sphinx shall see: configuration, texts, and executed chapters instead of source ones."""
    remove([source])
    shutil.copytree(CHECKOUT / "book", source / "book", ignore=shutil.ignore_patterns("*.ipynb", ".*", "_build"))
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(CHECKOUT / name, source / name)
    for path in sorted(executed.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            tags = cell.metadata.setdefault("tags", [])
            if "parameters" in tags:  # the injected values are shown instead
                tags.append("remove-cell")
        nbformat.write(notebook, source / "book" / path.name)


def _copy_linked_files(pages: Path) -> None:
    """Copy the players, pictures and tables that the pages link to, and no others, into the site."""
    folder = build_folder() / "site"
    names = {
        name
        for page in (pages / "book").glob("*.html")
        for name in re.findall(r"/site/([0-9a-f]{12}-[^\"&]+)", page.read_text(encoding="utf-8"))
    }
    relative = Path(os.path.relpath(folder, CHECKOUT / "book"))
    target = (pages / "book" / relative).resolve()
    if pages.resolve() not in target.parents:
        raise UserError(f"{folder}: the build folder must lie inside the checkout for the pages to find their files")
    target.mkdir(parents=True, exist_ok=True)
    for name in sorted(names):
        shutil.copy(folder / name, target / name)


def _drop_unused_bundles(pages: Path) -> None:
    """Delete MathJax's other bundles, each with all of it again: a third of the book, and no page loads them."""
    texts = (page.read_text(encoding="utf-8") for page in (pages / "book").glob("*.html"))
    used = {name for text in texts for name in re.findall(r"mathjax/([\w-]+\.js)", text)}
    if used:
        remove(path for path in (pages / "_static" / "mathjax").glob("*.js") if path.name not in used)


def build_pages(profile: str, dataset: str) -> Path:
    """Build the pages from executed chapters with jupyter-book; every warning is an error.

    Args:
        profile: of the book.
        dataset: of the book.

    Returns:
        The first page.

    Raises:
        UserError: jupyter-book found something wrong; its output has been shown.
    """
    work = build_folder() / "books" / slug(profile, dataset)
    source, final = work / "src", work / "html"
    _stage(work / "executed", source)
    # Without --all, a build after a failed one would pass: cached pages repeat no warnings.
    program = "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", program, "build", str(source), "--path-output", str(work)]
    done = subprocess.run([*command, "-W", "-n", "--keep-going", "--all"], check=False, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
        raise UserError("jupyter-book refused the pages; its messages are above")
    pages = work / "_build" / "html"
    _copy_linked_files(pages)
    _drop_unused_bundles(pages)
    remove([final])
    os.replace(pages, final)
    return final / "index.html"


def refresh_checked_outputs(chapter: Path) -> None:
    """Run a source chapter and write the outputs of its checked cells back into it, and of no others.

    For authors, after an intended change: `make outputs`. Look at the difference before committing it.
    """
    from nbclient import NotebookClient

    source = nbformat.read(chapter, as_version=4)
    done = nbformat.read(chapter, as_version=4)
    NotebookClient(done, timeout=None, resources={"metadata": {"path": str(chapter.parent)}}).execute()
    for cell, executed in zip(source.cells, done.cells, strict=True):
        if cell.cell_type == "code":
            checked = "nbval-check-output" in cell.metadata.get("tags", [])
            cell.outputs = executed.outputs if checked else []
            cell.execution_count = executed.execution_count if checked else None
            cell.metadata.pop("execution", None)
    with written_whole(chapter) as partial:
        nbformat.write(source, partial)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        refresh_checked_outputs(Path(name))
