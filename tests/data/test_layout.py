import shutil
import unicodedata
import warnings

import pytest

from advance_lib.data.catalogue import DatasetError, read_catalogue


def said(folder, skip_broken=False):
    """Return (how many pairs were read, what was warned of)."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        count = len(read_catalogue(folder, skip_broken))
    return count, [str(warning.message) for warning in caught]


def put(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"whatever")


def test_files_left_aside_are_counted_by_reason_in_a_line_each(tiny):
    for number in range(3):
        put(tiny / "vision" / "ice" / "more" / f"{number}.jpg")
        put(tiny / "sound" / "ice" / f"{number}.m4a")
    for name in (
        "notes.txt",
        "vision/stray.png",
        "vision/ice/labels.xml",
        "sound/ice/.hidden.wav",
        "vision/.c/x/0.jpg",
    ):
        put(tiny / name)
    count, warned = said(tiny)
    assert count == 42 and len(warned) == 3
    depth, hidden, suffix = sorted(warned, key=lambda words: ("directly" not in words, "hidden" not in words))
    assert "left aside: 4 file(s) do" in depth and "3 .jpg, 1 .png; such as vision/ice/more/0.jpg" in depth
    assert "left aside: 2 file(s) are hidden (1 .jpg, 1 .wav; such as vision/.c/x/0.jpg)" in hidden
    assert "left aside: 4 file(s) have another suffix" in suffix and "3 .m4a, 1 .xml" in suffix and "ffmpeg" in suffix


def test_what_systems_leave_behind_is_not_worth_a_word(tiny):
    for name in (
        "vision/.DS_Store",
        "vision/ice/.DS_Store",
        "sound/ice/Thumbs.db",
        "vision/desktop.ini",
        "sound/.git/x",
    ):
        put(tiny / name)
    assert said(tiny) == (42, [])


def test_hidden_folders_are_no_scenes(tiny):
    for sense in ("vision", "sound"):
        shutil.copytree(tiny / sense / "ice", tiny / sense / ".ipynb_checkpoints")
    assert set(read_quietly(tiny)["scene"]) == {"desert", "ice", "wood"}
    assert "28 file(s) are hidden" in said(tiny)[1][0]


@pytest.mark.parametrize("senses", [("vision",), ("sound",), ("vision", "sound")])
def test_a_scene_one_level_too_deep_is_an_error(tiny, senses):
    for sense in senses:
        (tiny / sense / "ice").rename(tiny / sense / "train")
        (tiny / sense / "ice").mkdir()
        (tiny / sense / "train").rename(tiny / sense / "ice" / "train")
    with pytest.raises(DatasetError) as caught:
        read_catalogue(tiny)
    message = str(caught.value)
    assert f"{len(senses)} problem(s)" in message and "has no" not in message  # and not a line for each file
    for sense in senses:
        assert f"{sense}/ice: the scene loses all its files: 14 file(s) do not lie directly in" in message
    count, warned = said(tiny, skip_broken=True)
    assert count == 28 and len(warned) == 1 and "ice: the scene loses" in warned[0]


def test_a_scene_in_a_format_that_is_not_read_is_an_error(tiny):
    for path in (tiny / "sound" / "wood").iterdir():
        path.rename(path.with_suffix(".m4a"))
    with pytest.raises(DatasetError, match=r"1 problem.*\n  sound/wood: .*14 \.m4a; .*m4a is not read.*ffmpeg .*\.wav"):
        read_catalogue(tiny)


def test_a_folder_that_is_no_scene_is_only_counted(tiny):
    put(tiny / "vision" / "labels" / "00000.json")
    put(tiny / "vision" / "__MACOSX" / "._00000.jpg")
    count, warned = said(tiny)
    assert count == 42 and [("1 .json" in words, "1 .jpg" in words) for words in warned] == [
        (False, True),
        (True, False),
    ]


def test_a_scene_behind_a_link_is_read(tiny):
    (tiny / "vision" / "ice").rename(tiny / "elsewhere")
    (tiny / "vision" / "ice").symlink_to(tiny / "elsewhere")
    (tiny / "elsewhere" / "loop").symlink_to(tiny / "vision")
    assert said(tiny)[0] == 42


@pytest.mark.parametrize(
    ("ours", "theirs", "form"),
    [
        ("ice", "Ice", "capitals"),
        ("ice", "ice ", "blanks"),
        (unicodedata.normalize("NFC", "forêt"), unicodedata.normalize("NFD", "forêt"), "Unicode form"),
        ("forêt", unicodedata.normalize("NFD", " Forêt"), "Unicode form and capitals and blanks"),
    ],
)
def test_names_that_differ_in_form_are_said_once(tiny, ours, theirs, form):
    (tiny / "vision" / "ice").rename(tiny / "vision" / ours)
    (tiny / "sound" / "ice").rename(tiny / "sound" / theirs)
    with pytest.raises(
        DatasetError, match=rf"1 problem.*\n  14 pair\(s\) have names that differ in {form} only"
    ) as caught:
        read_catalogue(tiny)
    assert all(f"/{name}/01000." in str(caught.value) for name in (ours, theirs))
    assert said(tiny, skip_broken=True)[0] == 28


def test_ids_that_differ_in_form_are_said_once(tiny):
    for path in (tiny / "sound" / "ice").iterdir():
        path.rename(path.with_name(f"{path.stem} .WAV"))
    (tiny / "sound" / "wood" / "02000.wav").unlink()
    with pytest.raises(DatasetError) as caught:
        read_catalogue(tiny)
    first, second = str(caught.value).splitlines()[1:]
    assert "vision/wood/02000.jpg: has no sound" in first and "14 pair(s) have names that differ in blanks" in second


def read_quietly(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_catalogue(folder)
