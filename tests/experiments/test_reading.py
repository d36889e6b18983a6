"""What only reads finished runs loads neither PyTorch nor what stands on it."""

import subprocess
import sys

HEAVY = "print('heavy:', *{'torch', 'torchvision', 'torchaudio', 'lightning_fabric', 'sklearn'} & set(sys.modules))"

READING = f"""
import json, sys

import pandas as pd

from advance_lib.analysis import claims, studies
from advance_lib.analysis.scores import paper_table
from advance_lib.cache import build_folder
from advance_lib.experiments import prepared
from advance_lib.experiments.runs import finished, requests_for
from advance_lib.experiments.settings import Settings
from advance_lib.transfer import pretraining

prepared.render_aerial_set = lambda *_: pd.DataFrame({{"image": ["a"], "image_sha256": ["a"], "category": ["ice"]}})
prepared.render_event_set = lambda *_: pd.DataFrame({{"sound": ["a"], "sound_sha256": ["a"], "events": ["Bell"]}})
found = build_folder() / "pretrained"  # networks that are there already
found.mkdir(parents=True)
(found / "history.json").write_text(json.dumps({{"score": 50.0}}))
pretraining.entry = lambda *_: found

requests = requests_for(Settings(sys.argv[1], "smoke", seeds=1), "image/Ls†", "image+sound/SQ|Na")
scores = {{"test": {{"precision": 1.0, "recall": 2.0, "fscore": 3.0}}}}
for request in requests:
    folder = build_folder() / "runs" / request.key()
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps({{"scores": scores}}))
print(paper_table(1, finished(requests), "tiny").to_string())
{HEAVY}
"""

DRAWING = f"""
import sys
from advance_lib.figures import diagrams, events, inside, material, page, results, status, studies

page.set_style()
{HEAVY}
print("seaborn:", "seaborn" in sys.modules)
"""

HELP = f"""
import sys
from advance_lib.cli import main

try:
    main(["--help"])
except SystemExit:
    {HEAVY}
    print("tables:", *{{'numpy', 'pandas'}} & set(sys.modules))
"""


def told(program, *arguments):
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_finished_run_is_found_and_read_without_pytorch(tiny):
    lines = told(READING, str(tiny))
    assert any("3.00" in line for line in lines) and lines[-1] == "heavy:"


def test_figures_load_what_they_draw_with_when_they_draw():
    assert told(DRAWING) == ["heavy:", "seaborn: False"]


def test_help_loads_nothing():
    assert told(HELP)[-2:] == ["heavy:", "tables:"]
