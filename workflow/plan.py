"""What a build has to do, phase by phase, and about how long that takes on this machine."""

import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from advance_lib.cache import UserError
from advance_lib.data.places import dataset_folder
from advance_lib.experiments.profiles import PROFILES
from advance_lib.models.weights import WEIGHTS
from graph import CHECKOUT, Asked

PHASE_OF = {  # the graph's rules, in the order in which they come
    "rendering": "render",
    "features": "features",
    "pretraining": "pre-train",
    "runs": "train",
    "chapter": "chapters",
    "status": "chapters",
    "book": "pages",
}
PHASES = tuple(dict.fromkeys(PHASE_OF.values()))
REFERENCE_SPEED = 460  # units a second, as `speed.measured` counts them, of the machine behind `CPU_SECONDS`


@dataclass(frozen=True)
class CpuSeconds:
    """What the phases of the book on the miniature cost on the reference machine, in seconds of one of its cores.

    A book's own figures stand on its status page.
    """

    sets: float  # to render what networks are pre-trained on
    world: float  # to render the miniature and its exam
    features: float
    pretraining: float  # of one network
    run: float
    chapter: float
    pages: float


CPU_SECONDS = {
    "smoke": CpuSeconds(sets=30, world=40, features=10, pretraining=8, run=2, chapter=9, pages=45),
    "mini": CpuSeconds(sets=190, world=270, features=47, pretraining=71, run=28, chapter=20, pages=60),
}


@dataclass(frozen=True)
class Step:
    """One step of the graph: its phase, and its name, which is that of its record in the book's folder ``taken``."""

    phase: str
    name: str


def ahead(command: Sequence[str]) -> list[Step]:
    """Return the steps that Snakemake would run, in the order of the phases.

    Args:
        command: what runs Snakemake, as `pages.graph_command` gives it.

    Raises:
        UserError: the graph cannot be planned; says what Snakemake says.
    """
    python, module, program, *options = command
    asked = [python, module, program, "--summary", *options]
    done = subprocess.run(asked, check=False, cwd=CHECKOUT, capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"no book can be planned:\n{done.stderr}")
    _, *rows = (line.split("\t") for line in done.stdout.splitlines() if "\t" in line)
    steps = [Step(PHASE_OF[row[2]], Path(row[0]).stem) for row in rows if row[-1] != "no update"]
    return sorted(steps, key=lambda step: PHASES.index(step.phase))


def runs_of(asked: Asked) -> int:
    """Return how many trainings a book shows, as `requests_of_book` lists them, without loading the library."""
    listed = asked.seeds.split(",")
    seeds = int(asked.seeds) if len(listed) == 1 else len([seed for seed in listed if seed])
    runs = 20 * seeds + seeds + 6  # all cells; one of them split by pair; those of L_s on two further splits
    real = asked.dataset != "miniature" and not asked.departures() and WEIGHTS["mn04"].path.is_file()
    return runs + 22 * seeds * real


def seconds(asked: Asked, steps: Sequence[Step], speed: float, cores: int) -> dict[str, float] | None:
    """Return about how many seconds each phase takes; None where nothing comparable was measured.

    Args:
        asked: the book.
        steps: that are to be done.
        speed: of one of as many processes as there are cores, from `speed.measured`.
        cores: how many steps or processes run at once.
    """
    one = CPU_SECONDS.get(asked.profile)
    if one is None or asked.device == "cuda":
        return None
    folder = dataset_folder(asked.dataset)
    usual = PROFILES[asked.profile].pairs  # and as many in the exam
    size = sum(1 for _ in folder.glob("vision/*/*")) / (2 * usual) if folder else 1
    steps_of, runs = Counter(step.phase for step in steps), runs_of(asked)
    costs = {
        "render": (one.sets + one.world * (folder is None), cores),
        "features": (one.features * size, cores),
        "pre-train": (one.pretraining * steps_of["pre-train"], steps_of["pre-train"]),
        "train": (one.run * runs * size, runs),
        "chapters": (one.chapter * steps_of["chapters"], steps_of["chapters"]),
        "pages": (one.pages, 1),
    }
    slower = REFERENCE_SPEED / speed
    return {phase: cost * slower / min(cores, at_once) for phase, (cost, at_once) in costs.items() if steps_of[phase]}


def told(asked: Asked, steps: Sequence[Step], estimate: dict[str, float] | None, cores: int) -> str:
    """Return what is to be done, a line for each phase."""
    counts = Counter(step.phase for step in steps)
    notes = {"train": f"{runs_of(asked)} runs", "chapters": _many(counts["chapters"], "chapter")}
    lines = [f"To do for the book {asked.slug}, on {_many(cores, 'core')}:"]
    for phase in PHASES:
        if counts[phase]:
            long = about(estimate[phase]) if estimate else ""
            lines.append(f"  {phase:10} {long:13} {notes.get(phase, '')}".rstrip())
    if estimate:
        lines.append(f"  {'together':10} {about(sum(estimate.values()))}, less where results of other builds are found")
    return "\n".join(lines)


def about(seconds: float) -> str:
    """Return a duration as one says it, such as ``about 3 min``."""
    if seconds < 55:
        return f"about {max(5, 5 * round(seconds / 5))} s"
    minutes = round(seconds / 60)
    return f"about {minutes} min" if minutes < 90 else f"about {minutes / 60:.1f} h"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"
