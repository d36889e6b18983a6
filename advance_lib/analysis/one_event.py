"""Two distances between student and teacher for one event, and what they teach: the step from KL to SQ.

Chapter: Preserving what the audio network knows.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from advance_lib.transfer.objectives import kl_na, sq_na


def at_temperature(teacher: float, students: np.ndarray, temperature: float) -> pd.DataFrame:
    """Return C(σ(t/T) ‖ σ(s/T)), T² times it, and its limit (s − t)²/8, with their derivatives by s.

    Args:
        teacher: t, the teacher's pre-activation of an event.
        students: s, (points,).
        temperature: T, above zero.

    Returns:
        One row a student; columns ``C``, ``T²C``, ``SQ/8``, in nats, and ``C slope``, ``T²C slope``, ``SQ/8 slope``.
    """
    s = torch.tensor(students, dtype=torch.float64).requires_grad_()
    each = [(x.view(1, 1), torch.full_like(x, teacher).view(1, 1)) for x in s]
    divergence = torch.stack([kl_na(x / temperature, t / temperature) for x, t in each])
    squared = torch.stack([sq_na(x, t) for x, t in each])
    distances = {"C": divergence, "T²C": temperature**2 * divergence, "SQ/8": squared / 8}
    slopes = {name: torch.autograd.grad(value.sum(), s, retain_graph=True)[0] for name, value in distances.items()}
    columns = distances | {f"{name} slope": slope for name, slope in slopes.items()}
    return pd.DataFrame({name: column.detach().numpy() for name, column in columns.items()})
