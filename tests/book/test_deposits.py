"""What others read of this project without running it: codecheck.yml, CITATION.cff and .zenodo.json."""

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from graph import CHECKOUT, chapters, requested

ROOT = Path(__file__).parents[2]
CODECHECK = yaml.safe_load((ROOT / "codecheck.yml").read_text(encoding="utf-8"))
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
ZENODO = json.loads((ROOT / ".zenodo.json").read_text(encoding="utf-8"))
MANIFEST = {entry["file"]: entry["comment"] for entry in CODECHECK["manifest"]}


def made_by_the_graph():
    """The stable names of what `make book` leaves behind, relative to the checkout."""
    book = f"_build/books/{requested({}).slug}"
    return {f"{book}/executed/{name}.ipynb" for name in chapters()} | {
        f"{book}/html/book/{name}.html" for name in chapters()
    }


def test_the_manifest_lists_files_that_the_graph_makes():
    assert len(MANIFEST) == len(CODECHECK["manifest"]) and set(MANIFEST) <= made_by_the_graph()


def test_the_manifest_has_every_figure_and_table_of_the_paper_as_a_page_and_as_a_notebook():
    for suffix in (".html", ".ipynb"):
        said = " ".join(comment for file, comment in MANIFEST.items() if file.endswith(suffix))
        anchors = set(re.findall(r"#([\w-]+)", said))
        assert anchors >= {*(f"fig-{number}" for number in range(1, 8)), "table-1", "table-2", "table-3"}


@pytest.mark.parametrize("file, comment", MANIFEST.items(), ids=lambda text: Path(text).name)
def test_an_anchor_of_the_manifest_is_in_its_chapter(file, comment):
    chapter = json.loads((CHECKOUT / "book" / f"{Path(file).stem}.ipynb").read_text(encoding="utf-8"))
    code = "\n".join("".join(cell["source"]) for cell in chapter["cells"] if cell["cell_type"] == "code")
    anchors = re.findall(r"#([\w-]+)", comment)
    assert anchors and all(re.search(rf"""["']{anchor}["']""", code) for anchor in anchors)
    assert re.search(r"(Figs?\.|Table) \d", comment) and "make book" in comment


def test_codecheck_is_an_explicit_document_with_what_the_specification_asks_of_authors():
    assert "\n---\n" in (ROOT / "codecheck.yml").read_text(encoding="utf-8")
    assert CODECHECK["version"].startswith("https://codecheck.org.uk/spec/config/")
    paper = next(entry for entry in CITATION["references"] if entry["title"] == CODECHECK["paper"]["title"])
    cited = [f"{author['given-names']} {author['family-names']}" for author in paper["authors"]]
    assert [author["name"] for author in CODECHECK["paper"]["authors"]] == cited
    assert CODECHECK["paper"]["reference"] == paper["url"]


def test_one_version_one_title_one_licence():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == CITATION["version"] == ZENODO["version"]
    assert project["license"] == CITATION["license"] == ZENODO["license"].upper()
    assert CITATION["title"] == ZENODO["title"]
    assert [author["name"] for author in CITATION["authors"]] == [creator["name"] for creator in ZENODO["creators"]]


def test_the_version_that_is_cited_was_released_and_its_changes_are_told():
    changes = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert CITATION["version"] in changes and CITATION["date-released"].isoformat()


def test_the_companion_itself_is_cited_and_the_paper_is_its_reference():
    assert CITATION["type"] == "software" and "preferred-citation" not in CITATION
    related = [entry["identifier"] for entry in ZENODO["related_identifiers"]]
    assert [entry["url"] for entry in CITATION["references"]] == [f"https://arxiv.org/abs/{related[0][6:]}"]
