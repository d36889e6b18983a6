"""How fast this machine is: a second of what the book's phases do, half of it arithmetic and half of it Python.

``python workflow/speed.py`` measures one process.
"""

import os
import subprocess
import sys
import time


def measured(processes: int) -> float:
    """Return how many units of work one process does in a second while as many others do the same."""
    command, alone = [sys.executable, __file__], os.environ | {"OMP_NUM_THREADS": "1"}
    running = [subprocess.Popen(command, env=alone, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    return sum(float(process.communicate()[0]) for process in running) / processes


def _second() -> float:
    import numpy as np

    matrix = np.full((192, 192), 1 / 192, np.float32)
    begun, units = time.perf_counter(), 0
    while time.perf_counter() - begun < 1:
        for _ in range(8):
            matrix = matrix @ matrix
        sum(number * number for number in range(15_000))
        units += 1
    return units / (time.perf_counter() - begun)


if __name__ == "__main__":
    print(_second())
