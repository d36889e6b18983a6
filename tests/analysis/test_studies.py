import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from advance_lib.analysis import records, studies
from advance_lib.analysis.statistics import holm
from advance_lib.cache import UserError
from advance_lib.experiments.cells import ALPHA, BETA, CELLS, PAPER_TRANSFERS
from advance_lib.experiments.prepared import prepared
from advance_lib.experiments.settings import Settings
from advance_lib.transfer.presets import choices, differences


def test_a_study_is_kept_and_found_again(settings, asked, tmp_path, monkeypatch):
    monkeypatch.setattr(records, "RESULTS", tmp_path)
    path = tmp_path / "alpha_beta-tiny.json"
    assert studies.run_study("alpha_beta", settings, path) == path
    assert records.reference("alpha_beta-tiny") == json.loads(path.read_text())
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
    none = dict.fromkeys(prepared(settings).data.scenes, 0.0)
    assert found["gains"]["test"] == dict.fromkeys(PAPER_TRANSFERS, none)


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


def test_a_short_search_goes_on_where_the_best_weight_lies_at_an_end(settings, asked):
    found = studies.alpha_beta(replace(settings, seeds=(3, 4, 5)), alphas=(0.01, 1.0))
    grid = pd.DataFrame(found["grid"])
    assert set(grid["seed"]) == {3, 4} and set(grid["transfer"]) == {"none", *PAPER_TRANSFERS}
    assert set(grid[grid["transfer"] != "none"]["alpha"]) == {0.01, 1.0, 10.0, 100.0}
    assert set(grid["beta"]) == {0.0, BETA}
    assert found["chosen"] == dict.fromkeys(PAPER_TRANSFERS, 100.0)
    assert [len(rows["test"]) for rows in found["readings"].values()] == [5, 5]
    assert {r.seed for r in asked if r.alpha == 100.0} == {3, 4, 5}
    assert {r.seed for r in asked if r.alpha == 0.01} == {3, 4}


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
