"""What a training runs on: a CPU, a GPU, or several processes that share each batch and agree on every step.

``torchrun`` starts several processes; `fabric` has what happens in each. Here nothing is computed: what a finished run
is asked needs no PyTorch, which takes seconds to load.

Chapter: What it costs.
"""

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from advance_lib import __version__
from advance_lib.cache import UserError

PACKAGES = (
    "torch",
    "torchvision",
    "torchaudio",
    "lightning-fabric",
    "numpy",
    "scikit-learn",
)
GPU_FILES = ("nvidia*", "nvhost*", "nvmap", "dxg", "kfd")  # under /dev: NVIDIA's, Jetson's (two), WSL's, AMD's


def processes() -> tuple[int, int]:
    """Return how many processes ``torchrun`` started on this machine, and on how many machines."""
    here = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    return here, int(os.environ.get("WORLD_SIZE", 1)) // here


def rank() -> int:
    """Return the number of this process among all that ``torchrun`` started; 0 where it started none."""
    return int(os.environ.get("RANK", 0))


def _gpus() -> int:
    """Return how many GPUs PyTorch can use; where the system has no such device, PyTorch is not loaded to say so."""
    if "torch" not in sys.modules and os.name == "posix" and not any(any(Path("/dev").glob(f)) for f in GPU_FILES):
        return 0
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def accelerator(device: str) -> str:
    """Return ``"cpu"`` or ``"cuda"`` for a device setting.

    Raises:
        UserError: CUDA was asked for and is not there, or the setting is unknown.
    """
    if device not in ("cpu", "cuda", "auto"):
        raise UserError(f"no device '{device}'; choose cpu, cuda or auto")
    if device == "cpu":
        return "cpu"
    gpus = _gpus()
    if device == "cuda" and not gpus:
        raise UserError("device 'cuda': no CUDA device is visible here; choose cpu or auto")
    return "cuda" if gpus else "cpu"


def native_bfloat16() -> bool:
    """Return whether this CPU multiplies bfloat16 by instructions of its own, as Linux says; elsewhere False."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(flags.split())


def effective_precision(device: str, precision: str) -> str:
    """Return the arithmetic that is really used: a CPU computes in bfloat16 only where it is made for it."""
    able = accelerator(device) == "cuda" or (precision == "bf16-mixed" and native_bfloat16())
    return precision if able else "32-true"


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
    if device != "cpu" and 0 < (gpus := _gpus()) < devices:
        raise UserError(f"--devices {devices}: this machine has {gpus} GPU(s); ask for no more")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(devices)]
    ended = subprocess.run([*command, "-m", "advance_lib.cli", *arguments])
    if ended.returncode:
        raise UserError(
            f"one of {devices} processes ended before its work was done (see above); "
            "the same command goes on after the last epoch that was kept"
        )


def environment(device: str) -> dict[str, str]:
    """Return versions and device, as every run and every chapter records them."""
    name = f"CPU ({platform.machine()})"
    if accelerator(device) == "cuda":
        import torch

        name = torch.cuda.get_device_name()
    ours = {"device": name, "python": platform.python_version(), "advance-companion": __version__}
    return ours | {name: version(name) for name in PACKAGES}
