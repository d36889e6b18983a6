import nbformat
import pytest
from IPython.core.formatters import DisplayFormatter
from nbformat.v4 import new_code_cell, new_notebook, new_output

from advance_lib.experiments.runs import Run, requests_for
from advance_lib.experiments.settings import Settings
from advance_lib.figures import status
from advance_lib.figures.page import show, show_table


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
        nbformat.write(new_notebook(cells=[cell], metadata=made), folder / f"{name}.ipynb")
    measured = folder.with_name("benchmarks")
    measured.mkdir()
    (measured / "table1.tsv").write_text("s\tmax_rss\n7.5\t812.25\n")
    contents = tmp_path / "_toc.yml"
    contents.write_text("root: book/status\n" + "".join(f"- file: book/{name}\n" for name in (*pages, "unmade")))
    return status.executed_chapters("smoke-tiny", contents)


def test_every_result_has_its_address_and_its_runs(executed):
    page = status.results_shown(executed).data
    assert '<a href="table1.html#table-1">table-1</a>' in page and "2 runs</a>" in page
    assert '<a href="dataset.html#fig-3">fig-3</a>' in page and "data, or kept records" in page
    assert page.count("<tr") == 1 + 2


def test_time_and_memory_of_each_chapter(executed):
    table = status.chapter_times(executed)
    assert list(table.index) == ["table1", "dataset"]
    assert table.loc["table1", ["executed (UTC)", "seconds", "memory in MB"]].tolist() == [
        "2026-01-02 03:04",
        7.0,
        812.25,
    ]
    assert table["memory in MB"].isna()["dataset"]
