import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp
from torchvision.transforms import v2
from torchvision.transforms.v2.functional import adjust_brightness, adjust_saturation

from advance_lib.training.inputs import Inputs, Normaliser, drawn_jitter, jittered

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here"))]


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


def photographs(samples, side=16):
    return torch.randint(0, 256, (samples, 3, side, side), generator=torch.Generator().manual_seed(0)).byte()


@pytest.mark.parametrize("device", DEVICES)
def test_each_photograph_is_changed_as_torchvision_would(device):
    images, draws = photographs(64), drawn_jitter(64, torch.Generator().manual_seed(1))
    found = jittered(images.to(device), draws.to(device)).cpu()
    orders = set()
    for image, (flip, brightness, saturation, first), one in zip(images, draws.tolist(), found, strict=True):
        image = image.flip(2) if flip < 0.5 else image
        changes = [(adjust_brightness, 0.7 + 0.6 * brightness), (adjust_saturation, 0.7 + 0.6 * saturation)]
        orders.add((flip < 0.5, first < 0.5))
        for change, factor in changes if first < 0.5 else reversed(changes):
            image = change(image, factor)
        # a product that lies on a whole number may be rounded either way
        assert (one - image.float()).abs().max() <= 2 and (one != image.float()).float().mean() < 0.01
    assert len(orders) == 4  # flipped or not, either order: all were met


@pytest.mark.parametrize("device", DEVICES)
def test_it_agrees_in_distribution_with_torchvisions_transforms(device):
    """One photograph, changed 1,000 times by each: mean, colourfulness and side of the bright half."""
    image = photographs(1, 12)[0]
    image[:, :, :6] //= 2
    torch.manual_seed(2)
    theirs = v2.Compose([v2.RandomHorizontalFlip(), v2.ColorJitter(brightness=0.3, saturation=0.3)])
    reference = torch.stack([theirs(image) for _ in range(1000)]).float()
    ours = jittered(image.expand(1000, -1, -1, -1).to(device), drawn_jitter(1000).to(device)).cpu()

    def measures(x):
        yield x.mean(dim=(1, 2, 3))
        yield x.std(dim=1).mean(dim=(1, 2)) / x.mean(dim=(1, 2, 3))
        yield (x[..., :6].mean(dim=(1, 2, 3)) > x[..., 6:].mean(dim=(1, 2, 3))).float()

    for mine, other in zip(measures(ours), measures(reference), strict=True):
        assert ks_2samp(mine.numpy(), other.numpy()).pvalue > 1e-3
        assert mine.std() == pytest.approx(float(other.std()), rel=0.1)


def test_a_photograph_does_not_depend_on_its_neighbours():
    images, draws = photographs(8), drawn_jitter(8, torch.Generator().manual_seed(3))
    whole = jittered(images, draws)
    parts = torch.cat([jittered(images[i : i + 2], draws[i : i + 2]) for i in range(0, 8, 2)])
    assert torch.equal(whole, parts) and not torch.equal(whole, images.float())
    assert np.array_equal(whole, whole.floor()) and whole.min() >= 0 and whole.max() <= 255
