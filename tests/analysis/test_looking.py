import numpy as np
import pandas as pd
import pytest
from PIL import Image

from advance_lib.analysis.activation import activation_maps
from advance_lib.analysis.looking import look, masks_of
from advance_lib.experiments.runs import runs_for
from advance_lib.experiments.settings import Settings


def test_what_a_run_saw_and_said(tiny, quick):
    run = runs_for(Settings(str(tiny), quick, seeds=1, device="cpu"), "image+sound/Ls")[0]
    rows = run.request.shared.data.rows()["test"][[0, 3]]
    side = run.request.shared.inputs.images.shape[1]
    mask = np.zeros((side, side), bool)
    found = look(run, rows, "test", [None, mask])
    assert found.on_object == [None, False]
    maps = activation_maps(run, rows)
    for one, (y, x) in zip(maps, found.highest, strict=True):
        assert one[y, x] == one.max()
    mask[tuple(found.highest[1])] = True
    assert look(run, rows, "test", [None, mask]).on_object == [None, True]
    pairs = run.request.shared.data.pairs.iloc[rows]
    told = run.predictions.set_index("id").loc[pairs["id"]]
    p = told.filter(like="p(")
    assert [f"p({name})" for name in found.named] == list(p.idxmax(axis=1))
    assert found.p_named == pytest.approx(p.max(axis=1).to_numpy())
    true = [row[f"p({row['scene']})"] for _, row in told.iterrows()]
    assert found.p_true == pytest.approx(np.array(true))


def test_masks_are_known_where_a_scene_has_an_object_and_the_dataset_a_mask(tmp_path):
    for scene in ("harbour", "forest"):
        (tmp_path / "mask" / scene).mkdir(parents=True)
        Image.new("L", (8, 8), 255).save(tmp_path / "mask" / scene / "1.png")
    scenes = ["harbour", "forest", "bridge"]
    pairs = pd.DataFrame({"scene": scenes, "image": [tmp_path / "vision" / scene / "1.jpg" for scene in scenes]})
    harbour, forest, bridge = masks_of(pairs, 4)
    assert harbour.shape == (4, 4) and harbour.all() and forest is None and bridge is None
