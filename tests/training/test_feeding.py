import numpy as np
import pytest
import torch

from advance_lib.training.feeding import Resident, Streamed, on_device
from advance_lib.training.inputs import Inputs, Normaliser, drawn_jitter

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here"))]


@pytest.fixture
def inputs(tmp_path):
    """Memory-mapped arrays, as they come from the cache."""
    generator = np.random.default_rng(0)
    arrays = {
        "images": generator.integers(0, 255, (20, 8, 8, 3), np.uint8),
        "log_mels": generator.normal(-30, 10, (20, 40, 64)).astype(np.float16),
    }
    for name, values in arrays.items():
        np.save(tmp_path / f"{name}.npy", values)
        arrays[name] = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
    normaliser = Normaliser.of(*arrays.values(), np.arange(20))
    events = generator.normal(size=(20, 5)).astype(np.float32)
    return Inputs(**arrays, targets=np.arange(20) % 3, normaliser=normaliser, events=events)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", [Resident, Streamed])
@pytest.mark.parametrize("augment", [False, True])
def test_batches_are_the_same_wherever_the_arrays_lie(inputs, device, kind, augment):
    rows = np.random.default_rng(1).permutation(20)[:17]
    draws = drawn_jitter(17) if augment else None
    expected = list(inputs.batches(rows, 4, draws))
    found = list(kind(inputs, torch.device(device)).batches(rows, 4, draws))
    assert [len(batch.target) for batch in found] == [4, 4, 4, 4, 1]
    for wanted, batch in zip(expected, found, strict=True):
        for a, b in zip(wanted, batch, strict=True):
            assert b.device.type == device and torch.allclose(a, b.cpu(), atol=1e-4)
        assert batch.image.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(torch.cat([batch.target for batch in found]).cpu(), torch.from_numpy(inputs.targets[rows]))


def test_a_streams_failure_reaches_the_training(inputs):
    with pytest.raises(IndexError):
        list(Streamed(inputs, torch.device("cpu")).batches(np.array([0, 1, 99]), 2))


def test_a_stream_that_is_left_early_ends(inputs):
    batches = Streamed(inputs, torch.device("cpu")).batches(np.arange(20), 2)
    assert len(next(batches).target) == 2
    batches.close()  # would hang if the thread went on waiting


def test_data_go_to_the_gpus_memory_only_where_they_fit(inputs, monkeypatch):
    assert on_device(inputs, torch.device("cpu")) is inputs
    size = sum(x.nbytes for x in inputs.arrays)
    for kind in (Resident, Streamed):  # what is chosen, not where it goes
        monkeypatch.setattr(kind, "__init__", lambda self, inputs, device: None)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 0)
    for free, held, kind in ((3 * size, 0, Resident), (size, 0, Streamed), (size, 2 * size, Resident)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device, free=free: (free, free))
        monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device, held=held: held)
        assert isinstance(on_device(inputs, torch.device("cuda")), kind)
