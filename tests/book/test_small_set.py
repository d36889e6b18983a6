"""The smoke book on a set of a user's own that is as small as is accepted, in a folder with an awkward name."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from graph import requested
from tests.conftest import COLOURS
from tests.pairs import write_pair

ROOT = Path(__file__).parents[2]


@pytest.fixture
def small(tmp_path):
    """Three scenes of ten pairs at ten places: six test pairs, fewer than some pages need."""
    folder = tmp_path / "zwei #2 é" / "mein set"
    for index, (scene, (colour, hertz)) in enumerate(COLOURS.items()):
        for location in range(10):
            write_pair(folder, scene, f"{1000 * index + location:05d}", colour, hertz)
    return folder


@pytest.mark.slow
@pytest.mark.skipif("ADVANCE_WHOLE_BOOKS" not in os.environ, reason="7 minutes of CPU: ask with ADVANCE_WHOLE_BOOKS=1")
def test_the_book_builds_on_a_small_set(small, monkeypatch):
    monkeypatch.delenv("ADVANCE_BUILD")  # pages find their files in the checkout only
    words = {"profile": "smoke", "seeds": "1", "dataset": str(small), "device": "cpu"}
    book = requested(words).folder
    command = [sys.executable, "workflow/pages.py", "book", *(f"{name}={value}" for name, value in words.items())]
    try:
        done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True)
        told = done.stdout + done.stderr
        assert done.returncode == 0, told
        assert f"The book: {book / 'html' / 'index.html'}\n" in done.stdout
        assert "IPKernelApp" not in told and "Traceback" not in told
        assert "Too few clips" in (book / "html" / "book" / "deciding.html").read_text(encoding="utf-8")
    finally:
        shutil.rmtree(book, ignore_errors=True)
