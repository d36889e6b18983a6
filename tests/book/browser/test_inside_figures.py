"""The mixer, the viewer of activation maps and the explorer in Chromium, without the book: what they say and obey."""

from importlib.resources import files

import checks
import matplotlib
import numpy as np
import pytest
from checks import ROOT
from scipy.special import expit

from advance_lib.analysis.mixing import ALONE, mixture
from advance_lib.data.catalogue import read_catalogue
from advance_lib.figures.events import short
from advance_lib.figures.explorer import explorer
from advance_lib.figures.mixer import mixing_desk
from advance_lib.figures.viewer import map_viewer
from tests.mixtures import EVENTS, looks_at, mixer_of

matplotlib.use("Agg")
STYLES = (
    files("pydata_sphinx_theme") / "theme/pydata_sphinx_theme/static/styles/pydata-sphinx-theme.css",
    files("sphinx_book_theme") / "theme/sphinx_book_theme/static/styles/sphinx-book-theme.css",
    ROOT / "book/_static/book.css",
    ROOT / "book/_static/interactive.css",
)
# As the theme's own script does, and the figure stands as deep as on a page of the book.
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A figure</title>
<meta name="viewport" content="width=device-width, initial-scale=1">{links}<script src="{players}"></script><script>
const dark = matchMedia('(prefers-color-scheme: dark)');
const follow = () => document.documentElement.dataset.theme = dark.matches ? 'dark' : 'light';
dark.addEventListener('change', follow);
follow();
</script></head><body><main class="bd-content"><article class="bd-article"><h1>A figure</h1>
<div class="cell_output"><div class="output text_html"><figure class="shown">{figure}</figure></div></div>
</article></main></body></html>"""


@pytest.fixture
def pairs(tiny):
    return read_catalogue(tiny).groupby("scene").head(4)


@pytest.fixture
def show(page, tmp_path, monkeypatch):
    """A function that opens a figure from a disk, with the book's styles, and returns the tab when it has drawn."""
    (tmp_path / "book").mkdir()
    monkeypatch.setenv("ADVANCE_BUILD", str(tmp_path / "_build"))

    def opened(make, *arguments):
        links = "".join(f'<link rel="stylesheet" href="{style.as_uri()}">' for style in STYLES)
        players = (ROOT / "book/_static/players.js").as_uri()
        html = PAGE.format(links=links, players=players, figure=make(*arguments).data)
        (tmp_path / "book" / "page.html").write_text(html, encoding="utf-8")
        problems = checks.load(page, (tmp_path / "book" / "page.html").as_uri())
        page.wait_for_selector("[data-ready]")
        assert problems == []
        return page

    return opened


def numbers(locator):
    return [float(text.replace("−", "-")) for text in locator.all_inner_texts()]


