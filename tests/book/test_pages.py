"""The pages around the chapters: names that exist, docstrings that become links, slides that need no network."""

import ast
import importlib
import re
import runpy
import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup

import pages
import slides
from advance_lib.cache import UserError

ROOT = Path(__file__).parents[2]
BOOK = ROOT / "book"
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in BOOK.glob("*.md")}
MODULES = [path for package in ROOT.glob("advance_*") for path in package.rglob("*.py") if path.name[0] != "_"]
EXTENSION = runpy.run_path(str(BOOK / "_ext" / "chapters_and_code.py"))
ROLE = re.compile(r"\{py:\w+\}`([\w.]+) <(advance_(?:lib|bench)[\w.]*)>")
NAMES = sorted({name for page in PAGES.values() for name in ROLE.findall(page)})


API = "# API\n\n```{{eval-rst}}\n.. automodule:: {}\n```\n"


def module_of(target):
    try:
        return importlib.import_module(target)
    except ModuleNotFoundError:
        return module_of(target.rpartition(".")[0])


def exists(label, target):
    """Whether a label such as `Batch.events` is an attribute or a field below the module that its link names."""
    found = module_of(target)
    if found.__name__.endswith(f".{label}"):
        return True
    for part in label.split("."):
        if part not in getattr(found, "__annotations__", ()) and not hasattr(found, part):
            return False
        found = getattr(found, part, None)
    return True


@pytest.mark.parametrize("label, target", NAMES)
def test_a_name_on_a_page_is_in_the_library(label, target):
    assert exists(label, target)


def test_names_that_are_not_there_are_noticed():
    assert len(NAMES) > 30 and exists("UserError.args", "advance_lib.cache.UserError")
    assert not exists("UserError.colours", "advance_lib.cache") and not exists("kl_nb", "advance_lib.cache")


def test_every_equation_stands_in_the_notation():
    assert set(re.findall(r"\{eq\}`eq-(\d+)`", PAGES["notation"])) == {str(number) for number in range(1, 11)}


def test_a_workflow_makes_what_can_be_made():
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    workflows = [yaml.safe_load(path.read_text()) for path in (ROOT / ".github" / "workflows").glob("*.yml")]
    jobs = [job for workflow in workflows for job in workflow["jobs"].values()]
    steps = [step.get("run", "") for job in jobs for step in job["steps"]]
    made = re.findall(r"^make ([\w-]+)", "\n".join(steps), flags=re.MULTILINE)
    assert len(workflows) == 2 and made and set(made) <= set(targets)
    assert all((ROOT / step).exists() for step in steps if step.startswith(".ci/"))


def test_the_reference_has_every_module_once():
    """Also those of rooms that are added: a module at the package's top level is a room of its own."""
    listed = re.findall(r"^\.\. automodule:: ([\w.]+)$", pages.reference(), flags=re.MULTILINE)
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in MODULES]
    assert len(listed) == len(set(listed)) and set(modules) <= set(listed)


@pytest.mark.parametrize(
    "docstring, rst",
    [
        ("see `catalogue` and `draw`", "see :py:mod:`catalogue <advance_lib.data.catalogue>` and :py:obj:`draw`"),
        ("run `make book`, ``a|b_``", "run ``make book``, ``a|b_``"),
        ("L_KL|Na of N_ and 2 * p(e|s_k)", r"L_KL\|Na of N\_ and 2 \* p(e\|s_k)"),
        ("L_s, equation (1), of N_v(0)", "L_s, equation :eq:`eq-1`, of N_v(0)"),
        ("of some (3) things", "of some (3) things"),
    ],
)
def test_a_docstring_becomes_rst(docstring, rst):
    assert EXTENSION["as_rst"](docstring, {"catalogue": "advance_lib.data.catalogue"}) == rst


def test_every_chapter_that_a_module_names_is_linked():
    titles = EXTENSION["titles"](EXTENSION["chapters"](ROOT))
    for path in MODULES:
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        _, label, named = docstring.partition("\n\nChapter")
        linked = EXTENSION["linked_chapters"](docstring, titles).partition("\n\nChapter")[2]
        left = re.sub(r":doc:`.+? </book/\w+>`", "", linked)
        assert not label or re.fullmatch(r"s?:[\s;,.]*", left), f"{path.name}: no such chapter: {named}"


