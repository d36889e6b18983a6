"""The triangle of L_E1, and KL and SQ of one event: what their scripts show is what the library computes."""

from importlib.resources import files

import checks
import numpy as np
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe

from advance_lib.analysis.events import divergence_from_scenes
from advance_lib.analysis.one_event import at_temperature
from advance_lib.analysis.simplex import STEPS, descent, simplex
from advance_lib.data.catalogue import read_catalogue
from advance_lib.experiments.cells import ALPHA
from advance_lib.figures import losses
from advance_lib.transfer import objectives
from advance_lib.transfer.knowledge import Knowledge, event_relevance, posteriors, sigmoid

SCENES, THREE, EVENTS = ("desert", "ice", "sea", "wood"), (0, 1, 3), 11
FIGURES = ("triangle", "one_event")
THEMES = ("sphinx_book_theme", "pydata_sphinx_theme")
# clip, moves from the middle, mean over events, position of β's slider (log10), L_s added
CASES = [
    (0, "", False, -3, False),
    (1, "ArrowUp " * 9, False, -4, False),
    (2, "ArrowLeft " * 20, False, -1, False),
    (3, "ArrowRight " * 15, True, -3, False),
    (4, "ArrowDown " * 12, False, 0, False),
    (5, "Shift+ArrowUp " * 12, False, 1, False),
    (0, "ArrowRight ArrowUp " * 7, True, 2, False),
    (1, "ArrowDown ArrowLeft " * 6, False, -3, True),
    (2, "ArrowUp ArrowLeft " * 4, True, 0, True),
    (3, "ArrowDown " * 3, False, 2, True),
]
# teacher, student, position of T's slider (log10)
EVENT_CASES = [
    (-4, 1, 0.3), (-9, -6, 0), (6, -3, 0), (0, 0, 1), (2.5, -10, 2), (-0.5, 0.5, -0.3), (9, 10, 0.5), (3, 3.1, 1.5),
    (-7, 9.5, 0.75), (1, -1, 2),
]  # fmt: skip


@pytest.fixture
def known():
    heard = np.random.default_rng(1).normal(-1, 2.5, (42, EVENTS)).astype(np.float32)
    targets = np.arange(42) % 4
    tables = [measure(sigmoid(heard), targets, 4).astype(np.float32) for measure in (posteriors, event_relevance)]
    return Knowledge(tuple(f"event {i}" for i in range(EVENTS)), heard, *tables)


@pytest.fixture
def clips(tiny):
    return read_catalogue(tiny).groupby("scene").head(2)


@pytest.fixture
def shown(page, known, clips, tmp_path, monkeypatch):
    """Both figures on one page with the book's styles, each once drawn."""
    monkeypatch.setenv("ADVANCE_BUILD", str(tmp_path / "build"))
    students = np.linspace(-10, 10, 21)
    drawn = [
        losses.triangle(clips, known, SCENES, THREE),
        losses.one_event(at_temperature(-4, students, 2), students, teacher=-4, student=1, temperature=2),
    ]
    styles = [
        files(theme) / "theme" / theme / "static" / "styles" / f"{theme.replace('_', '-')}.css" for theme in THEMES
    ]
    styles += [checks.ROOT / "book" / "_static" / name for name in ("book.css", "interactive.css")]
    css = "".join(f"<style>{style.read_text(encoding='utf-8')}</style>" for style in styles)
    body = "".join(f"<figure class='shown'>{figure.data}</figure>" for figure in drawn)
    page.set_content(f"<html lang='en' data-theme='light'><title>Figures</title>{css}<main>{body}</main></html>")
    for name in FIGURES:
        page.locator(f"[data-figure={name}][data-ready=yes]").wait_for()
    return page


def value(page, figure, cell):
    return float(page.locator(f"[data-figure={figure}] [data-cell='{cell}']").get_attribute("data-value"))


def slide(page, figure, label, position):
    slider = page.locator(f"[data-figure={figure}] label.slider", has_text=label).locator("input")
    slider.evaluate("(input, at) => { input.value = at; input.dispatchEvent(new Event('input')); }", str(position))


def point_of(page):
    return page.locator("[data-figure=triangle] .point")


def probabilities(page, column):
    return np.array([value(page, "triangle", f"p{k} {column}") for k in range(3)])


