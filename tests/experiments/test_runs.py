import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from advance_lib.analysis.claims import CLAIMS, compare
from advance_lib.analysis.one_pair import open_pair, recognise
from advance_lib.analysis.scores import paper_table
from advance_lib.cache import UserError
from advance_lib.data.splits import Split
from advance_lib.experiments import profiles
from advance_lib.experiments.cells import CELLS, Cell
from advance_lib.experiments.one_run import load_checkpoint, recipe_in
from advance_lib.experiments.prepared import Prepared, forget
from advance_lib.experiments.runs import Request, finished, requests_for, requests_of_book, runs_for
from advance_lib.experiments.settings import Settings
from advance_lib.models.audiovisual import BACKBONES
from advance_lib.transfer.objectives import TRANSFERS, kl_na
from advance_lib.transfer.presets import CODE, PAPER


def test_a_run_leaves_everything_and_is_found_again(request_of, monkeypatch):
    run = finished([request_of])[0]
    assert {path.name for path in run.folder.iterdir()} == {
        "config.json", "metrics.json", "predictions.parquet", "model.safetensors",
    }  # fmt: skip
    assert run.config["request"]["cell"] == "image+sound/Ls" and run.config["environment"]["device"].startswith("CPU")
    table = run.predictions
    assert set(table["split"]) == {"validation", "test"}
    probabilities = table.filter(like="p(").to_numpy()
    assert np.allclose(probabilities.sum(1), 1, atol=1e-5)
    guessed = np.array(run.config["scenes"])[probabilities.argmax(1)]
    test = (table["split"] == "test").to_numpy()
    accuracy = 100 * (guessed == table["scene"])[test].mean()
    assert run.metrics["scores"]["test"]["recall"] == pytest.approx(accuracy)
    monkeypatch.setattr(Request, "train", lambda *_: pytest.fail("trained again"))
    assert finished([request_of])[0].folder == run.folder


def test_a_run_answers_and_opens(request_of):
    run = finished([request_of])[0]
    truth, probabilities, locations, scenes = run.answers("test")
    table = run.predictions.query("split == 'test'")
    assert [scenes[code] for code in truth] == list(table["scene"]) and list(locations) == list(table["location"])
    network, data, inputs = run.open()[1:]
    batch = inputs.batch(data.rows()["test"], augment=False)
    with torch.inference_mode():
        found = network(batch.image, batch.log_mel).scenes.softmax(1).numpy()
    assert found == pytest.approx(probabilities, abs=1e-5)


def test_the_code_reports_the_mean_over_the_epochs_after_the_best(tiny, quick, monkeypatch):
    longer = replace(profiles.PROFILES[quick], training=replace(profiles.PROFILES[quick].training, epochs=4))
    monkeypatch.setitem(profiles.PROFILES, quick, longer)
    paper = requests_for(Settings(str(tiny), quick, seeds=1, device="cpu"), "sound/Ls†")[0]
    code = replace(paper, settings=replace(paper.settings, preset=replace(PAPER, tested="best and five after")))
    once, averaged = (run.metrics for run in finished([paper, code], jobs=1))
    assert once["epoch"] == averaged["epoch"] and len(once["by_epoch"]) == 1
    assert len(averaged["by_epoch"]) == 4 - averaged["epoch"]
    assert averaged["by_epoch"][0] == once["by_epoch"][0]  # the best epoch comes first
    for split in ("validation", "test"):
        assert once["scores"][split] == once["by_epoch"][0][split]
        mean = np.mean([epoch[split]["fscore"] for epoch in averaged["by_epoch"]])
        assert averaged["scores"][split]["fscore"] == pytest.approx(mean)


def test_a_run_that_transfers_knows_its_events(tiny, quick):
    run = runs_for(Settings(str(tiny), quick, seeds=1, device="cpu"), "image+sound/KL|Nv+a")[0]
    model, _, config = load_checkpoint(run.checkpoint)
    assert len(config["events"]) == model.event_head.out_features == model.audio.fc.out_features
    assert recipe_in(config) == run.request.recipe


