from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from scipy.stats import ttest_1samp

from advance_lib.analysis import calibration, records
from advance_lib.cache import UserError
from advance_lib.experiments.prepared import Prepared, prepared
from advance_lib.experiments.profiles import PROFILES
from advance_lib.experiments.settings import Settings
from advance_lib.miniature.world import World


@pytest.fixture
def miniature(settings, tmp_path, monkeypatch):
    """Settings of a miniature that is not rendered, and the worlds that a study asks for."""
    worlds = []

    def render(world):
        worlds.append(world)
        for sense in ("vision", "sound"):
            (tmp_path / f"world-{world.seed}" / sense).mkdir(parents=True, exist_ok=True)
        return tmp_path / f"world-{world.seed}"

    monkeypatch.setattr(calibration, "render_world", render)
    monkeypatch.setattr(Prepared, "data", prepared(settings).data)
    before = dict(PROFILES)  # studies register variants
    yield Settings("miniature", "smoke", 2, "cpu"), worlds
    PROFILES.clear()
    PROFILES.update(before)


def test_the_difficulty_is_measured_on_unimodal_rows_of_other_worlds(miniature, asked):
    settings, _ = miniature
    found = calibration.difficulty(settings, worlds=(7, 8))
    assert {(r.cell.name, Path(r.settings.dataset).name) for r in asked} == {
        (f"{s}/Ls", f"world-{n}") for s in ("image", "sound") for n in (7, 8)
    }
    row = {"difficulty": World().difficulty, "g": World().g, "image": 35.25, "sound": 35.25}  # all epochs, two seeds
    assert found["rows"] == [{"world": 7, **row}, {"world": 8, **row}]
    table = calibration.difficulty_table(found)
    assert table.index.tolist() == [7, 8, "mean", "the paper, on ADVANCE"]
    assert table["image"].tolist() == [35.25, 35.25, 35.25, 72.85]


def test_schedules_are_compared_on_other_worlds(miniature, asked):
    settings, _ = miniature
    found = calibration.schedules(settings, worlds=(7, 8))
    tried = {(r.recipe.schedule.learning_rate, r.recipe.schedule.epochs) for r in asked}
    assert tried == set(calibration.RATES_AND_EPOCHS)
    assert len(found["rows"]) == 2 * len(calibration.RATES_AND_EPOCHS) * 3 * 2  # worlds, schedules, approaches, seeds
    assert all(row["validation"] == [40.0 + row["seed"], 30.0] for row in found["rows"])


def test_a_schedule_is_judged_by_its_last_epochs():
    usual = {"learning_rate": 1.0, "epochs": 8, "cell": "image/Ls"}
    curves = [(8, [9.0, 0, 1, 2, 3, 4, 5, 6]), (1, [8.0, 3, 3, 3, 3, 3, 3])]
    rows = [usual | {"selected": selected, "validation": curve} for selected, curve in curves]
    found = calibration.schedule_table({"rows": rows}).loc[(1.0, 8, "image/Ls")]
    assert found.to_dict() == {"score": (3.5 + 3) / 2, "selected": 4.5, "trained": 7.5, "at the limit": 0.5}


def test_scores_in_both_arithmetics_are_compared_seed_by_seed():
    scores = {"32-true": [50.0, 52.0, 54.0], "bf16-mixed": [51.0, 52.0, 56.0]}
    rows = [
        {"precision": name, "cell": "image/Ls", "seed": seed, "exam": score, "seconds": seconds, "epochs": 10}
        for (name, found), seconds in zip(scores.items(), (30, 20), strict=True)
        for seed, score in enumerate(found)
    ]
    row = calibration.arithmetic_table({"rows": rows}, "exam").loc["image/Ls"]
    assert row["difference"] == pytest.approx(1) and row["times as fast"] == pytest.approx(1.5)
    assert row["±"] == pytest.approx(2) and row["p"] == pytest.approx(ttest_1samp([1, 0, 2], 0).pvalue)


def test_both_arithmetics_differ_in_nothing_else(miniature, asked, monkeypatch):
    settings, _ = miniature
    monkeypatch.setattr(calibration, "effective_precision", lambda device, precision: precision)
    rows = pd.DataFrame(calibration.arithmetics(settings)["rows"])
    assert rows.groupby("precision").size().to_dict() == {"32-true": 6, "bf16-mixed": 6}
    schedules = {(r.recipe.schedule, r.settings.sizes.pretraining) for r in asked}
    assert {(a.precision, b.precision) for a, b in schedules} == {("32-true",) * 2, ("bf16-mixed",) * 2}
    assert len({replace(schedule, precision="") for schedule, _ in schedules}) == 1


def test_where_there_is_one_arithmetic_nothing_is_compared(miniature, monkeypatch):
    monkeypatch.setattr(calibration, "effective_precision", lambda device, precision: "32-true")
    with pytest.raises(UserError, match="no bfloat16"):
        calibration.arithmetics(miniature[0])


def test_other_difficulties_are_tried_sense_by_sense(miniature, asked):
    settings, worlds = miniature
    rows = pd.DataFrame(calibration.difficulty(settings, (7,), difficulties=(0.5, 0.6), odds=(3.0,))["rows"])
    assert [(world.difficulty, world.g) for world in worlds] == [(0.5, World.g), (0.6, World.g), (0.88, 3.0)]
    assert rows.groupby("difficulty")["image"].first().dropna().index.tolist() == [0.5, 0.6]
    assert rows.groupby("g")["sound"].first().dropna().index.tolist() == [3.0]


def test_the_kept_difficulty_is_the_default_and_near_the_paper():
    """Unimodal rows on the validation splits of three other worlds, beside 72.85 and 28.99."""
    kept = records.reference("difficulty-miniature")
    assert kept["difficulty"] == World().difficulty and kept["g"] == World().g
    table = calibration.difficulty_table(kept)
    assert len(kept["rows"]) == 3 and World().seed not in table.index
    away = (table.loc["mean"] - table.loc["the paper, on ADVANCE"])[["image", "sound"]].abs()
    assert away["image"] <= 6 and away["sound"] <= 7  # with more events in a recording sound comes no nearer
