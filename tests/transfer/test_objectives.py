"""Each equation against its formula written out in float64, its gradient, and the limits that it promises."""

import math

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from advance_lib.transfer.objectives import compound, e, e1, e2, kl_na, kl_nva, scene_loss, sq_na, sq_nva, total_loss

SCENES, EVENTS, BATCH = 4, 6, 5


@pytest.fixture
def case():
    """Scene outputs, targets, student and teacher of events, posteriors and relevance, all in float64."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape):
        return 2 * torch.randn(*shape, generator=generator, dtype=torch.float64)

    return {
        "scenes": normal(BATCH, SCENES),
        "target": torch.randint(0, SCENES, (BATCH,), generator=generator),
        "student": normal(BATCH, EVENTS),
        "teacher": normal(BATCH, EVENTS) - 2,
        "posteriors": normal(SCENES, EVENTS).sigmoid(),
        "relevance": torch.nn.functional.normalize(normal(SCENES, EVENTS), dim=1),
    }


def binary_divergence(p, q):
    """C(p‖q) as section 4.2 prints it, for numpy arrays."""
    return p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))


def sigma(x):
    return 1 / (1 + np.exp(-x.numpy()))


def test_scene_loss_by_hand():
    outputs = torch.tensor([[2.0, -1.0, 0.5], [0.0, 0.0, 0.0]], dtype=torch.float64)
    target = torch.tensor([0, 2])
    first = -math.log(math.exp(2) / (math.exp(2) + math.exp(-1) + math.exp(0.5)))
    assert math.isclose(float(scene_loss(outputs, target)), (first + math.log(3)) / 2, rel_tol=1e-12)


def test_scene_loss_is_the_divergence_of_equation_1():
    """D_KL(h ‖ z) summed as it is written, with 0 log 0 = 0."""
    torch.manual_seed(0)
    outputs, target = torch.randn(6, 13, dtype=torch.float64), torch.randint(0, 13, (6,))
    one_hot = torch.nn.functional.one_hot(target, 13).double()
    z = outputs.softmax(1)
    divergence = torch.special.xlogy(one_hot, one_hot / z).sum(1).mean()
    assert torch.isclose(scene_loss(outputs, target), divergence, rtol=1e-12)


def test_scene_loss_limits():
    target = torch.tensor([1])
    assert float(scene_loss(torch.tensor([[0.0, 200.0]]), target)) == 0
    assert math.isfinite(float(scene_loss(torch.tensor([[1e4, -1e4]]), target)))
    assert math.isclose(float(scene_loss(torch.zeros(1, 13), target)), math.log(13), rel_tol=1e-6)


def test_total_loss_2():
    assert float(total_loss(torch.tensor(2.0), torch.tensor(30.0), 0.1)) == pytest.approx(5.0)


@pytest.mark.parametrize("loss", [kl_na, kl_nva])
def test_kl_3_and_5_as_printed(loss, case):
    y, found = sigma(case["teacher"]), sigma(case["student"])
    wanted = binary_divergence(y, found).sum(axis=1).mean()
    assert float(loss(case["student"], case["teacher"])) == pytest.approx(wanted, rel=1e-12)
    assert float(loss(case["student"], case["teacher"], "mean")) == pytest.approx(wanted / EVENTS, rel=1e-12)


@pytest.mark.parametrize("loss", [sq_na, sq_nva])
def test_sq_4_and_6_as_printed(loss, case):
    wanted = np.mean([np.linalg.norm(s - t) ** 2 for s, t in zip(case["student"], case["teacher"], strict=True)])
    assert float(loss(case["student"], case["teacher"])) == pytest.approx(wanted, rel=1e-12)
    assert float(loss(case["student"], case["teacher"], "mean")) == pytest.approx(wanted / EVENTS, rel=1e-12)


def test_compound_7_by_hand(case):
    p = compound(case["scenes"], case["posteriors"])
    exponents = np.exp(case["scenes"].numpy())
    for n in range(BATCH):
        for i in range(EVENTS):
            wanted = sum(exponents[n, k] / exponents[n].sum() * float(case["posteriors"][k, i]) for k in range(SCENES))
            assert float(p[n, i]) == pytest.approx(wanted, rel=1e-12)


def test_e1_8_as_printed(case):
    p = compound(case["scenes"], case["posteriors"]).numpy()
    wanted = binary_divergence(sigma(case["teacher"]), p).sum(axis=1).mean()
    assert float(e1(case["scenes"], case["teacher"], case["posteriors"])) == pytest.approx(wanted, rel=1e-9)


def test_e2_9_as_printed_and_turned_round(case):
    p, d = compound(case["scenes"], case["posteriors"]).numpy(), case["relevance"].numpy()[case["target"].numpy()]
    cosines = (p * d).sum(1) / np.linalg.norm(p, axis=1) / np.linalg.norm(d, axis=1)
    found = e2(case["scenes"], case["target"], case["posteriors"], case["relevance"])
    assert float(found) == pytest.approx(1 - cosines.mean(), rel=1e-9)


def test_e_10_is_the_sum(case):
    first = e1(case["scenes"], case["teacher"], case["posteriors"])
    second = e2(case["scenes"], case["target"], case["posteriors"], case["relevance"])
    arguments = (case[name] for name in ("scenes", "target", "teacher", "posteriors", "relevance"))
    assert float(e(*arguments, beta=0.25)) == pytest.approx(float(first + 0.25 * second), rel=1e-12)


def test_gradients(case):
    teacher, target, p, d = (case[name] for name in ("teacher", "target", "posteriors", "relevance"))
    student, scenes = case["student"].requires_grad_(), case["scenes"].requires_grad_()
    for loss in (kl_na, kl_nva, sq_na, sq_nva):
        assert gradcheck(lambda x, loss=loss: loss(x, teacher), student)
    assert gradcheck(lambda x: scene_loss(x, target), scenes)
    assert gradcheck(lambda x: compound(x, p), scenes)
    assert gradcheck(lambda x: e1(x, teacher, p), scenes)
    assert gradcheck(lambda x: e2(x, target, p, d), scenes)
    assert gradcheck(lambda x: e(x, target, teacher, p, d, 0.001), scenes)
    assert gradcheck(lambda a, b: total_loss(a, b, 0.1), (student.sum(), scenes.sum()))


def test_a_student_that_equals_its_teacher_loses_nothing(case):
    """The limits of (3) to (6), in single precision too; anything else costs."""
    for teacher in (case["teacher"], case["teacher"].float()):
        for loss in (kl_na, kl_nva, sq_na, sq_nva):
            assert float(loss(teacher, teacher)) == 0
            assert float(loss(teacher + 0.5, teacher)) > 0


def test_the_gradient_of_kl_is_the_difference_of_probabilities(case):
    """d C(y‖σ(f)) / d f = σ(f) − y: what distillation pushes."""
    student = case["student"].clone().requires_grad_()
    kl_na(student, case["teacher"]).backward()
    wanted = (student.detach().sigmoid() - case["teacher"].sigmoid()) / BATCH
    assert torch.allclose(student.grad, wanted, rtol=1e-10)


def test_saturated_events_stay_finite():
    student = torch.tensor([[-300.0, 300.0, 0.0]], requires_grad=True)
    teacher = torch.tensor([[300.0, -300.0, -40.0]])
    loss = kl_na(student, teacher)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(student.grad).all()
    assert float(loss.detach()) == pytest.approx(600 + math.log(2), rel=1e-6)


def test_sq_is_the_limit_of_distillation_at_high_temperature():
    """Section 4.2 after Hinton et al.: T² times the divergence of responses at temperature T tends to SQ / 8."""
    generator = torch.Generator().manual_seed(1)
    student, teacher = (torch.randn(3, 7, generator=generator, dtype=torch.float64) for _ in range(2))
    temperature = 1e3
    kl = temperature**2 * kl_na(student / temperature, teacher / temperature)
    assert float(kl) == pytest.approx(float(sq_na(student, teacher)) / 8, rel=1e-3)


def test_e1_is_least_at_the_true_mixture(case):
    """Where the soft responses are a mixture of posteriors, no other scene probabilities do better than its own."""
    truth = torch.tensor([[2.0, 0.5, -1.0, 0.0]], dtype=torch.float64)
    teacher = torch.logit(compound(truth, case["posteriors"]))
    found = truth.clone().requires_grad_()
    least = e1(found, teacher, case["posteriors"])
    least.backward()
    assert float(least.detach()) == pytest.approx(0, abs=1e-12) and found.grad.abs().max() < 1e-10
    generator = torch.Generator().manual_seed(2)
    for _ in range(50):
        other = truth + torch.randn(1, SCENES, generator=generator, dtype=torch.float64)
        assert e1(other, teacher, case["posteriors"]) > 0


def test_e1_bears_events_that_no_scene_has(case):
    posteriors = case["posteriors"].clone()
    posteriors[:, 0], posteriors[:, 1] = 0, 1
    scenes = case["scenes"].clone().requires_grad_()
    e1(scenes, case["teacher"], posteriors).backward()
    assert torch.isfinite(scenes.grad).all()


def test_e2_is_zero_along_the_relevance_and_one_across(case):
    one_scene = torch.tensor([[60.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
    posteriors = torch.eye(SCENES, EVENTS, dtype=torch.float64)
    target = torch.tensor([0])
    assert float(e2(one_scene, target, posteriors, 3 * posteriors)) == pytest.approx(0, abs=1e-9)
    assert float(e2(one_scene, target, posteriors, posteriors.roll(1, 0))) == pytest.approx(1, abs=1e-9)


def test_event_losses_of_scenes_stay_finite_in_bfloat16():
    """A sure recogniser and an event that is nearly always, or never, heard: bfloat16 rounds its p(e) to 1 or 0."""
    posteriors = torch.tensor([[0.9999, 1.0, 0.0], [0.2, 0.3, 0.4]])
    scenes, teacher = torch.tensor([[12.0, 0.0], [-3.0, 4.0]]), torch.tensor([[-4.0, 2.0, 5.0], [0.0, 1.0, -1.0]])
    relevance = torch.nn.functional.normalize(posteriors)
    exact = e(scenes, torch.tensor([0, 1]), teacher, posteriors, relevance, 0.001)
    for given in (scenes, scenes.bfloat16()):
        given = given.clone().requires_grad_()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = e(given, torch.tensor([0, 1]), teacher, posteriors, relevance, 0.001)
        found.backward()
        assert torch.isfinite(given.grad).all() and found.item() == pytest.approx(exact.item(), rel=1e-2)
