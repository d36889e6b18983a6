"""The paper's objectives, each under the number of its equation.

Events are compared before activation wherever that is possible, so that no logarithm meets a rounded zero.
f_e are pre-activations of events, y = σ(f_e(a, N_a(0))) the soft responses of the pre-trained network.

Chapters: Recognising with one and two senses; Preserving what the audio network knows; One representation, two tasks;
Events in different scenes.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from advance_lib.models.audiovisual import Outputs
from advance_lib.training.inputs import Batch
from advance_lib.transfer import remedies
from advance_lib.transfer.presets import PAPER, Preset

FAINTEST = 1e-7  # probabilities are kept this far from 0 and 1, as in the official code


def scene_loss(scenes: Tensor, target: Tensor) -> Tensor:
    """L_s, equation (1): mean of D_KL(h_t ‖ z(f_s(x, N))).

    h_t is one-hot, so its entropy is zero and the divergence equals the cross-entropy.

    Args:
        scenes: f_s, (batch, scenes), before softmax.
        target: t, (batch,) integer indices of the true scenes.

    Returns:
        Scalar, in nats.

    Example:
        >>> scene_loss(torch.zeros(1, 2), torch.tensor([0]))  # two scenes, equally likely: log 2
        tensor(0.6931)
    """
    return functional.cross_entropy(scenes, target)


def total_loss(scene: Tensor, transfer: Tensor, alpha: float) -> Tensor:
    """L = L_s + αL_Ω, equation (2).

    Args:
        scene: L_s, a scalar.
        transfer: L_Ω, one of the objectives below.
        alpha: α, its weight.

    Example:
        >>> total_loss(torch.tensor(1.0), torch.tensor(2.0), alpha=0.1)
        tensor(1.2000)
    """
    return scene + alpha * transfer


def kl_na(student: Tensor, teacher: Tensor, reduction: str = "sum") -> Tensor:
    """L_KL|Na, equation (3): mean of Σ_i C(y_i(a) ‖ σ_i(f_e(a, N_a))).

    Args:
        student: f_e(a, N_a), (batch, events).
        teacher: f_e(a, N_a(0)), (batch, events).
        reduction: over the events, ``"sum"`` or ``"mean"``.

    Returns:
        Scalar, in nats; zero when the student equals the teacher.

    Example:
        >>> kl_na(torch.zeros(1, 3), torch.full((1, 3), 99.0))  # sure of three events, and in doubt of each: 3 log 2
        tensor(2.0794)
    """
    return _over_events(_binary_kl(student, teacher), reduction)


def sq_na(student: Tensor, teacher: Tensor, reduction: str = "norm") -> Tensor:
    """L_SQ|Na, equation (4): mean of ‖f_e(a, N_a) − f_e(a, N_a(0))‖².

    Args:
        student: f_e(a, N_a), (batch, events).
        teacher: f_e(a, N_a(0)), (batch, events); its probabilities in the official code.
        reduction: over the events, ``"norm"`` for their sum or ``"mean"``.

    Example:
        >>> sq_na(torch.tensor([[1.0, 2.0]]), torch.zeros(1, 2))
        tensor(5.)
    """
    return _over_events((student - teacher).square(), reduction)


def kl_nva(student: Tensor, teacher: Tensor, reduction: str = "sum") -> Tensor:
    """L_KL|Nv+a, equation (5): mean of Σ_i C(y_i(a) ‖ σ_i(f_e(x, N_v+a))).

    The formula of L_KL|Na, with a student that sees the joint representation; arguments as there.

    Example:
        >>> kl_nva(torch.zeros(1, 3), torch.full((1, 3), 99.0), "mean")
        tensor(0.6931)
    """
    return kl_na(student, teacher, reduction)


def sq_nva(student: Tensor, teacher: Tensor, reduction: str = "norm") -> Tensor:
    """L_SQ|Nv+a, equation (6): mean of ‖f_e(x, N_v+a) − f_e(a, N_a(0))‖².

    The formula of L_SQ|Na, with a student that sees the joint representation; arguments as there.

    Example:
        >>> sq_nva(torch.tensor([[1.0, 2.0]]), torch.zeros(1, 2), "mean")
        tensor(2.5000)
    """
    return sq_na(student, teacher, reduction)


def compound(scenes: Tensor, posteriors: Tensor) -> Tensor:
    """p(e) = Σ_k p(s_k) p(e|s_k), equation (7).

    Args:
        scenes: f_s(x, N_v+a), (batch, scenes), before softmax.
        posteriors: p(e|s_k), (scenes, events).

    Returns:
        (batch, events), probabilities.

    Example:
        >>> compound(torch.zeros(1, 2), torch.tensor([[0.2], [0.6]]))  # either scene
        tensor([[0.4000]])
    """
    wide = torch.promote_types(scenes.dtype, torch.float32)
    with torch.autocast(scenes.device.type, enabled=False):  # bfloat16 would round what is nearly sure to 1
        return scenes.to(wide).softmax(dim=1) @ posteriors.to(wide)


def e1(scenes: Tensor, teacher: Tensor, posteriors: Tensor, reduction: str = "sum") -> Tensor:
    """L_E1, equation (8): mean of Σ_i C(y_i(a) ‖ p(e_i)).

    Args:
        scenes: f_s(x, N_v+a), (batch, scenes), before softmax.
        teacher: f_e(a, N_a(0)), (batch, events).
        posteriors: p(e|s_k), (scenes, events).
        reduction: over the events, ``"sum"`` or ``"mean"``.

    Returns:
        Scalar, in nats; least where p(e) equals the soft responses.

    Example:
        >>> e1(torch.zeros(1, 2), torch.tensor([[99.0]]), torch.tensor([[0.2], [0.8]]))  # p(e) is one half: log 2
        tensor(0.6931)
    """
    p = compound(scenes, posteriors).clamp(FAINTEST, 1 - FAINTEST)
    return _over_events(_binary_kl(torch.logit(p), teacher), reduction)


def e2(scenes: Tensor, target: Tensor, posteriors: Tensor, relevance: Tensor) -> Tensor:
    """L_E2, equation (9): mean of 1 − cosine(p(e), d_t).

    The paper prints the cosine itself, which is a similarity: to align the two directions, one minus it is minimised,
    as the official code does (bayes_transfer.py:77).

    Args:
        scenes: f_s(x, N_v+a), (batch, scenes), before softmax.
        target: t, (batch,) integer indices of the true scenes.
        posteriors: p(e|s_k), (scenes, events).
        relevance: d_k, (scenes, events).

    Returns:
        Scalar between 0 and 2.

    Example:
        >>> e2(torch.tensor([[99.0, 0.0]]), torch.tensor([1]), torch.eye(2), torch.eye(2))  # sure of the wrong scene
        tensor(1.)
    """
    return (1 - functional.cosine_similarity(compound(scenes, posteriors), relevance[target], dim=1)).mean()


def e(
    scenes: Tensor,
    target: Tensor,
    teacher: Tensor,
    posteriors: Tensor,
    relevance: Tensor,
    beta: float,
    reduction: str = "sum",
) -> Tensor:
    """L_E = L_E1 + βL_E2, equation (10); arguments as there, β weighs the second term.

    Example:
        >>> sure, half = torch.tensor([[99.0, 0.0]]), torch.full((2, 1), 0.5)
        >>> e(sure, torch.tensor([0]), torch.tensor([[99.0]]), half, half, beta=1.0)  # log 2 + no angle at all
        tensor(0.6931)
    """
    return e1(scenes, teacher, posteriors, reduction) + beta * e2(scenes, target, posteriors, relevance)


def _binary_kl(student: Tensor, teacher: Tensor) -> Tensor:
    """C(p‖q) = p log(p/q) + (1−p) log((1−p)/(1−q)) of p = σ(teacher), q = σ(student), element by element.

    With log σ(x) = x − softplus(x) and log(1 − σ(x)) = −softplus(x) it needs no logarithm of a probability.
    """
    return torch.sigmoid(teacher) * (teacher - student) + functional.softplus(student) - functional.softplus(teacher)


def _over_events(values: Tensor, reduction: str) -> Tensor:
    """Sum or average over the events, then average over the batch."""
    return (values.mean(dim=1) if reduction == "mean" else values.sum(dim=1)).mean()


class Known(NamedTuple):
    """What a transfer may know besides a batch.

    Attributes:
        posteriors: p(e|s_k), (scenes, events), on the network's device.
        relevance: d_k, (scenes, events).
        beta: β, the weight of L_E2 within L_E.
        preset: the choices in which paper and code differ.
    """

    posteriors: Tensor
    relevance: Tensor
    beta: float = 0.001
    preset: Preset = PAPER


def _drawn_to(batch: Batch, known: Known) -> Tensor:
    return batch.events.sigmoid() if known.preset.sq_target == "probabilities" else batch.events


# Every L_Ω by name: a function of the network's outputs, a batch with the teacher's f_e as ``events``, and what is
# known of the scenes. What stands behind | says which representation gets an event head, "Na" or "Nv+a".
TRANSFERS: dict[str, Callable[[Outputs, Batch, Known], Tensor]] = {
    "SQ|Na": lambda out, batch, known: sq_na(out.events, _drawn_to(batch, known), known.preset.sq_reduction),
    "KL|Na": lambda out, batch, known: kl_na(out.events, batch.events, known.preset.event_reduction),
    "SQ|Nv+a": lambda out, batch, known: sq_nva(out.events, _drawn_to(batch, known), known.preset.sq_reduction),
    "KL|Nv+a": lambda out, batch, known: kl_nva(out.events, batch.events, known.preset.event_reduction),
    "E1": lambda out, batch, known: e1(out.scenes, batch.events, known.posteriors, known.preset.event_reduction),
    "E": lambda out, batch, known: e(
        out.scenes,
        batch.target,
        batch.events,
        known.posteriors,
        known.relevance,
        known.beta,
        known.preset.event_reduction,
    ),
    # Ours: what a reviewer would try before any transfer.
    "unimodal": lambda out, batch, known: remedies.unimodal(out, batch.target),
    "dropout": lambda out, batch, known: remedies.modality_dropout(out, batch.target),
}
