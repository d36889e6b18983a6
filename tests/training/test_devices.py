"""One training in two processes (gloo, on the CPU) against the same training in one."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from advance_lib.cache import UserError
from advance_lib.experiments.prepared import Prepared
from advance_lib.experiments.profiles import PROFILES
from advance_lib.experiments.settings import Settings
from advance_lib.models.audiovisual import BACKBONES, AudiovisualNet
from advance_lib.training import devices
from advance_lib.training import loop as training
from advance_lib.training.devices import accelerator, launch, native_bfloat16, processes, rank
from advance_lib.training.fabric import compile_blocks, start
from advance_lib.training.inputs import Inputs, Normaliser
from advance_lib.training.loop import fit
from advance_lib.training.schedule import Schedule
from advance_lib.transfer.recogniser import Given, Recipe, scene_probabilities, train_recogniser, without_sense


def train(tiny, folder, senses, epochs, size):
    """Train, and note what this process saw and how many files it wrote."""
    wrote, save = [], training.save_file
    training.save_file = lambda *arguments: (wrote.append(arguments[1]), save(*arguments))
    folder.mkdir(parents=True, exist_ok=True)
    PROFILES["small"] = replace(PROFILES["smoke"], name="small", image_side=32)
    shared = Prepared(Settings(str(tiny), "small", device="cpu"))
    dataset, inputs = shared.data, shared.inputs
    recipe = Recipe(senses, "narrow visual", "narrow audio", Schedule(epochs, size, 1e-3), pretrained=False)
    model, fabric, history = train_recogniser(recipe, Given(inputs, dataset.rows(), 3, device="cpu"), 0, folder)
    found = scene_probabilities(recipe, fabric, model, without_sense(senses, inputs), dataset.rows()["test"])
    np.save(folder / f"found-{fabric.global_rank}.npy", found)
    (folder / f"told-{fabric.global_rank}.json").write_text(json.dumps([history, len(wrote), fabric.world_size]))
    training.save_file = save


if __name__ == "__main__":
    for senses in sys.argv[3].split(","):
        train(Path(sys.argv[1]), Path(sys.argv[2]) / senses, senses, int(sys.argv[4]), 8)
    sys.exit()


def in_two_processes(tmp_path, tiny, name, senses="image+sound", epochs=3):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    arguments = [__file__, str(tiny), str(tmp_path / name), senses, str(epochs)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen([*torchrun, *arguments], stderr=subprocess.PIPE, text=True, env=environment)


def ended(process):
    _, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors
    return errors


def told(folder, of=0):
    history, wrote, world = json.loads((folder / f"told-{of}.json").read_text())
    return history, wrote, world, np.load(folder / f"found-{of}.npy")


def test_two_processes_train_as_one_does(tmp_path, tiny):
    both = ("image+sound", "image")  # with the second one, a branch is silent
    ended(in_two_processes(tmp_path, tiny, "two", ",".join(both)))
    for senses in both:
        train(tiny, tmp_path / "one" / senses, senses, 3, 8)
        alone, _, world, expected = told(tmp_path / "one" / senses)
        assert world == 1
        for of in (0, 1):
            history, wrote, world, found = told(tmp_path / "two" / senses, of)
            assert world == 2 and (wrote > 0) == (of == 0)  # only the first process writes
            assert history[0]["loss"] == pytest.approx(alone[0]["loss"], rel=1e-4)  # before differences add up
            for ours, theirs in zip(history, alone, strict=True):
                assert ours["loss"] == pytest.approx(theirs["loss"], rel=2e-3)
            assert np.allclose(found, expected, atol=0.02) and len(found) == len(expected)
        assert history[-1]["loss"] < 0.8 * history[0]["loss"]


@pytest.mark.slow
def test_a_killed_process_ends_the_job_and_the_next_one_goes_on(tmp_path, tiny):
    ended(in_two_processes(tmp_path, tiny, "whole", epochs=12))
    job = in_two_processes(tmp_path, tiny, "killed", epochs=12)
    killed = tmp_path / "killed" / "image+sound"
    while not (killed / training.STATE).exists():
        assert job.poll() is None
        time.sleep(0.01)
    children = subprocess.run(["pgrep", "-P", str(job.pid)], capture_output=True, text=True).stdout.split()
    os.kill(int(children[-1]), signal.SIGKILL)
    _, errors = job.communicate(timeout=60)
    assert job.returncode and "SIGKILL" in errors
    done = len(torch.load(killed / training.STATE, weights_only=True)["history"])
    assert 1 <= done < 12 and not list(killed.glob("told-*"))
    ended(in_two_processes(tmp_path, tiny, "killed", epochs=12))
    resumed, whole = told(killed), told(tmp_path / "whole" / "image+sound")
    assert resumed[0] == whole[0] and np.array_equal(resumed[3], whole[3])


@pytest.mark.slow
def test_the_command_trains_in_two_processes_and_one_tells(tmp_path, tiny, build):
    command = [sys.executable, "-m", "advance_lib.cli", "train", "--devices", "2", "--device", "cpu"]
    options = ["--profile", "smoke", "--dataset", str(tiny), "--seeds", "1", "--cell", "sound/Ls†"]
    told = subprocess.run([*command, *options], capture_output=True, text=True, timeout=300, env=dict(os.environ))
    assert told.returncode == 0, told.stderr
    assert told.stdout.count("sound/Ls†, seed 0") == 1
    (run,) = [path for path in (build / "runs").iterdir() if path.is_dir()]
    assert json.loads((run / "config.json").read_text())["environment"]["processes"] == 2
    assert {path.name for path in run.iterdir()} == {
        "config.json", "metrics.json", "predictions.parquet", "model.safetensors",
    }  # fmt: skip


def test_a_batch_that_cannot_be_shared_is_refused(tmp_path):
    class Three:
        world_size = 3

    images = np.zeros((8, 4, 4, 3), np.uint8)
    inputs = Inputs(images, None, np.zeros(8, np.int64), Normaliser.of(images, None, np.arange(8)))
    with pytest.raises(UserError, match="a batch of 8 cannot be shared equally by 3 processes"):
        fit(Three(), torch.nn.Linear(4, 2), inputs, np.arange(8), None, None, Schedule(1, 8, 1e-3), 0, tmp_path, "")


def test_a_process_that_was_not_started_by_torchrun_is_alone(monkeypatch):
    assert processes() == (1, 1) and rank() == 0 and start("cpu", "32-true", together=True).world_size == 1
    for name, value in (("WORLD_SIZE", "8"), ("LOCAL_WORLD_SIZE", "4"), ("RANK", "5")):
        monkeypatch.setenv(name, value)
    assert processes() == (4, 2) and rank() == 5


def test_bfloat16_is_used_where_the_processor_has_it_and_only_where_it_is_asked_for(monkeypatch):
    for able, used in ((True, "bf16-mixed"), (False, "32-true")):
        monkeypatch.setattr(devices, "native_bfloat16", lambda able=able: able)
        assert devices.effective_precision("cpu", "bf16-mixed") == used
        assert devices.effective_precision("cpu", "32-true") == "32-true"


def test_what_cannot_be_started_is_one_clear_line(monkeypatch):
    with pytest.raises(UserError, match="--devices 0: one device or more"):
        launch(0, "cpu", ["train"])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(UserError, match=r"--devices 4: this machine has 2 GPU\(s\)"):
        launch(4, "auto", ["train"])


def test_pytorch_is_asked_about_gpus_where_there_may_be_one(tmp_path):
    """A process without PyTorch gives the same answer as PyTorch, and loads it only where the system shows a device."""
    program = "import sys; from advance_lib.training import devices; {}; print(devices.accelerator('auto'), {})"
    loaded = "'torch' in sys.modules"

    def told(change):
        command = [sys.executable, "-c", program.format(change, loaded)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()

    assert told("devices.GPU_FILES = ()") == ["cpu", "False"]
    assert told("devices.GPU_FILES = ('null',)") == [accelerator("auto"), "True"]


def test_a_cpu_that_multiplies_bfloat16(monkeypatch):
    def flags(text):
        monkeypatch.setattr(devices.Path, "read_text", lambda *_, **__: f"processor : 0\nflags : fpu {text}\n")

    flags("avx512f avx512_bf16")
    assert native_bfloat16()
    flags("avx512f amx_bf16 amx_tile")
    assert native_bfloat16()
    flags("avx512f")
    assert not native_bfloat16()


def test_a_process_that_ends_too_soon_is_told_with_the_remedy():
    with pytest.raises(UserError, match=r"one of 2 processes ended .* the same command goes on"):
        launch(2, "cpu", ["train", "--profile", "huge"])


def test_one_compilation_serves_all_networks_of_a_kind():
    """Compiled blocks compute the same, keep the names of the weights, and are not compiled again for another run."""
    graphs = []

    def backend(graph, example_inputs):
        graphs.append(graph)
        return graph.forward

    def trained(compiled):
        torch.manual_seed(0)
        net = AudiovisualNet(BACKBONES["narrow visual"](5), BACKBONES["narrow audio"](7), 3, 32)
        names = set(net.state_dict())
        if compiled:
            compile_blocks(net, backend=backend)
        outputs = net(torch.randn(4, 3, 32, 32), torch.randn(4, 1, 400, 64))
        outputs.scenes.square().mean().backward()
        assert set(net.state_dict()) == names
        return outputs.scenes, net.visual.layer2[0].conv1.weight.grad

    torch.compiler.reset()
    plain = trained(False)
    for again in range(2):
        found = trained(True)
        assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(plain, found, strict=True))
        if not again:
            first = len(graphs)
    assert first >= 8 and len(graphs) == first  # four blocks in each network
