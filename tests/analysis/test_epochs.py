import json
from dataclasses import replace

import pytest

from advance_lib.analysis.epochs import last_epochs_told, selected_epochs
from advance_lib.data.splits import Split
from advance_lib.experiments.runs import Run, requests_for
from advance_lib.experiments.settings import Settings


@pytest.fixture
def runs(build):
    """Two seeds of an approach with L_s and of one without; the selected epoch grows with the seed."""

    def run(request):
        folder = build / f"{request.cell.name.replace('/', '-')}{request.seed}"
        folder.mkdir(parents=True)
        trained = [{"epoch": epoch} for epoch in range(3 + request.seed)]
        (folder / "metrics.json").write_text(json.dumps({"epoch": 2 + request.seed, "history": trained}))
        (folder / "config.json").write_text(json.dumps({"recipe": {"schedule": {"epochs": 4}}}))
        return Run(request, folder)

    return [run(one) for one in requests_for(Settings(profile="smoke", seeds=2), "image/Ls", "image+sound/only E")]


def test_the_selected_epochs_of_supervised_runs(runs):
    settings = replace(runs[0].request.settings, split=Split("location"))
    same = replace(runs[0], request=replace(runs[0].request, settings=settings))  # asked for by another name
    table = selected_epochs([*runs, same])
    assert list(table.index) == [("image/Ls", "the dataset's own")]
    assert table.iloc[0].tolist() == ["0, 1", "3, 4", "3, 4", 4]


def test_how_many_select_their_last_allowed_epoch(runs):
    assert last_epochs_told([*runs, runs[0]]).startswith("1 of 2 ")
    assert last_epochs_told(runs[:1]).startswith("0 of 1 ")