@pytest.mark.parametrize("clip, moves, mean, beta, supervised", CASES)
def test_the_triangle_shows_the_library_s_losses(shown, known, clips, clip, moves, mean, beta, supervised):
    lists = shown.locator("[data-figure=triangle] select")
    lists.nth(0).select_option(str(clip))
    lists.nth(1).select_option("mean" if mean else "sum")
    slide(shown, "triangle", "β", beta)
    shown.locator("[data-figure=triangle] input[type=checkbox]").set_checked(supervised)
    for key in moves.split():
        point_of(shown).press(key)

    row = clips.index[clip]
    true = THREE.index(SCENES.index(clips["scene"].iloc[clip]))
    teacher, table, relevance = (
        torch.tensor(of, dtype=torch.float64)
        for of in (known.pre_activations[[row]], known.posteriors[list(THREE)], known.relevance[list(THREE)])
    )
    weight, reduction, target = 0 if beta == -4 else 10**beta, "mean" if mean else "sum", torch.tensor([true])

    def total(scenes):
        e = objectives.e(scenes, target, teacher, table, relevance, weight, reduction)
        return objectives.total_loss(objectives.scene_loss(scenes, target), e, ALPHA) if supervised else e

    p = probabilities(shown, "point")
    scenes = torch.tensor(p).log()[None]
    wanted = {
        "e1": objectives.e1(scenes, teacher, table, reduction),
        "e2": objectives.e2(scenes, target, table, relevance),
        "e": objectives.e(scenes, target, teacher, table, relevance, weight, reduction),
        "s": objectives.scene_loss(scenes, target),
        "total": total(scenes),
    }
    found = {name: value(shown, "triangle", f"{name} point") for name in wanted}
    assert found == pytest.approx({name: float(of) for name, of in wanted.items()}, rel=1e-5, abs=1e-6)
    text = shown.locator("[data-figure=triangle] [data-cell='e1 point']").text_content()
    assert text == f"{found['e1']:.{4 if mean else 3}f}"
    # Where descent leads, and the minimum.
    path = descent(total, p, losses.RATE, losses.STEPS)
    assert probabilities(shown, "end") == pytest.approx(path[-1], abs=1e-3)
    least = value(shown, "triangle", "total least")
    grid = torch.tensor(simplex(STEPS)).clamp_min(1e-12).log()
    assert least <= min(float(total(at[None])) for at in grid) + 1e-6
    found = float(total(torch.tensor(probabilities(shown, "least")).clamp_min(1e-12).log()[None]))
    assert least == pytest.approx(found, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("teacher, student, temperature", EVENT_CASES)
def test_one_event_shows_the_library_s_distances_and_slopes(shown, teacher, student, temperature):
    for label, position in (("Teacher", teacher), ("Student", student), ("Temperature", temperature)):
        slide(shown, "one_event", label, position)
    wanted = at_temperature(teacher, np.array([student], dtype=float), 10**temperature).iloc[0]
    for cell, name in {"C": "C", "T2C": "T²C", "SQ": "SQ/8"}.items():
        for which, ending in enumerate(("", " slope")):
            assert value(shown, "one_event", f"{cell} {which}") == pytest.approx(
                wanted[name + ending], rel=1e-6, abs=1e-9
            )


def test_the_point_follows_keys_buttons_and_the_mouse(shown, known, clips):
    point, middle = point_of(shown), probabilities(shown, "point")
    assert middle == pytest.approx(np.full(3, 1 / 3))
    point.press("ArrowUp")
    up = probabilities(shown, "point")
    assert up[0] > middle[0] and up[1] == pytest.approx(up[2])
    assert f"desert {up[0]:.0%}".replace("%", "\u00a0%") in point.get_attribute("aria-valuetext")
    for _ in range(99):
        point.press("ArrowLeft")
    assert probabilities(shown, "point").min() > 0  # a softmax rules out no scene
    point.press("Home")
    assert probabilities(shown, "point") == pytest.approx(middle)
    shown.get_by_role("button", name="To the true scene").click()
    true = THREE.index(SCENES.index(clips["scene"].iloc[0]))
    assert probabilities(shown, "point").argmax() == true
    shown.get_by_role("button", name="To the minimum").click()
    at_corners = divergence_from_scenes(known.pre_activations[[clips.index[0]]], known.posteriors[list(THREE)])
    assert value(shown, "triangle", "e1 point") < at_corners.min() + 0.05
    drawing, at = shown.locator("[data-figure=triangle] svg").first.bounding_box(), point.bounding_box()
    shown.mouse.move(at["x"] + at["width"] / 2, at["y"] + at["height"] / 2)
    shown.mouse.down()
    shown.mouse.move(drawing["x"] + drawing["width"] / 2, drawing["y"] + 5, steps=4)  # towards the first scene, on top
    shown.mouse.up()
    assert probabilities(shown, "point")[0] > 0.9


def test_the_student_follows_keys_and_the_mouse(shown):
    slider = shown.locator("[data-figure=one_event] label.slider", has_text="Student").locator("input")
    slider.press("ArrowRight")
    assert value(shown, "one_event", "SQ 1") == pytest.approx((1.1 + 4) / 4)
    handle = shown.locator("[data-figure=one_event] .handle").first.bounding_box()
    x, y = handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2
    shown.mouse.move(x, y)
    shown.mouse.down()
    shown.mouse.move(x - 40, y, steps=4)
    shown.mouse.up()
    assert float(slider.input_value()) < 0
    assert value(shown, "one_event", "SQ 1") == pytest.approx((float(slider.input_value()) + 4) / 4)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_they_can_be_read_by_everybody_and_fit_a_telephone(shown, theme):
    shown.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
    shown.locator("[data-figure=triangle] input[type=checkbox]").check()
    assert checks.too_wide(shown) == []
    for width in (checks.TELEPHONE, checks.LAPTOP):
        shown.set_viewport_size({"width": width, "height": 900})
        violations = [v for v in Axe().run(shown).response["violations"] if v["impact"] in ("serious", "critical")]
        assert violations == [], [(v["id"], [node["html"] for node in v["nodes"]]) for v in violations]
