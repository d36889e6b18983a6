"""An installed wheel with its core dependencies alone: what it does without the extras ``book`` and ``construct``."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import PathDistribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.pairs import write_pair

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow
# Rooms, or modules of theirs, that say by their name that they need an extra.
EXTRA = ("advance_lib.figures", "advance_lib.construct", "advance_lib.miniature.planet")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the unpacked wheel and, as links, the packages that it asks for without extras, and no others."""
    folder = tmp_path_factory.mktemp("wheel")
    source, site = folder / "source", folder / "site"
    for name in ("advance_lib", "advance_bench"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = f"from setuptools.build_meta import build_wheel; build_wheel({str(folder)!r})"
    done = subprocess.run([sys.executable, "-c", build], cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    (information,) = site.glob("*.dist-info")
    waiting, seen = [(line, "") for line in PathDistribution(information).requires], set()
    while waiting:
        requirement, extra = Requirement(waiting[-1][0]), waiting.pop()[1]
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        for wanted in ("", *requirement.extras):
            if (requirement.name, wanted) not in seen:
                seen.add((requirement.name, wanted))
                waiting += [(line, wanted) for line in distribution(requirement.name).requires or ()]
    for found in {distribution(name)._path for name, _ in seen}:
        for file in PathDistribution(found).files:
            top = file.parts[0]
            if top not in ("..", "__pycache__") and not (site / top).exists():
                (site / top).symlink_to(found.parent / top)
    return site


@pytest.fixture
def run(installed, tmp_path):
    """A function that runs Python with nothing but the wheel and what it asks for."""
    own = {"PYTHONPATH": str(installed), "ADVANCE_BUILD": str(tmp_path / "build"), "OMP_NUM_THREADS": "1"}

    def python(*arguments):
        command = [sys.executable, "-S", *map(str, arguments)]
        done = subprocess.run(command, cwd=tmp_path, env=os.environ | own, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return python


def test_the_extras_are_really_absent(run):
    names = ("matplotlib", "seaborn", "IPython", "nbformat", "snakemake", "shapely", "xyzservices", "pytest")
    code = f"from importlib.util import find_spec; print([name for name in {names} if find_spec(name)])"
    assert run("-c", code) == "[]\n"


@pytest.mark.parametrize("suffix", ["csv", "js"])
def test_the_tables_and_scripts_are_in_the_wheel(installed, suffix):
    ours, theirs = (
        {path.relative_to(folder) for path in (folder / "advance_lib").rglob(f"*.{suffix}")}
        for folder in (ROOT, installed)
    )
    assert ours and ours == theirs


def test_every_module_of_the_core_can_be_imported(run, installed):
    files = sorted((installed / "advance_lib").rglob("[!_]*.py"))
    modules = [".".join(path.relative_to(installed).with_suffix("").parts) for path in files]
    core = [module for module in modules if not module.startswith(EXTRA)]
    code = f"import importlib, json; print(json.dumps([importlib.import_module(m).__file__ for m in {core}]))"
    imported = json.loads(run("-c", code))
    assert len(imported) > 40 and all(Path(file).is_relative_to(installed) for file in imported)


def test_the_commands_run(run, tmp_path):
    for scene, hertz in (("ice", 300.0), ("wood", 2000.0)):
        for place in range(10):
            write_pair(tmp_path / "data", scene, f"{1000 * len(scene) + place:05d}", hertz=hertz)
    data = ("--dataset", tmp_path / "data", "--profile", "smoke")
    assert "usage: advance" in run("-m", "advance_lib.cli", "--help")
    assert "20 usable pairs" in run("-m", "advance_lib.cli", "check", *data)
    runs = (*data, "--seeds", "1", "--device", "cpu")
    trained = run("-m", "advance_lib.cli", "train", *runs, "--cell", "image+sound/Ls")
    assert trained.startswith("image+sound/Ls, seed 0, ")
    pair = (tmp_path / "data/vision/ice/03000.jpg", tmp_path / "data/sound/ice/03000.wav")
    told = run("-m", "advance_lib.cli", "predict", *runs, *pair, "--map", tmp_path / "map.jpg")
    assert "scene" in told and "heard by N_a(0)" in told and (tmp_path / "map.jpg").is_file()
