import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from sklearn.decomposition import PCA

from advance_lib.models.audiovisual import BACKBONES
from advance_lib.models.pretrained import Pretrained
from advance_lib.training.inputs import Inputs, Normaliser
from advance_lib.transfer import knowledge
from advance_lib.transfer.knowledge import event_relevance, knowledge_of, posteriors, sigmoid


@pytest.fixture
def responses():
    """Soft responses of 30 samples in three scenes."""
    generator = np.random.default_rng(0)
    targets = np.repeat([0, 1, 2], [14, 9, 7])
    return (generator.random((30, 8)) * generator.random(8)).astype(np.float32), targets


def test_posteriors_are_the_mean_response_of_a_scene(responses):
    y, targets = responses
    grouped = pd.DataFrame(y.astype(float)).groupby(targets).mean().to_numpy()
    assert np.allclose(posteriors(y, targets, 3), grouped, atol=1e-12)


def test_relevance_is_the_gram_matrix_first_eigenvector(responses):
    """Against the singular value decomposition: the right singular vectors of P are the eigenvectors of PᵀP."""
    y, targets = responses
    for k, d in enumerate(event_relevance(y, targets, 3)):
        wanted = np.linalg.svd(y[targets == k].astype(float))[2][0]
        assert abs(d @ wanted) == pytest.approx(1, abs=1e-10)
        assert d[np.abs(d).argmax()] > 0 and np.linalg.norm(d) == pytest.approx(1)
        gram = y[targets == k].T.astype(float) @ y[targets == k]
        assert np.allclose(gram @ d, (d @ gram @ d) * d, atol=1e-8)


def test_the_codes_relevance_is_the_first_principal_component(responses):
    y, targets = responses
    for k, d in enumerate(event_relevance(y, targets, 3, centred=True)):
        wanted = PCA(n_components=1, svd_solver="full").fit(y[targets == k].astype(float)).components_[0]
        assert abs(d @ wanted) == pytest.approx(1, abs=1e-8)


def test_published_posteriors_point_where_the_relevance_points(shared):
    """On real statistics: the Gram direction of samples around a posterior is close to that posterior's own."""
    p = pd.read_csv(shared / "advance" / "scene_event_posteriors.csv").iloc[:, 3:].to_numpy().T[:3]
    generator = np.random.default_rng(0)
    y = np.concatenate([generator.beta(20 * row + 1e-3, 20 * (1 - row) + 1e-3, (40, 527)) for row in p])
    targets = np.repeat(range(3), 40)
    d = event_relevance(y, targets, 3)
    cosines = d @ (p / np.linalg.norm(p, axis=1, keepdims=True)).T
    assert (cosines.argmax(1) == range(3)).all()


@pytest.fixture
def listener(tmp_path):
    """A small audio network on disk, spectrograms of 24 samples, and the rows to train on."""
    torch.manual_seed(0)
    network = BACKBONES["narrow audio"](6).eval()
    save_file(network.state_dict(), tmp_path / "network.safetensors")
    pretrained = Pretrained(tmp_path / "network.safetensors", tuple("abcdef"), 50.0, "a key", "narrow audio")
    log_mels = np.random.default_rng(0).normal(-40, 15, (24, 400, 64)).astype(np.float16)
    targets = np.tile([0, 1, 2], 8)
    rows = np.arange(15)
    return network, pretrained, Inputs(None, log_mels, targets, Normaliser.of(None, log_mels, rows)), rows


def test_knowledge_is_that_of_the_network_and_of_the_training_split(listener, monkeypatch):
    network, pretrained, inputs, rows = listener
    found = knowledge_of(pretrained, inputs, "data", rows, 3, device="cpu")
    with torch.inference_mode():
        own = network(inputs.batch(np.arange(24), augment=False).log_mel).numpy()
    assert np.allclose(found.pre_activations, own, atol=1e-4) and found.events == tuple("abcdef")
    y = 1 / (1 + np.exp(-own))
    assert np.allclose(found.soft_responses, y, atol=1e-5)
    wanted = [y[:15][inputs.targets[:15] == k].mean(0) for k in range(3)]
    assert np.allclose(found.posteriors, wanted, atol=1e-5)
    monkeypatch.setattr(knowledge, "predictions", lambda *_: pytest.fail("heard again"))
    again = knowledge_of(pretrained, inputs, "data", rows, 3, device="cpu")
    assert np.array_equal(again.relevance, found.relevance)


def test_test_recordings_do_not_reach_the_posteriors(listener):
    """Other test recordings, the same knowledge of scenes."""
    _, pretrained, inputs, rows = listener
    found = knowledge_of(pretrained, inputs, "data", rows, 3, device="cpu")
    changed = inputs.log_mels.copy()
    changed[18:] += 20
    other = Inputs(None, changed, inputs.targets, inputs.normaliser)
    again = knowledge_of(pretrained, other, "other data", rows, 3, device="cpu")
    assert np.array_equal(found.posteriors, again.posteriors) and np.array_equal(found.relevance, again.relevance)
    assert not np.allclose(found.pre_activations[18:], again.pre_activations[18:])


def test_sigmoid_is_safe():
    assert np.allclose(sigmoid(np.array([-800.0, 0.0, 800.0])), [0, 0.5, 1])
