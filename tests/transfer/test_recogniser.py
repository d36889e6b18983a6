from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from advance_lib.experiments.cells import CELLS, Cell
from advance_lib.experiments.prepared import prepared
from advance_lib.experiments.runs import Request
from advance_lib.experiments.settings import Settings
from advance_lib.models.audiovisual import BACKBONES
from advance_lib.training.fabric import start
from advance_lib.training.inputs import Batch
from advance_lib.training.loop import best_weights_file
from advance_lib.transfer import objectives
from advance_lib.transfer.knowledge import Knowledge
from advance_lib.transfer.presets import CODE, PAPER
from advance_lib.transfer.recogniser import Given, build, objective, scene_probabilities, train_recogniser

EVENTS = 7


@pytest.fixture
def networks(tmp_path):
    """Files of N_v(0) and N_a(0), with statistics of batch norm that differ from a batch's own."""
    torch.manual_seed(0)
    files = []
    for name, classes, shape in (("narrow visual", 4, (8, 3, 32, 32)), ("narrow audio", EVENTS, (8, 1, 400, 64))):
        network = BACKBONES[name](classes)
        for _ in range(20):
            network(1 + 2 * torch.randn(*shape))
        files.append(tmp_path / f"{name}.safetensors")
        save_file(network.state_dict(), files[-1])
    return tuple(files)


@pytest.fixture
def case():
    generator = np.random.default_rng(0)
    p = generator.random((3, EVENTS)).astype(np.float32)
    told = generator.normal(-2, 2, (6, EVENTS)).astype(np.float32)
    knowledge = Knowledge(tuple("abcdefg"), told, p, p / np.linalg.norm(p, axis=1, keepdims=True))
    torch.manual_seed(1)
    batch = Batch(
        torch.randn(6, 3, 32, 32), torch.randn(6, 1, 400, 64), torch.tensor([0, 1, 2, 0, 1, 2]),
        torch.from_numpy(knowledge.pre_activations),
    )  # fmt: skip
    return knowledge, batch


def recipe_of(cell, preset=PAPER):
    return Request(Settings(profile="smoke", preset=preset), Cell.named(cell), 0).recipe


def test_the_pretrained_head_on_na_equals_the_teacher_at_step_zero(networks):
    """In evaluation mode; in training mode batch norm answers with the batch's statistics, so they differ."""
    teacher = BACKBONES["narrow audio"](EVENTS)
    teacher.load_state_dict(load_file(networks[1]))
    sounds, images = torch.randn(6, 1, 400, 64), torch.randn(6, 3, 32, 32)
    with torch.inference_mode():
        wanted = teacher.eval()(sounds)
        for transfer, preset, equal in (("SQ|Na", PAPER, True), ("SQ|Na", CODE, False), ("SQ|Nv+a", PAPER, False)):
            recipe = recipe_of(f"image+sound/{transfer}", preset)
            student = build(recipe, 3, 32, *networks)
            found = student.eval()(images, sounds).events
            assert torch.allclose(found, wanted, atol=1e-5) == equal
            if equal:
                assert not torch.allclose(student.train()(images, sounds).events, wanted, atol=0.05)


def test_the_head_on_the_concatenation_sees_both_senses(networks):
    model = build(recipe_of("image+sound/KL|Nv+a"), 3, 32, *networks).eval()
    images, sounds = torch.randn(2, 3, 32, 32), torch.randn(2, 1, 400, 64)
    with torch.inference_mode():
        first = model(images, sounds).events
        assert first.shape == (2, EVENTS)
        assert not torch.allclose(first, model(images.flip(0), sounds).events)
        assert not torch.allclose(first, model(images, sounds.flip(0)).events)


