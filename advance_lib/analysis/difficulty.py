"""How hard the miniature is: two numbers, set on unimodal rows of other worlds, on validation splits.

The paper's image-only and sound-only rows on ADVANCE are 72.85 and 28.99 weighted F-score. The difficulty of
the photographs and the factor g of the sounds are chosen so that the miniature's two rows come near
them. No multimodal row and no test split is looked at here.

Chapter: The miniature.
"""

import json
from dataclasses import asdict

import pandas as pd

from advance_lib.cache import PACKAGE, write_json
from advance_lib.data.published import paper_scores
from advance_lib.experiments.runs import Request, finished
from advance_lib.miniature.world import World, render_world
from advance_lib.training.devices import environment

RECORD = PACKAGE.parent / "results" / "calibration.json"
ROWS = {"image": "image/Ls", "sound": "sound/Ls"}
SEEDS = (0, 1)
PROFILE = "mini"


def measure(worlds: list[World], senses: tuple[str, ...] = ("image", "sound")) -> pd.DataFrame:
    """Return the validation F-score of unimodal recognisers on rendered worlds.

    Args:
        worlds: what to render.
        senses: which unimodal rows.

    Returns:
        One row per world: its seed, difficulty and g, and the mean over training seeds for each sense.
    """
    requests, labels = [], []
    for world in worlds:
        folder = str(render_world(world))
        for sense in senses:
            for seed in SEEDS:
                requests.append(Request(ROWS[sense], seed, folder, PROFILE))
                labels.append({"world": world.seed, "difficulty": world.difficulty, "g": world.g, "sense": sense})
    found = pd.DataFrame(labels).assign(
        fscore=[max(past["validation"] for past in run.metrics["history"]) for run in finished(requests, "cpu")]
    )
    return found.pivot_table(index=["world", "difficulty", "g"], columns="sense", values="fscore").reset_index()


def report(seeds: list[int], difficulties: list[float], odds: list[float]) -> None:
    """Print the scores of other worlds for some difficulties and factors g; with none given, record the chosen ones.

    Args:
        seeds: of the worlds; the book's own is not among them.
        difficulties: of the photographs, to try.
        odds: factors g, to try.
    """
    tries = [World(seed=seed, difficulty=d) for seed in seeds for d in difficulties]
    if tries:
        print(measure(tries, ("image",)).groupby("difficulty")["image"].agg(["mean", "min", "max"]).round(2))
    # The sounds do not depend on the photographs' side, so small ones will do.
    tries = [World(seed=seed, g=g, side=32) for seed in seeds for g in odds]
    if tries:
        print(measure(tries, ("sound",)).groupby("g")["sound"].agg(["mean", "min", "max"]).round(2))
    if not difficulties and not odds:
        found = measure([World(seed=seed) for seed in seeds])
        chosen = asdict(World())
        record = {
            "rows": found.to_dict("records"),
            "difficulty": chosen["difficulty"],
            "g": chosen["g"],
            "profile": PROFILE,
            "training seeds": SEEDS,
            "environment": environment("cpu"),
        }
        write_json(RECORD, record)
        print(recorded().round(2).to_string())


def recorded() -> pd.DataFrame:
    """Return the recorded calibration: one row a world, its mean, and the paper's values on ADVANCE."""
    record = json.loads(RECORD.read_text())
    table = pd.DataFrame(record["rows"]).set_index("world")[["difficulty", "g", "image", "sound"]]
    mean = table.mean().to_frame("mean").T
    paper = {sense: paper_scores(cell)["fscore"][0] for sense, cell in ROWS.items()}
    return pd.concat([table, mean, pd.DataFrame(paper, index=["the paper, on ADVANCE"])]).rename_axis("world")
