"""The kernel that executes chapters."""

import sys

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager


class OwnKernel(AsyncKernelManager):
    """A kernel of the Python that runs this, whatever kernels others have installed under the chapter's kernel's name.

    It is not interrupted before it is shut down: a kernel that is about to answer reports that as an error, and a
    chapter that ended has nothing to interrupt.
    """

    @property
    def kernel_spec(self) -> KernelSpec:
        """How the kernel is started."""
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=command, display_name="Python 3", language="python")

    async def shutdown_kernel(self, now: bool = False, restart: bool = False) -> None:
        """Ask the kernel to end, and end it after some seconds if it does not."""
        await self.request_shutdown(restart)
        await self.finish_shutdown(restart=restart)
        await self.cleanup_resources(restart)