@pytest.mark.parametrize("preset", [PAPER, CODE], ids=["paper", "code"])
@pytest.mark.parametrize("cell", [cell for cell in CELLS if "Ls" not in cell])
def test_the_objective_of_every_cell_by_hand(cell, preset, networks, case):
    knowledge, batch = case
    recipe = recipe_of(cell, preset)
    model = build(recipe, 3, 32, *networks).eval()
    outputs = model(
        batch.image if "image" in recipe.senses else None, batch.log_mel if "sound" in recipe.senses else None
    )
    y, shares = batch.events.sigmoid(), outputs.scenes.softmax(1) @ torch.from_numpy(knowledge.posteriors)
    mean = preset is CODE

    def divergence(q):
        c = y * (y / q).log() + (1 - y) * ((1 - y) / (1 - q)).log()
        return (c.mean(1) if mean else c.sum(1)).mean()

    if "KL" in recipe.transfer:
        transfer = divergence(outputs.events.sigmoid())
    elif "SQ" in recipe.transfer:
        squares = (outputs.events - (y if preset is CODE else batch.events)) ** 2
        transfer = (squares.mean(1) if mean else squares.sum(1)).mean()
    else:
        transfer = divergence(shares)
        if recipe.transfer == "E":
            d = torch.from_numpy(knowledge.relevance)[batch.target]
            cosines = (shares * d).sum(1) / shares.norm(dim=1) / d.norm(dim=1)
            transfer = transfer + 0.001 * (1 - cosines).mean()
    wanted = transfer
    if recipe.supervised:
        wanted = torch.nn.functional.cross_entropy(outputs.scenes, batch.target) + 0.1 * transfer
    assert torch.isclose(objective(recipe, knowledge)(outputs, batch), wanted, rtol=1e-4)


def test_without_scene_labels_kl_and_sq_leave_the_scene_head_alone(networks, case):
    """Why those two cells of Table 3 stay at chance: no gradient reaches the head; under L_E1 one does."""
    knowledge, batch = case
    for transfer, reached in (("KL|Nv+a", False), ("SQ|Nv+a", False), ("E1", True), ("E", True)):
        recipe = recipe_of(f"image+sound/only {transfer}")
        model = build(recipe, 3, 32, *networks)
        objective(recipe, knowledge)(model(batch.image, batch.log_mel), batch).backward()
        assert (model.scene_head.weight.grad is not None) == reached


def test_scene_labels_alone_leave_the_event_classifier_alone(networks, case):
    _, batch = case
    recipe = recipe_of("image+sound/Ls")
    model = build(recipe, 3, 32, *networks)
    outputs = model(batch.image, batch.log_mel)
    assert outputs.events is None
    objectives.scene_loss(outputs.scenes, batch.target).backward()
    assert model.audio.fc.weight.grad is None


def test_a_network_learns_from_the_posteriors_alone(tiny, quick, tmp_path):
    """Where sounds tell the scenes, L_E1 without any scene label recognises them."""
    shared = prepared(Settings(str(tiny), quick, device="cpu"))
    dataset, inputs = shared.data, shared.inputs
    rows, targets = dataset.rows(), inputs.targets
    p = np.array([[0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.05, 0.05, 0.9]], np.float32)
    told = np.log(p / (1 - p))[targets].astype(np.float32)
    knowledge = Knowledge(tuple("abc"), told, p, p / np.linalg.norm(p, axis=1)[:, None])
    recipe = replace(recipe_of("image+sound/only E1"), pretrained=False)
    recipe = replace(recipe, schedule=replace(recipe.schedule, epochs=6, batch_size=8))
    model, fabric, _ = train_recogniser(recipe, Given(inputs, rows, 3, knowledge=knowledge, device="cpu"), 0, tmp_path)
    found = scene_probabilities(recipe, fabric, model, inputs, rows["test"]).argmax(1)
    assert (found == targets[rows["test"]]).mean() > 0.8 and best_weights_file(tmp_path).exists()


def test_evaluation_is_jittered_by_the_codes_preset_only(tiny, quick, networks):
    shared = prepared(Settings(str(tiny), quick, device="cpu"))
    dataset, inputs = shared.data, shared.inputs
    rows = dataset.rows()["test"]
    for preset, jittered in ((PAPER, False), (replace(PAPER, augmented="all"), True)):
        recipe = recipe_of("image+sound/Ls", preset)
        model, fabric = build(recipe, 3, 32, *networks).eval(), start("cpu", "32-true")
        torch.manual_seed(0)
        first, second = (scene_probabilities(recipe, fabric, model, inputs, rows) for _ in range(2))
        assert np.array_equal(first, second) != jittered
