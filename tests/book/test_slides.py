"""Lectures: what their authors write is read as meant, and no slide of the book's own says too much."""

import re

import pytest
from bs4 import BeautifulSoup

import slides
from advance_lib.cache import UserError

LECTURE = """# A title

## One point, and $x < 1$

A few words, see [Table 1](table1#the-table) and [elsewhere](https://example.org).

![](table1#fig-1)

Note: For the speaker
alone, $y$.

## A formula

$$
a < b
$$
"""
PAGE = """<article><h1>Table 1: tiny#</h1><section id="the-table"><p>Words around, see <a href="#fig-1">below</a> and
<a href="dataset.html">there</a>.</p><div class="cell tag_hide-input"><div class="cell_input"><p>code</p></div>
<figure class="shown" id="fig-1"><div class="interactive"><img alt="" src="../a.svg"><a class="data"
href="d.js">Data</a></div><p><a download href="d.csv">Data</a></p><script>let answered;</script><figcaption>A caption.
<a class="runs" href="r.csv">2 runs</a></figcaption></figure>
</div></section></article>"""


def written(folder, text):
    (folder / "1-lecture.md").write_text(text, encoding="utf-8")
    return folder / "1-lecture.md"


def shown(slide):
    page = BeautifulSoup(PAGE, "html.parser")
    return BeautifulSoup(slides.slide_html(slide, lambda chapter: page), "html.parser")


def test_a_lecture_is_read(tmp_path):
    title, point, formula = slides.read_lecture(written(tmp_path, LECTURE))
    assert title.headline == "A title" and not title.words and title.shown is None
    assert point.headline == "One point, and $x < 1$" and point.shown == ("table1", "fig-1", False)
    assert point.words.startswith("A few words") and "speaker" not in point.words
    assert point.note == "For the speaker\nalone, $y$." and not formula.note


@pytest.mark.parametrize(
    "text, said",
    [
        ("## No title\n", "begin with"),
        ("Words.\n\n# A title\n", "begin with"),
        ("# A title\n\n# Another\n", "begin with"),
        ("# A title\n\n## Much\n\n![](table1#fig-1)\n\n![](table1#fig-2)\n", "'Much' shows 2 things"),
    ],
)
def test_a_lecture_that_cannot_be_shown_is_refused(tmp_path, text, said):
    with pytest.raises(UserError, match=f"1-lecture.md: .*{said}"):
        slides.read_lecture(written(tmp_path, text))


def test_a_slide_shows_the_figure_and_tells_the_speaker_the_rest(tmp_path):
    _, point, _ = slides.read_lecture(written(tmp_path, LECTURE))
    slide = shown(point)
    notes = slide.aside.extract()
    assert notes.code.text == "y" and not notes.select(".math")
    assert "For the speaker" in notes.text and "Words around" in notes.text and "A caption." in notes.text
    assert {link["href"] for link in notes.select("a")} == {"../book/table1.html#fig-1", "../book/dataset.html"}
    assert slide.h2.select_one(".math").text == r"\(x < 1\)"
    links = [link["href"] for link in slide.select(".words a, .source a")]
    assert links == ["../book/table1.html#the-table", "https://example.org", "../book/table1.html#fig-1"]
    assert slide.select_one(".looked-at img") and slide.script
    assert not [word for word in ("A caption", "2 runs", "Data") if word in slide.text]


def test_a_still_has_no_script(tmp_path):
    _, point, _ = slides.read_lecture(written(tmp_path, LECTURE.replace("![](", "![still](")))
    assert shown(point).img and not shown(point).script


def test_a_formula_is_looked_at(tmp_path):
    *_, formula = slides.read_lecture(written(tmp_path, LECTURE))
    assert shown(formula).select_one(".looked-at .math").text.strip() == r"\[a < b\]"


def test_what_a_page_does_not_have_is_named(tmp_path):
    _, point, _ = slides.read_lecture(written(tmp_path, LECTURE.replace("#fig-1", "#fig-7")))
    with pytest.raises(UserError, match="table1 has no 'fig-7'"):
        shown(point)


@pytest.mark.parametrize("file", sorted(slides.LECTURES.glob("*.md")), ids=lambda file: file.stem)
def test_the_slides_of_a_lecture_say_little(file):
    """At most some forty words besides the headline, and one thing to look at."""
    for slide in slides.read_lecture(file):
        read = BeautifulSoup(slides.as_html(slide.words), "html.parser")
        for formula in read.select(".math"):
            formula.replace_with("x")
        looked_at = len(read.select("table, img")) + bool(slide.shown) + slide.words.count("$$") // 2
        assert looked_at <= 1, slide.headline
        assert len(re.findall(r"\w+", read.text)) <= 45, slide.headline
        assert len(slide.headline.split()) <= 16, slide.headline


def test_there_is_a_deck_for_each_lecture_of_the_course():
    course = (slides.CHECKOUT / "book" / "teaching.md").read_text(encoding="utf-8")
    titles = [slides.read_lecture(file)[0].headline for file in sorted(slides.LECTURES.glob("*.md"))]
    assert [title.lower() for title in titles] == re.findall(r"^### \w+ lecture: (.+)$", course, flags=re.MULTILINE)
