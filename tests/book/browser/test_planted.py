"""The checks can fail: faults planted into a page of the book are found, one by one, and nothing else is."""

import shutil

import checks
import pytest

from runtime import FOLDER as RUNTIME

PLANTED = {
    "another host": ('<script src="https://cdn.example.org/x.js"></script>', "another host: https://cdn.example.org"),
    "missing file": ('<link rel="stylesheet" href="missing.css">', "failed request: "),
    "error in a script": ("<script>throw Error('planted')</script>", "script: planted"),
    "error on the console": ("<script>console.error('planted')</script>", "console: planted"),
    "formula not understood": (r'<span class="math">\(\planted{x}\)</span>', r"not understood: \planted"),
    "formula with a fault": (r'<span class="math">\(\frac{1}\)</span>', r"not understood: \frac{1}"),
    "formula left alone": (r'<p class="mathjax_ignore">\(x_1\)</p>', r"raw TeX: \(x_1\)"),
    "formula in dollars": ("<p>The loss $L_s$ alone.</p>", "raw TeX: The loss $L_s$ alone."),
    "no picture": ('<img src="data:image/png;base64,AAAA" alt="planted">', "no picture: "),
    "no alternative text": ('<img src="../_static/scenes.jpg">', "no alternative text: "),
    "no sound": ('<audio controls src="data:audio/mpeg;base64,AAAA"></audio>', "no sound: "),
    "broken link": ('<a href="missing.html">planted</a>', "no such file: /book/missing.html"),
    "broken anchor": ('<a href="hearing.html#missing">planted</a>', "no such anchor: /book/hearing.html#missing"),
    "wide table": ('<table style="width: 1500px"><tr><td>planted</td></tr></table>', "too wide at 390 px"),
    "table out of its room": (
        '<div style="width: 300px; overflow: auto"><table style="width: 500px"><tr><td>planted</td></tr></table></div>',
        "out of its room at 1440 px: 500 px in 300: <table",
    ),
    "figure out of its room": (
        '<div style="width: 300px"><figure style="width: 340px"></figure></div>',
        "out of its room at 1280 px: 340 px in 300: <figure",
    ),
    "table cut on paper": (
        '<div class="wide-table"><table style="width: 1500px"><tr><td>planted</td></tr></table></div>',
        "on paper: out of its room at 718 px: 1500 px",
    ),
    "small text in a picture": (
        '<img alt="planted" data-smallest="9" style="width: 70px" src="data:image/svg+xml,'
        "<svg xmlns='http://www.w3.org/2000/svg' width='100pt' height='10pt'/>\">",
        "small text at 1280 px: 6.3 px",
    ),
    "small text in a drawing": (
        '<figure><svg viewBox="0 0 100 20" width="50"><text y="15" font-size="12">planted</text></svg></figure>',
        "small text at 1920 px: 6.0 px: planted",
    ),
    "small text in a figure": (
        '<figure><p style="font-size: 8px">planted</p></figure>',
        "small text at 1440 px: 8.0 px: planted",
    ),
    "pale text": ('<p style="color: #ccc; background: white">planted</p>', "color-contrast"),
    "no label": ('<input name="planted">', "label"),
}


@pytest.fixture(scope="session")
def copy(site, tmp_path_factory):
    """The site once more, mostly as links, so that pages can be added."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(site / "book", folder / "book")
    for part in site.iterdir():
        if part.name != "book":
            (folder / part.name).symlink_to(part)
    return folder


@pytest.fixture(scope="session")
def copy_address(serve, copy):
    return serve(copy)


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found(page, copy, copy_address, name):
    planted, expected = PLANTED[name]
    sound = (copy / "book" / "introduction.html").read_text(encoding="utf-8")
    begin = sound.index(">", sound.index("<article")) + 1
    (copy / "book" / "planted.html").write_text(sound[:begin] + planted + sound[begin:], encoding="utf-8")
    problems = checks.of_page(page, f"{copy_address}/book/planted.html", copy)
    assert expected in "\n".join(problems)


@pytest.mark.parametrize(
    "planted, expected",
    [
        ('<p style="min-height: 900px">planted</p>', "over the edge"),
        ('<p style="width: 1300px">planted</p>', "over the edge"),
        ('<div style="height: 40px; overflow: hidden"><p style="height: 90px">planted</p></div>', "cut"),
        ('<p style="font-size: 15px">planted</p>', "small letters"),
    ],
)
def test_a_planted_fault_on_a_slide_is_found(page, copy, planted, expected):
    (deck, *_) = sorted((copy / "slides").glob("[0-9]*.html"))
    slides = deck.read_text(encoding="utf-8").replace('"reveal/', '"../slides/reveal/')
    begin = slides.rindex('<div class="words">')
    file = copy / "book" / "planted-deck.html"
    file.write_text(slides[:begin] + planted + slides[begin:], encoding="utf-8")
    assert checks.load(page, file.as_uri()) == []
    (problem,) = checks.slides(page)
    assert expected in problem


def test_a_large_page_and_a_large_book_are_found(tmp_path):
    for name, size in (("page.html", 3_000_000), ("film.mp4", 56_000_000)):
        with open(tmp_path / name, "wb") as file:
            file.truncate(size)
    assert checks.too_large(tmp_path) == ["page.html: 3.0 MB"]
    (tmp_path / "_build" / RUNTIME).mkdir(parents=True)
    with open(tmp_path / "_build" / RUNTIME / "runtime.wasm", "wb") as file:
        file.truncate(20_000_000)
    assert checks.too_large(tmp_path) == ["page.html: 3.0 MB"]
    with open(tmp_path / "film.mp4", "wb") as file:
        file.truncate(61_000_000)
    assert checks.too_large(tmp_path) == [
        "page.html: 3.0 MB",
        "the book: 64.0 MB",
        "the book and its runtime: 84.0 MB",
    ]
