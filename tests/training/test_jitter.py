import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp
from torchvision.transforms import v2
from torchvision.transforms.v2.functional import adjust_brightness, adjust_saturation

from advance_lib.training.jitter import drawn_jitter, jittered

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here"))]


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
