"""The graph in shares, the profile for Slurm, and, where Slurm's daemons are installed, the real thing."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from snakemake.cli import get_argument_parser

from advance_lib import cli
from advance_lib.experiments.runs import requests_of_book
from advance_lib.experiments.settings import Settings
from graph import chapters

ROOT = Path(__file__).parents[2]
PROFILE = yaml.safe_load((ROOT / "workflow" / "slurm" / "config.yaml").read_text())


ONCE = {"rendering": 1, "features": 1, "pretraining": 2, "runs": 1, "chapter": len(chapters()), "status": 1}
ONCE |= {"book": 1}


def planned(build, *options):
    """Return how many jobs of each rule a dry run plans, its commands `advance train …`, and all that it prints."""
    command = [sys.executable, "-m", "snakemake", "-n", "-p", "--directory", build]
    done = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    stats = re.search(r"^Job stats:\n.*\n-.*\n((?:\w+ +\d+\n)+)", done.stdout, flags=re.MULTILINE)[1]
    counts = {rule: int(count) for rule, count in map(str.split, stats.splitlines())}
    assert counts.pop("total") == sum(counts.values())
    return counts, sorted(re.findall(r"cli (train .*?) *$", done.stdout, flags=re.MULTILINE)), done.stdout


def test_one_machine_trains_in_one_job(build):
    counts, trains, text = planned(build, "--config", "profile=smoke", "seeds=2")
    assert counts == ONCE
    assert trains == ["train --profile smoke --dataset miniature --seeds 2 --device auto"]
    assert "gpu=1" not in text


def test_every_choice_reaches_every_step(build, tiny):
    choices = ("split=location", "preset=code", "visual=official", "audio=mn04", "teacher=mn04", "skip_broken=yes")
    _, trains, text = planned(build, "--config", "profile=smoke", "seeds=2,5", f"dataset={tiny}", *choices)
    asked = f"--profile smoke --dataset {tiny} --seeds 2,5 --device auto --split location --preset code"
    assert trains == [f"train {asked} --visual official --audio mn04 --teacher mn04 --skip-broken"]
    choices_of_steps = f"{asked} --visual official --audio mn04 --teacher mn04 --skip-broken\n"
    assert all(f"step {step} {choices_of_steps}" in text for step in ("features", "visual", "audio"))
    words = f"profile=smoke dataset={tiny} seeds=2,5 device=auto {' '.join(choices)}"
    assert text.count(f"pages.py build {words}\n") == 1
    assert len(re.findall(rf"pages.py chapter \S+ \S+ {re.escape(words)}\n", text)) == len(chapters()) + 1


def test_the_graph_refuses_before_it_plans(build):
    command = [sys.executable, "-m", "snakemake", "-n", "--directory", build, "--config", "dataset=nowhere"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode and "nowhere: no such folder; give miniature, advance" in done.stdout + done.stderr


def test_a_cluster_trains_in_shares_with_a_gpu_for_each(build):
    config = ["--config", "profile=smoke", "seeds=2", "device=cuda", "shares=3"]
    counts, trains, text = planned(build, "--profile", ROOT / "workflow" / "slurm", *config)
    assert counts == ONCE | {"share": 3}
    asked = "train --profile smoke --dataset miniature --seeds 2 --device cuda"
    assert trains == [f"{asked} --share {share}/3 --jobs 1" for share in (1, 2, 3)]
    jobs = dict(re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)+)", text, flags=re.MULTILINE))
    assert set(jobs) == set(counts)
    gpus = {rule: int(found[1]) for rule, lines in jobs.items() if (found := re.search(r"\bgpu=(\d+)", lines))}
    assert gpus == dict.fromkeys(("pretraining", "share", "chapter", "status"), 1)
    memory = {rule: int(re.search(r"\bmem_mb=(\d+)", lines)[1]) for rule, lines in jobs.items()}
    assert memory["share"] == 16000 and memory["features"] == 8000


@pytest.mark.parametrize("shares", [1, 2, 3, 7, 200])
def test_shares_are_disjoint_and_complete(shares, monkeypatch):
    asked = []
    monkeypatch.setattr("advance_lib.experiments.runs.finished", lambda requests, *_: asked.append(requests) or [])
    options = ["train", "--profile", "smoke", "--seeds", "2"]
    for share in range(1, shares + 1):
        assert cli.main([*options, "--share", f"{share}/{shares}"]) == 0
    every = requests_of_book(Settings(profile="smoke", seeds=2))
    assert asked[0] == every[::shares]
    assert sorted(map(repr, (request for part in asked for request in part))) == sorted(map(repr, every))
    assert max(map(len, asked)) - min(map(len, asked)) <= 1


@pytest.mark.parametrize("share", ["0/4", "5/4", "4", "a/b", "1/0", "-1/4", "1/4/2", ""])
def test_bad_shares_are_refused(share, capsys):
    assert cli.main(["train", "--profile", "smoke", f"--share={share}"]) == 2
    assert f"--share {share}: write K/N" in capsys.readouterr().err


def test_the_profile_names_only_options_and_rules_that_exist():
    known = get_argument_parser()._option_string_actions
    assert not [option for option in PROFILE if f"--{option}" not in known]
    rules = set(re.findall(r"^ *rule (\w+):", (ROOT / "workflow" / "Snakefile").read_text(), flags=re.MULTILINE))
    assert set(PROFILE["set-resources"]) | set(PROFILE["set-threads"]) <= rules


@pytest.mark.slow
def test_a_real_slurm_of_one_node():
    if os.geteuid() or not shutil.which("apt-get"):
        pytest.skip("starting Slurm's daemons wants root on Debian or Ubuntu")
    if not all(map(shutil.which, ("slurmctld", "slurmd", "munged"))):
        pytest.skip("Slurm is not installed: workflow/try_slurm.sh installs it")
    if Path("/etc/slurm/slurm.conf").exists():
        pytest.skip("this machine has a Slurm of its own")
    done = subprocess.run([ROOT / "workflow" / "try_slurm.sh"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.endswith("\nOK\n"), done.stdout + done.stderr
