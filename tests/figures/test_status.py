import json

import nbformat
import pytest
from IPython.core.formatters import DisplayFormatter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from advance_lib.experiments.runs import Run, requests_for
from advance_lib.experiments.settings import Settings
from advance_lib.figures import status
from advance_lib.figures.page import show, show_table


def leave(record, **told):
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps(told))


@pytest.fixture
def executed(tmp_path, build):
    """Two executed chapters: one with a table made from two runs, one with a figure made from data alone."""
    import pandas as pd
    from IPython.display import HTML

    requests = requests_for(Settings(seeds=2), "image/Ls")
    runs = [Run(request, build / f"run{request.seed}") for request in requests]
    pages = {
        "table1": show_table(pd.DataFrame({"F": [1.0]}), "table-1", runs=runs),
        "dataset": show(HTML("<b>bars</b>"), "fig-3", "Pairs."),
    }
    folder = build / "books" / "smoke-tiny" / "executed"
    folder.mkdir(parents=True)
    for name, page in pages.items():
        data, metadata = DisplayFormatter().format(page)
        cell = new_code_cell("show()", outputs=[new_output("display_data", data, metadata=metadata)])
        made = {"papermill": {"start_time": "2026-01-02T03:04:05", "duration": 7.04}}
        heading = new_markdown_cell(f"# About {name}\n\nIts text.")
        nbformat.write(new_notebook(cells=[heading, cell], metadata=made), folder / f"{name}.ipynb")
    leave(folder.with_name("taken") / "chapters" / "table1.json", begun=0.0, wall=7.5, cpu=8.0, memory=812.25, code=0)
    contents = tmp_path / "_toc.yml"
    contents.write_text("root: book/status\n" + "".join(f"- file: book/{name}\n" for name in (*pages, "unmade")))
    return status.executed_chapters("smoke-tiny", contents)


def test_every_result_has_its_address_and_its_runs(executed):
    page = status.results_shown(executed).data
    assert '<a href="table1.html#table-1">table-1</a>' in page and "2 runs</a>" in page
    assert '<a href="dataset.html#fig-3">fig-3</a>' in page and "<td>–</td>" in page
    assert page.count("<tr") == 1 + 2


def test_time_and_memory_of_each_chapter(executed):
    table = status.chapter_times(executed)
    assert list(table.index) == ["About table1", "About dataset"]
    assert table.loc["About table1", ["executed (UTC)", "seconds", "memory in MB"]].tolist() == [
        "2026-01-02 03:04",
        7.0,
        812,
    ]
    assert table["memory in MB"].isna()["About dataset"]


def test_phases_sum_their_steps_and_count_no_second_twice(build):
    taken = build / "books" / "smoke-tiny" / "taken"
    leave(taken / "train" / "runs.json", begun=0.0, wall=30.0, cpu=55.0, code=0)
    for name, begun in {"one": 40.0, "two": 45.0, "three": 80.0}.items():
        leave(taken / "chapters" / f"{name}.json", begun=begun, wall=10.0, cpu=12.0, code=0)
    leave(taken / "chapters" / "failed.json", begun=90.0, wall=10.0, cpu=12.0, code=1)
    leave(taken / "chapters" / "running.json", begun=90.0)
    leave(taken / "pages" / "index.json", begun=0.0, wall=30.0, cpu=55.0, code=0)
    table = status.phase_times("smoke-tiny")
    assert table.loc["train"].tolist() == [55.0, 30.0] and table.loc["chapters"].tolist() == [36.0, 25.0]
    assert list(table.index) == ["train", "chapters", "pages"] and table.loc["pages"].isna().all()
