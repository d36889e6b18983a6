"""From arrays to a device: held in its memory where they fit, else streamed ahead of the training.

Chapter: What it costs.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from advance_lib.training.inputs import Batch, Inputs, prepared

SHARE = 0.5  # of the free device memory that data may take; the rest is for the network
AHEAD = 3  # batches on their way


class Resident:
    """Inputs that lie in a device's memory, so that a batch is chosen there and the host waits for nothing.

    Args:
        inputs: arrays, read once.
        device: where they go.
    """

    def __init__(self, inputs: Inputs, device: torch.device):
        self.stored = Batch(*(None if x is None else _tensor(x).to(device) for x in inputs.arrays))
        self.normaliser, self.device = inputs.normaliser.to(device), device

    def batches(self, rows: np.ndarray, size: int, draws: Tensor | None = None) -> Iterator[Batch]:
        """Yield rows in batches on the device; arguments as for `Inputs.batches`."""
        order = torch.from_numpy(rows).to(self.device, non_blocking=True)
        draws = None if draws is None else draws.to(self.device, non_blocking=True)
        for first in range(0, len(rows), size):
            chosen = slice(first, first + size)
            stored = Batch(*(None if x is None else x.index_select(0, order[chosen]) for x in self.stored))
            yield prepared(stored, self.normaliser, None if draws is None else draws[chosen])


class Streamed:
    """Inputs that stay in their files; a thread gathers the next batches while the device works.

    Args:
        inputs: arrays, memory-mapped.
        device: where the batches go.
    """

    def __init__(self, inputs: Inputs, device: torch.device):
        self.inputs, self.device = inputs, device
        self.normaliser = inputs.normaliser.to(device)

    def batches(self, rows: np.ndarray, size: int, draws: Tensor | None = None) -> Iterator[Batch]:
        """Yield rows in batches on the device; arguments as for `Inputs.batches`."""

        draws = None if draws is None else draws.to(self.device, non_blocking=True)

        def gather(first: int) -> Batch:
            stored = self.inputs.gathered(rows[first : first + size])
            if self.device.type == "cuda":  # the host waits for a copy from any other memory
                stored = Batch(*(None if x is None else x.pin_memory() for x in stored))
            return stored

        with ThreadPoolExecutor(1) as thread:
            firsts = iter(range(0, len(rows), size))
            waiting = deque(thread.submit(gather, first) for first in islice(firsts, AHEAD))
            for begun in range(0, len(rows), size):
                stored = waiting.popleft().result()
                if (first := next(firsts, None)) is not None:
                    waiting.append(thread.submit(gather, first))
                stored = Batch(*(None if x is None else x.to(self.device, non_blocking=True) for x in stored))
                yield prepared(stored, self.normaliser, None if draws is None else draws[begun : begun + size])


Fed = Inputs | Resident | Streamed


def on_device(inputs: Fed, device: torch.device) -> Fed:
    """Return inputs that give their batches on a device in the fastest way that fits.

    A CPU reads the memory-mapped files as they are; the system keeps them in memory.

    Args:
        inputs: arrays of a dataset; those that are fed already stay where they are.
        device: where the training runs.
    """
    if device.type == "cpu" or not isinstance(inputs, Inputs):
        return inputs
    free, _ = torch.cuda.mem_get_info(device)
    free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # held by PyTorch, and not used
    fits = sum(x.nbytes for x in inputs.arrays if x is not None) < SHARE * free
    return Resident(inputs, device) if fits else Streamed(inputs, device)


def _tensor(x: np.ndarray) -> Tensor:
    # torch wants arrays that it could write to, which memory-mapped files are not.
    return torch.from_numpy(x if x.flags.writeable else np.array(x))
