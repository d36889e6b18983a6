"""Slides for teaching: one deck a lecture, from ``book/lectures/*.md`` and the built pages; no network is needed.

A lecture is a Markdown file that people keep by hand:

- ``# headline`` begins the title slide, ``## headline`` every other one;
- paragraphs and lists are the slide's words, a table or a formula between ``$$`` is what it shows;
- ``![](chapter#anchor)`` on a line of its own shows a figure, a table (`fig-3`) or an equation (`eq-2`) of the built
  page; ``![still](chapter#anchor)`` shows the picture of a figure that answers, without its script;
- ``![text](../_static/file)`` shows a picture of the book;
- a paragraph that begins with ``Note:`` is for the speaker alone. So are the words of the page around what is shown.
"""

import copy
import html
import re
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from bs4 import BeautifulSoup, Tag
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

from advance_lib.cache import UserError
from graph import CHECKOUT

LECTURES = CHECKOUT / "book" / "lectures"
SLIDE = re.compile(r"^(##?) (.+)$", re.MULTILINE)
NOTE = re.compile(r"^Note: ((?:.+\n?)+)", re.MULTILINE)
FROM_PAGE = re.compile(r"^!\[(still)?\]\((\w+)#([\w-]+)\)$", re.MULTILINE)
LINK_TO_PAGE = re.compile(r'href="(\w+)((?:#[\w.-]+)?)"')
# Of what a page shows, a slide leaves out what belongs to reading: its caption, its data and its runs.
LEFT_OUT = ".headerlink, .shown > figcaption, details, a.data, p:has(> a[download]), .runs"
WORDS = ":scope > :is(p, ul, ol, div.math), .tag_remove-input > .cell_output > :is(p, ul)"

DECK = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: slides</title>
<link rel="stylesheet" href="reveal/reveal.css">
<link rel="stylesheet" href="reveal/theme/white.css">
<link rel="stylesheet" href="../_static/book.css">
<link rel="stylesheet" href="../_static/interactive.css">
<link rel="stylesheet" href="../_static/slides.css">
<script src="../_static/players.js"></script>
{mathjax}
</head>
<body>
<div class="reveal"><div class="slides mathjax_ignore">
{slides}
</div></div>
<script src="reveal/reveal.js"></script>
<script src="reveal/notes.js"></script>
<script>Reveal.initialize({{width: 1280, height: 800, margin: 0, center: false, display: "flex", hash: true,
controls: false, transition: "none", slideNumber: "c/t", plugins: [RevealNotes]}});</script>
</body>
</html>
"""


class Slide(NamedTuple):
    """A slide as its author wrote it.

    Attributes:
        headline: says the point; Markdown.
        words: what else can be read on it; Markdown, with tables and formulas.
        shown: chapter, anchor and whether a picture alone, of what is taken from a page; None if nothing is.
        note: for the speaker; Markdown.
    """

    headline: str
    words: str
    shown: tuple[str, str, bool] | None
    note: str


def read_lecture(file: Path) -> list[Slide]:
    """Read a lecture's slides; the first is its title.

    Raises:
        UserError: the file does not begin with its title, or a slide takes more than one thing from pages.
    """
    start, *pieces = SLIDE.split(file.read_text(encoding="utf-8"))
    if start.strip() or pieces[::3].count("#") != 1 or pieces[0] != "#":
        raise UserError(f"{file}: begin with '# title', and every further slide with '## headline'")
    slides = []
    for headline, body in zip(pieces[1::3], pieces[2::3], strict=True):
        shown = [(chapter, anchor, bool(still)) for still, chapter, anchor in FROM_PAGE.findall(body)]
        if len(shown) > 1:
            raise UserError(f"{file}: '{headline}' shows {len(shown)} things; one is enough for a slide")
        notes = [note.strip() for note in NOTE.findall(body)]
        words = NOTE.sub("", FROM_PAGE.sub("", body)).strip()
        slides.append(Slide(headline.strip(), words, shown[0] if shown else None, "\n\n".join(notes)))
    return slides


def as_html(markdown: str) -> str:
    """Return Markdown as HTML: formulas as the pages have them, ``chapter#anchor`` as a link to the page."""

    def formula(content: str, options: dict) -> str:
        written = html.escape(content)
        return rf"\[{written}\]" if options["display_mode"] else rf"\({written}\)"

    reader = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin, renderer=formula)
    return LINK_TO_PAGE.sub(r'href="../book/\1.html\2"', reader.render(markdown))


class Taken(NamedTuple):
    """What a slide takes from a page, as HTML: what is shown, a link to where it stands, the words around it."""

    shown: str
    source: str
    around: str


