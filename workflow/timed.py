"""Run one step of the graph, and leave beside the book when it began and what it took.

``python workflow/timed.py FILE COMMAND …``. The bar of a build and the book's table of phases are read from these
files: ``begun`` in seconds since 1970, and when the step has ended also ``wall`` and ``cpu`` in seconds, of the step
and of all its children, ``memory`` of the largest of them in MB, and ``code``, the exit code.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes


def run(record: Path, command: list[str]) -> int:
    """Run a command, leave its record, and return its exit code."""
    told = {"begun": time.time()}
    _write(record, told)
    # Who is interrupted is the command; it cleans up, and this tells what it took all the same.
    signal.signal(signal.SIGINT, lambda *_: None)
    child = subprocess.Popen(command)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    code = child.wait()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    code = 128 - code if code < 0 else code
    told |= {"wall": time.time() - told["begun"], "cpu": used.ru_utime + used.ru_stime}
    _write(record, told | {"memory": used.ru_maxrss * UNIT / 1e6, "code": code})
    return code


def _write(record: Path, told: dict) -> None:
    record.parent.mkdir(parents=True, exist_ok=True)
    partial = record.with_name(f".{os.getpid()}.{record.name}")
    partial.write_text(json.dumps(told))
    partial.replace(record)


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1]), sys.argv[2:]))
