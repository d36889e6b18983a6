"""The page is driven as a browser would: by clicks on its buttons and by what its field says was typed."""

from dataclasses import replace

import pytest

from advance_lib.cache import UserError
from advance_lib.construct import review_page as module
from advance_lib.construct.review import LEAVE_OUT, Row, read_review, write_review
from advance_lib.construct.review_page import KEYS, ReviewPage
from advance_lib.data.published import SCENES

ROWS = [
    Row("11", "", "forest: …; farmland: …", "tie", name="<script>alert(1)</script>", url="javascript:alert(1)"),
    Row("7", "beach", "natural=beach on 20% of the photograph", "", name="Sea & wind", url="https://example.org/7"),
    Row("9", "lake", "natural=water on 80% of the photograph", ""),
]


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "construction"
    for name in ("photographs", "clips"):
        (folder / name).mkdir(parents=True)
    for row in ROWS:
        (folder / "photographs" / f"{row.id}.jpg").write_bytes(f"picture {row.id}".encode())
        (folder / "clips" / f"{row.id}.wav").write_bytes(f"sound {row.id}".encode())
    write_review(folder / "review.csv", ROWS)
    return tmp_path


def scenes(out):
    return {row.id: row.scene for row in read_review(out / "construction" / "review.csv")}


def test_it_shows_picture_player_suggestion_and_reason(out):
    page = ReviewPage(out)
    assert page.picture.value == b"picture 11" and page.player.value == b"sound 11"
    assert "no suggestion (tie)" in page.about.value and "forest: …; farmland: …" in page.about.value
    page.scenes["forest"].click()
    assert page.picture.value == b"picture 7" and page.player.value == b"sound 7"
    assert "<b>beach</b>: natural=beach on 20%" in page.about.value
    assert '<a href="https://example.org/7"' in page.about.value and "Sea &amp; wind" in page.about.value


def test_what_strangers_wrote_is_no_script(out):
    about = ReviewPage(out).about.value
    assert "&lt;script&gt;" in about and "<script" not in about and "javascript" not in about


def test_each_decision_is_saved_at_once_and_undone_in_order(out):
    page = ReviewPage(out)
    page.scenes["forest"].click()
    assert scenes(out) == {"11": "forest", "7": "", "9": ""}
    page.suggested.click()
    page.scenes[LEAVE_OUT].click()
    assert scenes(out) == {"11": "forest", "7": "beach", "9": LEAVE_OUT}
    assert page.progress.value == page.progress.max == 3 and "Every place" in page.about.value
    page.scenes["lake"].click()  # nothing is shown that it could mean
    page.undo.click()
    assert scenes(out) == {"11": "forest", "7": "beach", "9": ""} and page.picture.value == b"picture 9"
    page.undo.click()
    page.undo.click()
    page.undo.click()
    assert scenes(out) == {"11": "", "7": "", "9": ""} and page.picture.value == b"picture 11"
    assert page.progress.value == 0


def test_every_scene_has_a_key_of_its_own():
    assert set(KEYS) == {*SCENES, LEAVE_OUT}
    keys = [*KEYS.values(), module.SUGGESTED, module.LATER, module.UNDO]
    assert len(set(keys)) == len(keys) and all(len(key) == 1 for key in keys)
    assert all(key in scene for scene, key in KEYS.items())


def test_keys(out):
    page = ReviewPage(out)
    page.field.value = "O"
    page.field.value = "O "  # a browser sends the whole text of the field each time
    assert scenes(out) == {"11": "forest", "7": "beach", "9": ""}
    page.field.value = "O "
    page.field.value = "O"  # deleting and pasting decide nothing
    page.field.value = "xyz"
    assert scenes(out) == {"11": "forest", "7": "beach", "9": ""}
    page.field.value = "xyzuh9"  # several at once: undo, harbour, and one that means nothing
    assert scenes(out) == {"11": "forest", "7": "harbour", "9": ""}


def test_later_goes_round_and_leaves_things_open(out):
    page = ReviewPage(out)
    shown = []
    for _ in range(4):
        shown.append(page.here)
        page.later.click()
    assert shown == ["11", "7", "9", "11"] and not any(scenes(out).values())


def test_it_goes_on_where_people_stopped_and_can_ask_for_open_ones_only(out):
    ReviewPage(out).scenes["forest"].click()
    assert ReviewPage(out).here == "7" and ReviewPage(out).progress.value == 1
    only = ReviewPage(out, every=False)
    assert only.order == ["11"] and only.here is None


def test_nothing_suggested_cannot_be_accepted(out):
    page = ReviewPage(out)
    page.suggested.click()
    assert "nothing is suggested here" in page.message.value and page.here == "11"
    page.scenes["forest"].click()
    assert page.message.value == ""


def test_a_decision_that_cannot_be_saved_is_not_taken(out, monkeypatch):
    page = ReviewPage(out)

    def full(path, rows):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(module, "write_review", full)
        page.scenes["forest"].click()
    assert "Not done" in page.message.value and "No space left" in page.message.value
    assert page.here == "11" and page.done == [] and scenes(out)["11"] == ""
    page.undo.click()
    page.scenes["forest"].click()
    assert scenes(out)["11"] == "forest"


def test_the_table_may_be_edited_meanwhile(out):
    page, path = ReviewPage(out), out / "construction" / "review.csv"
    write_review(path, [ROWS[0], ROWS[1], replace(ROWS[2], scene="lake", note="mine")])
    page.scenes["forest"].click()
    assert scenes(out) == {"11": "forest", "7": "", "9": "lake"}
    assert read_review(path)[2].note == "mine"
    write_review(path, [ROWS[0], ROWS[2]])
    page.scenes["beach"].click()
    assert "no row for id 7" in page.message.value


def test_a_missing_photograph_is_said_by_name(out):
    (out / "construction" / "photographs" / "11.jpg").unlink()
    assert "11.jpg" in ReviewPage(out).message.value


def test_without_a_table_it_says_which_step_makes_it(tmp_path):
    with pytest.raises(UserError, match="the step review writes it"):
        ReviewPage(tmp_path)