@pytest.mark.parametrize("written", ["predictions.parquet", "config.json", "model.safetensors", "metrics.json"])
def test_an_end_at_any_moment_can_be_made_good(request_of, build, monkeypatch, written):
    """Stopped at each of the files that a run leaves, the next call ends with the same run."""
    whole = finished([request_of])[0]
    scores = whole.metrics["scores"]
    whole.folder.rename(build / "another run")
    replaced = os.replace

    def stop(source, target):
        replaced(source, target)
        if Path(target).name == written and "runs" in Path(target).parts:
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        finished([request_of])
    monkeypatch.setattr(os, "replace", replaced)
    again = finished([request_of])[0]
    assert again.metrics["scores"] == scores
    assert {path.name for path in again.folder.iterdir()} == {path.name for path in (build / "another run").iterdir()}


def test_what_changes_the_key(request_of, monkeypatch):
    settings = request_of.settings
    others = [
        replace(request_of, seed=1),
        replace(request_of, alpha=0.2),
        replace(request_of, cell=Cell.named("image/Ls")),
        replace(request_of, settings=replace(settings, split=Split(seed=1))),
        replace(request_of, settings=replace(settings, split=Split("pair"))),
        replace(request_of, settings=replace(settings, preset=CODE)),
    ]
    keys = {request.key() for request in [request_of, *others]}
    assert len(keys) == len(others) + 1
    assert replace(request_of, settings=replace(settings, seeds=5)).key() == request_of.key()


def test_a_changed_file_changes_the_key(tiny, quick):
    from tests.pairs import write_pair

    def data_key():
        forget()
        return Prepared(Settings(str(tiny), quick)).data.key()

    before = data_key()
    write_pair(tiny, "ice", "01000", colour=(0, 0, 0))
    assert data_key() != before


def test_every_choice_reaches_every_request_of_the_book(tiny, quick):
    settings = Settings(str(tiny), quick, seeds=(3,), device="cpu", skip_broken=True, preset=CODE)
    requests = requests_of_book(settings)
    assert {request.cell.name for request in requests} == set(CELLS) and {r.seed for r in requests} == {3}
    assert all(replace(r.settings, split=settings.split) == settings for r in requests)
    assert {r.recipe.preset for r in requests} == {CODE}


def surest(outputs, batch, known):
    teacher, best = batch.events.topk(3, dim=1)
    return kl_na(outputs.events.gather(1, best), teacher)


def test_an_approach_of_ones_own_trains_and_stands_beside_the_papers(tiny, quick, monkeypatch):
    settings = Settings(str(tiny), quick, seeds=1, device="cpu")
    with pytest.raises(UserError, match=r"no approach 'TOP\|Na'; choose Ls or one of .*register your own"):
        requests_for(settings, "image+sound/TOP|Na")
    monkeypatch.setitem(TRANSFERS, "TOP|Na", surest)
    cells = ("image+sound/Ls", "image+sound/KL|Na", "image+sound/TOP|Na")
    runs = runs_for(settings, *cells)  # in several processes, which learn of it
    assert [run.cell for run in runs] == list(cells) and len({run.folder for run in runs}) == 3
    table = paper_table(1, runs, "tiny")
    own = table["Image + sound", "+ L_TOP|Na"]
    assert own.loc["tiny, test, 1 seed"].notna().all() and own.drop("tiny, test, 1 seed", level=0).isna().all()
    found = compare(runs, [("image+sound/Ls", "image+sound/TOP|Na")], "test", 20)
    assert np.isfinite(found["difference"]).all()
    assert not {"image+sound/TOP|Na"} & {cell for claim in CLAIMS for cell in (claim.base, claim.other)}


