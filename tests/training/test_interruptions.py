"""Power cuts: kill -9 in the middle of rendering and of features; the next start ends with the same bytes."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow

RENDER = """
from advance_lib.miniature.world import World, render_world
print(render_world(World(pairs=20, side=48)))
"""
FEATURES = """
import sys
from advance_lib.data.catalogue import read_catalogue
from advance_lib.data.features import log_mel_array
log_mel_array(read_catalogue(sys.argv[1]))
"""


def run(code, build, *arguments):
    environment = os.environ | {"ADVANCE_BUILD": str(build), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], env=environment, stdout=subprocess.PIPE,
        text=True, start_new_session=True,
    )  # fmt: skip


def kill_when(process, condition):
    while not condition():
        assert process.poll() is None, "it was finished before it could be killed"
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def bytes_of(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_rendering(tmp_path):
    whole = Path(run(RENDER, tmp_path / "whole").communicate()[0].strip())
    killed = run(RENDER, tmp_path / "killed")
    kill_when(killed, lambda: len(list((tmp_path / "killed").rglob("*.wav"))) > 12)
    assert not (tmp_path / "killed" / "worlds" / whole.name).exists()
    again = Path(run(RENDER, tmp_path / "killed").communicate()[0].strip())
    assert bytes_of(again) == bytes_of(whole)


def test_features(tiny, tmp_path):
    assert run(FEATURES, tmp_path / "whole", tiny).wait() == 0
    killed = run(FEATURES, tmp_path / "killed", tiny)

    def some_rows():
        for path in (tmp_path / "killed" / "features").glob("*.partial/done.npy"):
            return np.load(path).sum() > 3
        return False

    kill_when(killed, some_rows)
    assert run(FEATURES, tmp_path / "killed", tiny).wait() == 0
    found = [next((tmp_path / name / "features").glob("log_mel-*/values.npy")) for name in ("whole", "killed")]
    assert found[0].read_bytes() == found[1].read_bytes()
