import shutil

import numpy as np
import pytest

from advance_lib.analysis.elsewhere import answers_elsewhere, scores_elsewhere
from advance_lib.cache import UserError
from advance_lib.data.catalogue import read_catalogue
from advance_lib.experiments.runs import runs_for
from advance_lib.experiments.settings import Settings


@pytest.fixture
def runs(tiny, quick, monkeypatch):
    monkeypatch.setattr(
        "advance_lib.experiments.runs.cores", lambda: 1
    )  # workers keep the build folder of a test before
    return runs_for(Settings(str(tiny), quick, 1, "cpu"), "image+sound/Ls", "sound/Ls")


@pytest.fixture
def elsewhere(tiny, tmp_path):
    """Copies of the same pairs, with none to train on."""
    folder = tmp_path / "elsewhere"
    shutil.copytree(tiny, folder)
    pairs = read_catalogue(folder)
    pairs.assign(split="test")[["scene", "id", "split"]].to_csv(folder / "pairs.csv", index=False)
    return folder


def test_the_same_pairs_get_the_same_answers_wherever_they_lie(runs, elsewhere):
    for run in runs:
        known, pairs = run.predictions, read_catalogue(elsewhere)
        found = answers_elsewhere(run, pairs)
        rows = [list(pairs["scene"] + pairs["id"]).index(name) for name in known["scene"] + known["id"]]
        assert np.allclose(found.probabilities[rows], known.filter(like="p(").to_numpy(), atol=1e-5)
        assert [found.scenes[code] for code in found.truth] == list(pairs["scene"])


def test_scores_of_another_folder_are_those_of_all_its_pairs(runs, elsewhere):
    pairs = read_catalogue(elsewhere)
    table = scores_elsewhere(runs, pairs, "elsewhere")
    assert table["cell"].tolist() == ["image+sound/Ls", "sound/Ls"] and set(table["split"]) == {"elsewhere"}
    truth, probabilities, *_ = answers_elsewhere(runs[0], pairs)
    assert table["recall"][0] == pytest.approx(100 * (probabilities.argmax(axis=1) == truth).mean())


def test_a_scene_that_no_network_knows_is_refused(runs, elsewhere):
    for sense in ("vision", "sound"):
        (elsewhere / sense / "ice").rename(elsewhere / sense / "sea")
    (elsewhere / "pairs.csv").unlink()
    with pytest.raises(UserError, match="scene 'sea' is none that the runs were trained for: desert, ice, wood"):
        scores_elsewhere(runs, read_catalogue(elsewhere), "elsewhere")
