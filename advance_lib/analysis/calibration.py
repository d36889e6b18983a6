"""Does a network know how sure it may be? Confidence beside accuracy, by bins of confidence.

Chapter: Table 1.
"""

import numpy as np
import pandas as pd


def reliability(probabilities: np.ndarray, truth: np.ndarray, bins: int = 10) -> pd.DataFrame:
    """Compare the probability of the predicted scene with how often it is the true one.

    Args:
        probabilities: (samples, K) probabilities of the scenes.
        truth: (samples,) codes of the true scenes.
        bins: how many bins of equal width, each with its upper edge.

    Returns:
        One row for each bin with samples: mean ``confidence``, ``accuracy`` and ``share`` of all samples, each
        from 0 to 1, under the bin's number (index ``bin``, from 0).
    """
    probabilities = np.asarray(probabilities)
    confidence = probabilities.max(1)
    frame = pd.DataFrame({"confidence": confidence, "accuracy": probabilities.argmax(1) == np.asarray(truth)})
    inner = np.linspace(0, 1, bins + 1)[1:-1]
    groups = frame.astype(float).groupby(pd.Series(np.digitize(confidence, inner, right=True), name="bin"))
    return groups.mean().assign(share=groups.size() / len(frame))


def expected_calibration_error(probabilities: np.ndarray, truth: np.ndarray, bins: int = 10) -> float:
    """Return the mean distance of confidence from accuracy over the bins of `reliability`, by their share, percent."""
    table = reliability(probabilities, truth, bins)
    return 100 * float((table["share"] * (table["confidence"] - table["accuracy"]).abs()).sum())
