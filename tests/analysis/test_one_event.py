import numpy as np
import pytest
from scipy.special import expit, rel_entr

from advance_lib.analysis.one_event import at_temperature

STUDENTS = np.array([-6.0, -0.5, 0.0, 3.0])


@pytest.mark.parametrize("teacher, temperature", [(-4.0, 1.0), (2.0, 0.7), (0.5, 20.0)])
def test_distances_and_slopes_by_hand(teacher, temperature):
    found = at_temperature(teacher, STUDENTS, temperature)
    p, q = expit(teacher / temperature), expit(STUDENTS / temperature)
    divergence = rel_entr(p, q) + rel_entr(1 - p, 1 - q)
    assert found["C"].to_numpy() == pytest.approx(divergence, rel=1e-6, abs=1e-12)
    assert found["T²C"].to_numpy() == pytest.approx(temperature**2 * divergence, rel=1e-6, abs=1e-10)
    assert found["SQ/8"].to_numpy() == pytest.approx((STUDENTS - teacher) ** 2 / 8)
    assert found["C slope"].to_numpy() == pytest.approx((q - p) / temperature)
    assert found["T²C slope"].to_numpy() == pytest.approx(temperature * (q - p))
    assert found["SQ/8 slope"].to_numpy() == pytest.approx((STUDENTS - teacher) / 4)


def test_at_high_temperature_one_is_the_other():
    hot = at_temperature(-4, STUDENTS, 1000)
    for ending in ("", " slope"):
        assert hot[f"T²C{ending}"].to_numpy() == pytest.approx(hot[f"SQ/8{ending}"].to_numpy(), rel=1e-4)
