from dataclasses import replace

import numpy as np
import pytest
import torch

from advance_lib.analysis import events as listening
from advance_lib.analysis.events import distances, divergence, divergence_from_scenes, event_responses, logit
from advance_lib.experiments import runs
from advance_lib.experiments.runs import Request, Run
from advance_lib.models.audiovisual import BACKBONES, AudiovisualNet
from advance_lib.training.inputs import Inputs, Normaliser
from advance_lib.transfer import objectives
from advance_lib.transfer.knowledge import Knowledge, sigmoid

GENERATOR = np.random.default_rng(0)
STUDENT, TEACHER = GENERATOR.normal(-2, 3, (2, 5, 7))


class TwoScenes:
    """Stands for a dataset of which five pairs are tested."""

    def rows(self):
        return {"test": np.arange(1, 6)}


@pytest.fixture
def of_run(monkeypatch):
    """A function that makes a run of a cell, and the small network and inputs that it will find."""
    images = GENERATOR.integers(0, 255, (6, 32, 32, 3)).astype(np.uint8)
    log_mels = GENERATOR.normal(-40, 15, (6, 400, 64)).astype(np.float16)
    inputs = Inputs(images, log_mels, np.array([0, 1] * 3), Normaliser.of(images, log_mels, np.arange(6)))

    def make(cell, folder):
        request = Request(cell, 0, profile="smoke")
        torch.manual_seed(0)
        backbones = BACKBONES["narrow visual"](1), BACKBONES["narrow audio"](7)
        network = AudiovisualNet(*backbones, 2, 32, request.recipe.senses, request.recipe.events_on).eval()
        monkeypatch.setattr(runs, "load_checkpoint", lambda path: (network, inputs.normaliser, {}))
        for module in (runs, listening):
            monkeypatch.setattr(module, "inputs_of", lambda *_: (TwoScenes(), inputs))
        return Run(request, folder), network, inputs

    return make


def test_divergence_is_the_objective_clip_by_clip():
    tensors = torch.from_numpy(STUDENT), torch.from_numpy(TEACHER)
    assert divergence(STUDENT, TEACHER).mean() == pytest.approx(float(objectives.kl_na(*tensors)), rel=1e-9)
    assert np.allclose(divergence(TEACHER, TEACHER), 0)
    assert np.isfinite(divergence(np.array([900.0]), np.array([[-900.0]]))).all()


def test_the_mean_response_is_the_best_constant():
    best = divergence(logit(sigmoid(TEACHER).mean(axis=0)), TEACHER).mean()
    others = [divergence(logit(sigmoid(TEACHER).mean(axis=0)) + shift, TEACHER).mean() for shift in (-0.3, 0.3)]
    assert best < min(others)


def test_divergence_from_scenes_is_e1_of_a_sure_recogniser():
    posteriors = GENERATOR.random((3, 7))
    posteriors[0, 0] = 0  # an event that was never heard in a scene
    sure = torch.eye(3, dtype=torch.float64).mul(1e3)
    found = divergence_from_scenes(TEACHER, posteriors)
    for k in range(3):
        scenes = sure[k].expand(len(TEACHER), -1)
        e1 = objectives.e1(scenes, torch.from_numpy(TEACHER), torch.from_numpy(posteriors))
        assert found[:, k].mean() == pytest.approx(float(e1), rel=1e-6)


@pytest.mark.parametrize("cell", ["image+sound/Ls", "image+sound/KL|Na", "image+sound/KL|Nv+a", "image/KL|Nv+a"])
def test_a_run_answers_with_its_own_head(cell, of_run, tmp_path):
    run, network, inputs = of_run(cell, tmp_path)
    batch = inputs.batch(np.arange(1, 6), augment=False)
    sound = batch.log_mel if "sound" in cell else None
    with torch.inference_mode():
        wanted = network(batch.image, sound).events if cell.endswith("Nv+a") else network.audio(sound)
    assert np.allclose(event_responses(run, device="cpu"), wanted, atol=1e-4)


def test_a_network_that_never_changed_is_at_no_distance(of_run, tmp_path):
    run, _, _ = of_run("image+sound/Ls", tmp_path)
    heard = event_responses(run, device="cpu")
    known = Knowledge(tuple("abcdefg"), np.concatenate([np.full((1, 7), 9.0), heard]), None, None)
    same = distances([run], known, device="cpu").iloc[0]
    assert same["cell"] == "image+sound/Ls" and same["nats"] == pytest.approx(0, abs=1e-6)
    moved = replace(known, pre_activations=known.pre_activations + 1)
    other = distances([run], moved, device="cpu").iloc[0]
    assert other["nats"] > 0 and 0 < other["points"] < 25  # σ is nowhere steeper than a quarter
