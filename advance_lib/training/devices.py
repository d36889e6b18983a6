"""One training on several devices: processes that share each batch and agree on every step.

``torchrun`` starts the processes, Lightning Fabric averages their gradients; here is what remains.

Chapter: What it costs.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce

from advance_lib.cache import UserError

WAIT = timedelta(days=1)  # another job may hold a run for long; a lost process is reported by torchrun at once


def processes() -> tuple[int, int]:
    """Return how many processes ``torchrun`` started on this machine, and on how many machines."""
    here = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    return here, int(os.environ.get("WORLD_SIZE", 1)) // here


def rank() -> int:
    """Return the number of this process among all that ``torchrun`` started; 0 where it started none."""
    return int(os.environ.get("RANK", 0))


def launch(devices: int, device: str, arguments: Sequence[str]) -> None:
    """Run the command ``advance`` again in several processes that train together.

    Args:
        devices: processes, one a device.
        device: ``"cpu"``, ``"cuda"`` or ``"auto"``.
        arguments: of the command.

    Raises:
        UserError: there are not as many devices, or a process ended before its work was done.
    """
    if devices < 1:
        raise UserError(f"--devices {devices}: one device or more is needed")
    if device != "cpu" and torch.cuda.is_available() and torch.cuda.device_count() < devices:
        raise UserError(f"--devices {devices}: this machine has {torch.cuda.device_count()} GPU(s); ask for no more")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(devices)]
    ended = subprocess.run([*command, "-m", "advance_lib.cli", *arguments])
    if ended.returncode:
        raise UserError(
            f"one of {devices} processes ended before its work was done (see above); "
            "the same command goes on after the last epoch that was kept"
        )


class SynchronisedBatchNorm(nn.BatchNorm2d):
    """Batch norm over the samples of all processes, for CPUs: PyTorch's own works on GPUs alone."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised map, (batch, channels, height, width)."""
        if not self.training:
            return super().forward(x)
        count = x.numel() // x.shape[1] * torch.distributed.get_world_size()
        mean = all_reduce(x.sum(dim=(0, 2, 3))) / count
        centred = x - mean[:, None, None]
        variance = all_reduce(centred.square().sum(dim=(0, 2, 3))) / count
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
            self.num_batches_tracked += 1
        scale = self.weight * (variance + self.eps).rsqrt()
        return centred * scale[:, None, None] + self.bias[:, None, None]


def synchronised(model: nn.Module, fabric: Fabric) -> nn.Module:
    """Return a model whose batch norm sees the whole batch, however many processes share it.

    The official code does not do that: its four GPUs normalise a quarter of the batch each (official-code, 18).
    """
    if fabric.world_size == 1:
        return model
    if fabric.device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(model)
    for layer in model.modules():
        if type(layer) is nn.BatchNorm2d:
            layer.__class__ = SynchronisedBatchNorm
    return model
