"""The chapters for students: answers in place of solutions, and no solution left."""

import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import students
from graph import chapters

BOOK = Path(__file__).parents[2] / "book"
EXERCISES = """## Exercises

1. What is two plus two?

   ```{dropdown} Solution
   Four. In code:

       2 + 2
   ```

2. Why?

   ````{dropdown} Solution
   ```python
   assert 2 + 2 == 4
   ```
   ````

3. Do it yourself.
"""


def texts(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def test_solutions_become_cells_for_answers():
    output = new_output("stream", text="4\n")
    source = new_notebook(cells=[new_code_cell("2 + 2", outputs=[output], execution_count=7)])
    source.cells.append(new_markdown_cell(EXERCISES))
    made = students.for_students(source)
    nbformat.validate(made)
    install, heading, *asked = texts(made)
    assert "pip install" in install and made.cells[0].source == install and heading == "## Exercises"
    assert asked[::2] == ["1. What is two plus two?", "2. Why?", "3. Do it yourself."]
    assert asked[1::2] == [students.ANSWER] * 3
    (code,) = [cell for cell in made.cells if cell.cell_type == "code"]
    assert code.source == "2 + 2" and not code.outputs and code.execution_count is None
    assert source.cells[0].outputs and source.cells[1].source == EXERCISES  # the chapter is as it was


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return students.make_students(tmp_path_factory.mktemp("students"))


@pytest.mark.parametrize("name", chapters())
def test_a_chapter_has_an_answer_for_each_exercise_and_no_solution(folder, name):
    source, made = (nbformat.read(where / f"{name}.ipynb", as_version=4) for where in (BOOK, folder))
    nbformat.validate(made)
    asked = "\n".join(texts(source)).partition("## Exercises")[2]
    answers = [text for text in texts(made) if text == students.ANSWER]
    assert answers and len(answers) == len(re.findall(r"^\d+\. ", asked, flags=re.MULTILINE))
    solutions = re.findall(r"\{dropdown\} Solution\n(.+)\n", asked)
    assert solutions
    left = "\n".join(texts(made))
    assert not [line for line in ["{dropdown} Solution", *solutions] if line.strip() in left]
    assert not any(cell.get("outputs") for cell in made.cells)
