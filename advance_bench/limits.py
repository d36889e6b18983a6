"""What a machine can do at most, measured: arithmetic, memory, and what a training step asks of both.

Chapter: What it costs.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

SIDE = {"cpu": 1024, "cuda": 8192}  # of the matrices: large enough for the peak, milliseconds each
COPIED = {"cpu": 2**28, "cuda": 2**30}  # bytes: far more than any cache holds
REPEATS = 20


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Compute with some CPU threads meanwhile; one is what training uses (`fabric.start`)."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def median_seconds(call: Callable[[], object], device: torch.device | str) -> float:
    """Return the median duration of a call in seconds, after three calls to warm up; waits for the device."""
    wait = torch.get_device_module(device).synchronize
    durations = []
    for _ in range(3 + REPEATS):
        wait()
        began = time.perf_counter()
        call()
        wait()
        durations.append(time.perf_counter() - began)
    return float(np.median(durations[3:]))


def matmul_rate(device: torch.device | str, dtype: torch.dtype, cpu_threads: int = 1) -> float:
    """Return the FLOP/s of a large square matrix product of random numbers, 2n³ FLOP each.

    On a GPU float32 is computed as ``torch.get_float32_matmul_precision`` says.

    Args:
        device: of the product.
        dtype: of the factors.
        cpu_threads: where the device is a CPU.
    """
    side = SIDE[torch.device(device).type]
    a, b, product = (torch.randn(side, side, device=device).to(dtype) for _ in range(3))
    with threads(cpu_threads):
        return 2 * side**3 / median_seconds(lambda: torch.mm(a, b, out=product), device)


def copy_bandwidth(device: torch.device | str, cpu_threads: int = 1) -> float:
    """Return the bytes/s of a large copy within the device's memory, those read and those written together.

    Args:
        device: whose memory.
        cpu_threads: where the device is a CPU.
    """
    source = torch.ones(COPIED[torch.device(device).type] // 4, device=device)
    target = torch.empty_like(source)
    with threads(cpu_threads):
        return 2 * source.nbytes / median_seconds(lambda: target.copy_(source), device)


def flops_of(call: Callable[[], object]) -> int:
    """Return the FLOP of the matrix products and convolutions in a call, backward passes included.

    Multiplication and addition count one each; normalisation, activation and Adam count nothing. The call must not be
    compiled.
    """
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()


def step_bytes(model: nn.Module, image: Tensor | None, log_mel: Tensor | None, bytes_per_value: int) -> int:
    """Return the fewest bytes that one training step moves if every layer is a computation of its own.

    Divided by `copy_bandwidth`, the shortest time that memory allows a step. It is assumed that

    - convolutions, batch norms and linear layers keep nothing on the chip from one to the next, since batch norm needs
      its whole input before its first output;
    - forward, each reads its input once and writes its output once; backward, it reads its input again and the gradient
      of its output, and writes the gradient of its input where one is wanted. All this in the step's precision;
    - activations, additions and pooling are fused into these layers and move nothing;
    - batch norm gets statistics and result out of one reading, and no workspace, cast or copy is needed: real steps
      move more;
    - weights of layers that take part are read forward and backward in the step's precision; their gradients are
      written, and Adam reads weights, gradients and both moments and writes weights and moments, in float32.

    Args:
        model: takes (image, log_mel), not compiled; one forward pass is made, in evaluation mode.
        image: (batch, 3, side, side), or None.
        log_mel: (batch, 1, T, F), or None.
        bytes_per_value: 2 for bf16, 4 for float32.
    """
    values, taking_part = 0, set()

    def count(layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        nonlocal values
        taking_part.add(layer)
        (x,) = inputs
        values += (3 if x.requires_grad else 2) * x.numel() + 2 * output.numel()

    layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.BatchNorm2d | nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    training = {module: module.training for module in model.modules()}
    try:
        model.eval()(image, log_mel)  # so that no running statistics change
    finally:
        for hook in hooks:
            hook.remove()
        for module, mode in training.items():
            module.training = mode
    weights = sum(x.numel() for layer in taking_part for x in layer.parameters() if x.requires_grad)
    return values * bytes_per_value + weights * (2 * bytes_per_value + 8 * 4)