def take(page: Tag, chapter: str, anchor: str, still: bool) -> Taken:
    """Return what a page shows at an anchor.

    Args:
        page: of the chapter.
        chapter: its name.
        anchor: of a figure, a table or an equation.
        still: leave out the script of a figure that answers.

    Raises:
        UserError: the page has no such anchor.
    """
    found = page.select_one(f':is([id="{anchor}"], [id="equation-{anchor}"]):not(section)')
    if not found:
        raise UserError(f"the page of the chapter {chapter} has no '{anchor}'")
    around = [*found.select(":scope > figcaption"), *found.find_parent("section").select(WORDS)]
    shown = copy.copy(found)
    for element in shown.select(LEFT_OUT + (", script" if still else "")):
        element.decompose()
    del shown["id"], shown["tabindex"]

    if formula := shown.find(string=re.compile(r"\\\]")):  # it ends the sentence of the page
        formula.replace_with(re.sub(r"\s*[,.]\s*\\\]", r"\\]", formula))
    title = page.h1.get_text().rstrip("#")
    source = f'<p class="source">From <a href="#{found["id"]}">{html.escape(title)}</a></p>'

    def linked(part: object) -> str:
        inside = re.sub(r'href="#', f'href="{chapter}.html#', str(part))
        return re.sub(r'href="(?!\w+:|\.\./)', 'href="../book/', inside)

    return Taken(linked(shown), linked(source), linked("".join(map(str, around))))


def notes(written: str) -> str:
    """Return a speaker's notes; formulas as TeX, for the speaker's window has no MathJax."""
    soup = BeautifulSoup(written, "html.parser")
    for element in soup.select(".runs, .eqno"):
        element.decompose()
    for formula in soup.select(".math"):
        tex = soup.new_tag("code")
        tex.string = re.sub(r"\\[()\[\]]", "", formula.text).strip()
        formula.replace_with(tex)
    return f'<aside class="notes">{soup}</aside>'


def slide_html(slide: Slide, page: Callable[[str], Tag]) -> str:
    """Return a slide as reveal.js takes it: headline, words, what is shown, where it is from, and the speaker's notes.

    Args:
        slide: as written.
        page: returns the page of a chapter.
    """
    written = BeautifulSoup(as_html(slide.words), "html.parser")
    looked_at = [element.extract() for element in written.select("table, .math.block, p:has(> img)")]
    taken = take(page(slide.shown[0]), *slide.shown) if slide.shown else Taken("", "", "")
    shown = "".join(map(str, looked_at)) + taken.shown
    parts = [
        f"<h2>{as_html(slide.headline).strip().removeprefix('<p>').removesuffix('</p>')}</h2>",
        f'<div class="words">{str(written).strip()}</div>',
        f'<div class="looked-at">{shown}</div>' if shown else "",
        taken.source,
        notes(as_html(slide.note) + taken.around),
    ]
    return f"<section>{''.join(parts)}</section>"


def mathjax(site: Path) -> str:
    """Return the scripts of formulas from the first page that has them: one without a formula does not."""
    for file in sorted((site / "book").glob("*.html")):
        scripts = re.findall(r"<script[^>]*>[^<]*</script>", file.read_text(encoding="utf-8"))
        if found := [script for script in scripts if "mathjax" in script.lower()]:
            return "\n".join(found)
    return ""


def decks(site: Path, lectures: list[Path]) -> Iterator[tuple[str, str, str]]:
    """Yield name, title and page of each lecture's deck.

    Raises:
        UserError: a slide shows what its page does not have; the message names both.
    """

    @cache
    def page(chapter: str) -> Tag:
        file = site / "book" / f"{chapter}.html"
        if not file.exists():
            raise UserError(f"there is no chapter {chapter}")
        return BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser")

    scripts = mathjax(site)
    for file in lectures:
        slides = []
        for slide in read_lecture(file):
            try:
                slides.append(slide_html(slide, page))
            except UserError as error:
                raise UserError(f"{file}: '{slide.headline}': {error}") from None
        title = read_lecture(file)[0].headline
        slides[0] = slides[0].replace("<section>", '<section class="title">', 1)
        yield file.stem, title, DECK.format(title=title, mathjax=scripts, slides="\n".join(slides))


def make_slides(site: Path) -> Path:
    """Write a deck for every lecture, from a built book, and one whose only slide links to them.

    Args:
        site: folder of the built book.

    Returns:
        The file with the links.

    Raises:
        UserError: there is no book in the folder, or a lecture does not fit it.
    """
    if not (site / "index.html").exists():
        raise UserError(f"{site}: no book here; `make book` builds it")
    made = list(decks(site, sorted(LECTURES.glob("*.md"))))
    target = site / "slides"
    shutil.rmtree(target, ignore_errors=True)
    reveal = files("sphinx_revealjs") / "_static" / "revealjs"
    left_out = shutil.ignore_patterns("*.map", "*.esm.js", "league-gothic")
    shutil.copytree(reveal / "dist", target / "reveal", ignore=left_out)
    shutil.copy(reveal / "plugin" / "notes" / "notes.js", target / "reveal")
    for name, _, deck in made:
        (target / f"{name}.html").write_text(deck, encoding="utf-8")
    links = "".join(f'<li><a href="{name}.html">{title}</a></li>' for name, title, _ in made)
    listed = f'<section><h2>Lectures</h2><div class="words"><ol>{links}</ol></div></section>'
    (target / "index.html").write_text(DECK.format(title="Lectures", mathjax="", slides=listed), encoding="utf-8")
    return target / "index.html"
