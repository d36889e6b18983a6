"""Slides for teaching: each chapter's page of the built book, cut at its headings; no network is needed to show them.

What the page shows, a slide shows: formulas, figures, players and computed sentences. Code is left out, but for the
checked cells, which demonstrate formulas; so are exercises.
"""

import copy
import re
import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from bs4 import BeautifulSoup, Tag

from advance_lib.cache import UserError
from graph import chapters

LEFT_OUT = {"exercises"}
TO_LOOK_AT = "img, svg, audio, table"
CHECKED = ".tag_nbval-check-output"
RELATIVE = r'href="(?!\w+:|\.\./)([^"]+)"'

DECK = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: slides</title>
<link rel="stylesheet" href="reveal/reveal.css">
<link rel="stylesheet" href="reveal/theme/white.css">
<link rel="stylesheet" href="../_static/pygments.css">
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
<script>Reveal.initialize({{hash: true, center: false, width: 1280, height: 800, transition: "none",
slideNumber: "c/t"}});</script>
</body>
</html>
"""


def cut(section: Tag) -> Iterator[list[Tag]]:
    """Yield the slides of a section as lists of elements: its own, then those of the sections inside it.

    A slide holds one thing to look at; the next one begins another slide under the same heading.
    """
    inner = section.find_all("section", recursive=False)
    heading, *rest = [child for child in section.find_all(True, recursive=False) if child not in inner]
    slide, full = [heading], False
    for element in rest:
        looked_at = bool(element.select_one(TO_LOOK_AT))
        if full and looked_at:
            yield slide
            slide = [copy.copy(heading)]
        slide.append(element)
        full = full or looked_at
    yield slide
    for part in inner:
        if part.get("id") not in LEFT_OUT:
            yield from cut(part)


def deck(page: str, name: str) -> str:
    """Return a chapter's slides as an HTML page for the site's folder ``slides``.

    Args:
        page: HTML of the chapter, from the site's folder ``book``.
        name: of the chapter.
    """
    soup = BeautifulSoup(page, "html.parser")
    chapter = soup.select_one("article section")
    for element in chapter.select(f".headerlink, .cell:not({CHECKED}) > :is(.cell_input, details.above-input)"):
        element.decompose()
    slides = "\n".join(f"<section>{''.join(map(str, slide))}</section>" for slide in cut(chapter))

    def to_page(link: re.Match) -> str:
        inside = link[1].startswith("#") and f'id="{link[1][1:]}"' in slides
        return link[0] if inside else f'href="../book/{name if link[1][0] == "#" else ""}{link[1]}"'

    mathjax = "\n".join(str(script) for script in soup.select("head script") if "mathjax" in str(script).lower())
    return DECK.format(title=chapter.h1.get_text(), mathjax=mathjax, slides=re.sub(RELATIVE, to_page, slides))


def make_slides(site: Path) -> Path:
    """Write a deck for every chapter of a built book, and one whose only slide links to them.

    Args:
        site: folder of the built book.

    Returns:
        The file with the links.

    Raises:
        UserError: there is no book in the folder.
    """
    if not (site / "index.html").exists():
        raise UserError(f"{site}: no book here; `make book` builds it")
    target = site / "slides"
    shutil.rmtree(target, ignore_errors=True)
    reveal = files("sphinx_revealjs") / "_static" / "revealjs" / "dist"
    shutil.copytree(reveal, target / "reveal", ignore=shutil.ignore_patterns("*.map", "*.esm.js", "league-gothic"))
    links = []
    for name in chapters():
        written = deck((site / "book" / f"{name}.html").read_text(encoding="utf-8"), name)
        (target / f"{name}.html").write_text(written, encoding="utf-8")
        links.append(f'<li><a href="{name}.html">{re.search("<title>(.*): slides", written)[1]}</a></li>')
    listed = f"<section><h1>Slides</h1><ol>{''.join(links)}</ol></section>"
    (target / "index.html").write_text(DECK.format(title="All chapters", mathjax="", slides=listed), encoding="utf-8")
    return target / "index.html"
