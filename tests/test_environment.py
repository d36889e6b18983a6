"""pyproject.toml, requirements.txt, environment.yml and images tell one story, and no address stands in it."""

import json
import os
import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MAKEFILE = (ROOT / "Makefile").read_text()
LOCK = (ROOT / "requirements.txt").read_text()


def wanted():
    groups = [*PROJECT["dependency-groups"].values(), *PROJECT["project"]["optional-dependencies"].values()]
    named = [line for group in groups for line in group if isinstance(line, str)]
    return [Requirement(line) for line in [*PROJECT["project"]["dependencies"], *named]]


def test_every_dependency_is_locked_in_an_admitted_version():
    locked = {}
    for name, version in re.findall(r"^([A-Za-z0-9_.-]+)==([^ ;\\]+)", LOCK, flags=re.MULTILINE):
        locked.setdefault(canonicalize_name(name), []).append(version)
    for requirement in wanted():
        versions = locked.get(canonicalize_name(requirement.name))
        assert versions, f"{requirement.name} is not in requirements.txt: run 'make lock'"
        assert all(requirement.specifier.contains(version) for version in versions), requirement


def test_every_locked_line_has_a_hash_and_none_an_address():
    blocks = re.split(r"\n(?=[A-Za-z0-9])", LOCK.strip())
    assert len(blocks) > 100 and all("--hash=sha256:" in block for block in blocks)
    assert "://" not in LOCK and "index-url" not in LOCK


def test_the_torch_family_matches():
    versions = dict(re.findall(r"^(torch|torchvision|torchaudio)==([\d.]+)", LOCK, flags=re.MULTILINE))
    assert versions["torch"].startswith("2.11.") and versions["torchvision"].startswith("0.26.")
    assert versions["torchaudio"].startswith("2.11.")


def test_conda_gives_python_and_pip_the_locked_rest():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python, pip = environment["dependencies"][0], environment["dependencies"][2]["pip"]
    assert python == f"python{PROJECT['project']['requires-python']}"
    assert pip == ["--require-hashes", "-r requirements.txt"]
    assert environment["name"] == PROJECT["project"]["name"]


def test_images_have_a_python_that_is_admitted_and_the_locked_rest():
    admitted = SpecifierSet(PROJECT["project"]["requires-python"])
    dockerfile = (ROOT / "Dockerfile").read_text()
    conda = yaml.safe_load((ROOT / "binder" / "environment.yml").read_text())["dependencies"][0]
    pythons = [*re.findall(r"^FROM python:([\d.]+)", dockerfile, flags=re.MULTILINE), conda.removeprefix("python=")]
    assert len(pythons) == 2 and len(set(pythons)) == 1 and all(map(admitted.contains, pythons))
    for installing in (dockerfile, (ROOT / "binder" / "postBuild").read_text()):
        assert "--require-hashes -r requirements.txt" in installing
    assert all(os.access(ROOT / "binder" / name, os.X_OK) for name in ("postBuild", "start"))


def test_the_development_container_is_a_stage_of_the_image():
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    file = (ROOT / ".devcontainer" / container["build"]["dockerfile"]).resolve()
    stages = dict(re.findall(r"^FROM \S+ AS (\w+)\n((?:(?!FROM).*\n)*)", file.read_text(), flags=re.MULTILINE))
    assert f"USER {container['remoteUser']}" in stages[container["build"]["target"]]
    assert container["postCreateCommand"] == f"make {re.search(r'^READY := (.+)$', MAKEFILE, flags=re.MULTILINE)[1]}"


def test_no_uv_lock():
    assert not (ROOT / "uv.lock").exists() or "uv.lock" in (ROOT / ".gitignore").read_text()
