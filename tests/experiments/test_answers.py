import json
import shutil
from dataclasses import asdict, replace

import numpy as np
import pytest

from advance_lib.analysis.claims import confusions
from advance_lib.analysis.records import RESULTS
from advance_lib.cache import UserError, code_digest, digest
from advance_lib.cli import main
from advance_lib.experiments.answers import about, keep, made, restore
from advance_lib.experiments.one_run import recipe_in
from advance_lib.experiments.profiles import get_profile
from advance_lib.experiments.runs import Request, finished
from advance_lib.experiments.settings import Sources
from advance_lib.transfer.presets import CODE


def test_answers_are_kept_small_and_spare_another_machine_the_training(request_of, build, tmp_path, monkeypatch):
    first = finished([request_of])[0]
    known = first.predictions, first.metrics, confusions([first], "test")
    keep([first], tmp_path / "answers")
    (kept,) = (tmp_path / "answers").glob("*")
    assert str(tmp_path) not in json.dumps(about(kept)["config"])  # no place of this machine
    shutil.rmtree(build / "runs")  # another machine has none of it

    assert restore(tmp_path / "answers") == 1
    with monkeypatch.context() as patch:
        patch.setattr(Request, "train", lambda *_: pytest.fail("trained again"))
        run = finished([request_of])[0]
        assert run.metrics == known[1] and np.array_equal(confusions([run], "test"), known[2])
        columns = list(known[0].filter(like="p("))
        assert run.predictions[columns].to_numpy() == pytest.approx(known[0][columns].to_numpy(), abs=0.0011)
        assert run.predictions.drop(columns=columns).equals(known[0].drop(columns=columns))
    assert run.open().network and run.checkpoint.exists()  # trained again, whole
    assert run.predictions[columns].to_numpy() == pytest.approx(known[0][columns].to_numpy(), abs=1e-5)


def test_a_scene_that_rounding_would_tie_stays_the_first(request_of, tmp_path, build):
    run = finished([request_of])[0]
    table = run.predictions
    columns = list(table.filter(like="p("))
    table.loc[0, columns] = [0.33330, 0.33334, 0.33336]
    keep([run], tmp_path)
    shutil.rmtree(build / "runs")
    restore(tmp_path)
    row = finished([request_of])[0].predictions.loc[0, columns].to_numpy(float)
    assert row.argmax() == 2 and np.sort(row)[1] < row[2] < 0.336


def test_what_was_made_is_found_by_its_own_choices(request_of, tiny):
    other = replace(request_of, alpha=10.0, settings=replace(request_of.settings, preset=CODE))
    runs = finished([request_of, other], jobs=1)
    assert {run.folder for run in made(request_of.settings)} == {run.folder for run in runs}
    assert sorted(run.request.alpha for run in made(request_of.settings)) == [0.1, 10.0]
    (tiny / "vision/ice/01000.jpg").unlink()
    (tiny / "sound/ice/01000.wav").unlink()
    from advance_lib.experiments.prepared import forget

    forget()
    assert made(request_of.settings) == []  # other data now


def test_a_damaged_file_is_named(tmp_path, build):
    (tmp_path / "0123456789abcdef.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(UserError, match=r"0123456789abcdef\.parquet: not the answers of a run"):
        restore(tmp_path)
    assert not (build / "runs/0123456789abcdef").exists()


def test_a_file_that_is_damaged_in_the_middle_is_named(request_of, tmp_path, build):
    run = finished([request_of])[0]
    keep([run], tmp_path)
    (file,) = tmp_path.glob("*.parquet")
    content = bytearray(file.read_bytes())
    content[4:200] = bytes(196)  # its end, which says what it is, stays whole
    file.write_bytes(content)
    shutil.rmtree(build / "runs")
    assert about(file)["config"]["scenes"]
    with pytest.raises(UserError, match=rf"{file.name}: not the answers of a run"):
        restore(tmp_path)
    assert not (build / "runs" / file.stem).exists()


def test_the_command_goes_on_from_kept_answers(tiny, quick, build, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "answers"
    asked = ["train", "--dataset", str(tiny), "--profile", quick, "--device", "cpu", "--answers", str(folder)]
    assert main([*asked, "--cell", "image/Ls", "--seed", "0", "--jobs", "1"]) == 0
    told, files = capsys.readouterr().out, list(folder.glob("*.parquet"))
    assert len(files) == 1 and files[0].stem in told
    shutil.rmtree(build / "runs")
    monkeypatch.setattr(Request, "train", lambda *_: pytest.fail("trained again"))
    assert main([*asked, "--cell", "image/Ls", "--seed", "0", "--jobs", "1"]) == 0
    assert capsys.readouterr().out == told and list(folder.glob("*.parquet")) == files


def test_what_the_project_keeps_was_made_by_todays_code():
    """Answers of older code are never asked for again: remove those files."""
    code = [code_digest(f"advance_lib.{name}") for name in ("experiments.one_run", "data.features")]
    for file in (RESULTS / "answers").glob("*.parquet"):
        config = about(file)["config"]
        recipe, request = recipe_in(config), config["request"]
        sources, sizes = Sources(**request["settings"]["sources"]), get_profile(request["settings"]["profile"])
        seen = [sizes.image_side, sources.raw_colours(recipe.preset), str(sources.hearing(recipe.preset))]
        shared = [config["data"], config["pretrained"], seen]
        keys = {
            digest(asdict(recipe), request["seed"], shared, precision, *code, [None, None, None])
            for precision in ("32-true", "bf16-mixed")
        }
        assert file.stem in keys, f"{file} was made by older code: remove it"
