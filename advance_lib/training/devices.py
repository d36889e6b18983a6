"""What a training runs on: a CPU, a GPU, or several processes that share each batch and agree on every step.

``torchrun`` starts several processes, Lightning Fabric averages their gradients; here is what remains.

Chapter: What it costs.
"""

import logging
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from importlib.metadata import version

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import LightningEnvironment, TorchElasticEnvironment
from lightning_fabric.strategies import DDPStrategy
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce
from torchvision.models.resnet import BasicBlock, Bottleneck

from advance_lib import __version__
from advance_lib.cache import UserError

logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it announces its arithmetic at every start
WAIT = timedelta(days=1)  # another job may hold a run for long; a lost process is reported by torchrun at once


PACKAGES = (
    "torch",
    "torchvision",
    "torchaudio",
    "lightning-fabric",
    "numpy",
    "scikit-learn",
)


def processes() -> tuple[int, int]:
    """Return how many processes ``torchrun`` started on this machine, and on how many machines."""
    here = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    return here, int(os.environ.get("WORLD_SIZE", 1)) // here


def rank() -> int:
    """Return the number of this process among all that ``torchrun`` started; 0 where it started none."""
    return int(os.environ.get("RANK", 0))


def accelerator(device: str) -> str:
    """Return ``"cpu"`` or ``"cuda"`` for a device setting.

    Raises:
        UserError: CUDA was asked for and is not there, or the setting is unknown.
    """
    if device not in ("cpu", "cuda", "auto"):
        raise UserError(f"no device '{device}'; choose cpu, cuda or auto")
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("device 'cuda': no CUDA device is visible here; choose cpu or auto")
    return "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"


def native_bfloat16() -> bool:
    """Return whether this processor multiplies bfloat16 itself; elsewhere it would be slower than float32."""
    able = torch.cpu.get_capabilities()
    return able.get("avx512_bf16", False) or able.get("amx_bf16", False)


def effective_precision(device: str, precision: str) -> str:
    """Return the arithmetic that is really used: a CPU computes in bfloat16 only where it is made for it."""
    able = accelerator(device) == "cuda" or (precision == "bf16-mixed" and native_bfloat16())
    return precision if able else "32-true"


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


def environment(device: str) -> dict[str, str]:
    """Return versions and device, as every run and every chapter records them."""
    name = torch.cuda.get_device_name() if accelerator(device) == "cuda" else f"CPU ({platform.machine()})"
    ours = {"device": name, "python": platform.python_version(), "advance-companion": __version__}
    return ours | {name: version(name) for name in PACKAGES}
