import numpy as np
import pytest
from sklearn.metrics import f1_score

from advance_lib.analysis.robustness import CONDITIONS, STRENGTHS, degraded, guesses, robustness
from advance_lib.experiments.runs import finished, requests_for
from advance_lib.experiments.settings import Settings

PHOTOGRAPH = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), dtype=np.uint8)


@pytest.mark.parametrize("kind", STRENGTHS)
def test_every_strength_changes_more_than_the_one_before(kind):
    smooth = np.asarray(PHOTOGRAPH).repeat(4, 1).repeat(4, 2)  # 128 pixels, so that the least blur has a width
    assert np.array_equal(degraded(smooth, kind, 0), smooth)
    worse = [degraded(smooth, kind, level) for level in range(6)]
    changes = [np.abs(one.astype(float) - smooth).mean() for one in worse]
    assert all(one.shape == smooth.shape and one.dtype == np.uint8 for one in worse)
    if kind == "rotation":  # what lies elsewhere cannot differ more than it does after the first turn
        assert min(changes[1:]) > 0
    else:
        assert np.all(np.diff(changes) > 0)


def test_by_hand():
    grey = np.full((1, 8, 8, 3), 100, np.uint8)
    assert degraded(grey, "haze", 5)[0, 0, 0] == pytest.approx(25 + 0.75 * 255 * np.array([0.86, 0.89, 0.92]), abs=1)
    assert degraded(grey, "low light", 5).mean() == pytest.approx(8, abs=1.5)
    assert degraded(grey, "colour shift", 5)[0, 0, 0].tolist() == [150, 100, 50]
    assert (degraded(grey, "blur", 5) == 100).all()
    turned = degraded(PHOTOGRAPH, "rotation", 5)
    assert np.abs(turned[0].astype(int) - np.rot90(PHOTOGRAPH[0])).mean() < 1


def test_photographs_that_lie_on_disk_are_not_written_to(recwarn):
    kept = np.array(PHOTOGRAPH)
    kept.setflags(write=False)
    assert np.array_equal(degraded(kept, "haze", 2), degraded(PHOTOGRAPH, "haze", 2))
    assert not recwarn.list


def test_an_unknown_kind_is_refused():
    with pytest.raises(KeyError):
        degraded(PHOTOGRAPH, "rain", 1)


def test_runs_under_all_conditions(tiny, quick):
    cells = ("image/Ls", "image+sound/Ls")
    runs = finished(requests_for(Settings(str(tiny), quick, seeds=2, device="cpu"), *cells), jobs=1)
    named = guesses(runs[0], "test")
    truth, p, *_ = runs[0].answers("test")
    assert named.shape == (1 + len(CONDITIONS), len(truth)) and np.array_equal(named[0], p.argmax(1))
    table = robustness(runs, "test", resamples=50)
    assert len(table) == 2 * 27
    clean = table[(table["cell"] == "image/Ls") & (table["kind"] == "none")].iloc[0]
    answers = [run.answers("test").probabilities.argmax(1) for run in runs[:2]]
    scores = [100 * f1_score(truth, answer, average="weighted") for answer in answers]
    assert clean["fscore"] == pytest.approx(np.mean(scores)) and clean["deviation"] == pytest.approx(
        np.std(scores, ddof=1)
    )
    for cell, found in table.groupby("cell"):
        conditions = found[~found["kind"].isin(["none", "all"])]
        overall = found[found["kind"] == "all"].iloc[0]
        assert overall["fscore"] == pytest.approx(conditions["fscore"].mean())
        assert overall["difference"] == pytest.approx(conditions["difference"].mean(), abs=1e-6)
        assert (cell != "image/Ls") or (found["difference"] == 0).all()