def test_the_mixer_says_what_the_library_says(show, pairs):
    desk = mixer_of(pairs)
    page, random = show(mixing_desk, desk), np.random.default_rng(0)
    for _ in range(10):
        which, photograph, recording = random.integers(3), *random.integers(len(pairs), size=2)
        level, volume = int(random.integers(6)), float(random.choice([0, 0.55, 1, 2]))
        page.locator(".tabs input").nth(1).check()  # of both senses: with the photograph alone, no sound is chosen
        for label, value in (("photograph", photograph), ("recording", recording)):
            page.get_by_role("combobox", name=label, exact=True).select_option(str(value))
        page.get_by_label("haze over the photograph").fill(str(level))
        page.get_by_label("factor on the heard part").fill(str(volume))
        page.locator(".tabs input").nth(which).check()
        alone = desk.cells[which] == ALONE
        volume = 1 if alone else volume
        found = mixture(desk, desk.cells[which], photograph, recording, volume, level)
        scenes = page.locator("table[aria-label*='both parts'] tbody")
        seen, heard, p = (numbers(scenes.locator(f"td:nth-child({column})")) for column in (2, 3, 5))
        assert p == pytest.approx(list(found.scenes), abs=0.006)
        own = volume * desk.heard[which, recording]
        assert heard == pytest.approx(list(own - own.mean()), abs=0.006)
        own = desk.seen[which, level, photograph]
        assert seen == pytest.approx(list(own - own.mean()), abs=0.006)
        terms = page.locator("table[aria-label='losses'] tbody")
        one, two = (float(text.split("×")[1]) for text in terms.locator("th").all_inner_texts()[1:])
        assert (one, two) == pytest.approx((found.e1, found.e2), abs=0.008)
        losses = numbers(terms.locator("td.number"))
        assert losses[:2] == pytest.approx([found.scene_loss, found.from_scenes], abs=0.008)
        assert losses[2] == pytest.approx(found.from_direction, abs=1e-6)
        named = page.locator(".said b").first.inner_text()
        assert named == desk.scenes[found.scenes.argmax()]
        said = page.locator(".said").inner_text()
        assert said.startswith(f"{'From the photograph alone' if alone else 'Together'}: {named}, p = ")
        for control in (page.get_by_role("combobox", name="recording", exact=True), page.get_by_label("factor on the")):
            assert control.is_disabled() == alone
        events = page.locator("table[aria-label*='events heard'] tbody")
        places = [short(EVENTS).index(name) for name in events.locator("th").all_inner_texts()]
        y = expit(desk.teacher[recording])
        assert numbers(events.locator("td:nth-child(2)")) == pytest.approx(list(y[places]), abs=0.006)
        assert numbers(events.locator("td:nth-child(3)")) == pytest.approx(list(found.events[places]), abs=0.006)
        assert places[:5] == list(np.argsort(-y)[:5]) and found.events.argmax() in places


def test_the_mixer_by_keyboard(show, pairs):
    desk = mixer_of(pairs)
    page = show(mixing_desk, desk)
    page.get_by_role("button", name="A misleading sound").focus()
    page.keyboard.press("Enter")
    assert [
        page.get_by_role("combobox", name=name, exact=True).input_value() for name in ("photograph", "recording")
    ] == ["2", "0"]
    page.get_by_label("factor on the heard part").focus()
    page.keyboard.press("ArrowRight")
    expected = mixture(desk, desk.approach, 2, 0, volume=1.05).scenes
    shown = page.locator("table[aria-label*='both parts'] tbody td:nth-child(5)")
    assert numbers(shown) == pytest.approx(list(expected), abs=0.006)
    page.locator(".tabs input:checked").focus()
    page.keyboard.press("ArrowRight")
    expected = mixture(desk, desk.cells[2], 2, 0, volume=1.05).scenes
    assert numbers(shown) == pytest.approx(list(expected), abs=0.006)
    page.get_by_label("haze over the photograph").focus()
    page.keyboard.press("End")
    assert page.locator(".veil").evaluate("veil => veil.style.opacity") == "0.75"


def test_the_viewer_says_what_each_approach_saw(show, pairs):
    looks, masks = looks_at(pairs)
    page = show(map_viewer, pairs, np.full((len(pairs), 16, 16, 3), 90, np.uint8), looks, masks)
    for place in range(10):
        page.locator(".strip input").nth(place).check(force=True)
        for which, look in enumerate(looks.values()):
            page.locator(".viewer > .tabs input").nth(which).check()
            said, right = page.locator(".said").inner_text(), look.named[place] == pairs["scene"].iloc[place]
            assert f": {look.named[place]}, p = {look.p_named[place]:.2f}" in said
            assert ("which is right" in said) == right and ("object" in said) == (place == 0)
            x, y = (float(page.locator(".ring.above").first.get_attribute(name)) for name in ("cx", "cy"))
            assert (y - 0.5, x - 0.5) == tuple(look.highest[place])
        assert bool(page.locator(".edge.above").first.get_attribute("d")) == (place == 0)
        assert pairs["id"].iloc[place] in page.locator("img.photograph").get_attribute("alt")