CHAPTER = """# Table 1: tiny

**You will learn to** cut a page, to number its parts, and to glue it.

## The formula

A loss $L_s$, see {eq}`eq-1` and [the status](status.md):

$$
L_s = 0
$$ (eq-1)
%%
1 + 1  # not shown
%%
2 + 2  # shown
%%
## The pictures
%%
print("picture")
%%
## Exercises

None.
"""
FIGURE = '<figure class="shown" id="fig-1"><img src="../_static/scenes.jpg" alt="scenes"></figure>'
LECTURE = """# A lecture

## The formula

With $x$:

![](table1#eq-1)

## The picture

![](table1#fig-1)
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A site with one chapter of five cells and a page on one module, built as the book is."""
    source = tmp_path_factory.mktemp("tiny")
    shutil.copytree(BOOK / "_ext", source / "book" / "_ext", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(BOOK / "_static", source / "book" / "_static")
    shutil.copy(BOOK / "references.bib", source / "book")
    shutil.copy(ROOT / "_config.yml", source)
    contents = {"format": "jb-book", "root": "book/status"}
    contents["parts"] = [{"caption": "All", "chapters": [{"file": "book/table1"}, {"file": "book/api"}]}]
    (source / "_toc.yml").write_text(yaml.safe_dump(contents))
    (source / "book" / "status.md").write_text("# Status\n\n```{learning-goals}\n```\n")
    (source / "book" / "api.md").write_text(API.format("advance_lib.analysis.statistics"))
    notebook = nbformat.v4.new_notebook(metadata={"language_info": {"name": "python"}})
    for text in CHAPTER.split("%%\n"):
        if re.match(r"\d|print", text):
            cell = nbformat.v4.new_code_cell(text.strip(), execution_count=1)
            shown = FIGURE if "picture" in text else "<b>a number</b>"
            cell.outputs = [nbformat.v4.new_output("display_data", {"text/html": shown})]
            cell.metadata["tags"] = ["nbval-check-output"] if "# shown" in text else ["hide-input"]
        else:
            cell = nbformat.v4.new_markdown_cell(text)
        notebook.cells.append(cell)
    nbformat.write(notebook, source / "book" / "table1.ipynb")
    pages.lay_out(source, source / "_build" / "html")
    return source / "_build" / "html"


def read(page):
    return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")


def test_the_reference_links_chapters_code_and_goals(site):
    article = read(site / "book" / "api.html").article
    assert article.find("a", string="Table 1")["href"] == "table1.html"
    assert article.select_one('a[href="#advance_lib.analysis.statistics.reliability"] code').text == "reliability"
    assert "Parameters" in article.text and "Return type" not in article.text and "`" not in article.text
    goal = read(site / "book" / "status.html").select_one("article li")
    assert goal.a["href"] == "table1.html" and goal.text == "Table 1: tiny: cut a page, number its parts, and glue it."


def test_a_page_offers_its_notebook_and_no_launch_where_no_repository_is_configured(site):
    page = read(site / "book" / "table1.html")
    assert page.select_one('a[href="../_sources/book/table1.ipynb"]') and not page.select(".dropdown-launch-buttons")
    assert "github.com" not in str(page.body)


def test_a_warning_is_an_error_in_whichever_process_it_is_heard(tmp_path, capfd):
    """More than five pages are read by several processes, and one of them has a reference that leads nowhere."""
    (tmp_path / "book").mkdir()
    for folder in ("_ext", "_static"):
        shutil.copytree(BOOK / folder, tmp_path / "book" / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(BOOK / "references.bib", tmp_path / "book")
    shutil.copy(ROOT / "_config.yml", tmp_path)
    names = [f"page{number}" for number in range(8)]
    for name in names:
        (tmp_path / "book" / f"{name}.md").write_text(f"# {name}\n\nA sentence.\n")
    chapters = [{"file": f"book/{name}"} for name in names[1:]]
    contents = {"format": "jb-book", "root": "book/page0", "parts": [{"caption": "All", "chapters": chapters}]}
    (tmp_path / "_toc.yml").write_text(yaml.safe_dump(contents))
    pages.lay_out(tmp_path, tmp_path / "html")
    with open(tmp_path / "book" / "page5.md", "a") as page:
        page.write("\n[](nowhere.md)\n")
    with pytest.raises(UserError, match="refused"):
        pages.lay_out(tmp_path, tmp_path / "html")
    assert "page5.md" in capfd.readouterr().err


@pytest.fixture
def decks(site, tmp_path, monkeypatch):
    (tmp_path / "1-tiny.md").write_text(LECTURE)
    monkeypatch.setattr(slides, "LECTURES", tmp_path)
    return slides.make_slides(site).parent


def test_a_deck_has_the_slides_of_its_lecture(decks):
    shown = read(decks / "1-tiny.html").select(".slides > section")
    assert [slide.h2.text for slide in shown] == ["A lecture", "The formula", "The picture"]
    assert shown[1].select_one(".looked-at #equation-eq-1, .looked-at .math") and shown[2].select_one(".looked-at img")
    assert read(decks / "index.html").select_one('a[href="1-tiny.html"]').text == "A lecture"


def test_a_deck_needs_no_network(decks):
    """Every file that a deck loads lies in the site, and so does every page that it links to."""
    for name in ("1-tiny.html", "index.html"):
        deck = read(decks / name)
        loaded = [tag.get("src") or tag.get("href") for tag in deck.select("script[src], link, img, a[href]")]
        assert len(loaded) >= 6
        for address in loaded:
            if address.startswith("#"):
                assert deck.find(id=address[1:]), address
            else:
                assert (decks / address.split("?")[0].split("#")[0]).is_file(), address


def test_slides_of_a_book_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="no book here"):
        slides.make_slides(tmp_path)


@pytest.mark.skipif(not shutil.which("chromium"), reason="chromium is not here")
def test_a_browser_shows_a_slide_and_its_formula(decks):
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=8000", "--dump-dom"]
    address = f"{(decks / '1-tiny.html').as_uri()}#/1"
    offline = "--host-resolver-rules=MAP * ~NOTFOUND"
    done = subprocess.run(["chromium", *options, offline, address], capture_output=True, text=True, timeout=120)
    page = BeautifulSoup(done.stdout, "html.parser")
    present = page.select(".slides > section.present")
    assert len(present) == 1 and present[0].h2.text == "The formula"
    assert len(present[0].select("mjx-container")) == 2 and not page.select("mjx-merror")
