import json
import re
from pathlib import Path

import pytest

from advance_lib.figures import interactive
from advance_lib.figures.interactive import INLINE

ROOT = Path(__file__).parents[2]


@pytest.fixture
def scripts(tmp_path, monkeypatch):
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "kit.js").write_text("const kit = {};\n")
    (tmp_path / "scripts" / "dot.js").write_text("const figure = (box, data) => box.append(data.text);\n")
    monkeypatch.setattr(interactive, "files", lambda package: tmp_path)


def test_small_data_stand_in_the_page_and_cannot_end_the_script(scripts):
    page = interactive.interactive("dot", {"text": "</script>"}, "<img>").data
    assert page.startswith('<div class="interactive" data-figure="dot"><img></div><script>')
    assert page.count("</script>") == 1 and r"<\/script>" in page and 'class="data"' not in page


def test_large_data_lie_in_a_file_beside_the_page(scripts, build):
    page = interactive.interactive("dot", {"text": "ä" * INLINE}, "<img>").data
    address = re.search(r'<a class="data" href="([^"]+)">', page).group(1)
    name, data = re.fullmatch(
        r"\(window\.advanceData \?\?= \{\}\)\['(\w+)'\] = (.*);", (ROOT / "book" / address).resolve().read_text()
    ).groups()
    assert name == "dot" and json.loads(data) == {"text": "ä" * INLINE}
    assert len(page) < 2000
