"""How far a build is: one bar for the whole, and a page that fills up until the book's first page is there."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from html import escape
from pathlib import Path

from tqdm import tqdm

from advance_lib.cache import build_folder, written_whole
from graph import CHECKOUT, chapters
from plan import PHASES, Step, about

EVERY = 30  # seconds from one line to the next, where there is no terminal for a bar
STYLE = """
:root { color-scheme: light dark; --done: #1b7837; --running: #b35806 }
@media (prefers-color-scheme: dark) { :root { --done: #7fbf7b; --running: #fdb863 } }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 2rem auto; padding: 0 1rem }
ol { list-style: none; padding: 0 } li { display: flex; gap: 1rem; justify-content: space-between }
progress { width: 100% } .done { color: var(--done) } .running { color: var(--running); font-weight: bold }
"""
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
{again}
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{head}</title>
<style>{style}</style>
</head>
<body>
<h1>{head}</h1>
<p>{percent} %: {now}</p>
<progress max="100" value="{percent}" aria-label="the whole"></progress>
<h2>Phases</h2>
<ol>{phases}</ol>
<h2>Chapters</h2>
<ol>{chapters}</ol>
</body>
</html>
"""
HEADS = {  # by exit code: what the page says, and where it goes on
    None: ("The book is being made", "5"),
    0: ("The book is here", "0; url=html/index.html"),
    "failed": ("The book was not finished", ""),
}


@dataclass
class Build:
    """A build that runs.

    Attributes:
        folder: the book's.
        steps: that Snakemake has to do.
        runs: how many trainings are among them.
        seconds: estimate of each phase; without one all steps count the same.
        began: seconds since 1970.
    """

    folder: Path
    steps: Sequence[Step]
    runs: int
    seconds: dict[str, float] | None = None
    began: float = field(default_factory=time.time)

    def record(self, step: Step) -> dict:
        """Return what a step has told of itself in this build; nothing before it begins."""
        try:
            told = json.loads((self.folder / "taken" / step.phase / f"{step.name}.json").read_text())
        except FileNotFoundError:
            return {}
        return told if told["begun"] >= self.began else {}

    def expected(self, step: Step) -> float:
        """Return about how many seconds a step takes, as a share of those of its phase."""
        if self.seconds is None:
            return 60.0
        return self.seconds[step.phase] / sum(other.phase == step.phase for other in self.steps)

    def share(self, step: Step) -> float:
        """Return how much of a step is done, 0 to 1: runs are counted, else time tells."""
        told = self.record(step)
        if not told or "code" in told:
            return float(told.get("code") == 0)
        if step.phase == "train":
            return self._trained(told["begun"]) / self.runs
        return min(0.9, (time.time() - told["begun"]) / self.expected(step))

    def _trained(self, since: float) -> int:
        found = [path for path in (build_folder() / "runs").glob("*") if path.is_dir() and not path.suffix]
        return min(self.runs, sum(path.stat().st_mtime >= since for path in found))

    @property
    def total(self) -> float:
        """The whole, in expected seconds."""
        return sum(map(self.expected, self.steps))

    @property
    def done(self) -> float:
        """As much of it as is done."""
        return sum(self.share(step) * self.expected(step) for step in self.steps)

    def mark(self, step: Step) -> str:
        """Return ``waiting``, ``running``, ``done`` or ``failed``."""
        told = self.record(step)
        if "code" in told:
            return "failed" if told["code"] else "done"
        return "running" if told else "waiting"

    def now(self) -> str:
        """Return which phase is at work, and how far, such as ``chapters 3/24``."""
        for phase in PHASES:
            steps = [step for step in self.steps if step.phase == phase]
            finished = sum(self.mark(step) == "done" for step in steps)
            if finished == len(steps):
                continue
            if phase == "train" and (told := self.record(steps[0])):
                return f"{phase} {self._trained(told['begun'])}/{self.runs}"
            return f"{phase} {finished}/{len(steps)}" if len(steps) > 1 else phase
        return "done"

    def page(self, code: int | None = None) -> str:
        """Return the page on the build; it asks for itself again until the build has ended.

        Args:
            code: with which it ended; after 0 the page forwards to the book.
        """
        head, again = HEADS.get(code, HEADS["failed"])
        percent = round(100 * self.done / self.total)
        phases = "".join(self._phase(phase) for phase in PHASES)
        states = [(title, *self._state(Step("chapters", name))) for name, title in titles().items()]
        return PAGE.format(
            again=again and f'<meta http-equiv="refresh" content="{again}">',
            style=STYLE,
            head=head,
            now=self.now(),
            percent=percent,
            phases=phases,
            chapters="".join(_item(*state) for state in states),
        )

    def _phase(self, phase: str) -> str:
        steps = [step for step in self.steps if step.phase == phase]
        marks = {self.mark(step) for step in steps}
        if not steps:
            return _item(phase, "done", "done before")
        mark = marks.pop() if len(marks) == 1 else "failed" if "failed" in marks else "running"
        long = f", {about(self.seconds[phase])}" if self.seconds and mark in ("waiting", "running") else ""
        return _item(phase, mark, mark + long)

    def _state(self, step: Step) -> tuple[str, str]:
        if step not in self.steps:
            return "done", "done before"
        mark = self.mark(step)
        return mark, f"done in {self.record(step)['wall']:.0f} s" if mark == "done" else mark


def _item(name: str, mark: str, text: str) -> str:
    return f'<li><span>{escape(name)}</span><span class="{mark}">{text}</span></li>'


@cache
def titles() -> dict[str, str]:
    """Return the title of each chapter by its name, in the order of the table of contents."""
    first = {
        name: json.loads((CHECKOUT / "book" / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"][0]["source"]
        for name in [*chapters(), "status"]
    }
    return {name: "".join(lines).splitlines()[0].lstrip("# ") for name, lines in first.items()}


def watch(build: Build, command: Sequence[str]) -> int:
    """Run the command that builds, show how far it is, keep its page, and return its exit code.

    A terminal gets a bar, anything else a line now and then, and neither with ``TQDM_DISABLE=1``. What the steps say
    goes to standard error.
    """
    page, shown, next_line = build.folder / "progress.html", "", time.time() + EVERY
    told = not os.environ.get("TQDM_DISABLE")
    barred = told and sys.stderr.isatty()
    layout = "{l_bar}{bar}| {elapsed}, {remaining} to go"
    bar = tqdm(total=build.total, smoothing=0, disable=not barred, bar_format=layout, leave=False)
    process = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = threading.Thread(target=lambda: [tqdm.write(line, sys.stderr, end="") for line in process.stdout])
    said.start()
    while (code := _ended(process)) is None:
        bar.set_description_str(build.now(), refresh=False)
        bar.update(max(0.0, build.done - bar.n))
        if told and not barred and time.time() >= next_line:
            print(f"{build.now()}: {build.done / build.total:.0%} of the whole", file=sys.stderr, flush=True)
            next_line += EVERY
        if (text := build.page()) != shown:
            _write(page, shown := text)
    said.join()
    bar.close()
    _write(page, build.page(code))
    return code


def _ended(process: subprocess.Popen) -> int | None:
    """Wait a second, and return the exit code if there is one."""
    try:
        return process.wait(1)
    except subprocess.TimeoutExpired:
        return None
    except KeyboardInterrupt:  # Snakemake has heard it too, and ends its steps
        return None


def _write(page: Path, text: str) -> None:
    with written_whole(page) as partial:
        partial.write_text(text, encoding="utf-8")
