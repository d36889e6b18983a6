"""A chapter in JupyterLab itself: every cell runs, its figures and players are there."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from urllib.request import urlopen

import checks
import nbformat
import pytest
from checks import ROOT

CHAPTER = "hearing.ipynb"
SETTINGS = {  # nothing asks other hosts, nothing is saved, and every cell is on the page
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
}
ERRORS = '[data-mime-type="application/vnd.jupyter.stderr"]'
DONE = rf"""() => {{
  const prompts = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')];
  return document.querySelector('{ERRORS}')
    || prompts.length && prompts.every(prompt => /^\[\d+\]:/.test(prompt.textContent));
}}"""


@pytest.fixture(scope="module")
def lab(site, tmp_path_factory):
    """JupyterLab on a checkout of its own, which finds what was built for the book; yields its chapters and address."""
    folder = tmp_path_factory.mktemp("lab")
    checkout, log = folder / "checkout", folder / "log"
    for part in ("book", "_build/site"):  # JupyterLab serves no files through links
        (checkout / part).mkdir(parents=True)
    for part in ("worlds", "aerial-sets", "event-sets", "features", "pretrained", "runs"):
        (checkout / "_build" / part).symlink_to(ROOT / "_build" / part)
    (folder / "overrides.json").write_text(json.dumps(SETTINGS))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {"ADVANCE_PROFILE": "smoke", "TQDM_DISABLE": "1", "ADVANCE_BUILD": str(checkout / "_build")}
    own |= {name: str(folder / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    flags = ["--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}", "--IdentityProvider.token=lab"]
    flags += [
        f"--ServerApp.root_dir={checkout}",
        f"--LabApp.app_settings_dir={folder}",
        "--LabApp.extension_manager=readonly",
    ]
    command = [sys.executable, "-m", "jupyterlab", *flags]
    with open(log, "wb") as file, subprocess.Popen(command, env=os.environ | own, stdout=file, stderr=file) as server:
        for _ in range(120):
            try:
                urlopen(f"http://127.0.0.1:{port}/api?token=lab", timeout=5).close()
                break
            except OSError:
                time.sleep(0.5)
        yield checkout / "book", f"http://127.0.0.1:{port}"
        server.terminate()


def run_all(page, address, name):
    """Open a notebook and run all its cells from the menu; return what went wrong, and how many pictures there are."""
    problems = checks.load(page, f"{address}/lab/tree/book/{name}?reset&token=lab")
    page.get_by_text("Python 3 (ipykernel) | Idle").first.wait_for(timeout=60_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name=re.compile("^Run All Cells")).click()
    page.wait_for_function(DONE, timeout=240_000)
    problems += page.locator(ERRORS).all_inner_texts()
    problems += [problem for problem in checks.pictures(page) if problem.startswith("no picture")]
    return problems + checks.players(page), page.locator(".jp-OutputArea-output img").count()


def test_a_chapter_runs_in_jupyterlab(page, lab):
    folder, address = lab
    shutil.copy(ROOT / "book" / CHAPTER, folder)
    problems, pictures = run_all(page, address, CHAPTER)
    assert not problems, "\n".join(problems)
    assert pictures


def test_a_planted_fault_is_found_in_jupyterlab(page, lab):
    folder, address = lab
    cell = "from IPython.display import HTML, display\ndisplay(HTML('<img src=missing.png alt=planted>'))\n1 / 0"
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": kernel}, cells=[nbformat.v4.new_code_cell(cell)])
    nbformat.write(notebook, folder / "planted.ipynb")
    problems = "\n".join(run_all(page, address, "planted.ipynb")[0])
    assert "ZeroDivisionError" in problems and "no picture: " in problems
