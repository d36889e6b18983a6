"""The verdict machine in a browser: what it shows is what the library finds, and it can be used by keyboard."""

from dataclasses import asdict
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from checks import ROOT
from scipy import stats

from advance_lib.analysis.claims import CLAIMS, MARGIN, verdict
from advance_lib.analysis.statistics import below, estimates, holm
from advance_lib.figures.verdicts import verdict_machine

SCRIPT = (files("advance_lib.figures") / "scripts" / "verdict.js").read_text(encoding="utf-8")
STYLE = "".join((ROOT / "book" / "_static" / f"{name}.css").read_text() for name in ("book", "interactive"))
THEMES = {
    "light": "--pst-color-background: #fff; --pst-color-surface: #f3f4f5; --pst-color-text-muted: #48566b; "
    "--pst-color-border: #d8dee4; color: #222832; background: #fff",
    "dark": "--pst-color-background: #14181e; --pst-color-surface: #29313d; --pst-color-text-muted: #9ca4af; "
    "--pst-color-border: #48566b; color: #ced6dd; background: #14181e",
}
SHOWN = CLAIMS[3].text


@pytest.fixture(autouse=True)
def site_folder(tmp_path, monkeypatch):
    """The files beside the page lie in a folder of the test."""
    monkeypatch.setenv("ADVANCE_BUILD", str(tmp_path / "_build"))


def source(seed, seeds=5, locations=30):
    """A source as `claims.judged` makes it, of drawn scores; one difference is exactly nothing."""
    rng = np.random.default_rng(seed)
    effects = rng.normal(0, 4, (len(CLAIMS), 1, 1))
    by_location, by_seed = (rng.normal(0, 1.5, (len(CLAIMS), *shape)) for shape in ((1, 201), (seeds, 1)))
    scores = effects + by_location * (np.arange(201) > 0) + by_seed + rng.normal(0, 0.5, (len(CLAIMS), seeds, 201))
    scores[-1] = 0.0
    found = estimates(list(scores), locations)
    rows = [
        {"claim": claim.text, "where": claim.where, "base": claim.base, "other": claim.other}
        | asdict(one)
        | {"p_margin": np.nan if claim.helps else below(one, MARGIN)}
        for claim, one in zip(CLAIMS, found, strict=True)
    ]
    table = pd.DataFrame(rows)
    corrected = np.split(holm(table[["p", "p_margin"]].to_numpy().T.ravel()), 2)
    table = table.assign(p_holm=corrected[0], p_margin_holm=corrected[1])
    return table.assign(verdict=[verdict(claim, row) for claim, (_, row) in zip(CLAIMS, table.iterrows(), strict=True)])


@pytest.fixture(scope="module")
def sources():
    made = {"five seeds": source(1), "one seed": source(2, seeds=1), "one place": source(3, locations=1)}
    return made | {"one table": made["five seeds"].query("where == 'Table 1'")}


@pytest.fixture
def machine(page, sources):
    """The machine alone on a page, at a telephone's width."""
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.set_viewport_size({"width": 390, "height": 900})
    figure = f'<figure class="shown">{verdict_machine(sources, SHOWN).data}</figure>'
    body = f'<main class="bd-content"><h1>Machine</h1>{figure}</main>'
    style = f"{STYLE} html {{ {THEMES['light']} }} html[data-theme=dark] {{ {THEMES['dark']} }} body {{ margin: 8px }}"
    page.set_content(
        f'<!doctype html><html lang="en" data-theme="light"><title>Machine</title><style>{style}</style>{body}</html>'
    )
    page.locator('.interactive[data-ready="yes"]').wait_for()
    yield page
    assert not problems


def expected(row, helps):
    """The line that must be shown of a row, from the library's own numbers."""

    def p(value):
        return "not defined" if np.isnan(value) else "< 0.001" if value < 0.001 else f"= {value:.3f}"

    difference, low, high = (
        format(round(row[name], 1) + 0.0, "+.1f").replace("-", "−") if np.isfinite(row[name]) else ""
        for name in ("difference", "low", "high")
    )
    symbol = {"supported": "✓", "refuted": "✗", "undecided": "○"}[row["verdict"]]
    span = f"{low} to {high}" if low else "no interval"
    told = f"{symbol} {row['verdict']} As measured: {difference} points ({span}), corrected p {p(row['p_holm'])}."
    return told if helps else f"{told} Against a gain of 1.0 point or more: corrected p {p(row['p_margin_holm'])}."


@pytest.mark.parametrize("number", range(3), ids=["five seeds", "one seed", "one place"])
def test_without_a_repetition_the_library_says_the_same(machine, sources, number):
    machine.get_by_role("combobox", name="source of data", exact=True).select_option(str(number))
    for claim, (_, row) in zip(CLAIMS, list(sources.values())[number].iterrows(), strict=True):
        machine.get_by_role("combobox", name="claim", exact=True).select_option(claim.text)
        assert machine.locator(".result").inner_text() == expected(row, claim.helps)


