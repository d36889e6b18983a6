import numpy as np
import pytest
import torch

from advance_lib.training.inputs import Inputs, Normaliser


@pytest.fixture
def arrays():
    generator = np.random.default_rng(0)
    images = generator.integers(0, 255, (20, 8, 8, 3), np.uint8)
    log_mels = generator.normal(-30, 10, (20, 400, 64)).astype(np.float16)
    return images, log_mels, np.arange(20) % 3


def test_statistics_are_those_of_the_given_rows_alone(arrays):
    images, log_mels, _ = arrays
    rows = np.arange(12)
    found = Normaliser.of(images, log_mels, rows)
    bands = log_mels[:12].astype(np.float64).reshape(-1, 64)
    assert np.allclose(found.band_mean, bands.mean(0), atol=1e-4)
    assert np.allclose(found.band_std, bands.std(0), atol=1e-4)
    colours = images[:12].reshape(-1, 3) / 255
    assert np.allclose(found.colour_mean, colours.mean(0), atol=1e-5)
    assert np.allclose(found.colour_std, colours.std(0), atol=1e-5)


def test_training_rows_come_out_normalised(arrays):
    images, log_mels, targets = arrays
    rows = np.arange(20)
    inputs = Inputs(images, log_mels, targets, Normaliser.of(images, log_mels, rows))
    batch = inputs.batch(rows, augment=False)
    assert batch.image.shape == (20, 3, 8, 8) and batch.log_mel.shape == (20, 1, 400, 64)
    assert abs(batch.image.mean()) < 1e-4 and abs(batch.image.std() - 1) < 1e-2
    assert batch.log_mel.mean(dim=(0, 1, 2)).abs().max() < 1e-3
    assert torch.equal(batch.target, torch.from_numpy(targets))


def test_only_augmented_batches_vary(arrays):
    images, log_mels, targets = arrays
    inputs = Inputs(images, log_mels, targets, Normaliser.of(images, log_mels, np.arange(20)))
    rows = np.arange(8)
    assert torch.equal(inputs.batch(rows, False).image, inputs.batch(rows, False).image)
    torch.manual_seed(0)
    first = inputs.batch(rows, True).image
    torch.manual_seed(0)
    assert torch.equal(first, inputs.batch(rows, True).image)
    assert not torch.equal(first, inputs.batch(rows, True).image)


def test_a_sense_that_is_left_out_is_none(arrays):
    images, log_mels, targets = arrays
    normaliser = Normaliser.of(images, log_mels, np.arange(20))
    assert Inputs(None, log_mels, targets, normaliser).batch(np.arange(2), True).image is None
    assert Inputs(images, None, targets, normaliser).batch(np.arange(2), True).log_mel is None
