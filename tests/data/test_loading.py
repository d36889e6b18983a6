import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from advance_lib.data.catalogue import read_catalogue
from advance_lib.data.features import image_array, log_mel_array
from advance_lib.data.loading import Pairs


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_gives_the_arrays_of_the_library(tiny, workers):
    pairs = read_catalogue(tiny)
    images, sounds, codes = map(torch.cat, zip(*DataLoader(Pairs(pairs, side=24), 8, num_workers=workers), strict=True))
    assert np.array_equal(images.permute(0, 2, 3, 1).numpy(), image_array(pairs, 24))
    assert np.array_equal(sounds.half().numpy(), log_mel_array(pairs))
    assert [("desert", "ice", "wood")[code] for code in codes] == list(pairs["scene"])


def first_second(samples, rate):
    return samples[:rate]


def test_sounds_may_be_heard_otherwise_and_scenes_named(tiny):
    pairs = read_catalogue(tiny).query("scene == 'wood'")
    data = Pairs(pairs, ["ice", "wood"], side=8, heard=first_second)
    image, sound, code = data[0]
    assert (image.shape, image.dtype, sound.shape, code) == ((3, 8, 8), torch.uint8, (8000,), 1)
    assert len(data) == len(pairs)