def test_an_approach_is_known_by_its_code(tiny, quick, monkeypatch):
    settings = Settings(str(tiny), quick, seeds=1, device="cpu")
    keys = []
    for transfer in (surest, lambda outputs, batch, known: kl_na(outputs.events, batch.events)):
        monkeypatch.setitem(TRANSFERS, "TOP|Na", transfer)
        keys.append(requests_for(settings, "image+sound/TOP|Na")[0].key())
    assert keys[0] != keys[1]
    monkeypatch.setitem(TRANSFERS, "TOP|Na", surest)
    assert requests_for(settings, "image+sound/TOP|Na")[0].key() == keys[0]


class Patches(torch.nn.Module):
    features = 8

    def __init__(self, classes):
        super().__init__()
        self.embed = torch.nn.Conv2d(3, 8, 8, 8)
        self.fc = torch.nn.Linear(8, classes)

    def represent(self, x):
        return self.embed(x).relu().mean(dim=(2, 3))

    def forward(self, x):
        return self.fc(self.represent(x))


def test_a_backbone_of_ones_own_is_pretrained_and_trained(tiny, quick, monkeypatch):
    monkeypatch.setitem(BACKBONES, "patches", Patches)
    monkeypatch.setitem(profiles.PROFILES, "own", replace(profiles.PROFILES[quick], name="own", visual="patches"))
    run = runs_for(Settings(str(tiny), "own", seeds=1, device="cpu"), "image/Ls")[0]
    assert isinstance(load_checkpoint(run.checkpoint)[0].visual, Patches)
    monkeypatch.delitem(BACKBONES, "patches")
    with pytest.raises(UserError, match="backbone 'patches' that is not registered"):
        load_checkpoint(run.checkpoint)


OWN = """
from advance_lib.experiments.profiles import PROFILES
from advance_lib.transfer.objectives import TRANSFERS, kl_na
from dataclasses import replace

SMOKE = PROFILES["smoke"]
PROFILES["own"] = replace(
    SMOKE, name="own", image_side=32, event_clips=40, aerial_pictures=40,
    training=replace(SMOKE.training, epochs=1), pretraining=replace(SMOKE.pretraining, epochs=1),
)
TRANSFERS["HALF|Na"] = lambda outputs, batch, known: 0.5 * kl_na(outputs.events, batch.events)
"""


@pytest.mark.trains
def test_an_approach_of_ones_own_from_the_command_line(tiny, tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    command = [sys.executable, "-m", "advance_lib.cli", "train", "--own", str(tmp_path / "own.py"), "--profile", "own"]
    command += ["--cell", "image+sound/HALF|Na", "--alpha", "0.3", "--seeds", "4,5", "--device", "cpu"]
    done = subprocess.run([*command, "--dataset", str(tiny)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [line.split(";")[0] for line in done.stdout.splitlines()] == [
        f"image+sound/HALF|Na, seed {seed}, split: the dataset's own" for seed in (4, 5)
    ]


def test_a_checkpoint_of_the_version_before_still_opens(request_of, tmp_path):
    run = finished([request_of])[0]
    with safe_open(run.checkpoint, "pt") as file:
        config = json.loads(file.metadata()["config"])
    settings = config["request"].pop("settings")
    old = {**config, "request": {**config["request"], **settings}}
    save_file(load_file(run.checkpoint), tmp_path / "old.safetensors", {"config": json.dumps(old)})
    pair = run.predictions.iloc[0]
    folder = Path(request_of.settings.dataset)
    files = [folder / s / pair["scene"] / f"{pair['id']}.{e}" for s, e in (("vision", "jpg"), ("sound", "wav"))]
    new, older = (recognise(open_pair(path, *files)) for path in (run.checkpoint, tmp_path / "old.safetensors"))
    assert new.equals(older)


def test_what_is_no_checkpoint_is_named(tmp_path):
    (tmp_path / "model.safetensors").write_text("no tensors")
    with pytest.raises(UserError, match=r"model\.safetensors: not a checkpoint"):
        load_checkpoint(tmp_path / "model.safetensors")
