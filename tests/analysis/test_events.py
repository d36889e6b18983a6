from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import silhouette_score

from advance_lib.analysis.events import (
    agreement,
    compound_of,
    distances,
    divergence,
    divergence_from_scenes,
    e1_of_mixtures,
    embedded,
    event_distribution,
    event_responses,
    logit,
    mixed_events,
    recall_of_mixed,
    separation,
    separations,
)
from advance_lib.experiments import one_run
from advance_lib.experiments.cells import Cell
from advance_lib.experiments.prepared import prepared
from advance_lib.experiments.runs import Request, Run, finished, requests_for
from advance_lib.experiments.settings import Settings
from advance_lib.models.audioset import event_names
from advance_lib.models.audiovisual import BACKBONES, AudiovisualNet
from advance_lib.training.inputs import Inputs, Normaliser
from advance_lib.transfer import objectives
from advance_lib.transfer.knowledge import Knowledge, sigmoid

GENERATOR = np.random.default_rng(0)
STUDENT, TEACHER = GENERATOR.normal(-2, 3, (2, 5, 7))
POINTS = np.array([[0.0, 0.0], [0.1, 0.0], [5.0, 5.0], [5.1, 5.0], [0.05, 0.05]])


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
        request = Request(Settings(profile="smoke", device="cpu"), Cell.named(cell), 0)
        torch.manual_seed(0)
        backbones = BACKBONES["narrow visual"](1), BACKBONES["narrow audio"](7)
        network = AudiovisualNet(*backbones, 2, 32, request.recipe.senses, request.recipe.events_on).eval()
        monkeypatch.setattr(one_run, "load_checkpoint", lambda path: (network, inputs.normaliser, {}))
        monkeypatch.setattr(Request, "shared", SimpleNamespace(data=TwoScenes(), inputs=inputs))
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


def test_e1_of_mixtures_is_the_objective():
    posteriors, mixtures = GENERATOR.random((3, 7)), GENERATOR.dirichlet(np.ones(3), 5)
    found = e1_of_mixtures(mixtures, TEACHER, posteriors)
    for clip, teacher in enumerate(torch.from_numpy(TEACHER)):
        for answer, p in enumerate(torch.from_numpy(mixtures)):
            wanted = objectives.e1(p.log()[None], teacher[None], torch.from_numpy(posteriors))
            assert found[clip, answer] == pytest.approx(float(wanted), rel=1e-9)


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
    assert np.allclose(event_responses(run), wanted, atol=1e-4)


def test_a_network_that_never_changed_is_at_no_distance(of_run, tmp_path):
    run, _, _ = of_run("image+sound/Ls", tmp_path)
    heard = event_responses(run)
    known = Knowledge(tuple("abcdefg"), np.concatenate([np.full((1, 7), 9.0), heard]), None, None)
    same = distances([run], known).iloc[0]
    assert same["cell"] == "image+sound/Ls" and same["nats"] == pytest.approx(0, abs=1e-6)
    moved = replace(known, pre_activations=known.pre_activations + 1)
    other = distances([run], moved).iloc[0]
    assert other["nats"] > 0 and 0 < other["points"] < 25  # σ is nowhere steeper than a quarter


def test_separation_by_hand():
    scenes, locations = ["ice", "ice", "wood", "wood", "wood"], ["1", "1", "2", "3", "4"]
    found = separation(POINTS, scenes, locations)
    # The first two are each other's neighbours but lie at one location; the nearest elsewhere is the last, of wood.
    assert found["purity"].tolist() == [0, 0, 1, 1, 0]
    assert found["chance"].to_numpy() == pytest.approx([0, 0, 2 / 4, 2 / 4, 2 / 4])
    assert found["silhouette"].mean() == pytest.approx(silhouette_score(POINTS, scenes))


def test_points_without_structure_are_pure_by_chance():
    generator = np.random.default_rng(0)
    scenes = generator.choice(["ice", "wood", "desert"], 600, p=[0.6, 0.3, 0.1])
    found = separation(generator.random((600, 5)), scenes, np.arange(600))
    assert found["purity"].mean() == pytest.approx(found["chance"].mean(), abs=0.06)
    assert found["chance"].mean() == pytest.approx(0.36 + 0.09 + 0.01, abs=0.04)


def test_the_plane_is_the_same_for_the_same_seed():
    points = np.random.default_rng(1).random((40, 6))
    first, second = embedded(points, perplexity=50), embedded(points, perplexity=50)
    assert first.shape == (40, 2) and np.array_equal(first, second)


def test_events_under_le_are_a_mixture_of_posteriors(tiny, quick):
    cells = ("image+sound/E", "image+sound/SQ|Na", "image+sound/SQ|Nv+a")
    settings = Settings(str(tiny), quick, seeds=1, device="cpu")
    of_cells = finished(requests_for(settings, *cells), jobs=1)
    known = prepared(settings).knowledge
    mixture, *heads = [event_distribution(run, "test", known.posteriors) for run in of_cells]
    assert np.array_equal(mixture, compound_of(of_cells[0], "test", known.posteriors))
    assert (mixture <= known.posteriors.max(0) + 1e-6).all() and (mixture >= known.posteriors.min(0) - 1e-6).all()
    assert all(head.shape == mixture.shape and 0 < head.min() < head.max() < 1 for head in heads)
    table = separations(list(zip(of_cells, [mixture, *heads], strict=True)), "test")
    assert len(table) == 3 * len(mixture) and set(table["cell"]) == set(cells)


def test_agreement_by_hand():
    """Four events: the first is frequent everywhere; the second is special for ice, the third for wood."""
    published = pd.DataFrame({"ice": [0.9, 0.3, 0.1, 0.05], "wood": [0.9, 0.1, 0.3, 0.05]}, index=list("abcd"))
    same = agreement(published, published)
    assert same["own"].tolist() == [1, 1] and same["place"].tolist() == [1, 1]
    assert same["others"].to_numpy() == pytest.approx([0.8, 0.8])  # ranks 4 3 2 1 and 4 2 3 1
    swapped = agreement(published.rename(columns={"ice": "wood", "wood": "ice"}), published)
    assert swapped["own"].to_numpy() == pytest.approx([0.8, 0.8])  # still high: what is frequent everywhere
    assert (swapped["above"] < 0).all() and swapped["place"].tolist() == [2, 2]


def test_mixed_events_are_read_by_scene_and_id(tiny):
    data = prepared(Settings(str(tiny), "smoke")).data
    assert mixed_events(data) is None
    first = data.catalogue.iloc[0]
    row = {"scene": first["scene"], "id": first["id"], "location": first["location"], "events": "Rain;Wind"}
    pd.DataFrame([row]).to_csv(tiny / "pairs.csv", index=False)
    assert mixed_events(data)[:2] == [["Rain", "Wind"], []]


def test_recall_counts_clips_that_name_an_event():
    names = event_names()
    responses = np.zeros((3, 527))
    responses[0, 7], responses[1, 9], responses[2, 11] = 1, 1, 1
    assert recall_of_mixed(responses, [[names[7]], [names[500]], []], top=1) == 0.5
