"""From source chapters to a book: parameters checked, chapters executed, pages built, slides and more made of them.

``python workflow/pages.py STEP``; the graph (``Snakefile``) and the ``Makefile`` call the steps. Imports nothing heavy,
and trains nothing that the library would not.
"""

import argparse
import io
import json
import os
import re
import resource
import shlex
import shutil
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import fields
from pathlib import Path

from advance_lib.cache import UserError, build_folder, remove, written_whole
from advance_lib.cache import cores as all_cores
from downloads import make_portable
from graph import CHECKOUT, Asked, requested
from runtime import FOLDER as RUNTIME

ROOMS = (  # in the order in which data flows
    "data", "miniature", "construct", "models", "training", "transfer", "experiments", "analysis", "figures", "cache",
    "cli",
)  # fmt: skip


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

    from kernel import OwnKernel

    check_parameters(chapter, parameters)
    try:
        with written_whole(executed) as partial:
            papermill.execute_notebook(
                str(chapter),
                str(partial),
                parameters,
                progress_bar=False,
                start_timeout=600,  # kernels start slowly on a busy machine
                kernel_manager_class=OwnKernel,
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


def reference() -> str:
    """Return the reference of the library as MyST: every module's docstrings, in the order in which data flows."""
    library = CHECKOUT / "advance_lib"
    found = [*library.glob("[!_]*.py"), *(path.parent for path in library.glob("*/__init__.py"))]
    there = {path.stem for path in found}
    rooms = [room for room in ROOMS if room in there] + sorted(there.difference(ROOMS))
    pieces = []
    for room in [*(f"advance_lib.{room}" for room in rooms), "advance_bench"]:
        folder = CHECKOUT.joinpath(*room.split("."))
        files = [file.relative_to(CHECKOUT).with_suffix("") for file in sorted(folder.rglob("[!_]*.py"))]
        for level, module in [("##", room), *(("###", ".".join(file.parts)) for file in files)]:
            title = module.removeprefix("advance_lib.")
            pieces.append(f"{level} {title}\n\n```{{eval-rst}}\n.. automodule:: {module}\n```\n")
    return "\n".join(pieces)


def _stage(executed: Path, source: Path) -> None:
    """Lay out what Sphinx shall see: configuration, texts, and executed chapters instead of source ones."""
    import nbformat

    remove([source])
    left_out = shutil.ignore_patterns("*.ipynb", ".*", "_build", "lectures")
    shutil.copytree(CHECKOUT / "book", source / "book", ignore=left_out)
    with open(source / "book" / "api.md", "a", encoding="utf-8") as page:
        page.write(f"\n{reference()}")
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(CHECKOUT / name, source / name)
    for path in sorted(executed.glob("[!.]*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            tags = cell.metadata.setdefault("tags", [])
            if "parameters" in tags:  # the injected values are shown instead
                tags.append("remove-cell")
            if "injected-parameters" in tags:
                tags.append("hide-input")
        nbformat.write(notebook, source / "book" / path.name)


def _copy_linked_files(pages: Path) -> None:
    """Copy the players, pictures, tables and data that the pages link to, and no others, into the site."""
    folder = build_folder() / "site"
    link = re.compile(r"/site/([0-9a-f]{12}-[^\"&]+)")
    texts = (page.read_text(encoding="utf-8") for page in (pages / "book").glob("*.html"))
    names = {name for text in texts for name in link.findall(text)}
    for data in [name for name in names if name.endswith(".js")]:  # of figures that answer
        names |= set(link.findall((folder / data).read_text(encoding="utf-8")))
    relative = Path(os.path.relpath(folder, CHECKOUT / "book"))
    target = (pages / "book" / relative).resolve()
    if pages.resolve() not in target.parents:
        raise UserError(f"{folder}: the build folder must lie inside the checkout for the pages to find their files")
    target.mkdir(parents=True, exist_ok=True)
    for name in sorted(names):
        shutil.copy(folder / name, target / name)


def _copy_runtime(pages: Path) -> None:
    """Copy what recognises in a page into the site, where it was fetched (``make try``)."""
    if (runtime := build_folder() / RUNTIME).is_dir():
        shutil.copytree(runtime, pages / "_build" / RUNTIME, dirs_exist_ok=True)


def _drop_unused_bundles(pages: Path) -> None:
    """Delete MathJax's other bundles, each with all of it again: a third of the book, and no page loads them."""
    texts = (page.read_text(encoding="utf-8") for page in (pages / "book").glob("*.html"))
    used = {name for text in texts for name in re.findall(r"mathjax/([\w-]+\.js)", text)}
    if used:
        remove(path for path in (pages / "_static" / "mathjax").glob("*.js") if path.name not in used)


def lay_out(source: Path, pages: Path) -> None:
    """Build pages from texts and executed chapters with jupyter-book, on all cores; every warning is an error.

    Args:
        source: holds ``_config.yml``, ``_toc.yml`` and the folder ``book``.
        pages: where they go.

    Raises:
        UserError: jupyter-book found something wrong; its output has been shown.
    """
    from jupyter_book.sphinx import build_sphinx  # its command line knows no number of processes

    said = io.StringIO()
    options = {"external_toc_path": str(source / "_toc.yml"), "nitpicky": True, "latex_individualpages": False}
    with redirect_stdout(said), redirect_stderr(said):
        failed = build_sphinx(
            source,
            pages,
            noconfig=True,
            path_config=source / "_config.yml",
            confoverrides=options,
            freshenv=True,  # else a build after a failed one would pass: cached pages repeat no warnings
            warningiserror=True,
            keep_going=True,
            jobs=all_cores(),
        )
    if failed:
        print(said.getvalue(), file=sys.stderr)
        raise UserError("jupyter-book refused the pages; its messages are above")


def _tell_what_pages_took(status: Path, began: float) -> None:
    """Fill in the last row of the status page's table of phases, which was made before the pages."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(one.ru_utime + one.ru_stime for one in used)
    row = re.compile(r"(<th>pages</th>\s*<td>)–(</td>\s*<td>)–")
    page = status.read_text(encoding="utf-8")
    status.write_text(row.sub(rf"\g<1>{cpu:.1f}\g<2>{time.time() - began:.1f}", page), encoding="utf-8")


def build_pages(work: Path) -> Path:
    """Build the book's pages from executed chapters; those of an earlier build are replaced when all is well.

    Args:
        work: the book's folder.

    Returns:
        The first page.

    Raises:
        UserError: as for `lay_out`.
    """
    began = time.time()
    source, final, pages = work / "src", work / "html", work / "_build" / "html"
    _stage(work / "executed", source)
    lay_out(source, pages)
    _copy_linked_files(pages)
    make_portable(pages, build_folder() / "site")
    _copy_runtime(pages)
    _drop_unused_bundles(pages)
    _tell_what_pages_took(pages / "book" / "status.html", began)
    remove([final])
    os.replace(pages, final)
    return final / "index.html"


def built_site(asked: Asked) -> Path:
    """Return the folder of a book's pages.

    Raises:
        UserError: there are none.
    """
    site = asked.folder / "html"
    if not (site / "index.html").is_file():
        raise UserError(f"{site}: no finished book here; `make book` builds it")
    return site


def refresh_checked_outputs(chapter: Path) -> None:
    """Run a source chapter and write the outputs of its checked cells back into it, and of no others.

    For authors, after an intended change: `make outputs`. Look at the difference before committing it.
    """
    import nbformat
    from nbclient import NotebookClient

    from kernel import OwnKernel

    source = nbformat.read(chapter, as_version=4)
    done = nbformat.read(chapter, as_version=4)
    where = {"metadata": {"path": str(chapter.parent)}}
    NotebookClient(done, timeout=None, resources=where, kernel_manager_class=OwnKernel).execute()
    for cell, executed in zip(source.cells, done.cells, strict=True):
        if cell.cell_type == "code":
            checked = "nbval-check-output" in cell.metadata.get("tags", [])
            cell.outputs = executed.outputs if checked else []
            cell.execution_count = executed.execution_count if checked else None
            cell.metadata.pop("execution", None)
    with written_whole(chapter) as partial:
        nbformat.write(source, partial)


def write_findings(file: Path, name: str, text: str) -> None:
    """Write what the kept records say between the marks of that name in a Markdown file.

    Raises:
        UserError: the marks are not there.
    """
    before, mark, rest = file.read_text(encoding="utf-8").partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition(f"<!-- end of {name} -->")
    if not mark or not end:
        raise UserError(f"{file}: no lines '<!-- {name} -->' and '<!-- end of {name} -->' to write between")
    with written_whole(file) as partial:
        partial.write_text(f"{before}{mark}\n{text}\n{end}{after}", encoding="utf-8")


def findings_of(checkout: Path) -> dict[tuple[Path, str], str]:
    """Return what README and the front page say of the results, by file and mark, from the kept records."""
    from advance_lib.analysis.findings import as_markdown, findings, results_table, verdicts, with_badges, written

    told, front = findings(), checkout / "book" / "introduction.md"
    return {
        (checkout / "README.md", "findings"): written(told, results_table()),
        (front, "verdicts"): with_badges(as_markdown(verdicts())),
        (front, "findings"): written(told),
    }


def parameters_of(asked: Asked) -> dict[str, object]:
    """Return the parameters of a chapter: the four usual ones, and what departs from the book's own choices."""
    seeds = int(asked.seeds) if asked.seeds.isdigit() else asked.seeds
    further = asked.departures()
    if "skip_broken" in further:
        further["skip_broken"] = True
    return {"profile": asked.profile, "dataset": asked.dataset, "seeds": seeds, "device": asked.device} | further


def graph_command(asked: Asked, cores: str) -> list[str]:
    """Return the command with which Snakemake makes the book, to be run in the checkout."""
    # In quotes, for Snakemake reads values as YAML: a path may hold any character. Between blanks, for it takes quotes
    # off the ends of a value before it reads it.
    config = [
        f"{field.name}= {json.dumps(str(getattr(asked, field.name)), ensure_ascii=False)} " for field in fields(asked)
    ]
    options = ["--directory", "_build", "--nolock", "--rerun-incomplete", "--cores", cores]
    return [sys.executable, "-m", "snakemake", *options, "--rerun-triggers", "input", "params", "--config", *config]


def make_book(asked: Asked, cores: str) -> int:
    """Let Snakemake make what is missing or out of date, print the first page, and return the exit code.

    What will be done, and about how long it takes here, is said before it starts.
    """
    import plan
    import progress
    import speed

    if asked.shares != "1":
        raise UserError(f"shares={asked.shares}: for a cluster, `snakemake --profile workflow/slurm --config …`")
    (CHECKOUT / "_build").mkdir(exist_ok=True)
    command = graph_command(asked, cores)
    if steps := plan.ahead(command):
        at_once = all_cores() if cores == "all" else int(cores)
        seconds = plan.seconds(asked, steps, speed.measured(at_once), at_once)
        print(plan.told(asked, steps, seconds, at_once))
        print(f"Its first page fills up meanwhile: {asked.folder / 'progress.html'}", flush=True)
        build = progress.Build(asked.folder, steps, plan.runs_of(asked), seconds)
        if ended := progress.watch(build, [*command, "--quiet", "all"]):
            # A step says why it failed; of the graph's own errors nothing is heard when it is quiet.
            print(f"pages.py: no book; if no reason stands above, ask for it: {shlex.join(command)}", file=sys.stderr)
            return ended
    print(f"The book: {asked.folder / 'html' / 'index.html'}")
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run one step; a problem that the user can mend is one clear message and exit code 2."""
    parser = argparse.ArgumentParser(prog="pages.py", description="Make the book's pages, one step at a time.")
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    texts = {
        "chapter": "execute one chapter into a copy",
        "build": "build the pages from executed chapters and print the first one",
        "slides": "make the lectures' slides from the built pages and print the first one",
        "crate": "describe a finished book as a Workflow Run RO-Crate and print the description",
        "students": "write the chapters without solutions and print their folder",
        "book": "make everything that is missing or out of date, with Snakemake, and print the first page",
        "dataset": "print the dataset as every step is given it",
        "site": "print the folder of the built pages",
        "findings": "for authors: write what the kept records say into README and the front page",
    }
    for name, text in texts.items():
        step = steps.add_parser(name, help=text, description=text)
        if name == "chapter":
            step.add_argument("notebook", type=Path, help="source chapter")
            step.add_argument("executed", type=Path, help="where the executed copy goes")
        if name == "book":
            step.add_argument("--cores", default="all", help="how many processes at once (default: as many as cores)")
        step.add_argument("asked", nargs="*", metavar="NAME=VALUE", help="as for the graph, such as profile=smoke")
    renew = steps.add_parser("outputs", help="for authors: renew the outputs that nbval checks")
    renew.add_argument("notebooks", type=Path, nargs="+", help="source chapters")
    arguments = parser.parse_args(argv)
    try:
        if arguments.step == "outputs":
            for notebook in arguments.notebooks:
                refresh_checked_outputs(notebook)
            return 0
        asked = requested(dict(pair.partition("=")[::2] for pair in arguments.asked))
        if arguments.step == "findings":
            for (file, name), text in findings_of(CHECKOUT).items():
                write_findings(file, name, text)
        elif arguments.step == "chapter":
            book = {"book": asked.slug} if arguments.notebook.stem == "status" else {}  # it reports on the others
            execute_chapter(arguments.notebook, arguments.executed, parameters_of(asked) | book)
        elif arguments.step == "build":
            print(build_pages(asked.folder))
        elif arguments.step == "slides":
            from slides import make_slides

            print(make_slides(asked.folder / "html"))
        elif arguments.step == "crate":
            from crate import make_crate

            print(make_crate(asked))
        elif arguments.step == "site":
            print(built_site(asked))
        elif arguments.step == "students":
            from students import make_students

            print(make_students(build_folder() / "students"))
        elif arguments.step == "book":
            return make_book(asked, arguments.cores)
        else:
            print(asked.dataset)
    except UserError as error:
        print(f"pages.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
