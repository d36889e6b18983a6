"""What a build says before it starts, while it runs and when it has ended."""

import json
import os
import sys
import time

import pytest
from bs4 import BeautifulSoup

import pages
import plan
import progress
import speed
import timed
from advance_lib.cache import UserError
from advance_lib.experiments.runs import requests_of_book
from advance_lib.experiments.settings import Settings
from graph import Asked, requested
from plan import Step
from progress import Build

STEPS = [Step("render", "rendered"), Step("train", "runs"), Step("chapters", "table1"), Step("chapters", "claims")]
BURN = "import time; end = time.process_time() + {}\nwhile time.process_time() < end: pass\n"


def test_a_step_tells_what_it_took_with_all_its_children(tmp_path):
    """Also what the processes of joblib's pool took, which trains, renders and resamples."""
    record = tmp_path / "taken" / "step.json"
    pool = f"from joblib import Parallel, delayed; Parallel(2)(delayed(exec)({BURN.format(0.5)!r}) for _ in range(2))"
    before = time.time()
    assert timed.run(record, [sys.executable, "-c", pool]) == 0
    told = json.loads(record.read_text())
    assert told["code"] == 0 and before <= told["begun"] <= time.time() - told["wall"]
    assert told["cpu"] > 1 and 5 < told["memory"] < 5000


def test_a_step_that_fails_says_so(tmp_path):
    record = tmp_path / "step.json"
    assert timed.run(record, [sys.executable, "-c", "import sys; sys.exit(3)"]) == 3
    assert json.loads(record.read_text())["code"] == 3


def test_the_steps_ahead_are_those_of_the_graph(build):
    asked = requested({"profile": "smoke"})
    steps = plan.ahead(pages.graph_command(asked, "2"))
    assert [step.phase for step in steps if step.phase != "chapters"] == [
        "render", "features", "pre-train", "pre-train", "train", "pages",
    ]  # fmt: skip
    assert {Step("chapters", name) for name in progress.titles()} <= set(steps)


def test_a_graph_that_cannot_be_planned(build):
    command = pages.graph_command(requested({"profile": "smoke"}), "2")
    with pytest.raises(UserError, match="no option 'colour'"):
        plan.ahead([*command, "colour=blue"])


@pytest.mark.parametrize("seeds", ["1", "2", "0,2,5"])
def test_as_many_runs_are_announced_as_are_asked_for(seeds):
    wanted = requests_of_book(Settings(profile="smoke", seeds=seeds))
    assert plan.runs_of(Asked("smoke", seeds=seeds)) == len(set(map(repr, _same_split(wanted))))


def _same_split(requests):
    """The miniature brings no split, so its own is the first by location."""
    named = [(request.settings.split, request.cell.name, request.seed) for request in requests]
    return [("location" if split.by == "own" else split.by, split.seed, *rest) for split, *rest in named]


def test_a_slower_machine_takes_longer_and_more_cores_less():
    asked = Asked("smoke")
    usual = plan.seconds(asked, STEPS, 400.0, 1)
    assert set(usual) == {"render", "train", "chapters"}
    slower, two = plan.seconds(asked, STEPS, 200.0, 1), plan.seconds(asked, STEPS, 400.0, 2)
    assert all(slower[phase] == pytest.approx(2 * usual[phase]) for phase in usual)
    assert all(two[phase] == pytest.approx(usual[phase] / 2) for phase in usual)
    eight = plan.seconds(asked, STEPS, 400.0, 8)
    assert eight["chapters"] == pytest.approx(usual["chapters"] / 2)  # there are two of them


def test_no_estimate_where_nothing_comparable_was_measured():
    assert plan.seconds(Asked("paper"), STEPS, 400.0, 2) is None
    assert plan.seconds(Asked("mini", device="cuda"), STEPS, 400.0, 2) is None
    text = plan.told(Asked("paper"), STEPS, None, 2)
    assert "render" in text and "2 chapters" in text and "about" not in text


def test_what_will_be_done_stands_on_a_few_lines():
    asked = Asked("smoke", seeds="2")
    lines = plan.told(asked, STEPS, {"render": 31.0, "train": 600.0, "chapters": 7200.0}, 2).splitlines()
    assert len(lines) == 1 + 3 + 1
    assert "about 30 s" in lines[1] and "about 10 min" in lines[2] and "48 runs" in lines[2] and "2.0 h" in lines[3]


def test_speed_is_measured_by_working():
    assert speed.measured(1) > 1


@pytest.fixture
def half(build):
    """A build whose rendering is done, whose trainings run, and whose second chapter was made by an earlier one."""
    folder = build / "books" / "smoke-miniature"
    one = Build(folder, STEPS, runs=4, seconds={"render": 10.0, "train": 20.0, "chapters": 20.0})
    leave(one, STEPS[0], begun=one.began + 1, wall=9.0, code=0)
    leave(one, STEPS[1], begun=one.began + 10)
    leave(one, STEPS[3], begun=one.began - 100, wall=9.0, code=0)
    for name in ("a", "b.partial"):
        (build / "runs" / name).mkdir(parents=True)
        os.utime(build / "runs" / name, (one.began + 12, one.began + 12))
    return one


def leave(build, step, **told):
    record = build.folder / "taken" / step.phase / f"{step.name}.json"
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps(told))


def test_steps_are_done_running_or_waiting(half):
    assert [half.mark(step) for step in STEPS] == ["done", "running", "waiting", "waiting"]
    assert half.total == 50 and half.done == pytest.approx(10 + 20 / 4) and half.now() == "train 1/4"
    leave(half, STEPS[1], begun=half.began + 10, wall=2.0, code=1)
    assert half.mark(STEPS[1]) == "failed" and half.done == 10


def test_the_page_asks_for_itself_until_the_book_is_there(half):
    running, done, failed = (BeautifulSoup(half.page(code), "html.parser") for code in (None, 0, 1))
    assert running.meta.find_next(attrs={"http-equiv": "refresh"})["content"] == "5"
    assert done.find(attrs={"http-equiv": "refresh"})["content"] == "0; url=html/index.html"
    assert not failed.find(attrs={"http-equiv": "refresh"})
    items = {item.span.text: item.find_all("span")[1]["class"][0] for item in running.select("li")}
    assert items["render"] == "done" and items["train"] == "running" and items["features"] == "done"
    assert items[progress.titles()["table1"]] == "waiting" and items[progress.titles()["hearing"]] == "done"
    assert not running.select("script, link, img")


def test_a_build_is_watched_to_its_end(half, capfd, monkeypatch):
    monkeypatch.delenv("TQDM_DISABLE")
    monkeypatch.setattr(progress, "EVERY", 0)
    code = progress.watch(
        half, [sys.executable, "-c", "import time; print('told'); time.sleep(1.5); raise SystemExit(4)"]
    )
    said = capfd.readouterr()
    assert code == 4 and not said.out and "told\n" in said.err and "train 1/4: 30% of the whole\n" in said.err
    assert "not finished" in (half.folder / "progress.html").read_text()


def test_nothing_but_the_steps_is_heard_without_bars(half, capfd):
    assert progress.watch(half, [sys.executable, "-c", "print('told')"]) == 0
    assert capfd.readouterr().err == "told\n"
    assert "url=html/index.html" in (half.folder / "progress.html").read_text()
