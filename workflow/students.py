"""The chapters for students: without solutions and outputs, with a cell for the answer to each exercise."""

import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from advance_lib.cache import written_whole
from graph import CHECKOUT, chapters

# A directive of MyST below its exercise: the fence that closes it is indented as the one that opens it.
SOLUTION = re.compile(
    r"^(?P<indent> *)(?P<fence>`{3,}|:{3,})\{dropdown\} *Solution\b.*?^(?P=indent)(?P=fence)[ \t]*$\n*",
    flags=re.MULTILINE | re.DOTALL,
)
EXERCISES = "## Exercises\n"
INSTALL = """**What to install.** These chapters need Python 3.11 or newer and the library of the ADVANCE companion. In
the project's folder,

```bash
make lab PROFILE=smoke
```

installs the library and opens JupyterLab; `PROFILE=mini` computes what the book shows. In an environment of your own,
`pip install -e '.[book]'` does the former. Keep this notebook in a folder beside `book/`, such as `students/`: its
pictures and sounds are looked for from there."""
ANSWER = "**Your answer:**"


def for_students(chapter: NotebookNode) -> NotebookNode:
    """Return a chapter that says first what to install, has a cell for the answer to each exercise, and no output.

    Args:
        chapter: source notebook; it is not changed.
    """
    cells = [new_markdown_cell(INSTALL, id="install")]
    for cell in chapter.cells:
        if cell.cell_type == "code":
            cells.append(NotebookNode(cell, outputs=[], execution_count=None))
            continue
        before, heading, asked = SOLUTION.sub("", cell.source).partition(EXERCISES)
        introduction, *exercises = re.split(r"^(?=\d+\. )", asked, flags=re.MULTILINE)
        cells.append(NotebookNode(cell, source=f"{before}{heading}{introduction}".strip("\n")))
        for number, exercise in enumerate(exercises, start=1):
            cells.append(new_markdown_cell(exercise.strip("\n"), id=f"exercise-{number}"))
            cells.append(new_markdown_cell(ANSWER, id=f"answer-{number}"))
    return NotebookNode(chapter, cells=cells)


def make_students(target: Path) -> Path:
    """Write every chapter for students into a folder, and return it."""
    for name in chapters():
        chapter = nbformat.read(CHECKOUT / "book" / f"{name}.ipynb", as_version=4)
        with written_whole(target / f"{name}.ipynb") as partial:
            nbformat.write(for_students(chapter), partial)
    return target
