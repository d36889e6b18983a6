import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp
from sklearn.metrics import f1_score

from advance_lib.analysis import studies
from advance_lib.analysis.statistics import holm
from advance_lib.cache import UserError, digest
from advance_lib.experiments.cells import ALPHA, BETA, CELLS, PAPER_TRANSFERS
from advance_lib.experiments.prepared import Prepared, prepared
from advance_lib.experiments.profiles import PROFILES
from advance_lib.experiments.runs import Request, runs_for
from advance_lib.experiments.settings import Settings
from advance_lib.miniature.world import World
from advance_lib.transfer.presets import PAPER, choices, differences

SCENES = ["desert", "ice", "wood"]
TRUTH = np.repeat(SCENES, 20)


@pytest.fixture
def asked(monkeypatch):
    """Replace training by runs that are written by hand, and list every request.

    A run of seed s gets 12 + s of 20 samples of each scene right, two more for each field that departs from the paper.
    """
    requests = []

    def key(request):
        requests.append(request)
        return digest(repr(request))

    def train(request, folder):
        preset = request.settings.preset
        right = 12 + request.seed + 2 * min(len(differences(preset)), 2)
        guessed = [scene if i % 20 < right else "wood" for i, scene in enumerate(TRUTH)]
        probabilities = np.array([[0.8 if scene == guess else 0.1 for scene in SCENES] for guess in guessed])
        table = pd.DataFrame({"scene": TRUTH, "location": [str(i // 2) for i in range(60)], "split": "test"})
        table[[f"p({scene})" for scene in SCENES]] = probabilities
        table.to_parquet(folder / "predictions.parquet")
        fscore = 100 * f1_score(TRUTH, guessed, average="weighted")
        epochs = [fscore, fscore + 1, fscore + 5] if preset.tested != PAPER.tested else [fscore]
        metrics = {
            "scores": {
                "validation": {"fscore": 50 + request.alpha + request.beta + request.seed},
                "test": dict.fromkeys(("precision", "recall", "fscore"), float(np.mean(epochs))),
            },
            "by_epoch": [{"test": {"fscore": value}} for value in epochs],
            "history": [{"validation": 40.0 + request.seed}, {"validation": 30.0}],
            "epoch": 0,
            "seconds": 30.0,
        }
        (folder / "metrics.json").write_text(json.dumps(metrics))
        (folder / "config.json").write_text(json.dumps({"scenes": SCENES}))

    monkeypatch.setattr(Request, "key", key)
    monkeypatch.setattr(Request, "train", train)
    monkeypatch.setattr("advance_lib.experiments.runs.cores", lambda: 1)  # other processes would train indeed
    return requests


@pytest.fixture
def settings(tiny):
    return Settings(str(tiny), "smoke", 2, "cpu")


def test_a_record_says_what_made_it(settings, asked):
    runs = runs_for(settings, "image/Ls")
    record = studies.record("Some cells", settings, runs, found=[1, 2])
    assert record["found"] == [1, 2] and record["seeds"] == [0, 1] and record["profile"] == "smoke"
    assert record["data"] == "tiny" and record["data_hash"] == prepared(settings).data.key()
    assert record["minutes of training"] == 1.0 and record["environment"]["torch"]
    sentence = studies.origin(record)
    assert sentence.startswith("Reference runs, kept with the book and not computed by this build: Some cells; tiny, ")
    assert "2 seeds" in sentence and record["data_hash"][:8] in sentence
    assert sentence.endswith("; 1 minute of training.")
    assert studies.origin(record | {"minutes of training": 0.2}).endswith(f"data {record['data_hash'][:8]}.")


def test_a_record_of_other_code_is_marked(settings, asked, monkeypatch):
    record = studies.record("Some cells", settings, runs_for(settings, "image/Ls"))
    assert not studies.is_stale(record) and "older code" not in studies.origin(record)
    assert studies.is_stale({name: value for name, value in record.items() if name != "code_key"})
    assert studies.is_stale(record | {"profile": "one that is gone"})
    sizes = settings.sizes
    monkeypatch.setitem(PROFILES, "smoke", replace(sizes, training=replace(sizes.training, epochs=99)))
    assert studies.is_stale(record) and "older code" in studies.origin(record)
    monkeypatch.undo()
    monkeypatch.setattr(studies, "code_digest", lambda module: module)
    assert studies.is_stale(record)


def test_a_missing_reference_names_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr(studies, "RESULTS", tmp_path)
    with pytest.raises(UserError, match=r"tables-nowhere\.json: no such reference; 'make study'"):
        studies.reference("tables-nowhere")


def test_a_study_is_kept_and_found_again(settings, asked, tmp_path, monkeypatch):
    monkeypatch.setattr(studies, "RESULTS", tmp_path)
    path = tmp_path / "alpha_beta-tiny.json"
    assert studies.run_study("alpha_beta", settings, path) == path
    assert studies.reference("alpha_beta-tiny") == json.loads(path.read_text())
    with pytest.raises(UserError, match="no study 'guesses'; choose one of tables, presets, alpha_beta"):
        studies.run_study("guesses", settings, path)


def test_the_tables_hold_everything_that_the_chapters_ask_for(settings, asked, monkeypatch):
    monkeypatch.setattr(studies, "nearest_posterior", lambda run, split: 0 * run.answers(split).truth.astype(int))
    found = studies.tables(settings)
    json.dumps(found, allow_nan=False)  # what is undefined is null, not a word that JSON does not know
    assert {row["cell"] for row in found["scores"]} == set(CELLS) == set(found["calibration"]["test"])
    assert list(found["claims"]) == ["test"]
    assert found["looked_up"]["test"]["base"] == "nearest posterior"
    assert {row["verdict"] for row in found["claims"]["test"]} <= {"supported", "refuted", "undecided"}
    assert found["gains"]["test"] == {transfer: dict.fromkeys(SCENES, 0.0) for transfer in PAPER_TRANSFERS}


def test_every_field_is_switched_alone_and_all_together(settings, asked):
    record = studies.presets(settings)
    effects = pd.DataFrame(record["effects"])
    assert set(effects["field"]) == {*choices(), studies.ALL_FIELDS} == {*studies.STUDIED, studies.ALL_FIELDS}
    changed = {tuple(differences(request.settings.preset)) for request in asked}
    assert changed == {(), *((field,) for field in choices()), tuple(choices())}
    assert len(asked) == len({(r.cell, r.seed, r.settings.preset) for r in asked})  # no run is asked for twice
    row = effects[effects["field"] == "relevance"].iloc[0]
    assert row["difference"] == pytest.approx(row["code"] - row["paper"], abs=1e-3) and row["difference"] > 0
    assert row["low"] <= row["difference"] <= row["high"]
    assert np.isnan(row["over_epochs"]) and row["over_seeds"] > 0


def test_a_mean_over_epochs_moves_the_interval_with_it(settings, asked):
    effects = pd.DataFrame(studies.presets(settings)["effects"]).set_index(["field", "cell"])
    tested, order = effects.loc[("tested", "image+sound/E")], effects.loc[("order", "image+sound/E")]
    assert tested["over_epochs"] == pytest.approx(np.std([0, 1, 5], ddof=1), abs=1e-3)
    for column in ("difference", "low", "high"):  # the same predictions, reported two points higher
        assert tested[column] == pytest.approx(order[column] + 2, abs=1e-3)


def test_the_search_looks_at_validation_scores_alone(settings, asked):
    found = studies.alpha_beta(replace(settings, seeds=(0, 1, 2)))
    grid = pd.DataFrame(found["grid"])
    assert list(grid.columns) == ["transfer", "alpha", "beta", "seed", "validation"] and set(grid["seed"]) == {0, 1}
    e = grid[grid["transfer"] == "E"]
    with_betas = {(a, b) for a in studies.ALPHAS_WITH_BETAS for b in studies.BETAS}
    assert {*zip(e["alpha"], e["beta"], strict=True)} == {(a, BETA) for a in studies.ALPHAS} | with_betas
    others = grid[~grid["transfer"].isin(["E", "none"])]
    assert set(others["beta"]) == {BETA} and set(others["transfer"]) == {*studies.SEARCHED} - {"E"}
    weighed = grid[grid["transfer"] != "none"]
    expected = 50 + weighed["alpha"] + weighed["beta"] + weighed["seed"]
    assert np.allclose(weighed["validation"], expected, atol=1e-3)
    assert len(grid[grid["transfer"] == "none"]) == 2 and ALPHA in studies.ALPHAS
    assert found["chosen"] == dict.fromkeys(studies.SEARCHED, max(studies.ALPHAS))  # these scores rise with α


def test_a_chosen_weight_is_tested_with_all_seeds(settings, asked):
    found = studies.alpha_beta(replace(settings, seeds=(0, 1, 2)))
    weighed = {(r.cell.transfer, r.alpha) for r in asked if r.seed == 2 and r.cell.transfer}
    assert weighed == {(t, a) for t in studies.SEARCHED for a in (ALPHA, max(studies.ALPHAS))}
    for way, rows in found["readings"].items():
        other = PAPER_TRANSFERS if "mean" in way else studies.SEARCHED
        assert [row["other"] for row in rows["test"]] == [f"image+sound/{transfer}" for transfer in other]
        assert {row["alpha"] for row in rows["test"]} == {max(studies.ALPHAS) if "chosen" in way else ALPHA}
    averaged = {r.cell.transfer for r in asked if differences(r.settings.preset)}
    assert averaged == set(PAPER_TRANSFERS)
    assert [row["where"] for row in found["claims"]["test"]] == ["Table 1"] * 10


def test_a_short_search_takes_one_seed_and_the_weights_that_it_is_given(settings, asked):
    found = studies.alpha_beta(replace(settings, seeds=(3, 4)), alphas=(0.01, 1.0))
    grid = pd.DataFrame(found["grid"])
    assert set(grid["seed"]) == {3} and set(grid[grid["transfer"] != "none"]["alpha"]) == {0.01, 1.0}
    assert set(grid["transfer"]) == {"none", *PAPER_TRANSFERS} and set(grid["beta"]) == {0.0, BETA}
    assert found["chosen"] == dict.fromkeys(PAPER_TRANSFERS, 1.0)
    assert [len(rows["test"]) for rows in found["readings"].values()] == [5, 5]
    assert {r.seed for r in asked if r.alpha == 1.0} == {3, 4}


def test_what_needs_no_events_stands_beside_the_transfers(tiny, quick, monkeypatch):
    monkeypatch.setattr("advance_lib.experiments.runs.cores", lambda: 1)
    found = studies.baselines(Settings(str(tiny), quick, 2, "cpu"))
    rows = pd.DataFrame(found["compared"]["test"])
    ours = {*studies.REMEDIES, "late fusion", "linear probe"}
    transfers = {f"image+sound/{name}" for name in PAPER_TRANSFERS}
    assert set(rows.loc[rows["base"] == "image/Ls", "other"]) == ours | transfers | {"image+sound/Ls"}
    assert set(rows.loc[rows["base"] == "image+sound/Ls", "other"]) == ours | transfers
    assert rows["p_holm"].tolist() == pytest.approx(holm(rows["p"].to_numpy()), abs=1e-3)
    assert set(found["weights"]) == {0, 1} and found["strength"] > 0


def test_the_reasons_cover_every_approach_on_training_and_test_pairs(tiny, quick, monkeypatch):
    monkeypatch.setattr("advance_lib.experiments.runs.cores", lambda: 1)
    found = studies.reasons(Settings(str(tiny), quick, 1, "cpu"))
    parts, distances = (pd.DataFrame(found[name]) for name in ("parts", "distances"))
    approaches = [f"image+sound/{name}" for name in ("Ls", *PAPER_TRANSFERS)]
    for split in ("train", "test"):
        assert list(parts.loc[parts["split"] == split, "cell"]) == ["image/Ls", *approaches]
    assert list(distances["cell"]) == approaches and (distances["nats"] > 0).all()
    assert {row["cell"] for row in found["averaged"]} == {"image+sound/SQ|Na", "image+sound/SQ|Nv+a"}
    assert [row["other"] for row in found["against_image"]] == approaches


@pytest.fixture
def miniature(settings, tmp_path, monkeypatch):
    """Settings of a miniature that is not rendered, and the worlds that a study asks for."""
    worlds = []

    def render(world):
        worlds.append(world)
        for sense in ("vision", "sound"):
            (tmp_path / f"world-{world.seed}" / sense).mkdir(parents=True, exist_ok=True)
        return tmp_path / f"world-{world.seed}"

    monkeypatch.setattr(studies, "render_world", render)
    monkeypatch.setattr(Prepared, "data", prepared(settings).data)
    before = dict(PROFILES)  # studies register variants
    yield Settings("miniature", "smoke", 2, "cpu"), worlds
    PROFILES.clear()
    PROFILES.update(before)


def test_the_difficulty_is_measured_on_unimodal_rows_of_other_worlds(miniature, asked):
    settings, _ = miniature
    found = studies.difficulty(settings, worlds=(7, 8))
    assert {(r.cell.name, Path(r.settings.dataset).name) for r in asked} == {
        (f"{s}/Ls", f"world-{n}") for s in ("image", "sound") for n in (7, 8)
    }
    row = {"difficulty": World().difficulty, "g": World().g, "image": 35.25, "sound": 35.25}  # all epochs, two seeds
    assert found["rows"] == [{"world": 7, **row}, {"world": 8, **row}]
    table = studies.difficulty_table(found)
    assert table.index.tolist() == [7, 8, "mean", "the paper, on ADVANCE"]
    assert table["image"].tolist() == [35.25, 35.25, 35.25, 72.85]


def test_schedules_are_compared_on_other_worlds(miniature, asked):
    settings, _ = miniature
    found = studies.schedules(settings, worlds=(7, 8))
    tried = {(r.recipe.schedule.learning_rate, r.recipe.schedule.epochs) for r in asked}
    assert tried == set(studies.RATES_AND_EPOCHS)
    assert len(found["rows"]) == 2 * len(studies.RATES_AND_EPOCHS) * 3 * 2  # worlds, schedules, approaches, seeds
    assert all(row["validation"] == [40.0 + row["seed"], 30.0] for row in found["rows"])


def test_a_schedule_is_judged_by_its_last_epochs():
    usual = {"learning_rate": 1.0, "epochs": 8, "cell": "image/Ls"}
    curves = [(8, [9.0, 0, 1, 2, 3, 4, 5, 6]), (1, [8.0, 3, 3, 3, 3, 3, 3])]
    rows = [usual | {"selected": selected, "validation": curve} for selected, curve in curves]
    found = studies.schedule_table({"rows": rows}).loc[(1.0, 8, "image/Ls")]
    assert found.to_dict() == {"score": (3.5 + 3) / 2, "selected": 4.5, "trained": 7.5, "at the limit": 0.5}


def test_scores_in_both_arithmetics_are_compared_seed_by_seed():
    scores = {"32-true": [50.0, 52.0, 54.0], "bf16-mixed": [51.0, 52.0, 56.0]}
    rows = [
        {"precision": name, "cell": "image/Ls", "seed": seed, "exam": score, "seconds": seconds, "epochs": 10}
        for (name, found), seconds in zip(scores.items(), (30, 20), strict=True)
        for seed, score in enumerate(found)
    ]
    row = studies.arithmetic_table({"rows": rows}, "exam").loc["image/Ls"]
    assert row["difference"] == pytest.approx(1) and row["times as fast"] == pytest.approx(1.5)
    assert row["±"] == pytest.approx(2) and row["p"] == pytest.approx(ttest_1samp([1, 0, 2], 0).pvalue)


def test_both_arithmetics_differ_in_nothing_else(miniature, asked, monkeypatch):
    settings, _ = miniature
    monkeypatch.setattr(studies, "effective_precision", lambda device, precision: precision)
    rows = pd.DataFrame(studies.arithmetics(settings)["rows"])
    assert rows.groupby("precision").size().to_dict() == {"32-true": 6, "bf16-mixed": 6}
    schedules = {(r.recipe.schedule, r.settings.sizes.pretraining) for r in asked}
    assert {(a.precision, b.precision) for a, b in schedules} == {("32-true",) * 2, ("bf16-mixed",) * 2}
    assert len({replace(schedule, precision="") for schedule, _ in schedules}) == 1


def test_where_there_is_one_arithmetic_nothing_is_compared(miniature, monkeypatch):
    monkeypatch.setattr(studies, "effective_precision", lambda device, precision: "32-true")
    with pytest.raises(UserError, match="no bfloat16"):
        studies.arithmetics(miniature[0])


def test_other_difficulties_are_tried_sense_by_sense(miniature, asked):
    settings, worlds = miniature
    rows = pd.DataFrame(studies.difficulty(settings, (7,), difficulties=(0.5, 0.6), odds=(3.0,))["rows"])
    assert [(world.difficulty, world.g) for world in worlds] == [(0.5, World.g), (0.6, World.g), (0.88, 3.0)]
    assert rows.groupby("difficulty")["image"].first().dropna().index.tolist() == [0.5, 0.6]
    assert rows.groupby("g")["sound"].first().dropna().index.tolist() == [3.0]


def test_the_kept_difficulty_is_the_default_and_near_the_paper():
    """Unimodal rows on the validation splits of three other worlds, beside 72.85 and 28.99."""
    kept = studies.reference("difficulty-miniature")
    assert kept["difficulty"] == World().difficulty and kept["g"] == World().g
    table = studies.difficulty_table(kept)
    assert len(kept["rows"]) == 3 and World().seed not in table.index
    away = (table.loc["mean"] - table.loc["the paper, on ADVANCE"])[["image", "sound"]].abs()
    assert away["image"] <= 6 and away["sound"] <= 7  # with more events in a recording sound comes no nearer