def test_the_t_distribution_is_scipys(page):
    page.set_content("<p></p>")
    freedoms, ts = (1, 2.5, 8, 50.9249, 300, 5000), (0, 0.3, 1, 2.8, 6, 12, -1.5)
    above = [[float(stats.t.sf(t, freedom)) for t in ts] for freedom in freedoms]
    shares = (0.4, 0.1, 0.025, 0.0005)
    quantiles = [[float(stats.t.isf(share, freedom)) for share in shares] for freedom in freedoms]
    asked = (
        "([freedoms, ts, shares]) => [freedoms.map(f => ts.map(t => student.above(t, f))), "
        "freedoms.map(f => shares.map(share => student.quantile(share, f)))]"
    )
    found = page.evaluate(f"arguments_ => {{ {SCRIPT}; return ({asked})(arguments_); }}", [freedoms, ts, shares])
    np.testing.assert_allclose(found[0], above, rtol=1e-9)
    np.testing.assert_allclose(found[1], quantiles, rtol=1e-9)


def tally(page):
    return [int(cell) for cell in page.locator(".tally td:nth-of-type(1)").all_inner_texts()]


def test_repetitions_are_counted_and_a_milder_rule_judges_them_again(machine, sources):
    row = next(iter(sources.values())).set_index("claim").loc[SHOWN]
    machine.get_by_role("combobox", name="questions in the family").select_option("claim")
    for _ in range(5):
        machine.get_by_role("button", name="Both, 100 times").click()
    counts = tally(machine)
    assert sum(counts) == 500
    # One question asked: supported where the drawn difference lies beyond t standard errors.
    edge = stats.t.isf(0.025, row["freedom"]) * row["error"]
    share = stats.norm.sf(edge, row["difference"], row["error"])
    assert counts[0] / 500 == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 500) + 1e-9)
    machine.get_by_role("slider", name="significance level").fill("6")
    assert sum(tally(machine)) == 500 and tally(machine)[2] <= counts[2]
    machine.get_by_role("button", name="As measured").click()
    assert tally(machine) == [0, 0, 0]


def test_everything_can_be_done_by_keyboard(machine):
    machine.get_by_role("combobox", name="source of data", exact=True).focus()
    reached = []
    for _ in range(8):
        machine.keyboard.press("Tab")
        reached.append(machine.evaluate("document.activeElement.textContent.slice(0, 20)"))
        if reached[-1] == "Train again":
            machine.keyboard.press("Enter")
            break
    assert sum(tally(machine)) == 1 and "Draw locations again" in reached
    machine.get_by_role("slider", name="significance level").focus()
    machine.keyboard.press("ArrowRight")
    assert machine.get_by_role("slider", name="significance level").get_attribute("aria-valuetext") == "0.1"


def test_no_family_is_offered_twice_and_the_margin_where_it_is_asked(machine):
    families = machine.get_by_role("combobox", name="questions in the family").locator("option")
    claims, margin = machine.get_by_role("combobox", name="claim", exact=True), machine.get_by_label("margin in points")
    asked = {where: sum(2 - claim.helps for claim in CLAIMS if where in ("", claim.where)) for where in ("", "Table 1")}
    for number, where, offered in ((0, "", 4), (3, "Table 1", 3)):
        machine.get_by_role("combobox", name="source of data", exact=True).select_option(str(number))
        for claim in CLAIMS:
            if where in ("", claim.where):
                claims.select_option(claim.text)
                assert margin.is_disabled() == claim.helps
                assert f"({1 if claim.helps else 2} question" in families.first.inner_text()
                alone = sum(other.where == claim.where for other in CLAIMS) == 1
                assert families.count() == offered - alone
        assert f"this source ({asked[where]} questions" in families.nth(-2).inner_text()


def test_a_family_that_a_source_lacks_gives_way_to_the_whole(machine):
    family = machine.get_by_role("combobox", name="questions in the family")
    family.select_option("table")
    before = machine.locator(".result").inner_text()
    machine.get_by_role("combobox", name="source of data", exact=True).select_option("3")  # the same numbers
    assert family.input_value() == "source" and machine.locator(".result").inner_text() == before


def test_what_cannot_vary_cannot_be_drawn(machine):
    machine.get_by_role("combobox", name="source of data", exact=True).select_option("1")
    assert machine.get_by_role("button", name="Train again").is_disabled()
    machine.get_by_role("combobox", name="source of data", exact=True).select_option("2")
    assert machine.get_by_role("button", name="Draw locations again").is_disabled()


@pytest.mark.parametrize("theme", THEMES)
def test_the_machine_is_accessible_and_fits_a_telephone(machine, theme):
    machine.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
    machine.get_by_role("button", name="Both, 100 times").click()
    violations = Axe().run(machine).response["violations"]
    serious = [found for found in violations if found["impact"] in ("serious", "critical")]
    assert not serious, [node["html"] for found in serious for node in found["nodes"]]
    assert machine.evaluate("document.documentElement.scrollWidth") <= 390
