import numpy as np
import pytest

from advance_lib.analysis.error_rates import EXPERIMENTS, Experiment, error_rates, found_by, simulated


def test_differences_are_drawn_as_the_experiment_says():
    experiment = Experiment(questions=40, seeds=6, locations=400, by_location=25.0, by_seed=2.0, by_both=10.0, gain=5.0)
    found = simulated(experiment, np.random.default_rng(0))
    assert found.shape == (40, 6, 400)
    by_question = found.mean(axis=(1, 2))
    assert by_question[:20].mean() - by_question[20:].mean() == pytest.approx(5, abs=1)
    within = found - found.mean(axis=2, keepdims=True)
    assert within.mean(axis=1).std() == pytest.approx(np.hypot(25, 10 / np.sqrt(6)), rel=0.05)
    over_seeds = (found.mean(axis=2) - by_question[:, None]).var(axis=1, ddof=1)
    assert np.sqrt(over_seeds.mean()) == pytest.approx(2.0, rel=0.3)  # the baseline is common to all questions
    base = np.corrcoef(found[:, 0])  # and makes differences go together
    assert base[np.triu_indices(40, 1)].mean() == pytest.approx(0.5, abs=0.05)


def test_what_is_large_is_found_and_what_is_nothing_is_not():
    generator = np.random.default_rng(1)
    large = found_by(simulated(Experiment(questions=4, locations=100, gain=40.0), generator), resamples=500)
    assert all(certain[:2].all() for certain in large.values())
    nothing = simulated(Experiment(questions=4, locations=100), generator)
    assert not any(certain.any() for name, certain in found_by(nothing, 500).items() if name != "seeds alone")


def test_the_rule_keeps_its_word_where_uncorrected_seeds_do_not():
    table = error_rates({"nothing": Experiment(seeds=3, by_seed=3.0)}, repetitions=40).set_index("rule")
    assert table.loc["locations and seeds together", "family"] <= 0.1 < 0.4 < table.loc["seeds alone", "family"]
    assert table["power"].isna().all()


def test_every_experiment_has_one_with_a_gain_beside_it():
    settings = [(e.seeds, e.by_seed, e.uneven) for e in EXPERIMENTS.values()]
    assert all(settings.count(one) == 2 for one in settings)
    assert {e.gain > 0 for e in EXPERIMENTS.values()} == {True, False}
