"""The notebooks that pages offer: small files are inside them, the rest is told, and no path leaves the machine."""

import base64
import re
import runpy
from types import SimpleNamespace

import nbformat
import pytest
from bs4 import BeautifulSoup

import downloads
from graph import CHECKOUT

LINKED = '<a href="{0}"><img src="{0}" alt="A line"></a>'
FIGURE = f'<figure class="shown" id="fig-1">{LINKED}<figcaption>{{1}}</figcaption></figure>'
RUNS = '<a class="runs" href="../_build/site/0123456789ab-runs.csv">2 runs</a>'
PICTURE = b"<svg xmlns='http://www.w3.org/2000/svg'/>"
SOURCES = runpy.run_path(str(CHECKOUT / "book" / "_ext" / "chapters_and_code.py"))["link_sources"]


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "abcdef012345-small.svg").write_bytes(PICTURE)
    (folder / "abcdef012345-large.svg").write_bytes(b" " * (downloads.SMALL + 1))
    (folder / "0123456789ab-runs.csv").write_bytes(b"cell\nimage/Ls\n")
    return folder


def executed(*pages, **metadata):
    outputs = [nbformat.v4.new_output("display_data", {"text/html": page}) for page in pages]
    notebook = nbformat.v4.new_notebook(metadata=metadata)
    notebook.cells = [nbformat.v4.new_code_cell("show()", outputs=outputs)]
    return notebook


def shown(page, files):
    return downloads.portable(executed(page), files).cells[1].outputs[0].data


def test_a_small_picture_and_a_table_travel_inside(files):
    page = BeautifulSoup(
        shown(FIGURE.format("../_build/site/abcdef012345-small.svg", RUNS), files)["text/html"], "html.parser"
    )
    assert page.img["src"] == f"data:image/svg+xml;base64,{base64.b64encode(PICTURE).decode()}"
    assert page.img["alt"] == "A line" and page.img.parent.name == "figure"  # nothing beside it to be enlarged
    assert (
        base64.b64decode(page.a["href"].partition(",")[2]) == b"cell\nimage/Ls\n" and page.a["download"] == "runs.csv"
    )


@pytest.mark.parametrize(
    "page",
    [
        FIGURE.format("../_build/site/abcdef012345-large.svg", ""),
        FIGURE.format("../_build/site/abcdef012345-missing.svg", ""),
        '<div data-sound="../_build/site/abcdef012345-small.svg"></div>',
        FIGURE.format("../_build/site/abcdef012345-small.svg", "") + "<script>draw()</script>",
    ],
    ids=["large", "missing", "in an attribute of its own", "script"],
)
def test_what_does_not_travel_is_told(files, page):
    assert set(shown(page, files).values()) == {downloads.LEFT_OUT}


def test_other_outputs_stay_as_they_are(files):
    assert shown("<b>7 points</b>", files)["text/html"] == "<b>7 points</b>"


def test_the_first_cell_says_how_to_get_the_companion(files):
    first = downloads.portable(executed(), files).cells[0]
    assert first.cell_type == "markdown" and "pip install -e" in first.source and "git clone" not in first.source
    address = "https://example.org/companion"
    assert f"git clone {address}`" in downloads.portable(executed(), files, address).cells[0].source


def test_no_path_of_this_machine_is_left(files):
    told = {"input_path": str(CHECKOUT / "book/a.ipynb"), "output_path": "/elsewhere/a", "parameters": {"seeds": 2}}
    notebook = downloads.portable(executed(f"<p>{CHECKOUT}/_build/runs</p>", papermill=told), files)
    text = nbformat.writes(notebook)
    assert str(CHECKOUT) not in text and "/elsewhere" not in text and notebook.metadata.papermill.parameters.seeds == 2
    assert notebook.cells[1].outputs[0].data["text/html"] == "<p>_build/runs</p>"
    nbformat.validate(notebook)


@pytest.mark.parametrize("repository", ["", "https://example.org/companion"])
def test_a_figure_and_a_table_are_linked_to_their_source(repository):
    table = '<p><a href="x.csv" download="x.csv">Download this table as CSV</a> </p>'
    context = {"body": FIGURE.format("x.svg", "A line.") + table}
    app = SimpleNamespace(
        env=SimpleNamespace(doc2path=lambda page: f"/src/{page}.ipynb"),
        config=SimpleNamespace(html_theme_options={"repository_url": repository}),
    )
    SOURCES(app, "book/table1", "page.html", context, None)
    page = BeautifulSoup(context["body"], "html.parser")
    for place in (page.figcaption, page.p):
        addresses = [link["href"] for link in place.select("a.runs")]
        assert addresses[0] == "../_sources/book/table1.ipynb" and len(addresses) == 1 + bool(repository)
        if repository:
            assert re.fullmatch(rf"{repository}/blob/(\w+)/book/table1\.ipynb", addresses[1])


@pytest.mark.parametrize(
    "settings, address", [("title: x\n", ""), ("repository: {url: https://example.org/a/}\n", "https://example.org/a")]
)
def test_the_address_of_the_repository(tmp_path, settings, address):
    (tmp_path / "_config.yml").write_text(settings)
    assert downloads.repository(tmp_path / "_config.yml") == address
