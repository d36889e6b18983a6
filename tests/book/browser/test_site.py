"""Every page and slide of the built smoke book in a browser, from a server and as a file."""

import re

import checks
import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup
from checks import ROOT, SITE

PAGES = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html") if "_static" not in path.parts)


@pytest.mark.parametrize("name", [name for name in PAGES if name != "index.html"])
def test_page(page, address, site, name):
    problems = checks.of_page(page, f"{address}/{name}", site)
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("name", [name for name in PAGES if "/" in name])
def test_page_opened_as_a_file(page, site, name):
    problems = checks.load(page, (site / name).as_uri())
    problems += checks.formulas(page) + checks.pictures(page) + checks.players(page)
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("name", [name for name in PAGES if name.startswith("slides/")])
def test_the_slides_of_a_deck_can_be_shown(page, site, name):
    problems = checks.load(page, (site / name).as_uri()) + checks.slides(page)
    assert not problems, "\n".join(problems)


def test_the_book_begins_with_its_introduction(page, address):
    page.goto(f"{address}/")
    page.wait_for_url("**/book/introduction.html")
    assert page.locator("article h1").count() == 1


def test_downloaded_chapters_need_no_file_beside_them_and_tell_no_folder_of_this_machine(site):
    chapters = sorted((site / "_sources").rglob("*.ipynb"))
    assert len(chapters) >= 20
    for path in chapters:
        text = path.read_text(encoding="utf-8")
        assert str(ROOT) not in text and "/site/" not in text, path.name
        notebook = nbformat.reads(text, as_version=4)
        nbformat.validate(notebook)
        assert "pip install" in notebook.cells[0].source


def test_files_of_the_code_check_are_there_with_their_figures_and_tables(site):
    manifest = yaml.safe_load((ROOT / "codecheck.yml").read_text(encoding="utf-8"))["manifest"]
    for entry in manifest:
        path = site.parents[3] / entry["file"].replace("mini-miniature", site.parent.name)
        anchors = re.findall(r"#([\w-]+)", entry["comment"])
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".html":
            assert all(BeautifulSoup(text, "html.parser").find(id=anchor) for anchor in anchors), path.name
        assert all(anchor in text for anchor in anchors), path.name


def test_search_finds_a_word(page, address):
    problems = checks.load(page, f"{address}/search.html?q=harbour")
    page.locator("#search-results li a").first.wait_for(timeout=20_000)
    assert problems == []


def test_search_in_a_file_says_where_passages_are_shown(page, site):
    problems = checks.load(page, f"{(site / 'search.html').as_uri()}?q=harbour")
    page.locator("#search-results li a").first.wait_for(timeout=20_000)
    assert problems == [] and page.get_by_text("make serve").count() == 1


@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_a_page_has_one_search_and_no_empty_bar(page, address, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{address}/book/introduction.html")
    assert page.locator("button.search-button__button:visible").count() == 1
    header = page.locator("#pst-header")
    assert not header.is_visible() or header.inner_text().strip()


def test_the_book_is_small(site):
    assert checks.too_large(site) == []
