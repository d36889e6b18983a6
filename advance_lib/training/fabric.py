"""Lightning Fabric on a CPU, a GPU, or in several processes that share each batch and agree on every step.

Chapter: What it costs.
"""

import logging
import os
from datetime import timedelta

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import LightningEnvironment, TorchElasticEnvironment
from lightning_fabric.strategies import DDPStrategy
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce
from torchvision.models.resnet import BasicBlock, Bottleneck

from advance_lib.training.devices import accelerator, effective_precision, processes

logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it announces its arithmetic at every start
WAIT = timedelta(days=1)  # another job may hold a run for long; a lost process is reported by torchrun at once


def start(device: str, precision: str, together: bool = False) -> Fabric:
    """Return a Fabric on ``cpu``, ``cuda`` or ``auto``; on a CPU with one thread.

    One thread a process, because as many processes run as there are cores, and so that a seed gives the
    same numbers whatever else the machine does.

    Args:
        device: setting of the device.
        precision: Lightning Fabric's name of the arithmetic that is wanted.
        together: share the work with the other processes that `launch` started.
    """
    if accelerator(device) == "cpu":
        torch.set_num_threads(1)
    else:
        torch.backends.cudnn.benchmark = True  # shapes stay the same
    devices, nodes = processes() if together else (1, 1)
    several = devices * nodes > 1
    if accelerator(device) == "cuda" and not several:
        devices = [int(os.environ.get("LOCAL_RANK", 0))]  # what one of several processes does alone, on its own GPU
    fabric = Fabric(
        accelerator=accelerator(device),
        # Backbones bring classifiers that not every objective uses: these have no gradients to wait for.
        strategy=DDPStrategy(find_unused_parameters=True, timeout=WAIT) if several else "auto",
        devices=devices,
        num_nodes=nodes,
        precision=effective_precision(device, precision),
        # Named, so that a job on a cluster does not take that cluster's own tasks for these processes.
        plugins=TorchElasticEnvironment() if several else LightningEnvironment(),
    )
    fabric.launch()
    return fabric


class SynchronisedBatchNorm(nn.BatchNorm2d):
    """Batch norm over the samples of all processes, for CPUs: PyTorch's own works on GPUs alone."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised map, (batch, channels, height, width)."""
        if not self.training:
            return super().forward(x)
        wide = x.float()  # bfloat16 would lose the statistics
        count = wide.numel() // wide.shape[1] * torch.distributed.get_world_size()
        mean = all_reduce(wide.sum(dim=(0, 2, 3))) / count
        centred = wide - mean[:, None, None]
        variance = all_reduce(centred.square().sum(dim=(0, 2, 3))) / count
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
            self.num_batches_tracked += 1
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(x.dtype)


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


def compile_blocks(network: nn.Module, **options: object) -> None:
    """Let torch.compile fuse what happens inside each residual block, in place.

    Blocks rather than whole networks: one compilation serves all blocks of a shape, in every cell of every table.

    Args:
        network: with torchvision's residual blocks; others stay as they are.
        options: of ``torch.compile``.
    """
    torch._dynamo.config.recompile_limit = 256  # one line of code, as many shapes as there are stages and batch sizes
    for module in network.modules():
        if isinstance(module, BasicBlock | Bottleneck):
            module.compile(dynamic=False, **options)