def test_the_viewer_by_keyboard(show, pairs):
    looks, masks = looks_at(pairs)
    page = show(map_viewer, pairs, np.full((len(pairs), 16, 16, 3), 90, np.uint8), looks, masks)
    before = page.locator("img.map").get_attribute("src")
    page.locator(".viewer > .tabs input:checked").focus()
    page.keyboard.press("ArrowRight")
    second = page.locator("img.map").get_attribute("src")
    page.locator(".strip input:checked").focus()
    page.keyboard.press("ArrowRight")
    assert len({before, second, page.locator("img.map").get_attribute("src")}) == 3
    page.get_by_label("strength of the map").focus()
    page.keyboard.press("Home")
    assert page.locator("img.map").evaluate("map => getComputedStyle(map).opacity") == "0"


@pytest.fixture
def explored(pairs):
    """What the explorer is given."""
    random, scenes = np.random.default_rng(0), sorted(set(pairs["scene"]))
    p = {name: random.dirichlet(np.ones(len(scenes)), len(pairs)) for name in ("L_E", "image")}
    heard = [f"Rain {number}, Wind" for number in range(len(pairs))]
    return {name: random.random((len(pairs), 2)) for name in p}, pairs, p, scenes, heard


def test_the_explorer_tells_of_a_pair(show, explored):
    _, pairs, p, scenes, heard = explored
    page = show(explorer, *explored)
    for place in range(10):
        page.locator(".mark").nth(place).focus()
        for view, name in enumerate(p):
            page.locator(".tabs input").nth(view).check()
            told = page.locator(".pair").inner_text()
            assert f"{pairs['scene'].iloc[place]}, pair {pairs['id'].iloc[place]}" in told and heard[place] in told
            named = scenes[p[name][place].argmax()]
            assert f"{named}, {'right' if named == pairs['scene'].iloc[place] else 'wrong'}" in told
            order = [scenes.index(scene) for scene in page.locator(".pair tbody th").all_inner_texts()]
            assert numbers(page.locator(".pair td.number")) == pytest.approx(list(p[name][place][order]), abs=0.006)


def test_the_explorer_by_keyboard(show, explored):
    _, pairs, *_ = explored
    page = show(explorer, *explored)
    page.locator(".mark[tabindex='0']").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").endswith(pairs["id"].iloc[1])
    assert page.locator(".mark[tabindex='0']").count() == 1
    page.keyboard.press("Enter")
    page.wait_for_function("!document.querySelector('audio').paused || document.querySelector('audio').ended")
    page.get_by_role("button", name="wood", exact=True).focus()
    page.keyboard.press("Enter")
    assert page.locator(".mark:not(.dim)").count() == (pairs["scene"] == "wood").sum()
    page.keyboard.press("Enter")
    assert page.locator(".mark.dim").count() == 0


def test_who_starts_to_play_stops_the_others(show, pairs):
    page = show(mixing_desk, mixer_of(pairs))
    playing = page.evaluate("""async () => {
      const first = document.querySelector('audio'), second = first.cloneNode();
      document.body.append(second);
      for (const audio of [first, second]) { audio.muted = audio.loop = true; await audio.play(); }
      return [first, second].map(audio => !audio.paused);
    }""")
    assert playing == [False, True]
    assert page.locator("audio").first.evaluate("audio => audio.duration") == pytest.approx(
        10, abs=0.1
    )  # as the networks hear it


def test_a_narrow_player_says_its_duration(show, pairs):
    page = show(mixing_desk, mixer_of(pairs))
    page.evaluate("""() => {
      const narrow = document.querySelector('audio').cloneNode();
      narrow.style.width = '150px';
      document.body.append(narrow);
    }""")
    page.wait_for_selector("audio + .duration")
    assert page.locator(".duration").all_inner_texts() == ["10 s"]


@pytest.mark.parametrize("name", ["mixer", "viewer", "explorer"])
def test_everybody_can_use_it_on_any_screen(show, pairs, explored, name):
    looks, masks = looks_at(pairs)
    made = {
        "mixer": (mixing_desk, mixer_of(pairs)),
        "viewer": (map_viewer, pairs, np.full((len(pairs), 16, 16, 3), 90, np.uint8), looks, masks),
        "explorer": (explorer, *explored),
    }[name]
    page = show(*made)
    problems = checks.pictures(page) + checks.players(page) + checks.too_wide(page) + checks.accessibility(page)
    assert not problems, "\n".join(problems)
