"""The chapters: their parameters, their checked cells, and that a wrong output does not go unnoticed."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from jupyter_client.provisioning import LocalProvisioner

from advance_lib.cache import UserError
from advance_lib.experiments.settings import CHOICES
from graph import chapters
from pages import check_parameters, execute_chapter

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "book").glob("*.ipynb"))
CHECKED = "nbval-check-output"


def cells(path, kind="code"):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def tags(cell):
    return cell.metadata.get("tags", [])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_chapter_takes_every_choice(path):
    tagged = [cell for cell in cells(path) if "parameters" in tags(cell)]
    assert len(tagged) == 1
    own = {"book"} if path.stem == "status" else set()
    assert set(re.findall(r"^(\w+) =", tagged[0].source, flags=re.MULTILINE)) == {*CHOICES} | own


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_only_checked_cells_carry_outputs_and_all_of_them_do(path):
    for cell in cells(path):
        if CHECKED in tags(cell):
            assert cell.outputs and cell.execution_count, f"never compared: {cell.source}"
        else:
            assert not cell.outputs and not cell.execution_count, f"clear this output: {cell.source}"


def test_some_cells_are_checked():
    assert sum(CHECKED in tags(cell) for path in NOTEBOOKS for cell in cells(path)) >= 5


def test_every_notebook_is_in_the_table_of_contents():
    assert {*chapters(), "status"} == {path.stem for path in NOTEBOOKS}
    files = re.findall(r"(?:root|file): (\S+)", (ROOT / "_toc.yml").read_text())
    assert all(any((ROOT / f"{file}{suffix}").exists() for suffix in (".ipynb", ".md")) for file in files)


def write_notebook(path, *sources):
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": kernel})
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook.cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(notebook, path)
    return path


def test_an_unknown_parameter_is_an_error(tmp_path):
    chapter = write_notebook(tmp_path / "chapter.ipynb", "profile = 'mini'")
    check_parameters(chapter, {"profile": "smoke"})
    with pytest.raises(UserError, match="no parameter 'colour'"):
        check_parameters(chapter, {"colour": "blue"})


def test_a_failing_chapter_names_its_cell_and_leaves_no_copy(tmp_path):
    chapter = write_notebook(tmp_path / "chapter.ipynb", "profile = 'mini'", "1 / 0  # of no use")
    with pytest.raises(UserError, match=r"chapter\.ipynb: cell .*ZeroDivisionError.*1 / 0"):
        execute_chapter(chapter, tmp_path / "executed.ipynb", {"profile": "smoke"})
    assert [path.name for path in tmp_path.glob("*.ipynb")] + list(tmp_path.glob(".*")) == ["chapter.ipynb"]


def test_an_executed_chapter_shows_its_settings(tmp_path):
    chapter = write_notebook(tmp_path / "chapter.ipynb", "profile = 'mini'", "print(profile)")
    execute_chapter(chapter, tmp_path / "executed.ipynb", {"profile": "smoke"})
    last = cells(tmp_path / "executed.ipynb")[-1]
    assert last.outputs[0].text == "smoke\n" and not cells(chapter)[-1].outputs


@pytest.fixture
def other_python(tmp_path, monkeypatch):
    """A kernel of another Python, which the search path of kernels finds under the chapters' kernel's name."""
    folder = tmp_path / "jupyter" / "kernels" / "python3"
    folder.mkdir(parents=True)
    spec = {"argv": ["/no/python", "{connection_file}"], "display_name": "Python 3", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")


def test_chapters_run_on_the_python_that_runs_this(tmp_path, other_python):
    chapter = write_notebook(tmp_path / "chapter.ipynb", "profile = 'mini'", "import sys; print(sys.executable)")
    execute_chapter(chapter, tmp_path / "executed.ipynb", {"profile": "smoke"})
    assert cells(tmp_path / "executed.ipynb")[-1].outputs[0].text == f"{sys.executable}\n"


def test_a_kernel_that_ends_is_not_interrupted(tmp_path, monkeypatch):
    """A kernel that is interrupted while it answers its last question says so in the log of a build that succeeded."""
    sent, send = [], LocalProvisioner.send_signal
    monkeypatch.setattr(LocalProvisioner, "send_signal", lambda self, signum: sent.append(signum) or send(self, signum))
    chapter = write_notebook(tmp_path / "chapter.ipynb", "profile = 'mini'", "print(profile)")
    execute_chapter(chapter, tmp_path / "executed.ipynb", {"profile": "smoke"})
    assert signal.SIGINT not in sent


def test_nbval_catches_a_planted_wrong_output(tmp_path):
    """The checked cells of a chapter are compared: the true output passes, a wrong one fails."""

    def check(text):
        path = write_notebook(tmp_path / "planted.ipynb", "profile = 'mini'", "print(6 * 7)")
        notebook = nbformat.read(path, as_version=4)
        notebook.cells[1].metadata["tags"] = [CHECKED]
        notebook.cells[1].execution_count = 1
        notebook.cells[1].outputs = [nbformat.v4.new_output("stream", name="stdout", text=text)]
        nbformat.write(notebook, path)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval-lax", path.name]
        return subprocess.run(command, cwd=tmp_path, env=os.environ, capture_output=True).returncode

    assert check("42\n") == 0 and check("43\n") == 1
