from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from advance_lib.analysis.one_pair import open_pair, recognise
from advance_lib.cache import UserError, file_digest
from advance_lib.experiments.one_run import load_checkpoint
from advance_lib.experiments.runs import finished, requests_for
from advance_lib.experiments.settings import Settings, Sources
from advance_lib.models import weights
from advance_lib.models.efficientat import EfficientAT
from advance_lib.transfer.recogniser import build

MN04, TAUGHT = Sources(audio="mn04"), Sources(teacher="mn04")


@pytest.fixture
def mn04(tmp_path, monkeypatch):
    """Random weights in mn04's layout, where those that were downloaded would be."""
    monkeypatch.setenv("ADVANCE_WEIGHTS", str(tmp_path))
    path = weights.WEIGHTS["mn04"].path
    torch.manual_seed(0)
    network = EfficientAT()
    for name, value in network.state_dict().items():  # batch norms that have seen something
        if name.endswith(("running_mean", "running_var")):
            value.add_(0.1 * torch.rand_like(value))
    torch.save(network.state_dict(), path)
    monkeypatch.setitem(weights.WEIGHTS, "mn04", replace(weights.WEIGHTS["mn04"], sha256=file_digest(path)))
    return network.eval()


def request_for(cell, folder, profile, sources):
    return requests_for(Settings(str(folder), profile, seeds=1, device="cpu", sources=sources), cell)[0]


def test_mn04_as_a_student_begins_as_its_own_teacher(mn04, tiny, quick):
    request = request_for("image+sound/SQ|Na", tiny, quick, MN04)
    given = request.shared.given(request.recipe)
    model = build(request.recipe, 3, 32, given.visual, given.audio).eval()
    batch = given.inputs.batch(np.arange(4), augment=False)
    with torch.inference_mode():
        events = model(batch.image, batch.log_mel).events.numpy()
    known = request.shared.knowledge
    assert known.pre_activations.shape == (42, 527) and batch.log_mel.shape == (4, 32, 8, 63)
    assert events == pytest.approx(known.pre_activations[:4], abs=1e-4)


def test_only_what_follows_the_kept_maps_is_trained(mn04, tiny, quick):
    request = request_for("image+sound/KL|Na", tiny, quick, MN04)
    before = load_file(request.shared.audio.weights)
    run = finished([request])[0]
    model, _, config = load_checkpoint(run.checkpoint)
    changed = {name.split(".")[0] for name, value in model.audio.state_dict().items() if not value.equal(before[name])}
    assert changed == {"late", "hidden", "fc"} and len(config["events"]) == 527
    # The checkpoint alone takes a recording: the first blocks are in it.
    row = run.predictions.iloc[0]
    image, sound = (tiny / s / row["scene"] / f"{row['id']}.{e}" for s, e in (("vision", "jpg"), ("sound", "wav")))
    for scene, probability in recognise(open_pair(run.checkpoint, image, sound)).items():
        assert probability == pytest.approx(row[f"p({scene})"], abs=2e-3)


def test_random_weights_are_random_but_for_the_first_blocks(mn04, tiny, quick):
    request = request_for("sound/Ls†", tiny, quick, MN04)
    given = request.shared.given(request.recipe)
    assert given.visual is None and given.knowledge is None
    model = build(request.recipe, 3, 32, None, given.audio)
    theirs = load_file(given.audio)
    same = {n for n, v in model.audio.named_parameters() if v.equal(theirs[n]) and v.std() > 0}
    assert same and same <= {name for name, value in model.audio.named_parameters() if not value.requires_grad}
    assert not model.audio.hidden.weight.equal(theirs["hidden.weight"])
    momenta = {layer.momentum for layer in model.audio.late.modules() if isinstance(layer, torch.nn.BatchNorm2d)}
    assert momenta == {0.1}  # with mn04's own 0.01 the statistics stay behind, and the test at chance


def test_a_teacher_that_is_another_network_brings_a_new_event_head(mn04, tiny, quick):
    requests = [request_for(f"image+sound/{transfer}", tiny, quick, TAUGHT) for transfer in ("KL|Na", "E")]
    for run in finished(requests, jobs=1):
        assert len(run.config["events"]) == 527
    model = load_checkpoint(finished(requests)[0].checkpoint)[0]
    assert model.audio.fc.out_features == 527 and model.audio.sound_shape == (1, 400, 64)
    own = request_for("image+sound/KL|Na", tiny, quick, Sources())
    assert finished([own])[0].folder != finished(requests[:1])[0].folder


def test_what_starts_at_random_still_has_inputs_of_its_own(tiny, quick):
    """† needs no pre-trained network, and yet the authors' networks get other spectrograms and colours."""
    keys = {
        request_for("image/Ls†", tiny, "paper", sources).key()
        for sources in (Sources(), Sources("imagenet"), Sources("official"), Sources("imagenet", "official"))
    }
    assert len(keys) == 3  # ImageNet's and the library's own expect the same


def test_without_an_event_head_the_teacher_changes_nothing(quick, tiny):
    recipes = [request_for("image+sound/Ls", tiny, quick, sources).recipe for sources in (Sources(), TAUGHT)]
    assert recipes[0] == recipes[1]


def test_weights_that_were_not_fetched(tiny, quick, tmp_path, monkeypatch):
    monkeypatch.setenv("ADVANCE_WEIGHTS", str(tmp_path))
    with pytest.raises(UserError, match="advance download weights mn04"):
        finished([request_for("sound/Ls", tiny, quick, MN04)])
