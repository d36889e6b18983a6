"""Retrieval and alignment against hand-made matrices, scikit-learn, scipy and plain simulation."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ortho_group
from sklearn.metrics import ndcg_score, top_k_accuracy_score

from advance_lib.analysis.events import divergence, logit
from advance_lib.analysis.probes import APART, UNTRAINED, Represented, of_approaches
from advance_lib.analysis.retrieval import (
    BASE,
    CHANCE,
    DIRECTIONS,
    ORACLE,
    WAYS,
    alikeness,
    by_events,
    by_map,
    cka,
    relevance,
    retrievals,
    retrieved,
)
from advance_lib.experiments.prepared import prepared
from advance_lib.experiments.runs import runs_for
from advance_lib.experiments.settings import Settings


@pytest.fixture
def settings(tiny, quick, monkeypatch):
    monkeypatch.setattr("advance_lib.experiments.runs.cores", lambda: 1)
    return Settings(str(tiny), quick, 2, "cpu")


def test_what_counts_as_found():
    found = relevance(["a", "a", "b"], ["ice", "ice", "ice"])
    assert found["pair"].tolist() == np.eye(3, dtype=bool).tolist()
    assert found["siblings"].astype(int).tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    assert found["scene"].all()


def test_retrieval_by_hand():
    """The first query finds its item second; the second finds its sibling first and its own item last."""
    similarity = np.array([[0.5, 0.9, 0.1], [0.8, 0.2, 0.3]])
    alone, siblings = np.eye(2, 3, dtype=bool), np.array([[1, 0, 0], [1, 1, 0]], bool)
    found = retrieved(similarity, alone)
    assert found["rank"].tolist() == [2, 3] and found["recall@1"].tolist() == [0, 0]
    assert found["recall@5"].tolist() == [1, 1]
    assert found["ndcg@10"].tolist() == pytest.approx([1 / np.log2(3), 1 / np.log2(4)])
    both = retrieved(similarity, siblings)
    assert both["rank"].tolist() == [2, 1] and both["recall@1"].tolist() == [0, 1]
    assert both["ndcg@10"][1] == pytest.approx((1 + 1 / np.log2(4)) / (1 + 1 / np.log2(3)))


def test_recall_and_ndcg_are_those_of_scikit_learn():
    similarity = np.random.default_rng(0).random((40, 40))
    found = retrieved(similarity, np.eye(40, dtype=bool))
    for cut in (1, 5, 10):
        assert found[f"recall@{cut}"].mean() == pytest.approx(top_k_accuracy_score(range(40), similarity, k=cut))
    assert found["ndcg@10"].mean() == pytest.approx(ndcg_score(np.eye(40), similarity, k=10))


def test_ties_are_broken_at_random():
    relevant = np.zeros((1, 30), bool)
    relevant[0, :4] = True
    similarity = np.zeros((1, 30))
    similarity[0, 28:] = 1  # two others come first
    expected = retrieved(similarity, relevant).iloc[0]
    generator = np.random.default_rng(0)
    drawn = [retrieved(similarity + 1e-3 * generator.random((1, 30)), relevant).iloc[0] for _ in range(2000)]
    simulated = pd.DataFrame(drawn)
    for name in expected.index:
        error = simulated[name].std() / np.sqrt(len(simulated))
        assert abs(simulated[name].mean() - expected[name]) <= 4 * error


def test_events_agree_as_the_divergence_says():
    generator = np.random.default_rng(0)
    scenes, posteriors = generator.dirichlet(np.ones(3), 4), generator.random((3, 6))
    heard = 3 * generator.normal(size=(5, 6))
    found = by_events(scenes, posteriors, heard)
    expected = [-divergence(logit(p @ posteriors), heard) for p in scenes]
    assert found == pytest.approx(np.array(expected), abs=1e-5)


def test_a_linear_relation_is_found_and_held_out_pairs_are_not_fitted():
    generator = np.random.default_rng(0)
    seen = generator.normal(size=(300, 8))
    heard = seen @ generator.normal(size=(8, 8))
    rows = {"train": np.arange(150), "validation": np.arange(150, 200), "test": np.arange(200, 300)}
    assert (by_map(Represented(seen, heard), rows, "test").argmax(axis=1) == np.arange(100)).all()
    unrelated = heard.copy()
    unrelated[rows["test"]] = generator.permutation(unrelated[rows["test"]])
    found = retrieved(by_map(Represented(seen, unrelated), rows, "test"), np.eye(100, dtype=bool))
    assert found["recall@10"].mean() < 0.3


def test_cka_of_a_representation_with_itself_turned_and_scaled_is_one():
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(60, 5)), generator.normal(size=(60, 7))
    turned = 3 * x @ ortho_group.rvs(5, random_state=0) + 2
    assert cka(x, x) == pytest.approx(1) and cka(x, turned) == pytest.approx(1)
    assert cka(x, y) == pytest.approx(cka(y, turned)) and 0 < cka(x, y) < 0.5
    assert cka(x, np.ones((60, 3))) == 0


def test_cka_by_kernels_and_with_weights():
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(20, 3)), generator.normal(size=(20, 4))
    centring = np.eye(20) - 1 / 20
    of_x, of_y = (centring @ part @ part.T @ centring for part in (x, y))
    scale = np.linalg.norm(of_x) * np.linalg.norm(of_y)
    assert cka(x, y) == pytest.approx((of_x * of_y).sum() / scale)
    times = generator.integers(0, 3, 20)
    assert cka(x, y, times) == pytest.approx(cka(x.repeat(times, axis=0), y.repeat(times, axis=0)))


def test_approaches_are_compared_in_both_directions(settings):
    runs, shared = runs_for(settings, "image/Ls", "sound/Ls", BASE, "image+sound/E"), prepared(settings)
    found = of_approaches(runs, ("test",))
    assert list(found) == [UNTRAINED, APART, BASE, "image+sound/E"]
    for way, similarities in WAYS.items():
        table = retrievals(similarities(found, shared, "test"), shared, "test", resamples=50)
        assert set(table["direction"]) == set(DIRECTIONS)
        scores = table.set_index(["direction", "relevant", "approach"])["ndcg@10"]
        assert (scores.xs(ORACLE, level="approach").xs("scene", level="relevant") == 1).all()
        assert (scores.xs(ORACLE, level="approach") > scores.xs(CHANCE, level="approach")).all()
        assert (UNTRAINED in set(table["approach"])) == (way == "map")
        assert (table.loc[table["approach"] == BASE, "difference"] == 0).all()
    alike = alikeness(found, shared, "test", resamples=20).set_index("approach")
    rows = shared.data.rows()["test"]
    own = [cka(one.seen[rows], one.heard[rows]) for one in found[BASE].values()]
    assert alike.loc[BASE, "cka"] == pytest.approx(np.mean(own))
